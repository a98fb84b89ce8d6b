"""The child's side of :mod:`repro.stages.paper`, for every framework."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from repro.registry import find_model, resolve
from repro.schema import PaperTask
from repro.stages.data import StoredData
from repro.stages.progress import Progress
from repro.trace.resumable import ResumableRun


def run_paper(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run a system's own check, going on where an earlier child was killed, and return what it tells.

    Args:
        task: ``model``, ``data``, ``tree``, ``weights``, ``split``, ``steps``.
        folder: holds the saved state, and receives ``trace.json``.
    """
    system, _ = find_model(task["model"])
    check, data = system.check, StoredData.from_task(task["data"])
    assert check is not None, "the stage runs declared checks only"
    given = PaperTask(
        settings=check.settings,
        tree=Path(task["tree"]),
        weights=None if task["weights"] is None else Path(task["weights"]),
        images=data.array(),
        labels=data.all_labels(),
        rows=data.rows(system.split(task["split"])),
        steps=task["steps"],
    )
    with Progress(f"{task['model']} {check.title}", "steps") as progress:
        traced = ResumableRun(folder, progress.update)
        told: dict[str, Any] = resolve(check.run)(given, traced)
    (folder / "trace.json").write_text(traced.trace().to_json(), encoding="utf-8")
    return told
