"""``repro claims``: every published number, and the counts that would give it."""

from __future__ import annotations

from typing import Annotated

import typer

from repro.cli import options
from repro.cli.answer import Answer, finish


def claims(
    system: options.System = None,
    defects: Annotated[bool, typer.Option("--defects", help="List the known defects of the published code.")] = False,
    expected: options.Expected = None,
    json: options.Json = False,
) -> None:
    """Print the published numbers with the counts that each allows: known before anything runs."""

    def run() -> Answer:
        from repro.cli.text import claim_row, defect_row
        from repro.errors import UnknownName
        from repro.paths import expected_folder
        from repro.report.plain import narrow
        from repro.store.claims import load_claims, load_defects

        folder = expected_folder(expected)
        known = {claim.system for claim in load_claims(folder)}
        for name in system or ():
            if name not in known:
                raise UnknownName("system", name, known)
        wanted = system or sorted(known | {defect.system for defect in load_defects(folder)})
        if defects:
            rows = [defect_row(one) for one in load_defects(folder) if one.system in wanted]
            short: tuple[str, ...] = ("defect", "marks")
            below = [
                [f"{row['title']}. {row['summary']}", f"measured: {row['measured']}" if row["measured"] else ""]
                for row in rows
            ]
        else:
            rows = [claim_row(one) for one in load_claims(folder) if one.system in wanted]
            short = ("claim", "printed", "counts")
            below = [[_about(row)] for row in rows]
        text = narrow(short, [[row[name] for name in short] for row in rows], below)
        return Answer({"defects" if defects else "claims": rows}, f"{text}\n\n{len(rows)} in all")

    finish("claims", run, as_json=json)


def _about(row: dict[str, str]) -> str:
    """Return what a number is about and how it can come about, in one line."""
    parts = [row["model"], row["split"], row["metric"], f"n {row['n']}" if row["n"] else ""]
    return f"{', '.join(part for part in parts if part)}: {row['attainable']}"
