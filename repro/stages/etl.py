"""The etl stage: read a container once, keep its arrays for all later stages."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from repro.digest import file_digest, folder_digest, set_digest
from repro.errors import MissingFile
from repro.registry import resolve
from repro.schema import Model, Preparation, Record, System
from repro.stages.artifact import local_path
from repro.stages.code import code_digest
from repro.stages.data import ARRAYS, StoredData
from repro.stages.progress import Progress
from repro.stages.times import timing
from repro.store.atomic import write_atomic
from repro.store.results import Results, address

EMBEDDED = "embedded"
"""The name that stands for the data set that comes with the harness."""

_FOLDER_DIGITS = 16


def etl(
    system: System | Preparation, data: str, results: Results, *, model: Model | None = None, force: bool = False
) -> tuple[Record, StoredData]:
    """Decode a data set into the results folder, or answer from the record of an earlier run.

    Args:
        system: whose reader is used; a preparation has one, too.
        data: ``embedded``, or the path of a container.
        results: where to write.
        model: one of the system's, which may have a reader of its own.
        force: decode even where the record answers.

    Returns:
        the stage's record, and the decoded data.

    Raises:
        MissingFile, BadInput: the container is not there or not what it should be; nothing is written.
    """
    started = time.monotonic()
    embedded = data == EMBEDDED
    path = local_path(data)
    if not embedded and not path.exists():
        raise MissingFile(
            f"no data at {data}",
            next_step="give DATA=path/to/fer2013.csv or another container, or leave it out for the drawn faces",
        )
    reader = system.dataset_of(model) if isinstance(system, System) and model is not None else system.dataset
    reader = system.embedded if embedded else reader
    parameters: dict[str, Any] = {"data": EMBEDDED if embedded else path.name, "reader": reader}
    inputs = {"code": code_digest(None)}
    if not embedded:
        inputs["data"] = folder_digest(path) if path.is_dir() else file_digest(path)
    place = results.record_path("etl", None, None, address(parameters, inputs))
    stored = results.load_record(place)
    if not force and stored is not None and stored.inputs == inputs:
        decoded = _decoded(results, stored, path)
        if all(_intact(decoded.folder / _file(name), digest) for name, digest in stored.outputs.items()):
            return stored, decoded
    dataset = _read(reader, None if embedded else path)
    content = dataset.content_digest()
    folder = results.folder / "data" / content[:_FOLDER_DIGITS]
    files = getattr(dataset, "files", None)  # its images stay where they are
    outputs = {
        name: _write(folder / _file(name), getattr(dataset, name))
        for name in ARRAYS
        if files is None or name != "images"
    }
    told: dict[str, Any] = {"classes": list(dataset.class_names)}
    if files is not None:
        write_atomic(folder / _file("files"), json.dumps(files, ensure_ascii=True, separators=(",", ":")).encode())
        outputs["files"] = file_digest(folder / _file("files"))
        digest = set_digest({file["name"]: file["digest"] for file in files})
        told |= {"files": {"count": len(files), "digest": digest}, "opener": dataset.opener}
    result = {
        "verdict": "complete",
        "content": content,
        "parts": dataset.content_digests(),
        "unordered": dataset.unordered_digests(),
        "edition": dataset.edition,
        "rows": len(dataset.labels),
        "usages": list(dataset.usage_names),
        "counts": dataset.counts(),
        "unlabelled": int((~dataset.labelled).sum()),
        **told,
    }
    record = Record(
        stage="etl",
        parameters=parameters,
        inputs=inputs,
        outputs=outputs,
        result=result,
        timing=timing(started),
    )
    results.save_record(place, record)
    return record, _decoded(results, record, path)


def _decoded(results: Results, record: Record, source: Path) -> StoredData:
    result = record.result
    opener = result.get("opener")
    return StoredData(
        results.folder / "data" / result["content"][:_FOLDER_DIGITS],
        record.parameters["data"],
        tuple(result["usages"]),
        result["content"],
        tuple(result["classes"]),
        source if opener else None,
        opener,
    )


def _file(name: str) -> str:
    return "files.json" if name == "files" else f"{name}.npy"


def _read(reader: str, path: Path | None) -> Any:
    if path is None:
        return resolve(reader)()
    with Progress(f"reading {path.name}", "bytes") as progress:
        return resolve(reader)(path, progress=progress.update)


def _intact(path: Path, digest: str) -> bool:
    return path.is_file() and file_digest(path) == digest


def _write(path: Path, array: np.ndarray) -> str:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_atomic(path, buffer.getbuffer())  # type: ignore[arg-type]  # any buffer of bytes
    return file_digest(path)
