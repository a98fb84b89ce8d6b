"""A data set in memory: images, labels, and which usage each row belongs to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from repro.digest import set_digest, tensor_digest
from repro.errors import BadInput, UnknownName, UsageError

USAGES = ("Training", "PublicTest", "PrivateTest")
CLASSES = ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")
IMAGE_SHAPE = (48, 48)


@dataclass(frozen=True, eq=False)
class Dataset:
    """FER2013's rows in file order. Two data sets are the same where their content digests are.

    Attributes:
        images: uint8 (n, 48, 48), grey levels; read-only, as the other arrays are.
        labels: uint8 (n,), indices into ``CLASSES``.
        usages: uint8 (n,), indices into ``USAGES``.
        edition: what the rows are, as a part of a sentence: "an edition of FER2013 ...".

    Raises:
        BadInput: a shape, dtype or code is none of these.
    """

    images: np.ndarray
    labels: np.ndarray
    usages: np.ndarray
    edition: str
    usage_names: ClassVar[tuple[str, ...]] = USAGES

    def __post_init__(self) -> None:
        count = len(self.images)
        shapes = {"images": (count, *IMAGE_SHAPE), "labels": (count,), "usages": (count,)}
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.dtype != np.uint8 or array.shape != shape:
                raise BadInput(f"{name}: expected uint8 {shape}, found {array.dtype} {array.shape}")
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        for name, known in (("labels", CLASSES), ("usages", USAGES)):
            array = getattr(self, name)
            if count and array.max() >= len(known):
                row = int(np.argmax(array >= len(known)))
                raise BadInput(f"{name}, row {row + 1}: expected 0..{len(known) - 1}, found {array[row]}")

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, usage_names: tuple[str, ...], start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return row indices, int64 (m,): the usages' rows in file order, one usage after the other.

        Args:
            usage_names: taken in this order.
            start, stop: half-open range inside the concatenated rows. As in a slice, what lies beyond
                the last row is left out.

        Raises:
            UnknownName: a name is not in ``USAGES``.
            UsageError: a bound is negative.
        """
        if start < 0 or (stop is not None and stop < 0):
            raise UsageError(f"expected row bounds from 0 on, got start={start}, stop={stop}")
        for name in usage_names:
            if name not in USAGES:
                raise UnknownName("usage", name, USAGES)
        parts = [np.flatnonzero(self.usages == USAGES.index(name)) for name in usage_names]
        return np.concatenate([np.empty(0, np.int64), *parts])[start:stop]

    def subset(self, usage_names: tuple[str, ...], start: int = 0, stop: int | None = None) -> Dataset:
        """Return the data set of these rows alone, in the order in which :meth:`rows` gives them."""
        rows = self.rows(usage_names, start, stop)
        return replace(self, images=self.images[rows], labels=self.labels[rows], usages=self.usages[rows])

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the number of rows per usage and class, all usages and classes, also those without rows."""
        codes = self.usages.astype(np.int64) * len(CLASSES) + self.labels
        table = np.bincount(codes, minlength=len(USAGES) * len(CLASSES)).reshape(len(USAGES), len(CLASSES))
        return {usage: dict(zip(CLASSES, map(int, table[i]), strict=True)) for i, usage in enumerate(USAGES)}

    def content_digests(self) -> dict[str, str]:
        """Return the tensor digests of ``{usage}/images`` and ``{usage}/labels`` of the usages present."""
        digests = {}
        for usage in USAGES:
            rows = self.rows((usage,))
            if len(rows):
                digests[f"{usage}/images"] = tensor_digest(self.images[rows])
                digests[f"{usage}/labels"] = tensor_digest(self.labels[rows])
        return digests

    def content_digest(self) -> str:
        """Return the digest of the named set of :meth:`content_digests`.

        How a container interleaves the usages plays no part; the order inside each does.
        """
        return set_digest(self.content_digests())
