"""Raw images to network inputs, a batch at a time: memory does not grow with the data.

The next batch is prepared on a thread of its own while the current one is computed with.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from repro.digest import PiecesHasher
from repro.registry import resolve
from repro.schema import Model, Protocol, Samples, System, settings_of
from repro.stages.data import Images, taken
from repro.trace import TraceEntry

_PIECE = 256
_AHEAD = 2  # batches that are ready and not yet asked for

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Feed:
    """Some rows of a data set as a protocol prepares them for a model.

    Attributes:
        images: all images of the data set; indexed by row.
        samples: the rows that are fed, their positions, and the seed of the run.
    """

    system: System
    model: Model
    protocol: Protocol
    images: Images
    samples: Samples

    @classmethod
    def of(cls, system: System, model: Model, protocol: Protocol, images: Images, rows: np.ndarray, seed: int) -> Feed:
        """Return the feed of these rows, whose positions are their order."""
        return cls(system, model, protocol, images, Samples(rows, np.arange(len(rows)), seed, len(rows)))

    def part(self, start: int, stop: int) -> Feed:
        """Return the feed of the samples from ``start`` up to ``stop``, which keep their positions."""
        whole = self.samples
        return replace(
            self, samples=Samples(whole.rows[start:stop], whole.positions[start:stop], whole.seed, whole.count)
        )

    def inputs(self) -> np.ndarray:
        """Return all inputs at once."""
        rows = self.samples.rows
        prepare = resolve(self.system.prepare)
        inputs: np.ndarray = prepare(taken(self.images, rows), settings_of(self.protocol, self.model), self.samples)
        return inputs

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """Yield the inputs of ``size`` images at a time."""
        for start in range(0, len(self.samples.rows), size):
            yield self.part(start, start + size).inputs()

    def entry(self, name: str) -> TraceEntry:
        """Return the digest of all inputs as the trace entry ``data/<protocol>/<name>``."""
        watched = Watched(self, _PIECE)
        for _ in watched:
            continue
        return watched.entry(name)


class Watched:
    """Yields a feed's batches, each prepared while the one before is in use, and digests what it yields."""

    def __init__(self, feed: Feed, batch: int) -> None:
        self._feed, self._batch = feed, batch
        self._hasher: PiecesHasher | None = None

    def __iter__(self) -> Iterator[np.ndarray]:
        return ahead(self._digested())

    def entry(self, name: str) -> TraceEntry:
        """Return the entry ``data/<protocol>/<name>``; it has no sketch, since the inputs are never held together.

        Raises:
            ValueError: not all batches have been taken.
        """
        if self._hasher is None:
            raise ValueError("no batch has been taken")
        return TraceEntry(
            name=f"data/{self._feed.protocol.name}/{name}",
            operation="preprocessing",
            dtype=self._hasher.dtype,
            shape=self._hasher.shape,
            digest=self._hasher.hexdigest(),
        )

    def _digested(self) -> Iterator[np.ndarray]:
        count = len(self._feed.samples.rows)
        for inputs in self._feed.batches(self._batch):
            if self._hasher is None:
                views = len(inputs) // min(self._batch, count)
                self._hasher = PiecesHasher(inputs.dtype.name, (views * count, *inputs.shape[1:]))
            self._hasher.update(inputs)
            yield inputs


def ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """Yield what an iterator yields, in its order, from a thread that is at most ``_AHEAD`` items in front.

    An error of the iterator is raised here, after the items before it. Leaving early ends the thread.
    """
    ready: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=_AHEAD)
    left = threading.Event()

    def put(kind: str, value: Any) -> bool:
        while not left.is_set():
            try:
                ready.put((kind, value), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put("item", item):
                    return
        except BaseException as error:
            put("error", error)
        else:
            put("end", None)

    thread = threading.Thread(target=work, name="prepare", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = ready.get()
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value
    finally:
        left.set()
        thread.join()
