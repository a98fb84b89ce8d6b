"""Preparations carried out: a paper's files on disk, its tensors as digests; one record each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3

from repro.digest import folder_manifest, pieces_digest, set_digest
from repro.errors import BadInput, Contradiction
from repro.registry import resolve
from repro.schema import FilePreparation, Preparation, Record, TensorPreparation, canonical_json
from repro.stages.code import code_digest
from repro.stages.data import StoredData
from repro.stages.etl import etl
from repro.stages.progress import Progress, say
from repro.stages.times import timing
from repro.stages.tree import finish, is_finished, write_tree
from repro.store.results import Results, address

_PIECE = 32
_NAMED = 3  # files in a message


def materialise(preparation: Preparation, data: str, results: Results, *, force: bool = False) -> Record:
    """Carry out one preparation, or answer from the record of an earlier run.

    Files lie in ``<results>/prepared/<preparation>-<address>/``; tensors are digested and not kept.

    Args:
        preparation: what to make.
        data: ``embedded``, or the path of a container.
        results: where to write.
        force: make it anew even where a record answers.

    Raises:
        MissingFile, BadInput: the container is not there, not what it should be, or has no row that is needed.
        Contradiction: the tree is not what its record says: someone has changed it.
        PrerequisiteError: it cannot be written.
    """
    started = time.monotonic()
    _, decoded = etl(preparation, data, results)
    versions = (
        resolve(preparation.versions)() if isinstance(preparation, FilePreparation) else {"numpy": np.__version__}
    )
    parameters: dict[str, Any] = {"data": decoded.name, "preparation": preparation.name, "libraries": versions}
    inputs = {"data": decoded.content, "code": code_digest(preparation.package)}
    # The container's name is told, but the same content from another one is the same preparation.
    place = results.record_path(
        "prepare", preparation.owner, preparation.short_name, address({**parameters, "data": None}, inputs)
    )
    stored = results.load_record(place)
    stored = stored if stored is not None and stored.inputs == inputs and not force else None
    if isinstance(preparation, TensorPreparation):
        if stored is not None:
            return stored
        outputs, told = _digest_tensors(preparation, decoded)
    else:
        tree = results.folder / "prepared" / preparation.owner / place.stem
        if stored is not None and is_finished(tree):
            _check_unchanged(tree, results.load_manifest(stored.outputs["tree"]))
            return stored
        source = blake3(canonical_json({"inputs": inputs, "libraries": versions})).hexdigest()
        digests = _write_files(preparation, decoded, tree, source)
        outputs = {"tree": results.save_manifest(digests)}
        size = sum((tree / name).stat().st_size for name in digests)
        told = {"folder": tree.relative_to(results.folder).as_posix(), "files": len(digests), "bytes": size}
    record = Record(
        stage="prepare",
        system=preparation.owner,
        model=preparation.short_name,
        parameters=parameters,
        inputs=inputs,
        outputs=outputs,
        result={"verdict": "complete", "title": preparation.title, **told},
        timing=timing(started),
    )
    results.save_record(place, record)
    if isinstance(preparation, FilePreparation):
        finish(tree)
    return record


def _write_files(preparation: FilePreparation, data: StoredData, tree: Path, source: str) -> dict[str, str]:
    rows = data.rows_by_usage()
    if data.usage_names[0] in rows:
        data.labels(rows[data.usage_names[0]])  # files of what is trained on are filed by label: each must have one
    plan = resolve(preparation.plan)(data.all_labels(), rows)
    if not plan:
        raise BadInput(f"{data.name} has no row for {preparation.name} ({preparation.title})")
    with Progress(preparation.name, "files") as progress:
        return write_tree(tree, plan, data.array(), resolve(preparation.encode), source, progress.update)


def _check_unchanged(tree: Path, recorded: Mapping[str, str]) -> None:
    """Compare a tree with its manifest.

    Raises:
        Contradiction: files are missing, changed or foreign; the message counts them and names some.
    """
    say(f"{tree.name}: comparing {len(recorded)} files with their record")
    found = folder_manifest(tree)
    if set_digest(found) == set_digest(recorded):
        return
    kinds = {
        "missing": recorded.keys() - found.keys(),
        "changed": {name for name in recorded.keys() & found.keys() if recorded[name] != found[name]},
        "foreign": found.keys() - recorded.keys(),
    }
    told = [f"{len(names)} {kind} ({_some(names)})" for kind, names in kinds.items() if names]
    raise Contradiction(
        f"{tree}: {len(recorded)} files were written there; since then: {'; '.join(told)}",
        next_step="look at what happened, then write the tree anew with --force",
    )


def _some(names: set[str]) -> str:
    shown = sorted(names)[:_NAMED]
    return ", ".join(shown) + (", ..." if len(names) > _NAMED else "")


def _digest_tensors(preparation: TensorPreparation, data: StoredData) -> tuple[dict[str, str], dict[str, Any]]:
    prepare, images = resolve(preparation.prepare), data.array()
    usages = {name: rows for name, rows in data.rows_by_usage().items() if name in preparation.usages}
    if not usages:
        raise BadInput(f"{data.name} has no row for {preparation.name} ({preparation.title})")
    total, done = sum(map(len, usages.values())), 0
    digests, told = {}, {}
    with Progress(preparation.name, "images") as progress:

        def pieces(rows: np.ndarray) -> Iterator[np.ndarray]:
            nonlocal done
            for start in range(0, len(rows), _PIECE):
                piece = prepare(np.asarray(images[rows[start : start + _PIECE]]))
                yield piece
                done += len(piece)
                progress.update(done, total)

        for usage, rows in usages.items():
            first = prepare(np.asarray(images[rows[:1]]))
            shape = (len(rows), *first.shape[1:])
            digests[usage] = pieces_digest(pieces(rows), first.dtype.name, shape)
            told[usage] = {"dtype": first.dtype.name, "shape": list(shape)}
    return digests, {"tensors": told}
