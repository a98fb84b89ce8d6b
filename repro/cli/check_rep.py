"""``repro check-rep``: the main job."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from repro.cli import options
from repro.cli.answer import Answer, finish


def check_rep(
    system: options.System = None,
    model: options.Model = None,
    data: options.Data = "embedded",
    protocol: Annotated[str, typer.Option("--protocol", help="'probe', or 'paper' for a paper's own check.")] = "probe",
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Of the paper's own check, only the first so many steps.")
    ] = None,
    isa: options.Isa = None,
    arithmetic: options.Arithmetic = "native",
    device: options.Device = "cpu",
    at_once: Annotated[
        int, typer.Option("--at-once", min=1, help="How many of a model's runs go on at once, where memory holds them.")
    ] = 2,
    results: options.Results = Path("results"),
    expected: options.Expected = None,
    profiles: options.Profiles = None,
    force: options.Force = False,
    json: options.Json = False,
    receipt: options.Receipt = None,
) -> None:
    """Check whether this machine computes the bits that others recorded."""

    def run() -> Answer:
        from repro.errors import ReproError, UnknownName, UsageError
        from repro.registry import chosen_models
        from repro.report.outcome import exit_code
        from repro.report.text import verdict_table
        from repro.schema import Record, arithmetic_name, chosen_arithmetics
        from repro.stages.blocked import recorded_if_blocked
        from repro.stages.check_rep import check_rep as check
        from repro.stages.judge import Shelf
        from repro.stages.paper import PAPER, checked_models, paper_check, sentences

        if protocol not in ("probe", PAPER):
            raise UnknownName("protocol", protocol, ("probe", PAPER))
        if steps is not None and protocol != PAPER:
            raise UsageError("--steps is for the paper's own check", next_step="add --protocol paper")
        chosen = checked_models(system, model) if protocol == PAPER else chosen_models(system, model)
        shelf = Shelf.of(expected, profiles)
        if protocol == PAPER and arithmetic != "native":
            raise UsageError("a paper's own check is run as its authors ran it", next_step="leave out --arithmetic")
        asked: dict[str, Any] = {"data": Path(data).name, "protocol": protocol, "isa": isa, "device": device}
        asked |= {} if steps is None else {"steps": steps}
        common: dict[str, Any] = {
            "data": data,
            "isa": isa,
            "device": device,
            "results": results,
            "shelf": shelf,
            "force": force,
        }
        wanted = [(owner, one, each) for owner, one in chosen for each in chosen_arithmetics(arithmetic)]
        records: list[Record] = []
        errors: list[ReproError] = []
        for owner, one, each in wanted:
            run_check = (
                partial(paper_check, steps=steps, **common)
                if protocol == PAPER
                else partial(check, arithmetic=each, at_once=at_once, **common)
            )
            name = f"{owner.name}/{one.name}"
            record, error = recorded_if_blocked(
                "check-rep",
                owner.name,
                one.name,
                {**asked, "arithmetic": arithmetic_name(each)},
                [Path(data)],
                results,
                partial(run_check, name),
            )
            records.append(record)
            errors += [error] if error else []
        documents = [record.to_data() for record in records]
        lines = [verdict_table(records)]
        lines += [f"\n{line}" for one in records if "paper" in one.result for line in sentences(one)]
        return Answer({"records": documents}, "\n".join(lines), exit_code(records), errors)

    finish("check-rep", run, as_json=json, receipt=receipt)
