"""The arithmetic of a torch task: native kernels, or the canonical mode around everything that is compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from repro.errors import UsageError
from repro.schema import CANONICAL_VERSION


class Native:
    """Nothing is around the framework's kernels."""

    def begin_step(self, step: int, samples: Any = None) -> None:
        """Do nothing: native draws follow the generator's state."""


@contextmanager
def computing(task: dict[str, Any], seed: int | None = None) -> Iterator[Any]:
    """Compute what is inside in the task's arithmetic; yield what is told of training steps.

    Args:
        task: ``arithmetic``: ``native`` or the version of the canonical definitions; ``seed``.
        seed: of random operations, if not the task's.

    Raises:
        UsageError: the arithmetic is another version's.
    """
    asked = task["arithmetic"]
    if asked == "native":
        yield Native()
        return
    from repro.canonical import VERSION, canonical

    if asked != VERSION or VERSION != CANONICAL_VERSION:
        raise UsageError(f"arithmetic {asked} was asked for; this version has {VERSION}")
    with canonical(seed=task["seed"] if seed is None else seed) as mode:
        yield mode


def one_nan(task: dict[str, Any]) -> bool:
    """Tell whether NaNs count as one: their bits are the machine's, and canonical values do not have them."""
    return bool(task["arithmetic"] != "native")
