"""``repro record``: store this machine's digests as what should come out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repro.cli import options
from repro.cli.answer import Answer, finish
from repro.schema import Record


def record(
    system: options.System = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, in a sentence; kept beside the digests.")] = "",
    who: Annotated[str | None, typer.Option("--who", help="Your name, if it is to be kept too.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change and write nothing.")] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Measure nothing: tell in words what changed in what is stored since a commit."),
    ] = None,
    results: options.Results = Path("results"),
    expected: options.Expected = None,
    profiles: options.Profiles = None,
    json: options.Json = False,
) -> None:
    """Take what was measured here as what should come out on machines like this one."""

    def run() -> Answer:
        if since is not None:
            from repro.paths import expected_folder
            from repro.report.markdown import escaped
            from repro.store.explain import explain_changes

            lines = explain_changes(expected_folder(expected), since)
            told = "\n".join(f"- {escaped(line)}" for line in lines) or "No stored digest changed."
            return Answer({"explained": lines}, told)
        from repro.registry import chosen_systems
        from repro.report.plain import narrow
        from repro.stages.bless import apply_changes, plan_changes
        from repro.stages.judge import Shelf
        from repro.store.results import Results

        store, shelf = Results(results), Shelf.of(expected, profiles)
        changes = plan_changes(store, shelf, [one.name for one in chosen_systems(system)] if system else None)
        if not dry_run:
            apply_changes(changes, store, shelf, reason=reason, recorded_by=who)
        rows = [
            {
                "system": change.record.system,
                "model": change.record.model,
                "stage": change.record.stage,
                "what": _what(change.record),
                "probe": change.record.result["probe"],
                "profile": change.profile_class,
                "new_profile": change.new_class is not None,
                "change": change.kind,
                "difference": change.difference,
            }
            for change in changes
        ]
        shown = [[f"{row['system']}/{row['model']}", row["stage"], row["change"]] for row in rows]
        below = [
            [f"{row['what']}, {row['profile']}{' (new)' if row['new_profile'] else ''}", row["difference"] or ""]
            for row in rows
        ]
        table = narrow(["model", "stage", "change"], shown, below)
        end = (
            "nothing written (--dry-run)" if dry_run else "written; review the difference and send it as a pull request"
        )
        return Answer({"changes": rows, "written": not dry_run}, f"{table}\n\n{end}")

    finish("record", run, as_json=json)


def _what(record: Record) -> str:
    """Return what tells a record from others of its model and stage."""
    parameters = record.parameters
    parts = [parameters["data"]]
    for name in ("split", "protocol"):
        value = parameters.get(name)
        parts += [value["name"]] if isinstance(value, dict) else []
    parts += [parameters["checkpoint"]] if "checkpoint" in parameters else []
    return ", ".join(parts)
