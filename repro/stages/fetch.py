"""The fetch stage: artifacts into the shared cache, one record each."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blake3 import blake3

from repro.errors import MissingFile, PrerequisiteError, ReproError, UnknownName
from repro.fetch import Cache, Call, Fetcher, Receipt, Settings
from repro.paths import cache_folder, expected_folder, project_root
from repro.schema import Artifact, Claim, Record, canonical_json
from repro.stages.blocked import recorded_if_blocked
from repro.stages.progress import Progress
from repro.stages.times import timing
from repro.store.artifacts import Pin, load_artifacts, load_pins, save_pins, with_pins
from repro.store.claims import load_claims
from repro.store.results import Results, address


@dataclass(frozen=True)
class Fetched:
    """What became of one artifact.

    Attributes:
        artifact: with the pins that hold for it.
        record: ``complete`` or ``blocked``; ``None`` where what came contradicts what was stated.
        error: why it is not complete.
        paths: its files in the cache, where it is complete.
    """

    artifact: Artifact
    record: Record | None
    error: ReproError | None
    paths: dict[str, Path]


def declared(expected: Path | None = None) -> list[Artifact]:
    """Return every artifact of the project with the pins that hold for it."""
    pins = load_pins(expected_folder(expected))
    return [with_pins(artifact, pins) for artifact in load_artifacts(project_root() / "pipelines")]


def chosen(names: Sequence[str], kinds: Sequence[str] = (), expected: Path | None = None) -> list[Artifact]:
    """Return the artifacts that are named, in the order of their declaration.

    Args:
        names: an artifact's id, a system for all of its own, or ``system/model`` for those that published numbers of
            that model belong to. All where nothing is named.
        kinds: only those of these kinds.
        expected: where claims and pins are.

    Raises:
        UnknownName: a name is none of these; the nearest is suggested.
    """
    everything = declared(expected)
    known = {artifact.id: {artifact.id} for artifact in everything}
    for artifact in everything:
        known.setdefault(artifact.system, set()).add(artifact.id)
    for claim in load_claims(expected_folder(expected)):
        if claim.artifact is not None and claim.model_name is not None:
            known.setdefault(_model(claim), set()).add(claim.artifact)
    for name in names:
        if name not in known:
            raise UnknownName("artifact, system or system/model", name, known)
    if unknown := sorted(set(kinds) - {artifact.kind for artifact in everything}):
        raise UnknownName("kind of artifact", unknown[0], {artifact.kind for artifact in everything})
    wanted = {one for name in names or known for one in known[name]}
    return [one for one in everything if one.id in wanted and (not kinds or one.kind in kinds)]


def _model(claim: Claim) -> str:
    return f"{claim.system}/{claim.model_name}"


def cached_path(name: str, *, cache: Path | None = None, expected: Path | None = None) -> Path:
    """Return where a fetched artifact's first file lies, verified.

    Raises:
        UnknownName: there is no such artifact.
        MissingFile: it is not in the cache, or not sound there.
    """
    known = {artifact.id: artifact for artifact in declared(expected)}
    if name not in known:
        raise UnknownName("artifact", name, known)
    store, file = Cache(cache_folder(cache)), known[name].files[0]
    path = store.path(name, file.name)
    with store.locked(path, threading.Event()):
        receipt, wrong = store.read(path, file)
    if receipt is None:
        raise MissingFile(
            f"{name} ({file.name}) is not in the cache" + (f": {wrong}" if wrong else ""),
            next_step=f"repro fetch {name}",
        )
    return path


def fetch(
    artifacts: Sequence[Artifact],
    *,
    cache: Path | None = None,
    results: Path = Path("results"),
    settings: Settings | None = None,
    jobs: int = 4,
) -> list[Fetched]:
    """Bring artifacts into the cache, several at once; those that are there are only verified.

    Args:
        artifacts: see :func:`chosen`.
        cache: the cache folder; the user's own by default.
        results: where the records go.
        settings: from where, and how patiently.
        jobs: how many at once.

    Returns:
        one entry an artifact, in the order given. Nothing is raised for an artifact that is not to be had.

    Raises:
        MissingFile: the mirror is meant to be a folder and is none.
    """
    settings = settings or Settings()
    if settings.mirror_folder is not None and not settings.mirror_folder.is_dir():
        raise MissingFile(f"no folder at {settings.mirror}", next_step="give --mirror a folder or a URL")
    fetcher = Fetcher(Cache(cache_folder(cache)), settings)
    stop = threading.Event()
    with Progress("fetching", "bytes") as shown, ThreadPoolExecutor(max_workers=jobs) as pool:
        total = _Total(shown)
        waiting = [pool.submit(_fetch_one, fetcher, one, results, total, stop) for one in artifacts]
        try:
            return [future.result() for future in waiting]
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def pin(fetched: Sequence[Fetched], expected: Path | None = None) -> list[Path]:
    """Pin the files of complete artifacts that no publisher's digest identifies. Return the files that changed."""
    new: dict[str, list[Pin]] = {}
    for one in fetched:
        for entry in one.record.result["files"] if one.record and not one.error else []:
            if entry["basis"] in ("first seen", "prefix"):
                made = Pin(artifact=one.artifact.id, file=entry["name"], size=entry["size"], sha256=entry["sha256"])
                new.setdefault(one.artifact.system, []).append(made)
    return [save_pins(expected_folder(expected), system, pins) for system, pins in sorted(new.items())]


