import dataclasses

import numpy as np
import pytest

from pipelines.common.dataset import CLASSES, USAGES, Dataset
from repro.digest import set_digest, tensor_digest
from repro.errors import BadInput, UnknownName, UsageError


def make(usages: list[int], seed: int = 0) -> Dataset:
    generator = np.random.default_rng(seed)
    count = len(usages)
    images = generator.integers(0, 256, (count, 48, 48), dtype=np.uint8)
    labels = generator.integers(0, 7, count, dtype=np.uint8)
    return Dataset(images, labels, np.array(usages, np.uint8), "random images")


def reordered(dataset: Dataset, order: list[int]) -> Dataset:
    return Dataset(dataset.images[order], dataset.labels[order], dataset.usages[order], dataset.edition)


def test_rows_come_usage_by_usage_in_file_order():
    dataset = make([0, 2, 0, 1, 2, 0])
    assert dataset.rows(("Training",)).tolist() == [0, 2, 5]
    assert dataset.rows(("PrivateTest", "Training")).tolist() == [1, 4, 0, 2, 5]
    assert dataset.rows(("PrivateTest", "Training"), 1, 3).tolist() == [4, 0]
    assert dataset.rows(("Training",), start=1).tolist() == [2, 5]
    assert dataset.rows(("Training",), stop=9).tolist() == [0, 2, 5]
    assert dataset.rows(()).tolist() == []


def test_subset_holds_the_rows():
    dataset = make([0, 2, 0, 1, 2, 0])
    subset = dataset.subset(("PrivateTest", "Training"), 1, 4)
    assert len(subset) == 3
    assert np.array_equal(subset.images, dataset.images[[4, 0, 2]])
    assert np.array_equal(subset.labels, dataset.labels[[4, 0, 2]])
    assert subset.usages.tolist() == [2, 0, 0]
    assert subset.edition == dataset.edition


def test_unknown_usage_and_negative_bounds_are_refused():
    dataset = make([0, 1])
    with pytest.raises(UnknownName, match="Did you mean PublicTest"):
        dataset.rows(("Publictest",))
    with pytest.raises(UsageError, match="start=-1"):
        dataset.rows(("Training",), start=-1)
    with pytest.raises(UsageError, match="stop=-1"):
        dataset.subset(("Training",), stop=-1)


def test_counts_name_every_usage_and_class():
    dataset = Dataset(
        np.zeros((4, 48, 48), np.uint8),
        np.array([6, 3, 3, 0], np.uint8),
        np.array([0, 2, 2, 2], np.uint8),
        "zeros",
    )
    counts = dataset.counts()
    assert list(counts) == list(USAGES)
    assert all(list(counts[usage]) == list(CLASSES) for usage in USAGES)
    assert counts["Training"] == {**dict.fromkeys(CLASSES, 0), "Neutral": 1}
    assert counts["PublicTest"] == dict.fromkeys(CLASSES, 0)
    assert counts["PrivateTest"] == {**dict.fromkeys(CLASSES, 0), "Happy": 2, "Angry": 1}


def test_content_digest_is_that_of_the_named_parts():
    dataset = make([0, 2, 0])
    parts = {
        "Training/images": tensor_digest(dataset.images[[0, 2]]),
        "Training/labels": tensor_digest(dataset.labels[[0, 2]]),
        "PrivateTest/images": tensor_digest(dataset.images[[1]]),
        "PrivateTest/labels": tensor_digest(dataset.labels[[1]]),
    }
    assert dataset.content_digests() == parts
    assert dataset.content_digest() == set_digest(parts)


def test_content_digest_forgets_interleaving_but_not_order():
    dataset = make([0, 1, 0, 2])
    assert reordered(dataset, [3, 0, 1, 2]).content_digest() == dataset.content_digest()
    assert reordered(dataset, [2, 1, 0, 3]).content_digest() != dataset.content_digest()


@pytest.mark.parametrize("field", ["images", "labels"])
def test_content_digest_sees_every_value(field):
    dataset = make([0, 1, 0, 2])
    changed = getattr(dataset, field).copy()
    changed.flat[0] = 0 if changed.flat[0] else 1
    assert dataclasses.replace(dataset, **{field: changed}).content_digest() != dataset.content_digest()


def test_arrays_are_read_only():
    dataset = make([0])
    for name in ("images", "labels", "usages"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(dataset, name)[0] = 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((2, 48, 48), np.float32)}, r"images: expected uint8 \(2, 48, 48\)"),
        ({"images": np.zeros((2, 48, 47), np.uint8)}, "images: expected"),
        ({"labels": np.zeros(3, np.uint8)}, r"labels: expected uint8 \(2,\)"),
        ({"labels": np.array([0, 7], np.uint8)}, "labels, row 2: expected 0..6, found 7"),
        ({"usages": np.array([4, 0], np.uint8)}, "usages, row 1: expected 0..3, found 4"),
    ],
)
def test_wrong_arrays_are_refused(change, message):
    with pytest.raises(BadInput, match=message):
        dataclasses.replace(make([0, 1]), **change)


def test_an_empty_data_set_has_no_parts():
    dataset = make([])
    assert len(dataset) == 0
    assert dataset.content_digests() == {}
