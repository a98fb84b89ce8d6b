"""Training curves: what retrain records tell of each epoch, one curve for each run and quantity."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from repro.report.model import Curve
from repro.report.reading import CurveTold, Reading, RetrainResult


def curves(readings: Iterable[Reading]) -> tuple[Curve, ...]:
    """Return every curve of the retrain records, in the records' order.

    Raises:
        BadInput: a record's curves are not rows of numbers.
    """
    found: list[Curve] = []
    for one in readings:
        if one.record.stage == "retrain" and one.result.blocked is None:
            for number, run in enumerate(one.as_result(RetrainResult).curves):
                found += _of_run(one, run, number)
    return tuple(found)


def _of_run(one: Reading, run: CurveTold, number: int) -> Iterable[Curve]:
    quantities = dict.fromkeys(name for row in run.epochs for name in row if name not in ("epoch", "stage"))
    for quantity in quantities:
        points = [
            (epoch, value)
            for place, row in enumerate(run.epochs, start=1)
            if (epoch := _number(row.get("epoch", place))) is not None
            and (value := _number(row.get(quantity))) is not None
        ]
        if points:
            yield Curve(
                system=one.record.system or "",
                model=one.record.model or "",
                run=f"seed {number if run.seed is None else run.seed}",
                quantity=quantity,
                points=tuple(points),
                record=one.name,
            )


def _number(value: Any) -> float | None:
    """Return a number as a record holds it, plain or as an exact float; ``None`` where it is none."""
    if isinstance(value, Mapping):
        value = value.get("text")
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
