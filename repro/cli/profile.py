"""``repro profile``: what can change bits on this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from repro.cli import options
from repro.cli.answer import Answer, finish


def profile(
    stack: Annotated[
        str, typer.Option("--stack", help="Stack whose framework is asked: torch or tensorflow.")
    ] = "torch",
    isa: options.Isa = None,
    threads: Annotated[int | None, typer.Option("--threads", help="Cap on threads.")] = None,
    profiles: options.Profiles = None,
    json: options.Json = False,
) -> None:
    """Read what can change bits here, and say which stored profile class it is."""

    def run() -> Answer:
        from repro.hardware.caps import parse_caps
        from repro.hardware.match import load_classes, match, nearest
        from repro.schema import Profile
        from repro.stages.child import run_child
        from repro.stages.judge import Shelf
        from repro.stages.stacks import find_stack

        environment = find_stack(stack)
        with tempfile.TemporaryDirectory(prefix="repro-profile-") as folder:
            task = {"task": "profile", "framework": stack}
            answer = run_child(environment, task, parse_caps(isa, threads), Path(folder) / "child")
        found = Profile.from_data(answer["profile"], "the child's profile")
        classes = load_classes(Shelf.of(None, profiles).profiles)
        matched = match(found, classes)
        near = nearest(found, classes) if matched is None else None
        lines = [f"{field:<34} {value}" for field, value in found.fields().items() if value is not None]
        if matched is not None:
            lines.append(f"\nmatches the stored profile {matched.name} ({matched.title})")
        elif near is not None:
            lines.append(f"\nmatches no stored profile; the nearest is {near[0].name}, which differs in:")
            lines += [f"  {one.field}: {one.expected!r} there, {one.found!r} here" for one in near[1]]
        data = {
            "profile": found.to_data(),
            "stack": environment.stack.model_dump(),
            "profile_class": matched.name if matched else None,
            "nearest": near[0].name if near else None,
            "differences": [
                {"field": one.field, "expected": one.expected, "found": one.found} for one in (near[1] if near else ())
            ],
        }
        return Answer(data, "\n".join(lines))

    finish("profile", run, as_json=json)
