"""``repro compare``: where two traces part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repro.cli import options
from repro.cli.answer import Answer, finish


def compare(
    first: Annotated[Path, typer.Argument(help="A trace, or a record that names one.")],
    second: Annotated[Path, typer.Argument(help="The one to compare it with.")],
    json: options.Json = False,
) -> None:
    """Compare two traces tensor by tensor and name the first that differs."""

    def run() -> Answer:
        from repro.compare.divergence import compare_traces
        from repro.errors import EXIT_CONTRADICTION, EXIT_OK
        from repro.schema import BitVerdict
        from repro.store.traces import read_trace

        comparison = compare_traces(read_trace(first), read_trace(second))
        code = EXIT_OK if comparison.verdict == BitVerdict.IDENTICAL else EXIT_CONTRADICTION
        return Answer({"comparison": comparison.model_dump(mode="json")}, comparison.sentence(), code)

    finish("compare", run, as_json=json)
