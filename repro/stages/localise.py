"""``repro compare --deep``: the operation at which two runs part, by running their model again on this machine.

Each of the two is computed anew here with its own caps and arithmetic. Where that gives the recorded bits, the run is
*at hand*, and its operations can be seen. With both at hand the first operation that differs is named, with the first
element: of the whole phase, since what a model computes outside its layers runs before the layer that shows it. Else
the sketches are compared, and the operation that makes the tensor is named with those that ran before it, back to the
last tensor that both agree in.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from repro.compare.divergence import Comparison, Divergence, compare_traces
from repro.compare.element import first_difference, first_sampled_difference
from repro.compare.localised import Localised
from repro.compare.machines import Run
from repro.errors import UsageError
from repro.stages.rerun import Rerun
from repro.trace import TraceEntry
from repro.trace.operations import MOST

_STAGE = "check-rep"


def chosen(runs: Sequence[Run]) -> tuple[Run, Run]:
    """Return the two runs that are meant: all there are, or the only two of one model among more.

    Raises:
        UsageError: there are no such two, or more than one pair.
    """
    known = [one for one in runs if one.record is not None]
    bare = [one for one in runs if one.record is None]
    if not known:
        raise UsageError(
            "--deep wants a record: a trace alone does not say what made it",
            next_step="name the file of a record of the same model beside it, below RESULTS/records",
        )
    if len(runs) == 2:
        return runs[0], runs[1]
    if len(known) == len(runs):
        pairs = [pair for _, group in groupby(sorted(known, key=_computed), key=_computed) if len(pair := [*group]) > 1]
        pairs = [pair for pair in pairs if _computed(pair[0]).startswith(f"{_STAGE} ")] or pairs
        if len(pairs) == 1 and len(pairs[0]) == 2:
            return pairs[0][0], pairs[0][1]
        found = "; ".join(f"{_computed(pair[0])}: {len(pair)}" for pair in pairs) or "no two of one model"
    else:
        found = f"{len(known)} with a record and {len(bare)} without"
    raise UsageError(
        f"--deep wants two runs of one model, found {found}",
        next_step="choose with --model, or name the files of two records below RESULTS/records",
    )


def localise(a: Run, b: Run, *, data: str, results: Path) -> Localised:
    """Name the operation at which two recorded runs part.

    Args:
        a, b: two runs of one model and probe; one of them may be a bare trace.
        data: the data set that both were fed: ``embedded`` or a container.
        results: where decoded data lie.

    Raises:
        UsageError: they are no runs of one model that check-rep recorded, or do not differ.
        ReproError: neither can be run here.
    """
    records = [record for run, other in ((a, b), (b, a)) if (record := run.record or other.record) is not None]
    if len(records) != 2 or _model(a, b) is None:
        raise UsageError(f"--deep wants two runs of one model, got {a.key} and {b.key}")
    comparison = compare_traces(a.trace, b.trace)
    first = comparison.first
    if first is None:
        raise UsageError(f"{a.label} and {b.label} do not differ: there is nothing to localise")
    if first.operation == "weight" and first.name.startswith("weight/"):
        return _weights(a, b, first, comparison)
    if {one.stage for one in records} != {_STAGE}:
        raise UsageError(
            f"--deep runs again what {_STAGE} recorded; these part in {first.sentence()}",
            next_step=f"`repro {_STAGE}` with the caps of each, and --deep on its two records",
        )
    phase = _phase(first)
    with tempfile.TemporaryDirectory(prefix="repro-deep-") as name:
        runs = [
            Rerun(run, record, data, results, Path(name) / str(number))
            for number, (run, record) in enumerate(zip((a, b), records, strict=True))
        ]
        for run in runs:
            run.search(phase, first.name)
        refused = [run.refused for run in runs if run.refused is not None]
        if len(refused) == 2:
            raise refused[0]
        told: dict[str, Any] = {"labels": (a.label, b.label), "notes": (runs[0].note, runs[1].note), "first": first}
        if all(run.at_hand for run in runs):
            return _between(runs, phase, told)
        return _by_sketches(next((run for run in runs if run.at_hand), None) or runs[0], a, b, told)


def _computed(run: Run) -> str:
    return "" if run.record is None else f"{run.record.stage} {run.record.system}/{run.record.model}"


def _model(a: Run, b: Run) -> str | None:
    """Return what both computed; ``None`` where they are of two models or stages."""
    found = {_computed(run) for run in (a, b) if run.record is not None}
    return found.pop() if len(found) == 1 else None


def _weights(a: Run, b: Run, first: Divergence, comparison: Comparison) -> Localised:
    """Tell of weights that differ before anything is computed."""
    apart = [one.name for one in comparison.distances if one.name.startswith("weight/")]
    count = sum(entry.name.startswith("weight/") for entry in a.trace)
    return Localised(
        labels=(a.label, b.label),
        notes=("not run again", "not run again"),
        first=first,
        operation="weight",
        **_sampled(a, b, first),
        remark=f"The checkpoints differ, in {len(apart)} of {count} weights: no operation has part in it.",
    )


def _sampled(a: Run, b: Run, first: Divergence) -> dict[str, Any]:
    """Return what the sketches of the first divergent tensor tell."""
    entries = [next(entry for entry in run.trace if entry.name == first.name) for run in (a, b)]
    return {"shape": first.shape, "element": first_sampled_difference(*entries), "sampled": True}


def _phase(first: Divergence) -> str:
    """Return the part of the run in which a tensor was made."""
    if first.operation == "input" or first.name.startswith("prepared/"):
        raise UsageError(f"the runs part before the model: at {first.name}", next_step="compare their preparation")
    part = first.name.partition("/")[0]
    return part if part in ("contract", "forward") else f"{part}/forward"  # which takes in backward pass and optimiser


def _between(runs: list[Rerun], phase: str, told: dict[str, Any]) -> Localised:
    """Name the first operation that differs, of two runs that are at hand."""
    for mine, other in zip(*(run.seen for run in runs), strict=False):
        if (mine.name, mine.dtype, mine.shape) != (other.name, other.dtype, other.shape):
            return Localised(**told, remark=f"From there on they compute otherwise: {mine.name} against {other.name}.")
        if mine.digest != other.digest:
            break
    else:
        count = min(len(run.seen.entries) for run in runs)
        behind = " It lies behind them." if count == MOST else ""
        return Localised(**told, remark=f"None of its {count} operations differs.{behind}")
    return Localised(
        **told,
        operation=mine.operation,
        entry=mine.name,
        reads=_reads(runs[0], mine),
        shape=mine.shape,
        element=first_difference(*(run.values(phase, mine.name) for run in runs)),
    )


def _by_sketches(here: Rerun, a: Run, b: Run, told: dict[str, Any]) -> Localised:
    """Name the operations that come into question, as this machine runs them, and what the sketches tell."""
    first: Divergence = told["first"]
    since = _since(here, first.name, a, b)
    made: dict[str, Any] = {}
    if since:
        made = {"operation": since[-1].operation, "entry": since[-1].name, "reads": _reads(here, since[-1])}
    return Localised(
        **told,
        **made,
        **_sampled(a, b, first),
        operations=tuple(entry.name for entry in since),
    )


def _since(here: Rerun, name: str, a: Run, b: Run) -> list[TraceEntry]:
    """Return the operations behind the last tensor that both runs agree in, up to the one that makes a tensor.

    None where no operation's result is that tensor.
    """
    made = here.trace.digests().get(name)
    theirs = b.trace.digests()
    agreed = set()
    for entry in a.trace:
        if entry.name == name:
            break
        if theirs.get(entry.name) == entry.digest:
            agreed.add(entry.digest)
    found: list[TraceEntry] = []
    for entry in here.seen:
        if entry.operation == "weight":  # keyed, and the same in both
            continue
        found.append(entry)
        if entry.digest == made:
            return found
        if entry.digest in agreed:
            found = []
    return []


def _reads(run: Rerun, entry: TraceEntry) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(shape) for shape in run.reads[entry.name])
