"""Trains two recorded trainings again up to where they part, a link every step, and names the tensor.

Both are replayed on this machine from the last state that both kept before it, or from their start. Trainings that
are declared alike are replayed once: then the replay says which of the two this machine repeats. Others are replayed
both, and the step at which the replays part is run once more under the trace of every layer.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from repro.compare.divergence import compare_traces
from repro.compare.trajectories import Parting, compare_trajectories, differing_tensors
from repro.errors import UsageError
from repro.schema import Frozen, Recipe, Record
from repro.stages.call import Call
from repro.stages.retrain import Plan
from repro.stages.training.saved import TRAJECTORY, kept_file
from repro.store.trajectories import Trained
from repro.trace import Trace
from repro.trace.trajectory import Link, Trajectory

_ALIKE = ("recipe", "images", "start", "arithmetic", "device", "isa", "threads", "data", "processes", "unit")


class Replayed(Frozen):
    """What training again has shown.

    Attributes:
        step: the step in which the two part.
        begun: the step from whose state the replay began.
        repeats: labels of the trainings that the replay repeats to the bit.
        tensors: that differ from the replay, or between the replays, in their order.
        sentence: all of it in a line.
    """

    step: int
    begun: int
    repeats: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()
    sentence: str


def replay(a: Trained, b: Trained, parting: Parting, *, data: str, results: Path) -> Replayed:
    """Name the tensor in which two trainings part.

    Args:
        a, b: with their records.
        parting: of their trajectories; they part after a common link.
        data: what both were trained on: ``embedded`` or a container.
        results: where decoded data lie.

    Raises:
        UsageError: a record is missing, or the data are others.
    """
    if a.record is None or b.record is None or parting.first_different is None or parting.last_equal is None:
        raise UsageError("a replay wants two retrain records that part after a common link")
    until, begun = parting.first_different, _common_state(a, b, parting.last_equal)
    with tempfile.TemporaryDirectory(prefix="repro-replay-") as name:
        runs = [_Again(one, data, results, Path(name) / str(number), begun) for number, one in enumerate((a, b))]
        first = runs[0].trained(until)
        if _alike(a.record, b.record):
            return _judged_by(first, a, b, parting, begun)
        second = runs[1].trained(until)
        found = compare_trajectories(first, second)
        if found.first_different is None:
            sentence = f"trained again up to step {until}, the two agree: what parted them is not repeated here"
            return Replayed(step=until, begun=begun, sentence=sentence)
        step = found.first_different
        traces = [run.traced(step) for run in runs]
        told = compare_traces(*traces).sentence()
        sentence = f"trained again, they part in step {step}: {found.tensors[0] if found.tensors else ''}; {told}"
        return Replayed(step=step, begun=begun, tensors=found.tensors, sentence=sentence)


def _judged_by(replayed: Trajectory, a: Trained, b: Trained, parting: Parting, begun: int) -> Replayed:
    step = parting.first_different
    assert step is not None
    here = _link(replayed, step)
    sides = [(one.label, differing_tensors(here, _link(one.trajectory, step))) for one in (a, b)]
    repeats = tuple(label for label, tensors in sides if not tensors)
    others = [(label, tensors) for label, tensors in sides if tensors]
    tensors = others[0][1] if others else ()
    parts = [f"step {step} trained again from the state after step {begun}"]
    parts += [f"it repeats {label} to the bit" for label in repeats] or ["it repeats neither"]
    parts += [f"{label} has another {found[0]} ({len(found)} tensors)" for label, found in others]
    return Replayed(step=step, begun=begun, repeats=repeats, tensors=tensors, sentence="; ".join(parts))


def _link(trajectory: Trajectory, step: int) -> Link:
    return next(link for link in trajectory.links if link.step == step)


def _alike(a: Record, b: Record) -> bool:
    return all(a.parameters.get(name) == b.parameters.get(name) for name in _ALIKE) and a.inputs == b.inputs


def _common_state(a: Trained, b: Trained, last: int) -> int:
    """Return the last step before the parting whose state both have kept; 0 stands for the start."""
    assert a.folder is not None
    assert b.folder is not None
    kept = [{int(path.stem.removeprefix("kept-")) for path in one.folder.glob("kept-*.npz")} for one in (a, b)]  # type: ignore[union-attr]
    return max((step for step in kept[0] & kept[1] if step <= last), default=0)


class _Again:
    """One training, done again in a folder of its own."""

    def __init__(self, one: Trained, data: str, results: Path, folder: Path, begun: int) -> None:
        assert one.record is not None
        assert one.folder is not None
        record, asked = one.record, one.record.parameters
        if asked["start"] is not None:
            raise UsageError(f"{one.label} starts from {asked['start']}, which the record does not hold")
        call = Call.prepared(
            f"{record.system}/{record.model}",
            data=data,
            isa=asked["isa"],
            device=asked["device"],
            results=results,
            threads=asked["threads"],
            arithmetic="native" if asked["arithmetic"] == "native" else "canonical",
        )
        if call.data.content != record.inputs["data"]:
            raise UsageError(f"{one.label} was trained on other data than {data}", next_step="give --data what it was")
        recipe = Recipe.model_validate(asked["recipe"])
        self._plan = Plan(
            call, recipe, (), (one.seed,), asked["images"], None, 1, 1, None, asked["processes"] or 1, asked["unit"]
        )
        self._folder = folder
        self._state = kept_file(one.folder, begun) if begun else None

    def _task(self, folder: Path, **more: Any) -> dict[str, Any]:
        state = None if self._state is None else str(self._state.resolve())
        return {**self._plan.task(self._plan.seeds[0], folder), "task": "replay", "state": state, **more}

    def trained(self, until: int) -> Trajectory:
        """Train up to a step and return the trajectory, a link a step."""
        run = self._folder / "run"
        self._plan.call.run(self._task(run, until=until, traced=False), self._folder / "child")
        return Trajectory.read(run / TRAJECTORY)

    def traced(self, step: int) -> Trace:
        """Train up to before a step and trace it."""
        child = self._folder / "traced"
        self._plan.call.run(self._task(self._folder / "again", until=step - 1, traced=True), child)
        return Trace.read(child / "trace.json")
