"""``repro check-rep``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repro.cli import options
from repro.cli.answer import Answer, finish


def check_rep(
    system: options.System = None,
    model: options.Model = None,
    data: options.Data = "embedded",
    protocol: Annotated[str, typer.Option("--protocol", help="'probe', or 'paper' for a paper's own check.")] = "probe",
    isa: options.Isa = None,
    arithmetic: options.Arithmetic = "native",
    device: options.Device = "cpu",
    results: options.Results = Path("results"),
    expected: options.Expected = None,
    profiles: options.Profiles = None,
    force: options.Force = False,
    json: options.Json = False,
    receipt: options.Receipt = None,
) -> None:
    """Check whether this machine computes the bits that others recorded."""

    def run() -> Answer:
        from repro.errors import NotBuiltYet, ReproError, UnknownName
        from repro.registry import chosen_models
        from repro.report.outcome import exit_code
        from repro.report.text import verdict_table
        from repro.schema import Record, arithmetic_name, chosen_arithmetics
        from repro.stages.blocked import recorded_if_blocked
        from repro.stages.check_rep import check_rep as check
        from repro.stages.judge import Shelf

        if protocol not in ("probe", "paper"):
            raise UnknownName("protocol", protocol, ("probe", "paper"))
        chosen = chosen_models(system, model)
        shelf = Shelf.of(expected, profiles)
        asked = {"data": Path(data).name, "protocol": protocol, "isa": isa, "device": device}
        wanted = [(owner, one, each) for owner, one in chosen for each in chosen_arithmetics(arithmetic)]
        records: list[Record] = []
        errors: list[ReproError] = []
        for owner, one, each in wanted:
            if protocol == "paper":
                raise NotBuiltYet(
                    f"{owner.title}'s paper has no check of its own that this version knows",
                    next_step="leave out PROTOCOL=paper to run the probe",
                )
            name = f"{owner.name}/{one.name}"
            record, error = recorded_if_blocked(
                "check-rep",
                owner.name,
                one.name,
                {**asked, "arithmetic": arithmetic_name(each)},
                [Path(data)],
                results,
                lambda name=name, each=each: check(  # type: ignore[misc]  # defaults bind the loop's names
                    name,
                    data=data,
                    isa=isa,
                    arithmetic=each,
                    device=device,
                    results=results,
                    shelf=shelf,
                    force=force,
                ),
            )
            records.append(record)
            errors += [error] if error else []
        documents = [record.to_data() for record in records]
        return Answer({"records": documents}, verdict_table(records), exit_code(records), errors)

    finish("check-rep", run, as_json=json, receipt=receipt)
