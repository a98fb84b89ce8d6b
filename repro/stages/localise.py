"""``repro compare --deep``: the operation at which two runs part, by running their model again on this machine.

Each of the two records is computed anew here with its own caps and arithmetic. Where that gives the recorded bits, the
run is *at hand*, and its operations can be seen. With both at hand the first operation that differs is named, with the
first element. With one at hand the operations of the divergent layer are named, and the layer's values are compared
with the other's sketch.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from repro.compare.divergence import Divergence, compare_traces
from repro.compare.element import Element, first_difference
from repro.errors import MissingFile, UsageError
from repro.schema import Caps, Frozen, Record
from repro.stages.call import Call
from repro.trace import Trace

_SHOWN = 12


class Localised(Frozen):
    """Where two runs part.

    Attributes:
        layer: the first divergent tensor of the traces.
        operation: the first operation that differs; ``None`` where only one run is at hand.
        entry: its number and name in the order of the operations from the layer on.
        reads, shape: the shapes of what it reads and of what it makes.
        element: the first element that differs.
        operations: those of the layer, where only one run is at hand.
        sentence: all of it in a line.
    """

    layer: str
    operation: str | None = None
    entry: str | None = None
    reads: tuple[tuple[int, ...], ...] = ()
    shape: tuple[int, ...] = ()
    element: Element | None = None
    operations: tuple[str, ...] = ()
    sentence: str


@dataclass(frozen=True)
class Side:
    """One of the two runs."""

    label: str
    record: Record
    trace: Trace


def localise(a: Side, b: Side, *, data: str, results: Path) -> Localised:
    """Name the operation at which two recorded runs part.

    Args:
        a, b: two runs of one model and probe.
        data: the data set that both were fed: ``embedded`` or a container.
        results: where decoded data lie.

    Raises:
        UsageError: they are no check-rep runs of one torch model, or do not differ.
        MissingFile: neither run comes out on this machine.
    """
    if (a.record.system, a.record.model) != (b.record.system, b.record.model) or a.record.stage != "check-rep":
        raise UsageError("--deep wants two check-rep records of one model", next_step="run `repro check-rep` twice")
    first = compare_traces(a.trace, b.trace).first
    if first is None:
        raise UsageError(f"{a.label} and {b.label} do not differ: there is nothing to localise")
    phase, layer = _place(first, a.trace)
    with tempfile.TemporaryDirectory(prefix="repro-deep-") as name:
        folder = Path(name)
        runs = [_Rerun(side, data, results, folder / str(number)) for number, side in enumerate((a, b))]
        at_hand = [run for run in runs if run.operations(phase, layer) and run.gives(first.name)]
        if not at_hand:
            raise MissingFile(
                f"neither {a.label} nor {b.label} comes out on this machine, so there is nothing to look into",
                next_step="run --deep on one of the two machines",
            )
        if len(at_hand) == 2:
            return _between(runs, first, phase, layer)
        return _against_a_sketch(at_hand[0], next(run for run in runs if run is not at_hand[0]), first)


class _Rerun:
    """One run, computed again here."""

    def __init__(self, side: Side, data: str, results: Path, folder: Path) -> None:
        self.side, self.folder, self._calls = side, folder, 0
        asked = side.record.parameters
        arithmetic = "native" if asked.get("arithmetic", "native") == "native" else "canonical"
        self.call = Call.prepared(
            f"{side.record.system}/{side.record.model}",
            data=data,
            isa=asked["isa"],
            device=asked["device"],
            results=results,
            threads=asked["threads"],
            arithmetic="canonical" if arithmetic == "canonical" else "native",
        )
        if self.call.model.framework != "torch":
            raise UsageError(
                f"{self.call.name} runs in {self.call.model.framework}; operations are recorded of torch models",
                next_step="compare without --deep",
            )
        self.trace = self.seen = Trace(entries=())
        self.reads: dict[str, Any] = {}

    def operations(self, phase: str, layer: str | None, keep: str | None = None) -> bool:
        """Run the probe with its operations recorded; return whether there were any."""
        self._calls += 1
        folder = self.folder / str(self._calls)
        asked = self.side.record.parameters
        task = {
            "task": "probe",
            **{name: asked[name] for name in ("protocol", "batch", "steps")},
            "prepare_all": True,
            "describe": False,
            "pieces": [],
            "operations": {"phase": phase, "layer": layer, "keep": keep},
        }
        answer = self.call.run(task, folder, Caps(isa=asked["isa"], threads=asked["threads"]))
        self.trace, self.seen = Trace.read(folder / "trace.json"), Trace.read(folder / "operations.json")
        self.reads, self.kept = answer["reads"], folder / "kept.npy"
        return bool(self.seen.entries)

    def gives(self, name: str) -> bool:
        """Return whether the recorded bits came out, up to and with a tensor."""
        mine, recorded = self.trace.digests(), self.side.trace.digests()
        names = list(recorded)
        upto = names[: names.index(name) + 1]
        return all(mine.get(one) == recorded[one] for one in upto)


def _place(first: Divergence, trace: Trace) -> tuple[str, str | None]:
    """Return the phase of the run in which a tensor lies, and the layer that made it, if a layer did."""
    if first.operation == "input" or first.name.startswith("prepared/"):
        raise UsageError(f"the runs part before the model: at {first.name}", next_step="compare their preparation")
    parts = first.name.split("/")
    if parts[0] in ("contract", "forward"):
        return parts[0], _module("/".join(parts[1:]))
    if parts[1:2] == ["forward"]:
        return f"{parts[0]}/forward", _module("/".join(parts[2:]))
    return f"{parts[0]}/forward", None


def _module(name: str) -> str | None:
    base = name.partition("#")[0]
    return None if base == "output" else base


def _between(runs: list[_Rerun], first: Divergence, phase: str, layer: str | None) -> Localised:
    found = compare_traces(runs[0].seen, runs[1].seen).first
    if found is None or (found.no_distance is not None and found.shape != found.actual_shape):
        return Localised(
            layer=first.name, sentence=f"{first.sentence()}; the operations from there on are others in the two runs"
        )
    for run in runs:
        run.operations(phase, layer, keep=found.name)
    element = first_difference(*(np.load(run.kept, allow_pickle=False) for run in runs))
    reads = tuple(tuple(shape) for shape in runs[0].reads[found.name])
    told = f"{found.operation}, reading {_shapes(reads)} and making {_shapes((found.shape,))}"
    if element is not None:
        ulps = "" if element.ulps is None else f", {element.ulps} ulp{'' if element.ulps == 1 else 's'} apart"
        told += (
            f"; {element.differing} of {element.size} elements differ, first {list(element.index)}: "
            f"{element.values[0]} and {element.values[1]}{ulps}"
        )
    return Localised(
        layer=first.name,
        operation=found.operation,
        entry=found.name,
        reads=reads,
        shape=found.shape,
        element=element,
        sentence=f"in {first.name}, operation {found.name}: {told}",
    )


def _against_a_sketch(here: _Rerun, away: _Rerun, first: Divergence) -> Localised:
    made = here.trace.digests()[first.name]
    names = []
    for entry in here.seen:
        names.append(entry.name)
        if entry.digest == made:
            break
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    return Localised(
        layer=first.name,
        operations=tuple(names),
        shape=first.shape,
        sentence=f"{away.side.label} does not come out on this machine, so its sketch is all there is: "
        f"{first.sentence()}; {here.side.label} computes it by {shown}",
    )


def _shapes(shapes: tuple[tuple[int, ...], ...]) -> str:
    return ", ".join("x".join(map(str, one)) or "scalar" for one in shapes) or "nothing"
