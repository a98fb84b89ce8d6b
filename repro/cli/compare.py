"""``repro compare``: where the bits of several machines part, and what goes with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from repro.cli import options
from repro.cli.answer import Answer, finish
from repro.compare.machines import Run
from repro.store.trajectories import Trained


def compare(
    sources: Annotated[
        list[Path],
        typer.Argument(help="Traces, records, bundles or results folders, of any number of machines; two trainings."),
    ],
    deep: Annotated[
        bool, typer.Option("--deep", help="Run the two again here and name the operation at which they part.")
    ] = False,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Only runs of this model: its name, or system/model.")
    ] = None,
    data: options.Data = "embedded",
    results: options.Results = Path("results"),
    json: options.Json = False,
) -> None:
    """Compare runs tensor by tensor: the first that differs, classes of identical bits, what separates them."""

    def run() -> Answer:
        from itertools import groupby

        from repro.compare.machines import as_one, group_runs
        from repro.errors import EXIT_CONTRADICTION, EXIT_OK, UsageError
        from repro.report.comparison import comparisons_text, counted_computations
        from repro.store.runs import read_runs
        from repro.store.trajectories import read_trained

        trained = [read_trained(source) for source in sources]
        if len(trained) == 2 and all(trained):
            return _trainings(trained[0], trained[1], data, results)
        found_runs = [one for one in read_runs(sources) if model is None or _is_of(one, model)]
        if not found_runs:
            raise UsageError(f"no run is of the model {model}")
        if deep:
            return _deep(found_runs, data, results)
        runs = sorted(as_one(found_runs), key=lambda one: one.key)
        groups = [list(group) for _, group in groupby(runs, key=lambda one: one.key)]
        found = [group_runs(group) for group in groups if len(group) > 1]
        if not found:
            raise UsageError(
                f"no two runs are of the same computation: {counted_computations([one.key for one in runs])}",
                next_step="compare runs of one model, fed the same data by one protocol",
            )
        single = [group[0].key for group in groups if len(group) == 1]
        told = {"groups": [one.model_dump(mode="json") for one in found], "alone": single}
        if len(found) == 1 and len(found[0].labels) == 2:
            told["comparison"] = found[0].pairs[0].comparison.model_dump(mode="json")
        code = EXIT_OK if all(one.identical for one in found) else EXIT_CONTRADICTION
        return Answer(told, comparisons_text(found, single), code)

    finish("compare", run, as_json=json)


def _is_of(run: Run, model: str) -> bool:
    """Tell whether a run is of a model; a bare trace does not say, and stays."""
    if run.record is None:
        return True
    return model in (run.record.model, f"{run.record.system}/{run.record.model}")


def _trainings(a: list[Trained], b: list[Trained], data: str, results: Path) -> Answer:
    """Compare trainings seed by seed, and train again where they part."""
    from repro.compare.trajectories import compare_trajectories
    from repro.errors import EXIT_CONTRADICTION, EXIT_OK, UsageError
    from repro.stages.replay import replay

    pairs = [(one, other) for one in a for other in b if one.seed == other.seed] or [(a[0], b[0])]
    told: list[dict[str, Any]] = []
    lines: list[str] = []
    for one, other in pairs:
        found = compare_trajectories(one.trajectory, other.trajectory)
        lines += [f"{one.label} against {other.label}: {found.sentence()}"]
        document: dict[str, Any] = {
            "seeds": [one.seed, other.seed],
            "parting": found.model_dump(mode="json"),
            "replay": None,
        }
        if found.first_different is not None and found.last_equal is not None and one.record and other.record:
            try:
                again = replay(one, other, found, data=data, results=results)
                document["replay"] = again.model_dump(mode="json")
                lines.append(again.sentence)
            except UsageError as error:  # what the chains say stands without it
                lines.append(f"not trained again: {error}")
        told.append(document)
    same = all(document["parting"]["first_different"] is None for document in told)
    return Answer({"trainings": told}, "\n".join(lines), EXIT_OK if same else EXIT_CONTRADICTION)


def _deep(runs: list[Run], data: str, results: Path) -> Answer:
    from repro.errors import EXIT_CONTRADICTION
    from repro.report.comparison import localised_text
    from repro.stages.localise import chosen, localise

    found = localise(*chosen(runs), data=data, results=results)
    return Answer({"localised": found.model_dump(mode="json")}, localised_text(found), EXIT_CONTRADICTION)
