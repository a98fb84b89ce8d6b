"""The audit stage: what a data set repeats, contradicts and holds nothing in."""

from __future__ import annotations

import time
from itertools import permutations
from typing import Any

import numpy as np
from blake3 import blake3

from repro.schema import Record, System, canonical_json
from repro.schema.audit import AuditLists, ListedImage, NearDuplicate
from repro.stages.code import code_digest
from repro.stages.data import StoredData
from repro.stages.duplicates import NEAR_BOXES, NEAR_LEVELS, NearPair, near_pairs, thumbnail
from repro.stages.etl import etl
from repro.stages.times import timing
from repro.store.results import Results, address

_ROW_FREE = {"schema", "content", "images"}  # of the lists: what another container of the same edition may change


def audit(system: System, data: str, results: Results, *, force: bool = False) -> Record:
    """Audit a data set, or answer from the record of an earlier audit.

    Args:
        system: whose reader is used.
        data: ``embedded``, or the path of a container or of a folder of images. Images of a folder are compared
            nearly by their thumbnails.
        results: where to write.
        force: audit even where the record answers.

    Returns:
        the record. Its output ``lists`` is a stored :class:`AuditLists`; its result has the counts, and in
        ``lists`` a digest of the lists without row numbers, the same for every container of one edition.

    Raises:
        MissingFile, BadInput: the container is not there or not what it should be.
    """
    started = time.monotonic()
    decoding, decoded = etl(system, data, results)
    parameters: dict[str, Any] = {
        "data": decoded.name,
        "near": {"boxes": NEAR_BOXES, "levels": NEAR_LEVELS},
    }
    inputs = {"code": code_digest(None), "data": decoded.content}
    place = results.record_path("audit", None, None, address(parameters, inputs))
    stored = results.load_record(place)
    if not force and stored is not None and stored.inputs == inputs and results.holds(stored.outputs["lists"]):
        return stored
    found = _Found(decoded)
    lists = found.lists()
    record = Record(
        stage="audit",
        parameters=parameters,
        inputs=inputs,
        outputs={"lists": results.save_document(lists)},
        result={
            "verdict": "complete",
            "content": decoded.content,
            "edition": decoding.result["edition"],
            "splits": {usage: found.split(usage, decoding.result["counts"][usage]) for usage in found.rows},
            "distinct": len(found.digests),
            "identical": {"within": found.within(), "across": found.across()},
            "several_labels": len(lists.several_labels),
            "constant": len(lists.constant),
            "near": {"pairs": len(lists.near), "across": found.near_across()},
            "lists": _row_free_digest(lists),
        },
        timing=timing(started),
    )
    return results.save_record(place, record)


def _row_free_digest(lists: AuditLists) -> str:
    kept = {name: value for name, value in lists.to_data().items() if name not in _ROW_FREE}
    return str(blake3(canonical_json(kept)).hexdigest())


