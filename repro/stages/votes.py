"""Votes of several annotators beside a data set's labels: read, kept, and compared with the labels; one record."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from repro.digest import file_digest
from repro.errors import MissingFile, UsageError
from repro.registry import resolve
from repro.schema import Record, System, Votes
from repro.stages.artifact import local_path
from repro.stages.code import code_digest
from repro.stages.data import StoredData
from repro.stages.etl import etl
from repro.stages.times import timing
from repro.store.results import Results, address


def read_votes(system: System, data: str, votes: str, results: Results, *, force: bool = False) -> Record:
    """Read votes into the results folder, or answer from the record of an earlier run.

    Args:
        system: which declares the reader.
        data: the data set that the votes are about, as for :func:`repro.stages.etl.etl`.
        votes: the file, or ``artifact:ID``.
        results: where to write.
        force: read them even where a record answers.

    Returns:
        the record; its output ``votes`` is uint8 (n, choices), rows as in the data set. The result tells for each
        usage how many images have each choice in front, how many have no single one, and how many labels are met.

    Raises:
        MissingFile, BadInput: a file is not there, or the votes are of other rows.
        UsageError: the system knows no votes.
    """
    started = time.monotonic()
    if system.votes is None:
        raise UsageError(f"{system.title} declares no reader of votes", next_step="choose another --system")
    path = local_path(votes)
    if not path.is_file():
        raise MissingFile(
            f"no votes at {votes}", next_step="run repro fetch ferplus-labels, then give artifact:ferplus-labels"
        )
    _, decoded = etl(system, data, results)
    parameters = {"data": decoded.name, "votes": path.name, "reader": system.votes}
    inputs = {"data": decoded.content, "votes": file_digest(path), "code": code_digest(None)}
    place = results.record_path("votes", None, None, address({**parameters, "data": None}, inputs))
    stored = results.load_record(place)
    if not force and stored is not None and stored.inputs == inputs and results.holds(stored.outputs["votes"]):
        return stored
    read: Votes = resolve(system.votes)(path, decoded.array(), decoded.all_labels(), *_usages(decoded))
    record = Record(
        stage="votes",
        parameters=parameters,
        inputs=inputs,
        outputs={"votes": results.save_array(read.counts)},
        result={"verdict": "complete", "choices": list(read.choices), "usages": _compared(read, decoded)},
        timing=timing(started),
    )
    return results.save_record(place, record)


def _usages(data: StoredData) -> tuple[np.ndarray, np.ndarray]:
    return np.load(data.folder / "usages.npy", allow_pickle=False), data.labelled()


def _compared(read: Votes, data: StoredData) -> dict[str, Any]:
    labels, labelled = data.all_labels(), data.labelled()
    best, most = read.counts.argmax(axis=1), read.counts.max(axis=1)
    single = (read.counts == most[:, None]).sum(axis=1) == 1
    met = labelled & (read.counts[:, list(read.classes)].argmax(axis=1) == labels)
    told = {}
    for usage, rows in data.rows_by_usage().items():
        chosen = np.bincount(best[rows[single[rows]]], minlength=len(read.choices))
        told[usage] = {
            "rows": len(rows),
            "in_front": dict(zip(read.choices, map(int, chosen), strict=True)),
            "undecided": int((~single[rows]).sum()),
            "labelled": int(labelled[rows].sum()),
            "labels_met": int(met[rows].sum()),
        }
    return told
