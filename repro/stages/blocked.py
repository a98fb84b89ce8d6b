"""Records of what could not run: the reader of a report must see a gap, and what fills it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from repro.errors import PrerequisiteError
from repro.schema import BitVerdict, Record
from repro.stages.times import timing
from repro.store.results import Results


def recorded_if_blocked(
    stage: str,
    system: str,
    model: str | None,
    asked: dict[str, Any],
    paths: Sequence[Path],
    results: Path,
    run: Callable[[], Record],
) -> tuple[Record, PrerequisiteError | None]:
    """Run a stage; where something is missing for it, record that as ``blocked`` and return the error as well.

    The record goes away when the same call succeeds.

    Args:
        stage, system, model: what was asked for.
        asked: the call's own words (no paths).
        paths: the files of the call, whose folders are kept out of the record.
        results: the results folder.
        run: the stage.
    """
    started = time.monotonic()
    store = Results(results)
    place = store.record_path(stage, system, model, {"blocked": asked})
    try:
        record = run()
    except PrerequisiteError as error:
        blocked = {"kind": error.kind, "message": _without_folders(error.message, paths), "next_step": error.next_step}
        record = Record(
            stage=stage,
            system=system,
            model=model,
            parameters=asked,
            inputs={},
            result={"verdict": BitVerdict.BLOCKED.value, "blocked": blocked},
            timing=timing(started),
        )
        return store.save_record(place, record), error
    place.unlink(missing_ok=True)
    return record, None


def _without_folders(message: str, paths: Sequence[Path]) -> str:
    """Return a message that names files but not the folders of this machine."""
    for path in paths:
        message = message.replace(str(path.resolve()), path.name).replace(str(path), path.name)
    for folder in (Path.cwd(), Path.home()):
        message = message.replace(f"{folder}/", "")
    return message
