"""What the TensorFlow stack does for the stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from repro.determinism.switches_tensorflow import make_deterministic
from repro.hardware.framework_tensorflow import read_framework
from repro.hardware.probe import read_profile
from repro.schema import Caps
from repro.stages.paper_work import run_paper


def profile(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return this process's profile."""
    state, cuda = read_framework()
    return {"profile": read_profile(Caps(**task["caps"]), state, cuda).to_data()}


def paper(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run a paper's own check; see :func:`repro.stages.paper_work.run_paper`."""
    switches = make_deterministic(task["seed"], Caps(**task["caps"]).threads)
    told = run_paper(task, folder)
    return {**profile(task, folder), "switches": switches, "told": told}


TASKS: dict[str, Callable[[dict[str, Any], Path], dict[str, Any]]] = {"profile": profile, "paper": paper}
