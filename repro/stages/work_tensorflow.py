"""What the TensorFlow stack does for the stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from repro.hardware.framework_tensorflow import read_framework
from repro.hardware.probe import read_profile
from repro.schema import Caps


def profile(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return this process's profile."""
    state, cuda = read_framework()
    return {"profile": read_profile(Caps(**task["caps"]), state, cuda).to_data()}


TASKS: dict[str, Callable[[dict[str, Any], Path], dict[str, Any]]] = {"profile": profile}
