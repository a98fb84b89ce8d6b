"""What is prepared from a data set is the same whatever container it came in."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from repro.registry import chosen_preparations
from repro.stages.materialise import materialise
from repro.store.results import Results
from tests.containers import made

FACES = made.faces()
(TRAINING_IMAGES,) = chosen_preparations(["lhc-net/training-images"])
(TENSORS,) = chosen_preparations(["lhc-net/evaluation-tensors"])


def rgb_png(image: np.ndarray) -> bytes:
    return made.png(np.repeat(image[..., None], 3, axis=2))


TABLES = {"kaggle": made.kaggle(FACES), "icml": made.icml(FACES)}
FILES: dict[str, Mapping[str, bytes]] = {
    "the authors' three files": made.authors_files(FACES),
    "the competition's two files": {
        "train.csv": made.competition_train(FACES),
        "test.csv": made.competition_test(FACES),
    },
    "a tree of grey images": made.tree(FACES),
    "a tree of RGB images": made.tree(FACES, encode=rgb_png),
    "a tree of train and test": made.tree(FACES, splits=("train", "test", "test")),
}
PACKINGS = {"plain": bytes, "gz": gzip.compress, "xz": lzma.compress}


def containers(folder: Path) -> dict[str, Path]:
    """Write the same faces in every container and return the paths."""
    paths = {}
    for name, table in TABLES.items():
        for packing, pack in PACKINGS.items():
            paths[f"{name}, {packing}"] = folder / f"{name}.{packing}"
            paths[f"{name}, {packing}"].write_bytes(pack(table))
    for name, files in {**FILES, **{name: {"fer2013.csv": table} for name, table in TABLES.items()}}.items():
        for packing, archive in made.PACKINGS.items():
            paths[f"{name}, {packing}"] = folder / f"{name}.archive.{packing}"
            paths[f"{name}, {packing}"].write_bytes(archive(files))
    for name, files in FILES.items():
        paths[f"{name}, a folder"] = made.write(folder / name, files)
    return paths


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return containers(tmp_path_factory.mktemp("containers"))


def test_the_training_tree_is_the_same_through_every_container(written: dict[str, Path], tmp_path: Path) -> None:
    trees = {}
    for name, path in written.items():
        record = materialise(TRAINING_IMAGES, str(path), Results(tmp_path / name))
        trees[name] = record.outputs["tree"]
        assert record.result["files"] == len(FACES.rows(("Training",)))
    assert len(trees) == 2 * 3 + 7 * 4 + 5
    assert set(trees.values()) == {trees["kaggle, plain"]}


def test_evaluation_tensors_are_the_same_through_every_table(written: dict[str, Path], tmp_path: Path) -> None:
    outputs = {
        name: materialise(TENSORS, str(path), Results(tmp_path / name)).outputs
        for name, path in written.items()
        if "tree" not in name and "competition" not in name  # which keep another order, or do not tell the tests apart
    }
    assert len(outputs) == 2 * 3 + 3 * 4 + 1
    assert all(output == outputs["kaggle, plain"] for output in outputs.values())
    assert outputs["kaggle, plain"].keys() == {"PublicTest", "PrivateTest"}
