"""Runs to compare, from where people have them: traces, records, results folders, bundles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from repro.compare.machines import Run
from repro.errors import BadInput, MissingFile
from repro.hardware.caps import described
from repro.schema import Record, Scalar, read_json
from repro.store.bundle import Bundle
from repro.store.results import Results
from repro.store.traces import read_trace
from repro.trace import Trace

_ANYTHING = "trace"


def read_runs(sources: Sequence[Path]) -> list[Run]:
    """Return the runs in files and folders, in the order given; each label tells apart those of one computation.

    Args:
        sources: a trace, a record that names one, a bundle, or a results folder.

    Raises:
        MissingFile: a source, or a trace that a record names, is not there, or a folder holds no run.
        BadInput, SchemaTooNew, Contradiction: a source is damaged, hostile or newer.
    """
    found = [run for source in sources for run in _runs(source)]
    seen: dict[tuple[str, str], int] = {}
    labelled = []
    for run in found:
        seen[run.key, run.label] = number = seen.get((run.key, run.label), 0) + 1
        labelled.append(run if number == 1 else run.model_copy(update={"label": f"{run.label} #{number}"}))
    bare = [run for run in labelled if run.key == _ANYTHING]
    keys = {run.key for run in labelled} - {_ANYTHING}
    if bare and len(keys) == 1:  # a bare trace does not say what it is of: it is compared with what is there
        labelled = [run.model_copy(update={"key": min(keys)}) if run.key == _ANYTHING else run for run in labelled]
    return labelled


def _runs(source: Path) -> Iterator[Run]:
    if source.is_dir():
        yield from _of_folder(source)
    elif source.suffix == ".zip" or _is_zip(source):
        bundle = Bundle.read(source)
        yield from _of_records(source.name, bundle.records, bundle.traces)
    else:
        trace = read_trace(source)
        data = read_json(source)
        kind = str(data.get("schema", "")).partition("/")[0]
        if kind == Record.kind:
            record = Record.from_data(data, str(source))
            yield _run(source.name, record, trace)
        else:
            yield Run(label=source.name, key=_ANYTHING, trace=trace)


def _is_zip(source: Path) -> bool:
    try:
        with source.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def _of_folder(source: Path) -> Iterator[Run]:
    results = Results(source)
    paths = sorted((source / "records").glob("*/*/*.json"))
    records = {path.relative_to(source).as_posix(): Record.read(path) for path in paths}
    traces = {
        digest: results.load_document(Trace, digest)
        for digest in sorted({one.outputs["trace"] for one in records.values() if "trace" in one.outputs})
    }
    yield from _of_records(source.name or str(source), records, traces)


def _of_records(name: str, records: Mapping[str, Record], traces: Mapping[str, Trace]) -> Iterator[Run]:
    some = False
    for where, record in sorted(records.items()):
        digest = record.outputs.get("trace")
        if digest is None:
            continue
        if digest not in traces:
            raise BadInput(f"{name}: {where} names the trace {digest}, which is not there")
        some = True
        yield _run(name, record, traces[digest])
    if not some:
        raise MissingFile(f"{name} holds no record with a trace", next_step="run `repro check-rep` first")


def _run(name: str, record: Record, trace: Trace) -> Run:
    parameters = record.parameters
    caps = [described(parameters["isa"])] if parameters.get("isa") else []
    threads = parameters.get("threads")
    caps += [f"{threads} thread{'' if threads == 1 else 's'}"] if threads else []
    what = str(record.result.get("probe", ""))
    arithmetic = parameters.get("arithmetic", "native")
    key = f"{record.stage} {record.system}/{record.model}, {arithmetic}, {what}"
    caps += [str(arithmetic)] if arithmetic != "native" else []
    label = ", ".join([name, *([str(parameters["device"])] if parameters.get("device") else []), *caps])
    return Run(label=label, key=key, trace=trace, fields=_fields(record), record=record)


def _fields(record: Record) -> dict[str, Scalar]:
    fields: dict[str, Scalar] = {} if record.profile is None else dict(record.profile.fields())
    if record.stack is not None:
        fields |= {f"stack.{name}": version for name, version in record.stack.packages.items()}
    return fields