class _Found:
    """One data set with its distinct images numbered.

    Attributes:
        rows: row numbers of each usage present, in file order.
        number: of each row, that of its image, int64 (n,).
        digests: of the distinct images.
    """

    def __init__(self, data: StoredData) -> None:
        self.content = data.content
        self.images, self.labels, self.labelled = data.images(), data.all_labels(), data.labelled()
        self.rows = data.rows_by_usage()
        numbers: dict[str, int] = {}
        self.number = np.array([numbers.setdefault(digest, len(numbers)) for digest in data.digests()])
        self.digests = list(numbers)
        self.first = np.unique(self.number, return_index=True)[1]  # row of each distinct image's first occurrence
        self.constant = np.array([_is_constant(self.images[row]) for row in self.first])
        if isinstance(self.images, np.ndarray):
            alike = self.images[self.first]
        else:  # of any size and colour
            alike = np.stack([thumbnail(self.images[row]) for row in self.first])
        self.near: list[NearPair] = near_pairs(alike)

    def split(self, usage: str, counts: dict[str, int]) -> dict[str, Any]:
        """Return a split's size, classes and grey levels."""
        rows = self.rows[usage]
        total = pixels = 0
        for row in rows:
            image = self.images[row]
            total += int(image.sum(dtype=np.int64))
            pixels += image.size
        return {
            "rows": len(rows),
            "classes": counts,
            "intensity": {"sum": total, "pixels": pixels, "mean": total / pixels},
            "constant": int(self.constant[self.number[rows]].sum()),
        }

    def within(self) -> dict[str, int]:
        """Return how many rows of each split repeat an earlier row of it."""
        return {usage: len(rows) - len(np.unique(self.number[rows])) for usage, rows in self.rows.items()}

    def across(self) -> list[dict[str, Any]]:
        """Return how many rows of each split have an image that also occurs in another, and under the same label."""
        table = []
        for one, other in permutations(self.rows, 2):
            rows, others = self.rows[one], self.rows[other]
            pairs = set(self._pairs(others))
            table.append(
                {
                    "split": one,
                    "also_in": other,
                    "rows": int(np.isin(self.number[rows], self.number[others]).sum()),
                    "same_label": sum(pair in pairs for pair in self._pairs(rows)),
                }
            )
        return table

    def near_across(self) -> list[dict[str, Any]]:
        """Return how many rows of each split have a near duplicate in the same or another split."""
        table = []
        for one in self.rows:
            for other in self.rows:
                there = set(self.number[self.rows[other]].tolist())
                touched = {pair.first for pair in self.near if pair.second in there}
                touched |= {pair.second for pair in self.near if pair.first in there}
                count = int(np.isin(self.number[self.rows[one]], sorted(touched)).sum())
                table.append({"split": one, "also_in": other, "rows": count})
        return table

    def lists(self) -> AuditLists:
        """Return the lists themselves."""
        counts = np.bincount(self.number, minlength=len(self.digests))
        identical = np.flatnonzero(counts > 1)
        several = np.array(_contradicted(self._pairs(np.arange(len(self.number)))), np.int64)
        constant = np.flatnonzero(self.constant)
        near = [number for pair in self.near for number in pair[:2]]
        named = sorted({*identical.tolist(), *several.tolist(), *constant.tolist(), *near})
        pairs = sorted((*self._sorted(np.array(pair[:2])), pair.distance) for pair in self.near)
        return AuditLists(
            content=self.content,
            identical=self._sorted(identical),
            several_labels=self._sorted(several),
            constant=self._sorted(constant),
            near=tuple(NearDuplicate(first=one, second=other, distance=distance) for one, other, distance in pairs),
            images=self._listed(named),
        )

    def _pairs(self, rows: np.ndarray) -> list[tuple[int, int]]:
        """Return image number and label of those rows that have a label."""
        rows = rows[self.labelled[rows]]
        return list(zip(self.number[rows].tolist(), self.labels[rows].tolist(), strict=True))

    def _sorted(self, numbers: np.ndarray) -> tuple[str, ...]:
        return tuple(sorted(self.digests[number] for number in numbers))

    def _listed(self, numbers: list[int]) -> tuple[ListedImage, ...]:
        rows: dict[int, dict[str, list[int]]] = {number: {} for number in numbers}
        labels: dict[int, set[int]] = {number: set() for number in numbers}
        for usage, usage_rows in self.rows.items():
            for place, row in enumerate(usage_rows.tolist()):
                number = int(self.number[row])
                if number not in rows:
                    continue
                rows[number].setdefault(usage, []).append(place)
                if self.labelled[row]:
                    labels[number].add(int(self.labels[row]))
        listed = [
            ListedImage(
                image=self.digests[number],
                rows={usage: tuple(places) for usage, places in rows[number].items()},
                labels=tuple(sorted(labels[number])),
            )
            for number in numbers
        ]
        return tuple(sorted(listed, key=lambda one: one.image))


def _is_constant(image: np.ndarray) -> bool:
    """Whether each channel has one level throughout."""
    return not np.ptp(image.reshape(image.shape[0] * image.shape[1], -1), axis=0).any()


def _contradicted(pairs: list[tuple[int, int]]) -> list[int]:
    """Return the numbers of the images that have several labels."""
    first: dict[int, int] = {}
    return sorted({number for number, label in pairs if first.setdefault(number, label) != label})
