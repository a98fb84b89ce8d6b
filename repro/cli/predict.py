"""``repro predict``: classify pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repro.cli import options
from repro.cli.answer import Answer, finish


def predict(
    pictures: Annotated[list[Path], typer.Argument(help="Image files, each of one face.")],
    system: Annotated[str, typer.Option("--system", "-s", help="System to ask.")],
    checkpoint: Annotated[
        str, typer.Option("--checkpoint", "-c", help="Published checkpoint: a path, or artifact:ID.")
    ],
    model: options.Model = None,
    protocol: options.Protocol = "corrected",
    isa: options.Isa = None,
    device: options.Device = "cpu",
    json: options.Json = False,
) -> None:
    """Classify pictures of faces with a published checkpoint."""

    def run() -> Answer:
        from tabulate import tabulate

        from repro.registry import one_model
        from repro.stages.artifact import local_path
        from repro.stages.predict import predict as ask

        owner, one = one_model(system, model)
        found = ask(
            f"{owner.name}/{one.name}",
            pictures,
            checkpoint=local_path(checkpoint),
            protocol=protocol,
            isa=isa,
            device=device,
        )
        head = ["picture", "answer", *found[0].scores]
        rows = [[each.picture, each.label, *(f"{score:.3f}" for score in each.scores.values())] for each in found]
        text = tabulate(rows, head, tablefmt="simple", disable_numparse=True)
        return Answer({"predictions": [each.model_dump(mode="json") for each in found]}, text)

    finish("predict", run, as_json=json)
