"""How much memory checks take and may take, in MB beside what their processes share.

What is shared are a framework's libraries, which all processes of a stack have in common: :data:`SHARED`.
"""

from __future__ import annotations

from repro.schema import Arithmetic, Model

MEMORY = 3000
"""MB for all processes that run at once on two cores, shared ones included. One that takes more runs alone."""

SHARED = 300

_OWN = MEMORY - SHARED
_CORES = 2  # that MEMORY is for
_DEARER = {"native": 1.0, "canonical": 2.2}  # times what a native run takes, at most, of the models measured


def memory_of_run(model: Model, arithmetic: Arithmetic) -> int:
    """Return what one run of a check takes."""
    return max(1, int(model.probe_memory * _DEARER[arithmetic]) - SHARED)


def fitting(each: int, at_once: int) -> int:
    """Return how many of so many runs fit, one at least."""
    return max(1, min(at_once, _OWN // each))


def memory_of_check(model: Model, arithmetic: Arithmetic, at_once: int) -> int:
    """Return what a check takes at most that does so many runs at once, if they fit."""
    each = memory_of_run(model, arithmetic)
    return each * fitting(each, at_once)


def memory_budget(arithmetic: Arithmetic, cores: int, available: int) -> int:
    """Return what all checks together may take.

    Args:
        arithmetic: the dearest of the checks.
        cores: that there are.
        available: MB that nobody uses; a quarter of it is left to others.
    """
    return max(_OWN, min(int(_OWN * _DEARER[arithmetic] * cores / _CORES), available * 3 // 4))
