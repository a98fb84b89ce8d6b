"""What is said of an edition."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from pipelines.common import editions
from pipelines.common.containers import read_container
from pipelines.common.dataset import Dataset
from pipelines.common.editions import UNKNOWN_EDITION, Edition, with_edition
from tests.containers import made

FACES = made.faces()


@pytest.fixture(autouse=True)
def _known_faces(monkeypatch):
    known = Edition("the faces", FACES.content_digests(), FACES.unordered_digests())
    monkeypatch.setattr(editions, "EDITIONS", (known,))


def changed(**arrays):
    given = {"images": FACES.images, "labels": FACES.labels, "usages": FACES.usages} | arrays
    return with_edition(Dataset(**given, edition="")).edition


def test_what_is_known_is_named():
    assert with_edition(FACES).edition == "the faces"


def test_what_differs_is_told_for_each_usage():
    images, labels = FACES.images.copy(), FACES.labels.copy()
    images[0, 0, 0] ^= 1
    labels[14] = (labels[14] + 1) % 7
    told = changed(images=images, labels=labels)
    assert told == (
        f"{UNKNOWN_EDITION}: 31 rows; beside the faces: Training labels equal, pixels differ; "
        "PublicTest pixels equal, labels differ; PrivateTest the same"
    )


def test_another_order_is_told():
    order = np.arange(31)
    order[:14] = order[:14][::-1]
    told = changed(images=FACES.images[order], labels=FACES.labels[order])
    assert "Training the same images with the same labels, in another order; PublicTest the same" in told


def test_missing_labels_are_told(tmp_path):
    (tmp_path / "test.csv").write_bytes(made.competition_test(FACES))
    told = read_container(tmp_path / "test.csv").edition
    assert told.endswith("17 rows; beside the faces: Test the same images, in another order, labels missing")


def test_other_images_are_told():
    other = made.faces((3, 2, 2))
    moved = Dataset(other.images[::-1].copy(), other.labels, other.usages, "")
    assert with_edition(moved).edition == f"{UNKNOWN_EDITION}: 7 rows"


def test_a_published_file_is_known_by_its_md5(tmp_path, monkeypatch):
    data = made.kaggle(FACES)
    monkeypatch.setitem(editions.PUBLISHED_FILES, hashlib.md5(data).hexdigest(), "fer2013.csv")
    for name, packed in {"a.csv": data, "a.tar.gz": made.PACKINGS["tar.gz"]({"fer2013/fer2013.csv": data})}.items():
        (tmp_path / name).write_bytes(packed)
        told = read_container(tmp_path / name).edition
        assert told == "the original FER2013: fer2013.csv with the MD5 that torchvision checks"
    (tmp_path / "a.csv").write_bytes(data + b"\n")
    assert read_container(tmp_path / "a.csv").edition == "the faces"


def test_the_published_md5s_are_those_of_the_artifacts(shared):
    text = (shared / "facts" / "artifacts.toml").read_text(encoding="utf-8")
    assert all(f'md5 = "{md5}"' in text for md5 in editions.PUBLISHED_FILES)
