"""FER+: ten annotators' votes for each row of fer2013.csv, in a file beside the images (``fer2013new.csv``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.common.compressed import read_pieces
from pipelines.common.dataset import CLASSES, USAGE_COLUMN, Dataset
from pipelines.common.fer2013 import header_names, read_lines, split_fields
from repro.errors import BadInput
from repro.schema import Votes

VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
"""What an annotator could choose; ``NF`` is no face."""

_CLASS_COLUMNS = [
    VOTES.index(name) for name in ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
]
_MOST_VOTES = 10


def read_votes(path: Path, images: np.ndarray, labels: np.ndarray, usages: np.ndarray, labelled: np.ndarray) -> Votes:
    """Return the votes of :func:`read_ferplus` for a data set's arrays."""
    dataset = Dataset(np.asarray(images), labels, usages, "", labelled)
    return Votes(VOTES, read_ferplus(path, dataset), tuple(_CLASS_COLUMNS))


def read_ferplus(path: Path, dataset: Dataset) -> np.ndarray:
    """Return the votes for each row of a data set, uint8 (n, 10), columns as in ``VOTES``.

    The file names no image that other containers know, so its rows belong to a data set's by their order inside
    each usage. That this is the same order is checked by the labels: votes that meet them less than twice as often
    as chance would belong to other rows.

    Args:
        path: ``fer2013new.csv``, plain, gzip or xz.
        dataset: read from a table in the original order.

    Raises:
        MissingFile: there is no such file.
        BadInput: it is no such file, a usage has another number of rows than the data set's, or another order.
    """
    votes = _read(path)
    found = np.zeros((len(dataset), len(VOTES)), np.uint8)
    if len(dataset.rows(("Test",))):
        raise BadInput(f"{path}: the data set does not tell PublicTest from PrivateTest, and the votes do")
    for usage in USAGE_COLUMN:
        rows = dataset.rows((usage,))
        if len(rows) == 0:
            continue
        if len(rows) != len(votes[usage]):
            raise BadInput(f"{path}: {usage}: votes for {len(votes[usage])} rows, but the data set has {len(rows)}")
        found[rows] = votes[usage]
    _check_order(path, dataset, found)
    return found


def _read(path: Path) -> dict[str, np.ndarray]:
    lines = read_lines(read_pieces(path), str(path))
    _, header = next(lines, (0, b""))
    names, columns = header_names(header), ("Usage", *VOTES)
    for name in columns:
        if names.count(name) != 1:
            raise BadInput(
                f"{path}: expected FER+'s columns {', '.join(columns)}; {name} is there {names.count(name)} times"
            )
    places = [names.index(name) for name in VOTES]
    votes: dict[str, list[list[int]]] = {usage: [] for usage in USAGE_COLUMN}
    for row, (number, line) in enumerate(lines, start=1):
        where = f"{path}: row {row} (line {number})"
        fields = [field.strip() for field in split_fields(where, line)]
        if len(fields) != len(names):
            raise BadInput(f"{where}: expected {len(names)} fields, found {len(fields)}")
        usage = fields[names.index("Usage")].decode("latin-1")
        if usage not in votes:
            raise BadInput(f"{where}: Usage: expected one of {', '.join(USAGE_COLUMN)}; found {usage[:20]!a}")
        votes[usage].append([_votes(where, name, fields[place]) for name, place in zip(VOTES, places, strict=True)])
    return {usage: np.array(rows, np.uint8).reshape(-1, len(VOTES)) for usage, rows in votes.items()}


def _votes(where: str, name: str, field: bytes) -> int:
    if not field.isdigit() or len(field) > 2 or int(field) > _MOST_VOTES:
        found = ascii(field[:12].decode("latin-1"))
        raise BadInput(f"{where}: {name}: expected 0..{_MOST_VOTES} votes, found {found}")
    return int(field)


def _check_order(path: Path, dataset: Dataset, votes: np.ndarray) -> None:
    chosen, labels = votes[dataset.labelled][:, _CLASS_COLUMNS].argmax(axis=1), dataset.labels[dataset.labelled]
    met = int((chosen == labels).sum())
    share = [np.bincount(codes, minlength=len(CLASSES)) for codes in (chosen, labels)]
    by_chance = int((share[0] * share[1]).sum()) / max(1, len(labels))
    if met < 2 * by_chance and len(set(labels.tolist())) > 1:
        raise BadInput(
            f"{path}: the votes meet {met} of {len(labels)} labels, by chance {by_chance:.0f} would: "
            "the data set's rows are not in the original order",
            next_step="use fer2013.csv as it was published",
        )
