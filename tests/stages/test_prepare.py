"""Batches come in order from a thread of their own, and their digest is that of all of them together."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from pipelines.common.faces import embedded
from repro.digest import tensor_digest
from repro.registry import find_model
from repro.stages.prepare import Feed, Watched, ahead


def counted(stop: int, made: list[int]) -> Iterator[int]:
    for number in range(stop):
        made.append(number)
        yield number


def alive() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prepare"]


def test_items_come_in_order() -> None:
    assert list(ahead(counted(50, []))) == list(range(50))
    assert alive() == []


def test_it_does_not_run_far_ahead() -> None:
    made: list[int] = []
    items = ahead(counted(50, made))
    next(items)
    time.sleep(0.3)
    assert len(made) <= 5
    items.close()  # type: ignore[attr-defined]
    assert alive() == []


def test_an_error_comes_after_the_items_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("row 2")

    items = ahead(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="row 2"):
        next(items)
    assert alive() == []


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_the_entry_is_the_digest_of_the_whole(batch: int) -> None:
    system, model = find_model("deep-emotion/deep_emotion")
    faces = embedded()
    feed = Feed.of(system, model, system.protocol("corrected"), faces.images, np.arange(5, 12), seed=0)
    watched = Watched(feed, batch)
    whole = np.concatenate(list(watched))
    entry = watched.entry("test")
    assert entry.digest == tensor_digest(whole)
    assert entry.shape == whole.shape
    assert entry == feed.entry("test")
    np.testing.assert_array_equal(feed.part(2, 4).inputs(), whole[2:4])


def test_there_is_no_entry_before_the_end() -> None:
    system, model = find_model("deep-emotion/deep_emotion")
    feed = Feed.of(system, model, system.protocol("corrected"), embedded().images, np.arange(6), seed=0)
    watched = Watched(feed, 2)
    with pytest.raises(ValueError, match="no batch"):
        watched.entry("test")
