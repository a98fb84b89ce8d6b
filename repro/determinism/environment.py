"""What must be in the environment before an interpreter starts: hash seed and the frameworks' own switches.

Python reads ``PYTHONHASHSEED`` once, at its start, and the frameworks read theirs at import or at the first
operation; set any later, they do nothing. So a stage sets them for the child that it starts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from repro.hardware.caps import CAP_VARIABLES
from repro.hardware.caps import environment as cap_environment
from repro.schema import Caps

IDLE_THREADS: Mapping[str, str] = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "10000"}
"""Idle OpenMP threads sleep, so that they take no core from other threads and processes. Those of GNU's library wait
some 0.1 ms first, in which the next layer or its digest comes. It changes no bit."""

DETERMINISTIC_ENVIRONMENT: Mapping[str, str] = {
    "PYTHONHASHSEED": "0",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # cuBLAS: one workspace a stream, so that results do not vary
    "TF_DETERMINISTIC_OPS": "1",
    "TF_CUDNN_DETERMINISTIC": "1",
    "NVIDIA_TF32_OVERRIDE": "0",  # no TF32 in cuBLAS and cuDNN, whatever a framework asks for
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "KMP_WARNINGS": "0",
    **IDLE_THREADS,
    "PYTHONUTF8": "1",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}
"""Set for every child. The last three keep locale and time zone out of every output."""

_COMPILER_FLAGS = frozenset({"TF_XLA_FLAGS", "XLA_FLAGS"})
"""They can switch XLA on, which fuses operations into others; TensorFlow does not tell what they did."""


def child_environment(caps: Caps, python: Path | None = None) -> dict[str, str]:
    """Return the whole environment for a child under these caps.

    Args:
        caps: what the child may use. A cap or compiler flag that the user's shell sets is taken away: no record would
            tell it.
        python: the child's interpreter; this one by default.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in CAP_VARIABLES | _COMPILER_FLAGS}
    return {**inherited, **switched(caps, python)}


def switched(caps: Caps, python: Path | None = None) -> dict[str, str]:
    """Return only what is set by us: the part of the environment that goes into a record."""
    return {**DETERMINISTIC_ENVIRONMENT, **cap_environment(caps, python=python)}
