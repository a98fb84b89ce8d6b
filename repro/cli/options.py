"""Options that several verbs share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repro import schema

System = Annotated[
    list[str] | None, typer.Option("--system", "-s", help="System to run; repeat for several. All by default.")
]
Model = Annotated[str | None, typer.Option("--model", "-m", help="Model of the system. All by default.")]
Data = Annotated[
    str,
    typer.Option(
        "--data", "-d", help="'embedded' (drawn faces) or a container: fer2013.csv, .gz, .xz, an archive, a folder."
    ),
]
Checkpoint = Annotated[
    str | None, typer.Option("--checkpoint", "-c", help="Checkpoint in the published format: a path, or artifact:ID.")
]
Protocol = Annotated[
    str, typer.Option("--protocol", "-p", help="Protocol that the system declares: as-published, corrected.")
]
Isa = Annotated[
    str | None,
    typer.Option("--isa", help="Cap the kernels: baseline, avx2, avx512 (a lesser machine's), or onednn-off."),
]
Arithmetic = Annotated[
    schema.ArithmeticChoice,
    typer.Option("--arithmetic", help="native kernels, canonical (the same bits on every machine), or both."),
]
Device = Annotated[schema.Device, typer.Option("--device", help="Where to compute.")]
Results = Annotated[
    Path, typer.Option("--results", envvar="REPRO_RESULTS", help="Folder for records, traces and arrays.")
]
Expected = Annotated[
    Path | None,
    typer.Option(
        "--expected", envvar="REPRO_EXPECTED", help="Folder of stored expectations. The project's by default."
    ),
]
Profiles = Annotated[
    Path | None,
    typer.Option("--profiles", envvar="REPRO_PROFILES", help="Folder of profile classes. The project's by default."),
]
Force = Annotated[bool, typer.Option("--force", help="Compute even where a record answers.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, nothing else.")]
Receipt = Annotated[
    Path | None,
    typer.Option("--receipt", help="Write the JSON document to this file and exit 0 whatever it says (for pipelines)."),
]
