"""The Croissant file: made and checked by mlcroissant, and what it reads is what this project reads."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

import numpy as np
import pytest

from pipelines.common.croissant import FILE_NAME, MD5, write_fer2013
from pipelines.common.dataset import CLASSES, USAGES
from pipelines.common.faces import drawn_faces
from pipelines.common.fer2013 import read_fer2013

mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not in this stack")


@pytest.fixture
def described(root: Path) -> Path:
    return root / "docs" / "fer2013.croissant.json"


def test_the_stored_file_is_what_the_function_writes(described: Path, tmp_path: Path) -> None:
    write_fer2013(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == described.read_bytes(), (
        "if on purpose: python -m pipelines.common.croissant docs/fer2013.croissant.json"
    )


def test_it_is_valid_without_a_warning(described: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        issues = mlcroissant.Dataset(jsonld=described).metadata.ctx.issues
    assert (issues.errors, issues.warnings) == (set(), set())
    assert caplog.text == ""


def test_a_description_without_the_table_is_refused(described: Path, tmp_path: Path) -> None:
    data = json.loads(described.read_text(encoding="utf-8"))
    del data["distribution"]
    (tmp_path / "broken.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(mlcroissant.ValidationError):
        mlcroissant.Dataset(jsonld=tmp_path / "broken.json")


def test_it_reads_what_this_project_reads(described: Path, tmp_path: Path) -> None:
    faces = drawn_faces(counts=(20, 5, 5))
    rows = [
        f"{label},{' '.join(map(str, image.reshape(-1)))},{USAGES[usage]}"
        for image, label, usage in zip(faces.images, faces.labels, faces.usages, strict=True)
    ]
    table = "\n".join(["emotion,pixels,Usage", *rows, ""])
    (tmp_path / FILE_NAME).write_text(table)
    text, copy = described.read_text(encoding="utf-8"), tmp_path / "described.json"
    copy.write_text(text)
    with pytest.raises(mlcroissant.GenerationError):  # the drawn faces are not the file that is described
        list(mlcroissant.Dataset(jsonld=copy).records("images"))
    copy.write_text(text.replace(MD5, hashlib.md5(table.encode()).hexdigest()))
    dataset = mlcroissant.Dataset(jsonld=copy)
    read = list(dataset.records("images"))
    ours = read_fer2013(tmp_path / FILE_NAME)
    images = np.array([record["images/pixels"].split() for record in read], np.uint8).reshape(-1, 48, 48)
    assert np.array_equal(images, ours.images)
    assert [record["images/emotion"] for record in read] == ours.labels.tolist()
    assert [record["images/Usage"].decode() for record in read] == [USAGES[code] for code in ours.usages]
    named = [(record["classes/label"], record["classes/name"]) for record in dataset.records("classes")]
    assert named == list(enumerate(CLASSES))
