"""``repro eval``: count a checkpoint's right answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repro.cli import options
from repro.cli.answer import Answer, finish


def evaluate(
    system: Annotated[str, typer.Option("--system", "-s", help="System to evaluate.")],
    checkpoint: options.Checkpoint,
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
    isa: options.Isa = None,
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
        from repro.registry import one_model
        from repro.report.outcome import exit_code
        from repro.report.text import verdict_table
        from repro.stages.artifact import local_path
        from repro.stages.blocked import recorded_if_blocked
        from repro.stages.evaluate import evaluate as run_evaluation
        from repro.stages.judge import Shelf

        owner, one = one_model(system, model)
        asked = {
            "data": Path(data).name,
            "split": owner.split(split).name,
            "protocol": owner.protocol(protocol).name,
            "checkpoint": Path(checkpoint).name,
            "isa": isa,
            "threads": threads,
            "batch": batch,
            "certified": certify,
            "after": after or [],
            "device": device,
        }
        record, error = recorded_if_blocked(
            "eval",
            owner.name,
            one.name,
            asked,
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
                certified=certify,
                after=after or (),
                device=device,
                results=results,
                shelf=Shelf.of(expected, profiles),
                force=force,
            ),
        )
        if error is not None:
            return Answer({"records": [record.to_data()]}, verdict_table([record]), exit_code([record]), [error])
        result = record.result
        assert record.profile is not None
        assert record.stack is not None
        document = {
            "system": owner.name,
            "model": one.name,
            "split": split,
            "protocol": protocol,
            "verdict": record.verdict,
            **{name: result[name] for name in ("correct", "n", "accuracy", "interval", "spread", "certificate")},
            "digests": {
                "data": record.inputs["data"],
                "checkpoint": record.inputs["checkpoint"],
                "weights": result["weights"],
                "predictions": result["predictions"],
            },
            "profile": record.profile.to_data(),
            "profile_class": result["bits"].get("profile_class"),
            "stack": record.stack.model_dump(),
            "records": [record.to_data()],
        }
        return Answer(document, evaluation_text(record), exit_code([record]))

    finish("eval", run, as_json=json, receipt=receipt)
