"""Runs Python in a child under caps, as the stages do, and hands back the JSON that it prints."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from repro.hardware.caps import CAP_VARIABLES, environment
from repro.schema import Caps

ROOT = Path(__file__).resolve().parents[2]

# Deterministic float32 values without a generator: torch.randn itself gives other bits on another level.
DRAW = """
import numpy as np
def draw(*shape):
    count = np.arange(int(np.prod(shape)), dtype=np.uint64)
    mixed = (count * np.uint64(2654435761)) % np.uint64(2**24)
    return (mixed.astype(np.float32) / np.float32(2**23) - np.float32(1)).reshape(shape)
"""


def start(python: Path, code: str, caps: Caps, **more: str) -> subprocess.Popen[str]:
    """Start the child; an ``ImportWarning``, which is how NumPy tells a name that it does not know, ends it."""
    inherited = {name: value for name, value in os.environ.items() if name not in CAP_VARIABLES}
    variables = {**inherited, **environment(caps, python=python), **more}
    command = [str(python), "-W", "error::ImportWarning", "-c", DRAW + code, caps.model_dump_json()]
    return subprocess.Popen(command, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)


def answer(process: subprocess.Popen[str]) -> Any:
    """Wait for the child and return the JSON document that it printed, with its standard error under ``stderr``.

    Anything else on standard output fails here.
    """
    printed, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    return {**json.loads(printed), "stderr": told}
