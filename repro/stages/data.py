"""Decoded data sets on disk, as stages hand them to each other and to their children."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from repro.digest import tensor_digest
from repro.errors import BadInput, UsageError
from repro.registry import resolve
from repro.schema import Split

ARRAYS = ("images", "labels", "usages", "labelled")
Images = np.ndarray | Sequence[np.ndarray]
"""All images of a data set: one array, or a sequence of arrays that are decoded when they are asked for."""


@dataclass(frozen=True)
class StoredData:
    """One decoded data set: one ``.npy`` file for each of ``ARRAYS`` in a folder.

    Where the images stay files, ``files.json`` takes the place of ``images.npy``: each row's name and digests.

    Attributes:
        usage_names: what the codes in ``usages`` mean.
        content: digest of the content, the same for every container of it.
        classes: what the labels mean.
        source: the folder of the images, where they stay files.
        opener: ``(folder, names) -> sequence``, which opens them.
    """

    folder: Path
    name: str
    usage_names: tuple[str, ...]
    content: str
    classes: tuple[str, ...] = ()
    source: Path | None = None
    opener: str | None = None

    def images(self) -> Images:
        """Return all images: uint8 (n, height, width), mapped and not read; or uint8 arrays of any size, by row."""
        if self.opener is None:
            return self.array()
        opened: Sequence[np.ndarray] = resolve(self.opener)(self.source, [file["name"] for file in self.files()])
        return opened

    def array(self) -> np.ndarray:
        """Return all images as one array, mapped.

        Raises:
            UsageError: they stay files, of any size.
        """
        if self.opener is not None:
            raise UsageError(
                f"{self.name} is a folder of images of any size; this needs all images as one array, 48 x 48 pixels",
                next_step="give --data a container of FER2013, the data set that the papers' scripts prepare",
            )
        return np.load(self.folder / "images.npy", mmap_mode="r", allow_pickle=False)

    def files(self) -> list[dict[str, Any]]:
        """Return what is known of each image that stays a file, by row."""
        known: list[dict[str, Any]] = json.loads((self.folder / "files.json").read_text(encoding="utf-8"))
        return known

    def digests(self) -> list[str]:
        """Return the tensor digest of each image, by row."""
        if self.opener is not None:
            return [file["pixels"] for file in self.files()]
        return [tensor_digest(image) for image in self.array()]

    def contents(self, rows: np.ndarray) -> list[bytes]:
        """Return for each of these rows what only images of the same pixels share."""
        if self.opener is not None:
            files = self.files()
            return [files[row]["pixels"].encode() for row in rows]
        images = self.array()
        return [images[row].tobytes() for row in rows]

    def labels(self, rows: np.ndarray) -> np.ndarray:
        """Return the labels of these rows, (m,).

        Raises:
            BadInput: one of them has none.
        """
        missing = rows[~self.labelled()[rows]]
        if missing.size:
            raise BadInput(
                f"{self.name}: {missing.size} of {rows.size} rows have no label, the first is row {missing[0] + 1}",
                next_step="evaluate and train on data with labels: fer2013.csv has those that test.csv lacks",
            )
        return self.all_labels()[rows]

    def all_labels(self) -> np.ndarray:
        """Return all labels, (n,); those of rows that are not labelled mean nothing."""
        return np.load(self.folder / "labels.npy", allow_pickle=False)

    def labelled(self) -> np.ndarray:
        """Return which rows have a label, bool (n,)."""
        return np.load(self.folder / "labelled.npy", allow_pickle=False)

    def rows(self, split: Split) -> np.ndarray:
        """Return a split's row numbers in file order.

        Raises:
            BadInput: the data has no row of that split.
        """
        known = self.rows_by_usage()
        parts = [known[usage] for usage in split.usages if usage in known]
        rows = np.concatenate([*parts, np.empty(0, np.int64)])[split.start : split.stop]
        if not rows.size:
            raise BadInput(
                f"{self.name} has no row of the split {split.name!r} ({split.description})",
                next_step="choose another --split or give data that has it",
            )
        return rows

    def rows_by_usage(self) -> dict[str, np.ndarray]:
        """Return the row numbers of each usage that the data has, in the order of the usages' names."""
        usages = np.load(self.folder / "usages.npy", allow_pickle=False)
        found = {name: np.flatnonzero(usages == code) for code, name in enumerate(self.usage_names)}
        return {name: rows for name, rows in found.items() if rows.size}

    def training_rows_outside(self, split: Split) -> np.ndarray:
        """Return the row numbers of the usage that is trained on (the first), the split's own rows left out."""
        return np.setdiff1d(self.rows_by_usage().get(self.usage_names[0], np.empty(0, np.int64)), self.rows(split))

    def task(self) -> dict[str, object]:
        """Return this as plain data for a child's task; see :meth:`from_task`."""
        return {
            "folder": str(self.folder.resolve()),
            "name": self.name,
            "usage_names": list(self.usage_names),
            "content": self.content,
            "classes": list(self.classes),
            "source": None if self.source is None else str(self.source.resolve()),
            "opener": self.opener,
        }

    @classmethod
    def from_task(cls, data: dict[str, object]) -> StoredData:
        """Build it again in the child."""
        names, classes, source = data["usage_names"], data["classes"], data["source"]
        assert isinstance(names, list)
        assert isinstance(classes, list)
        return cls(
            Path(str(data["folder"])),
            str(data["name"]),
            tuple(names),
            str(data["content"]),
            tuple(classes),
            None if source is None else Path(str(source)),
            None if data["opener"] is None else str(data["opener"]),
        )


def taken(images: Images, rows: np.ndarray) -> Images:
    """Return these rows' images: as an array where they are one, else as a list."""
    return np.asarray(images[rows]) if isinstance(images, np.ndarray) else [images[int(row)] for row in rows]
