"""``repro compare``: where the bits of several machines part, and what goes with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repro.cli import options
from repro.cli.answer import Answer, finish


def compare(
    sources: Annotated[
        list[Path], typer.Argument(help="Traces, records, bundles or results folders, of any number of machines.")
    ],
    json: options.Json = False,
) -> None:
    """Compare runs tensor by tensor: the first that differs, classes of identical bits, what separates them."""

    def run() -> Answer:
        from itertools import groupby

        from repro.compare.machines import group_runs
        from repro.errors import EXIT_CONTRADICTION, EXIT_OK, UsageError
        from repro.report.comparison import comparison_text
        from repro.store.runs import read_runs

        runs = sorted(read_runs(sources), key=lambda one: one.key)
        groups = [list(group) for _, group in groupby(runs, key=lambda one: one.key)]
        found = [group_runs(group) for group in groups if len(group) > 1]
        if not found:
            alone = "; ".join(f"{one.label}: {one.key}" for one in runs)
            raise UsageError(f"no two runs are of the same computation: {alone}")
        text = "\n\n".join(comparison_text(one) for one in found)
        single = [group[0].key for group in groups if len(group) == 1]
        if single:
            text += "\n\nonly one run each: " + "; ".join(single)
        data = {"groups": [one.model_dump(mode="json") for one in found], "alone": single}
        if len(found) == 1 and len(found[0].labels) == 2:
            data["comparison"] = found[0].pairs[0].comparison.model_dump(mode="json")
        code = EXIT_OK if all(one.identical for one in found) else EXIT_CONTRADICTION
        return Answer(data, text, code)

    finish("compare", run, as_json=json)
