"""Reads a trace from where people have it: its own file, or a record that names it."""

from __future__ import annotations

from pathlib import Path

from repro.errors import BadInput
from repro.schema import Record, read_json
from repro.store.results import Results
from repro.trace import Trace


def read_trace(path: Path) -> Trace:
    """Return the trace in a file, or the one that the record in a file names.

    A record is looked for in the results folder that it lies in.

    Raises:
        MissingFile: the file, or the trace that the record names, is not there.
        BadInput: it is neither a trace nor a record with one.
    """
    data = read_json(path)
    kind = str(data.get("schema", "")).partition("/")[0] if isinstance(data, dict) else ""
    if kind == Trace.kind:
        return Trace.from_data(data, str(path))
    if kind != Record.kind:
        raise BadInput(f"{path}: expected a trace or a record, found {kind or 'neither'}")
    record = Record.from_data(data, str(path))
    digest = record.outputs.get("trace")
    if digest is None:
        raise BadInput(f"{path}: a record of {record.stage} without a trace")
    folder = next((parent.parent for parent in path.resolve().parents if parent.name == "records"), path.parent)
    return Results(folder).load_document(Trace, digest)
