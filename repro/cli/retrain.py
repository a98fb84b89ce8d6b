"""``repro retrain``: train a model anew by its published recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from repro import schema
from repro.cli import options
from repro.cli.answer import Answer, finish


def retrain(
    system: Annotated[str, typer.Option("--system", "-s", help="System to train.")],
    model: options.Model = None,
    data: Annotated[
        str | None,
        typer.Option("--data", "-d", help="A container of real data, or 'embedded' (drawn faces; nothing is judged)."),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="Declared recipe. The model's first by default.")
    ] = None,
    seeds: Annotated[
        str, typer.Option("--seeds", help="How many, counted from 0; or the seeds themselves, joined by commas: 4,7.")
    ] = "1",
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="name=value: another value of a recipe's setting; repeat. The run is 'modified'."),
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Of every stage, instead of the recipe's.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Images a step, instead of the recipe's.")] = None,
    images: Annotated[int | None, typer.Option("--images", help="Only the first so many images of each split.")] = None,
    start: Annotated[
        str | None,
        typer.Option("--start", help="File or folder of the weights that the recipe starts from, or 'random'."),
    ] = None,
    isa: options.Isa = None,
    arithmetic: Annotated[
        schema.Arithmetic, typer.Option("--arithmetic", help="native kernels, or canonical: the same bits everywhere.")
    ] = "native",
    threads: Annotated[int, typer.Option("--threads", help="Threads of the libraries; the bits depend on them.")] = 1,
    device: options.Device = "cpu",
    workers: Annotated[int, typer.Option("--workers", help="Threads that prepare batches; they change no bit.")] = 1,
    every: Annotated[int, typer.Option("--every", help="Steps between two links of the trajectory.")] = 20,
    keep_every: Annotated[
        int | None, typer.Option("--keep-every", help="Steps between two states that are kept for good.")
    ] = None,
    processes: Annotated[
        int, typer.Option("--processes", help="Data parallel by torchrun; native bits depend on it, canonical do not.")
    ] = 1,
    unit: Annotated[
        int | None, typer.Option("--unit", help="Images of a backward pass in canonical arithmetic. 32 by default.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Measure a few steps: time, memory and disk of the whole training.")
    ] = False,
    results: options.Results = Path("results"),
    expected: options.Expected = None,
    force: Annotated[
        bool, typer.Option("--force", help="Train anew even where a record answers or a training stands unfinished.")
    ] = False,
    json: options.Json = False,
    receipt: options.Receipt = None,
) -> None:
    """Train a model anew by its published recipe, to the bit, and judge the claims by several seeds."""

    def run() -> Answer:
        from repro.errors import Contradiction
        from repro.registry import one_model
        from repro.report.outcome import exit_code
        from repro.report.training_text import training_text
        from repro.stages.blocked import recorded_if_blocked
        from repro.stages.retrain import planned
        from repro.stages.retrain import retrain as train

        owner, one = one_model(system, model)
        asked: dict[str, Any] = {
            "recipe": recipe,
            "settings": _settings(change or []),
            "epochs": epochs,
            "batch": batch,
            "images": images,
            "isa": isa,
            "threads": threads,
            "device": device,
            "every": every,
            "processes": processes,
            "unit": unit,
        }
        call: dict[str, Any] = {
            **asked,
            "data": data,
            "seeds": _seeds(seeds),
            "start": start,
            "arithmetic": arithmetic,
            "workers": workers,
            "keep_every": keep_every,
            "results": results,
        }
        name = f"{owner.name}/{one.name}"
        if dry_run:
            told = planned(name, **call).estimate()
            return Answer({"estimate": told}, _estimate_text(name, told))
        record, error = recorded_if_blocked(
            "retrain",
            owner.name,
            one.name,
            {
                **asked,
                "data": None if data is None else Path(data).name,
                "seeds": seeds,
                "start": None if start is None else Path(start).name,
                "arithmetic": schema.arithmetic_name(arithmetic),
            },
            [Path(each) for each in (data, start) if each is not None],
            results,
            lambda: train(name, **call, expected=expected, force=force),
        )
        text = "" if error is not None else training_text(record)
        failed = [run["failed"] for run in record.result.get("runs", []) if run["failed"]]
        errors = [error] if error else [Contradiction(one["message"], next_step=one["next_step"]) for one in failed]
        return Answer({"records": [record.to_data()]}, text, exit_code([record]), errors)

    finish("retrain", run, as_json=json, receipt=receipt)


def _estimate_text(name: str, told: dict[str, Any]) -> str:
    from repro.stages.progress import duration

    return (
        f"{name}: {told['steps']} steps of {told['step_seconds']:.3f} s and {told['epochs']} epochs with "
        f"{told['evaluation_seconds']:.1f} s of evaluation each: about {duration(told['seconds'])} a seed, "
        f"{duration(told['all_seconds'])} for {told['seeds']}; "
        f"{told['memory_bytes'] / 1e6:.0f} MB of memory, up to {told['disk_bytes'] / 1e6:.1f} MB of disk a seed"
    )


def _seeds(text: str) -> list[int]:
    from repro.errors import UsageError

    try:
        numbers = [int(part) for part in text.split(",") if part]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 0:
        raise UsageError(f"--seeds {text}: expected a number of seeds, or seeds joined by commas")
    return numbers if "," in text else list(range(numbers[0]))


def _settings(changes: list[str]) -> dict[str, str]:
    from repro.errors import UsageError

    pairs = [change.partition("=") for change in changes]
    wrong = next(("".join(pair) for pair in pairs if not pair[1] or not pair[0]), None)
    if wrong is not None:
        raise UsageError(f"--set {wrong}: expected name=value")
    return {name: value for name, _, value in pairs}
