"""``repro eval``: count a checkpoint's right answers."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from repro.cli import options
from repro.cli.answer import Answer, finish
from repro.schema import Arithmetic, ArithmeticChoice, Record, arithmetic_name, chosen_arithmetics

_TOLD = ("correct", "n", "accuracy", "interval", "spread", "classes", "means")


def evaluate(
    system: Annotated[str, typer.Option("--system", "-s", help="System to evaluate.")],
    checkpoint: options.Checkpoint = None,
    model: options.Model = None,
    data: options.Data = "embedded",
    split: Annotated[str, typer.Option("--split", help="Split that the system declares.")] = "test",
    protocol: options.Protocol = "corrected",
    batch: Annotated[
        int | None, typer.Option("--batch", help="Images per forward pass. The protocol's by default.")
    ] = None,
    certify: Annotated[
        bool,
        typer.Option("--certify", help="Run other kernels, threads and batches too: does the count depend on them?"),
    ] = False,
    after: Annotated[
        list[str] | None,
        typer.Option("--after", help="Model that ran before in the published process, whose draws came first; repeat."),
    ] = None,
    ensemble: Annotated[
        str | None,
        typer.Option("--ensemble", help="Add up what evaluations before have left for this ensemble's members."),
    ] = None,
    members: Annotated[
        str | None, typer.Option("--members", help="Only these members of the ensemble, joined by commas.")
    ] = None,
    isa: options.Isa = None,
    arithmetic: options.Arithmetic = "native",
    threads: Annotated[int, typer.Option("--threads", help="Threads of the libraries.")] = 1,
    device: options.Device = "cpu",
    results: options.Results = Path("results"),
    expected: options.Expected = None,
    profiles: options.Profiles = None,
    force: options.Force = False,
    json: options.Json = False,
    receipt: options.Receipt = None,
) -> None:
    """Evaluate a checkpoint on a split by a protocol."""

    def run() -> Answer:
        from repro.cli.text import evaluation_text
        from repro.errors import PrerequisiteError, UsageError
        from repro.registry import one_model
        from repro.report.outcome import exit_code
        from repro.report.text import verdict_table
        from repro.stages.artifact import local_path
        from repro.stages.blocked import recorded_if_blocked
        from repro.stages.evaluate import evaluate as run_evaluation
        from repro.stages.judge import Shelf

        if ensemble is not None:
            named = members.split(",") if members is not None else None
            return _ensembles(system, ensemble, named, data, split, protocol, arithmetic, results)
        if checkpoint is None:
            raise UsageError("no checkpoint to evaluate", next_step="give --checkpoint a file, or artifact:ID")
        owner, one = one_model(system, model)
        asked = {
            "data": Path(data).name,
            "split": owner.split(split).name,
            "protocol": owner.protocol_of(one, protocol).name,
            "checkpoint": Path(checkpoint).name,
            "isa": isa,
            "threads": threads,
            "batch": batch,
            "certified": certify,
            "after": after or [],
            "device": device,
        }

        def record_of(chosen: Arithmetic) -> tuple[Record, PrerequisiteError | None]:
            return recorded_if_blocked(
                "eval",
                owner.name,
                one.name,
                {**asked, "arithmetic": arithmetic_name(chosen)},
                [Path(data), Path(checkpoint)],
                results,
                lambda: run_evaluation(
                    f"{owner.name}/{one.name}",
                    checkpoint=local_path(checkpoint),
                    data=data,
                    split=split,
                    protocol=protocol,
                    isa=isa,
                    threads=threads,
                    batch=batch,
                    certified=certify and chosen == "native",
                    after=after or (),
                    arithmetic=chosen,
                    device=device,
                    results=results,
                    shelf=Shelf.of(expected, profiles),
                    force=force,
                ),
            )

        if certify and arithmetic == "canonical":
            raise UsageError(
                "a count in canonical arithmetic needs no certificate: nothing that is varied could change it",
                next_step="leave out --certify",
            )
        answers = [record_of(chosen) for chosen in chosen_arithmetics(arithmetic)]
        records, errors = [record for record, _ in answers], [error for _, error in answers if error is not None]
        if errors:
            documents = [record.to_data() for record in records]
            return Answer({"records": documents}, verdict_table(records), exit_code(records), errors)
        documents = [_document(record, split, protocol) for record in records]
        answer = documents[0] | {"records": [record.to_data() for record in records]}
        if len(documents) > 1:
            answer["canonical"] = documents[1]
        return Answer(answer, "\n\n".join(evaluation_text(record) for record in records), exit_code(records))

    finish("eval", run, as_json=json, receipt=receipt)


def _document(record: Record, split: str, protocol: str) -> dict[str, Any]:
    """Return an evaluation as the command's document has it, without its record."""
    result = record.result
    assert record.profile is not None
    assert record.stack is not None
    return {
        "system": record.system,
        "model": record.model,
        "split": split,
        "protocol": protocol,
        "arithmetic": record.parameters["arithmetic"],
        "verdict": record.verdict,
        **{name: result[name] for name in _TOLD},
        "certificate": result["certificate"],
        "digests": {
            "data": record.inputs["data"],
            "checkpoint": record.inputs["checkpoint"],
            "weights": result["weights"],
            "predictions": result["predictions"],
        },
        "profile": record.profile.to_data(),
        "profile_class": result["bits"].get("profile_class"),
        "stack": record.stack.model_dump(),
    }


def _ensembles(
    system: str,
    ensemble: str,
    members: list[str] | None,
    data: str,
    split: str,
    protocol: str,
    arithmetic: ArithmeticChoice,
    results: Path,
) -> Answer:
    from repro.cli.text import evaluation_text
    from repro.report.outcome import exit_code
    from repro.report.text import verdict_table
    from repro.stages.blocked import recorded_if_blocked
    from repro.stages.ensemble import evaluate_ensemble

    asked = {
        "data": Path(data).name,
        "split": split,
        "protocol": protocol,
        "checkpoint": "ensemble",
        "members": members or [],
    }
    common: dict[str, Any] = {
        "members": members,
        "data": data,
        "split": split,
        "protocol": protocol,
        "results": results,
    }
    answers = [
        recorded_if_blocked(
            "eval",
            system,
            ensemble,
            {**asked, "arithmetic": arithmetic_name(chosen)},
            [Path(data)],
            results,
            partial(evaluate_ensemble, system, ensemble, arithmetic=chosen, **common),
        )
        for chosen in chosen_arithmetics(arithmetic)
    ]
    records, errors = [record for record, _ in answers], [error for _, error in answers if error is not None]
    if errors:
        documents = [record.to_data() for record in records]
        return Answer({"records": documents}, verdict_table(records), exit_code(records), errors)
    documents = [
        {
            "system": system,
            "model": ensemble,
            "split": split,
            "protocol": protocol,
            "arithmetic": record.parameters["arithmetic"],
            "verdict": record.verdict,
            **{name: record.result[name] for name in _TOLD},
            "members": record.result["members"],
        }
        for record in records
    ]
    answer = documents[0] | {"records": [record.to_data() for record in records]}
    if len(documents) > 1:
        answer["canonical"] = documents[1]
    return Answer(answer, "\n\n".join(evaluation_text(record) for record in records), exit_code(records))
