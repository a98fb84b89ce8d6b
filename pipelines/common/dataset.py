"""A data set in memory: images, labels, and which usage each row belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from blake3 import blake3

from repro.digest import set_digest, tensor_digest
from repro.errors import BadInput, UnknownName, UsageError

USAGE_COLUMN = ("Training", "PublicTest", "PrivateTest")
"""What a row's Usage may be in the published tables."""

USAGES = (*USAGE_COLUMN, "Test")
"""``Test`` is PublicTest and PrivateTest where a container does not tell the two apart."""
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
        labelled: bool (n,), which rows have a label; all of them where it is left out. The label of a row
            without one is 0 and means nothing.

    Raises:
        BadInput: a shape, dtype or code is none of these.
    """

    images: np.ndarray
    labels: np.ndarray
    usages: np.ndarray
    edition: str
    labelled: np.ndarray = field(default_factory=lambda: np.empty(0, np.bool_))
    usage_names: ClassVar[tuple[str, ...]] = USAGES
    class_names: ClassVar[tuple[str, ...]] = CLASSES

    def __post_init__(self) -> None:
        count = len(self.images)
        if not self.labelled.size:
            object.__setattr__(self, "labelled", np.ones(count, np.bool_))
        shapes = {"images": (count, *IMAGE_SHAPE), "labels": (count,), "usages": (count,), "labelled": (count,)}
        for name, shape in shapes.items():
            array, dtype = getattr(self, name), np.dtype(np.bool_ if name == "labelled" else np.uint8)
            if array.dtype != dtype or array.shape != shape:
                raise BadInput(f"{name}: expected {dtype} {shape}, found {array.dtype} {array.shape}")
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        for name, known in (("labels", CLASSES), ("usages", USAGES)):
            array = getattr(self, name)
            if count and array.max() >= len(known):
                row = int(np.argmax(array >= len(known)))
                raise BadInput(f"{name}, row {row + 1}: expected 0..{len(known) - 1}, found {array[row]}")
        if self.labels[~self.labelled].any():
            row = int(np.flatnonzero(~self.labelled & (self.labels != 0))[0])
            raise BadInput(f"labels, row {row + 1}: expected 0 in a row without a label, found {self.labels[row]}")

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
        return replace(
            self,
            images=self.images[rows],
            labels=self.labels[rows],
            usages=self.usages[rows],
            labelled=self.labelled[rows],
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the number of labelled rows per usage and class, all usages and classes, also those without rows."""
        codes = (self.usages.astype(np.int64) * len(CLASSES) + self.labels)[self.labelled]
        table = np.bincount(codes, minlength=len(USAGES) * len(CLASSES)).reshape(len(USAGES), len(CLASSES))
        return {usage: dict(zip(CLASSES, map(int, table[i]), strict=True)) for i, usage in enumerate(USAGES)}

    def content_digests(self) -> dict[str, str]:
        """Return the tensor digests of ``{usage}/images`` and ``{usage}/labels`` of the usages present.

        A usage without any label has no ``labels``; one with some has ``{usage}/labelled`` as well.
        """
        digests = {}
        for usage in USAGES:
            rows = self.rows((usage,))
            if not len(rows):
                continue
            digests[f"{usage}/images"] = tensor_digest(self.images[rows])
            labelled = self.labelled[rows]
            if labelled.any():
                digests[f"{usage}/labels"] = tensor_digest(self.labels[rows])
            if labelled.any() and not labelled.all():
                digests[f"{usage}/labelled"] = tensor_digest(labelled)
        return digests

    def content_digest(self) -> str:
        """Return the digest of the named set of :meth:`content_digests`.

        How a container interleaves the usages plays no part; the order inside each does.
        """
        return set_digest(self.content_digests())

    def unordered_digests(self) -> dict[str, str]:
        """Return digests that forget the order of the rows, by which a folder edition is known again.

        ``{usage}/images`` is the BLAKE3 digest of the images' tensor digests (48, 48), one a line, sorted;
        ``{usage}/pairs`` of such lines with the label behind a space, where every row has one. Where a data
        set has PublicTest and PrivateTest, ``Test`` is the two together.
        """
        images = [tensor_digest(image).encode("ascii") for image in self.images]
        pairs = [b"%s %d\n" % (image, label) for image, label in zip(images, self.labels, strict=True)]
        groups = {(usage,): usage for usage in USAGES} | {("PublicTest", "PrivateTest"): "Test"}
        digests = {}
        for usages, name in groups.items():
            if not all(USAGES.index(usage) in self.usages for usage in usages):
                continue
            rows = self.rows(usages)
            digests[f"{name}/images"] = _digest_of_lines([images[row] + b"\n" for row in rows])
            if self.labelled[rows].all():
                digests[f"{name}/pairs"] = _digest_of_lines([pairs[row] for row in rows])
        return digests


def _digest_of_lines(lines: list[bytes]) -> str:
    return str(blake3(b"".join(sorted(lines))).hexdigest())


def joined(parts: Sequence[Dataset], edition: str) -> Dataset:
    """Return the rows of several data sets, one after the other."""
    if len(parts) == 1:
        return replace(parts[0], edition=edition)
    images, labels, usages, labelled = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "labels", "usages", "labelled")
    )
    return Dataset(images, labels, usages, edition, labelled)
