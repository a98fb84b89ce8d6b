"""Resize, JPEG tree and evaluation tensors beside TensorFlow's own resize and Pillow in the TensorFlow stack."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.common.faces import drawn_faces
from pipelines.common.fer2013 import read_fer2013
from pipelines.common.jpeg import jpeg_versions
from pipelines.common.resize import resize_bilinear
from pipelines.lhc_net.etl import evaluation_inputs, training_files, training_jpegs
from repro.digest import tensor_digest
from tests.conftest import ROOT
from tests.stacks import tensorflow_python

pytestmark = pytest.mark.slow

NUM_IMAGES = 700
SIZES = [[224, 224], [48, 48], [97, 31], [1, 300], [16, 24]]


def images_and_labels() -> tuple[np.ndarray, np.ndarray]:
    """Return real images from the whole of FER2013 where it is at hand, drawn ones elsewhere."""
    path = Path(os.environ.get("REPRO_SHARED", ROOT.parent / "shared")) / "data" / "fer2013.csv.xz"
    dataset = read_fer2013(path) if path.exists() else drawn_faces(counts=(NUM_IMAGES, 0, 0))
    rows = np.linspace(0, len(dataset) - 1, NUM_IMAGES).astype(int)
    return dataset.images[rows], dataset.labels[rows]


def arrays() -> dict[str, np.ndarray]:
    draws = np.random.default_rng(20131)
    step = np.zeros((2, 48, 48), np.uint8)
    step[0, ::2], step[1, :, 24:] = 255, 255
    images, labels = images_and_labels()
    return {
        "images": images,
        "labels": labels,
        "random": draws.integers(0, 256, (200, 48, 48), np.uint8),
        "black and white": (draws.integers(0, 2, (100, 48, 48)) * 255).astype(np.uint8),
        "steps": step,
        "constant": np.repeat(np.arange(256, dtype=np.uint8), 48 * 48).reshape(256, 48, 48),
        "another shape": draws.integers(0, 256, (20, 7, 61), np.uint8),
        "large and small floats": (
            draws.standard_normal((20, 48, 48)) * 10.0 ** draws.integers(-30, 30, (20, 1, 1))
        ).astype(np.float32),
    }


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, np.ndarray], Path, dict[str, Any]]:
    """Return the arrays, the tree that the straight way made of them, and what TensorFlow told."""
    python = tensorflow_python()
    folder = tmp_path_factory.mktemp("straight")
    given = arrays()
    np.savez(folder / "arrays.npz", sizes=SIZES, **given)
    ended = subprocess.run(
        [str(python), str(Path(__file__).with_name("in_tensorflow.py")), str(folder / "arrays.npz"), str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return given, folder, json.loads(ended.stdout.splitlines()[-1])


def test_the_resize_has_tensorflow_s_bits(compared: tuple[dict[str, np.ndarray], Path, dict[str, Any]]) -> None:
    given, _, told = compared
    ours = {
        f"{name} to {size}": tensor_digest(resize_bilinear(array, tuple(size)))
        for name, array in given.items()
        if name not in ("images", "labels")
        for size in SIZES
    }
    theirs = {name: digest for name, digest in told["digests"].items() if name != "inputs"}
    assert len(ours) == 6 * len(SIZES)
    assert ours == theirs


def test_the_inputs_have_tensorflow_s_bits(compared: tuple[dict[str, np.ndarray], Path, dict[str, Any]]) -> None:
    given, _, told = compared
    assert len(given["images"]) >= 500
    assert tensor_digest(evaluation_inputs(given["images"])) == told["digests"]["inputs"]


def test_the_tree_has_the_straight_way_s_bytes(compared: tuple[dict[str, np.ndarray], Path, dict[str, Any]]) -> None:
    given, folder, told = compared
    assert told["jpeg"] == jpeg_versions(), "the two stacks have another JPEG library: bytes need not agree"
    plan = training_files(given["labels"], {"Training": np.arange(NUM_IMAGES)})
    theirs = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.jpeg")}
    assert len(theirs) == NUM_IMAGES
    assert plan.keys() == theirs.keys()
    ours = dict(zip(plan, training_jpegs(given["images"][list(plan.values())]), strict=True))
    assert [name for name in plan if ours[name] != theirs[name]] == []
