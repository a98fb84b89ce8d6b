"""``repro fetch``: published files into the shared cache, verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from repro.cli import options
from repro.cli.answer import Answer, finish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from repro.fetch import Cache
    from repro.schema import Artifact
    from repro.stages.fetch import Fetched


def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Artifact, SYSTEM for all of its own, or SYSTEM/MODEL.", show_default=False),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", help="Only checkpoint, backbone, dataset, detector or document; repeat."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List what there is and what is here; fetch nothing.")] = False,
    mirror: Annotated[
        str | None, typer.Option("--mirror", help="Folder or URL to ask first: MIRROR/ARTIFACT/FILE or MIRROR/FILE.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Use no network: cache and mirror folder only.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=32, help="How many at once.")] = 4,
    cache: Annotated[
        Path | None, typer.Option("--cache", envvar="REPRO_CACHE", help="Cache folder. The user's own by default.")
    ] = None,
    pin: Annotated[
        bool, typer.Option("--pin", help="Vouch for files without a published digest: expect these bytes from now on.")
    ] = False,
    results: options.Results = Path("results"),
    expected: options.Expected = None,
    json: options.Json = False,
    receipt: options.Receipt = None,
) -> None:
    """Download data and published checkpoints; verify what is there already."""

    def run() -> Answer:
        from repro.errors import UsageError
        from repro.fetch import Cache, Settings
        from repro.paths import cache_folder
        from repro.stages import fetch as stage

        if not names and not list_:
            raise UsageError(
                "nothing named to fetch", next_step="name artifacts or systems; `repro fetch --list` shows them"
            )
        artifacts = stage.chosen(names or [], kind or [], expected)
        if list_:
            return _listed(artifacts, Cache(cache_folder(cache)))
        settings = Settings(mirror=mirror, offline=offline)
        fetched = stage.fetch(artifacts, cache=cache, results=results, settings=settings, jobs=jobs)
        pinned = stage.pin(fetched, expected) if pin else []
        return _answer(fetched, [path.parent.name for path in pinned])

    finish("fetch", run, as_json=json, receipt=receipt)


def _listed(artifacts: Sequence[Artifact], cache: Cache) -> Answer:
    from tabulate import tabulate

    entries, rows = [], []
    for artifact in artifacts:
        here = all(cache.path(artifact.id, file.name).is_file() for file in artifact.files)
        stated = sorted({name for file in artifact.files for name in file.stated})
        host = artifact.host if artifact.is_published else None
        entries.append(
            {
                "artifact": artifact.id,
                "system": artifact.system,
                "kind": artifact.kind,
                "host": host,
                "stated": stated,
                "files": [file.name for file in artifact.files],
                "in_cache": here,
                "note": artifact.note,
            }
        )
        rows.append(
            (artifact.id, artifact.kind, host or "none", ", ".join(stated) or "none stated", "yes" if here else "no")
        )
    head = ("artifact", "kind", "host", "digest", "in cache")
    return Answer({"artifacts": entries}, tabulate(rows, head, tablefmt="plain"))


def _answer(fetched: Sequence[Fetched], pinned: Sequence[str]) -> Answer:
    from repro.errors import EXIT_CONTRADICTION, EXIT_OK, EXIT_PREREQUISITE, Contradiction

    errors = [one.error for one in fetched if one.error is not None]
    wrong = any(isinstance(error, Contradiction) for error in errors)
    code = EXIT_CONTRADICTION if wrong else max((error.exit_code for error in errors), default=EXIT_OK)
    lines, paths = [], {}
    for one in fetched:
        if one.error is not None or one.record is None:
            lines.append(f"{one.artifact.id}: {'WRONG' if isinstance(one.error, Contradiction) else 'missing'}")
            continue
        paths[one.artifact.id] = {name: str(path) for name, path in one.paths.items()}
        for entry in one.record.result["files"]:
            lines.append(f"{one.artifact.id}: {_told(entry)}\n  {one.paths[entry['name']]}")
    lines += [f"pinned in expected_results/{system}/pins.toml" for system in pinned]
    seen = any(
        entry["basis"] == "first seen" for one in fetched if one.record for entry in one.record.result.get("files", ())
    )
    if seen and not pinned:
        lines.append(
            "No publisher states a digest of what is called first seen; --pin expects these bytes from now on."
        )
    data = {
        "records": [one.record.to_data() for one in fetched if one.record is not None],
        "paths": paths,
        "pinned": list(pinned),
    }
    assert code in (EXIT_OK, EXIT_CONTRADICTION, EXIT_PREREQUISITE)
    return Answer(data, "\n".join(lines), code, errors)


def _told(entry: dict[str, Any]) -> str:
    words = {
        "stated": f"verified by {', '.join(entry['checked'])}",
        "prefix": "verified by the first digits of its SHA-256 only",
        "first seen": "first seen, no digest stated",
    }[entry["basis"]]
    return f"{entry['size']} bytes, {words}, sha256 {entry['sha256']}"
