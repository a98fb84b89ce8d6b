"""Rows of a report from retrain records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated

from pydantic import Field

from repro.compare.retrained import Spread, TrainingJudgement
from repro.report.reading import Part, Reading
from repro.report.training_model import TrainingCount, TrainingRow
from repro.schema import TrainingVerdict


class _Recipe(Part):
    name: str
    test: str


class _Asked(Part):
    recipe: _Recipe
    data: str | None = None
    device: str | None = None
    arithmetic: str = "native"
    processes: int | None = None


class _Chosen(Part):
    epoch: int


class _Trajectory(Part):
    link: str


class _Failed(Part):
    message: str


class _Run(Part):
    seed: int
    steps: int
    epochs: int
    failed: _Failed | None = None
    selections: dict[str, _Chosen]
    trajectory: _Trajectory

    def sentence(self) -> str:
        done = [f"{self.steps} steps", f"{self.epochs} epochs"]
        done += [f"{name} is epoch {one.epoch}" for name, one in self.selections.items()]
        begun = f"seed {self.seed}: " if self.failed is None else f"{self.failed.message}; "
        return f"{begun}{', '.join(done)}; trajectory {self.trajectory.link[:16]}"


class _Told(Part):
    verdict: TrainingVerdict
    modified: tuple[str, ...] = ()
    published_selection: str
    selected_on_test: tuple[str, ...] = ()
    spread: dict[str, dict[str, Spread]]
    runs: Annotated[tuple[_Run, ...], Field(min_length=1)]
    claims: tuple[TrainingJudgement, ...] = ()
    keeps: tuple[str, ...] = ()
    mends: tuple[str, ...] = ()


def trainings(readings: Iterable[Reading], machine: Callable[[Reading], int | None]) -> tuple[TrainingRow, ...]:
    """Return a row for each training that ran, by system, model and recipe.

    Args:
        machine: the number of a record's machine.

    Raises:
        BadInput: a record lacks what the stage must have written.
    """
    rows = [
        training_row(one, machine(one))
        for one in readings
        if one.record.stage == "retrain" and one.result.blocked is None
    ]
    return tuple(sorted(rows, key=lambda row: (row.system, row.model, row.recipe, row.record)))


def training_row(one: Reading, machine: int | None = None) -> TrainingRow:
    """Return what a retrain record says."""
    asked, told = one.as_parameters(_Asked), one.as_result(_Told)
    return TrainingRow(
        system=one.record.system or "",
        model=one.record.model or "",
        recipe=asked.recipe.name,
        data=asked.data,
        device=asked.device,
        arithmetic=asked.arithmetic,
        processes=asked.processes,
        machine=machine,
        seeds=tuple(run.seed for run in told.runs),
        verdict=told.verdict,
        modified=told.modified,
        split=asked.recipe.test,
        counts=tuple(
            TrainingCount(
                selection=selection,
                published=selection == told.published_selection,
                on_test=selection in told.selected_on_test,
                protocol=protocol,
                spread=spread,
            )
            for selection, protocols in told.spread.items()
            for protocol, spread in protocols.items()
        ),
        chosen=tuple(run.sentence() for run in told.runs),
        claims=told.claims,
        keeps=told.keeps,
        mends=told.mends,
        record=one.name,
    )