class _Total:
    """The progress of all downloads together."""

    def __init__(self, shown: Progress) -> None:
        self._shown, self._lock = shown, threading.Lock()
        self._files: dict[tuple[str, str], tuple[int, int]] = {}

    def update(self, artifact: str, file: str, done: int, total: int | None) -> None:
        with self._lock:
            self._files[artifact, file] = (done, max(done, total or 0))
            done_so_far, all_of_it = (sum(column) for column in zip(*self._files.values(), strict=True))
            self._shown.update(done_so_far, all_of_it)


def _fetch_one(fetcher: Fetcher, artifact: Artifact, results: Path, total: _Total, stop: threading.Event) -> Fetched:
    asked: dict[str, Any] = {"artifact": artifact.id, "files": [file.name for file in artifact.files]}
    try:
        record, error = recorded_if_blocked(
            "fetch",
            artifact.system,
            None,
            asked,
            [fetcher.cache.folder],
            results,
            lambda: _complete(fetcher, artifact, asked, results, total, stop),
        )
    except ReproError as contradiction:
        return Fetched(artifact, None, contradiction, {})
    paths = {} if error else {file.name: fetcher.cache.path(artifact.id, file.name) for file in artifact.files}
    return Fetched(artifact, record, error, paths)


def _complete(
    fetcher: Fetcher,
    artifact: Artifact,
    asked: dict[str, Any],
    results: Path,
    total: _Total,
    stop: threading.Event,
) -> Record:
    started = time.monotonic()
    receipts: dict[str, Receipt] = {}
    refused: list[PrerequisiteError] = []
    for file in artifact.files:
        if stop.is_set():
            raise KeyboardInterrupt
        call = Call(lambda done, size, name=file.name: total.update(artifact.id, name, done, size), stop)  # type: ignore[misc]
        try:
            receipts[file.name] = fetcher.fetch(artifact, file, call)
        except PrerequisiteError as error:  # the other files are worth having for the next call
            refused.append(error)
    if refused:
        raise refused[0]
    inputs = {"declaration": str(blake3(canonical_json(artifact.model_dump(mode="json"))).hexdigest())}
    record = Record(
        stage="fetch",
        system=artifact.system,
        parameters=asked,
        inputs=inputs,
        outputs={name: receipt.measured.blake3 for name, receipt in receipts.items()},
        result={"verdict": "complete", "files": [_entry(artifact, name, one) for name, one in receipts.items()]},
        timing=timing(started),
    )
    store = Results(results)
    place = store.record_path("fetch", artifact.system, artifact.id, address(asked, inputs))
    return store.save_record(place, record)


def _entry(artifact: Artifact, name: str, receipt: Receipt) -> dict[str, Any]:
    stated = next(file for file in artifact.files if file.name == name)
    basis = "stated" if stated.is_identified else "prefix" if stated.sha256_prefix else "first seen"
    measured = receipt.measured
    return {
        "name": name,
        "size": measured.size,
        "sha256": measured.sha256,
        "basis": basis,
        "checked": sorted(stated.stated),
        "source": receipt.source,
    }
