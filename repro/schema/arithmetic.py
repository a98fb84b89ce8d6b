"""The arithmetics in which a model can be computed."""

from __future__ import annotations

from typing import Literal

Arithmetic = Literal["native", "canonical"]
"""``native``: the framework's kernels. ``canonical``: :mod:`repro.canonical`, the same bits on every machine."""

ArithmeticChoice = Literal["native", "canonical", "both"]
"""What a command takes."""

CANONICAL_VERSION = "canonical-1"
"""The definitions that canonical digests belong to; :data:`repro.canonical.VERSION` is the same."""


def arithmetic_name(arithmetic: Arithmetic) -> str:
    """Return how parameters and keys name an arithmetic."""
    return CANONICAL_VERSION if arithmetic == "canonical" else arithmetic


def chosen_arithmetics(choice: ArithmeticChoice) -> tuple[Arithmetic, ...]:
    """Return what a choice stands for, in the order in which it is computed."""
    return ("native", "canonical") if choice == "both" else (choice,)
