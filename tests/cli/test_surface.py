"""The command's surface is a promise: verbs and options change only on purpose, with the file beside this one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import typer

from repro.cli import app
from tests.command import Place

SURFACE = Path(__file__).parent / "surface.txt"


def _surface() -> str:
    group = typer.main.get_command(app)
    lines = []
    for name, command in sorted(group.commands.items()):  # type: ignore[attr-defined]
        lines.append(name)
        for parameter in sorted(command.params, key=lambda one: one.name):
            if parameter.param_type_name == "argument":
                lines.append(f"  {parameter.name}")
            elif parameter.name != "help":
                lines.append(f"  {' '.join(parameter.opts)}")
    return "\n".join(lines) + "\n"


def test_surface_is_as_written_down() -> None:
    assert _surface() == SURFACE.read_text(encoding="utf-8"), (
        "verbs or options changed; if on purpose: python -m tests.cli.test_surface > tests/cli/surface.txt"
    )


def test_every_verb_of_the_design_is_there() -> None:
    verbs = {line for line in _surface().splitlines() if not line.startswith(" ")}
    designed = "profile fetch audit etl check-rep eval retrain compare record claims predict report doctor"
    assert verbs == set(designed.split())


def test_json_is_the_only_thing_on_standard_output(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for verb in (("claims",), ("profile",), ("doctor",), ("etl",), ("fetch",), ("report",)):
        ended = place.run(*verb, "--json")
        document = ended.data()
        assert document["schema"] == "repro-answer/1"
        assert document["verb"] == verb[0]
        assert document["exit_code"] == ended.code


def test_help_is_for_people() -> None:
    ended = subprocess.run([sys.executable, "-m", "repro", "--help"], capture_output=True, text=True, check=True)
    words = " ".join(ended.stdout.split())
    assert "where do the bits part?" in words
    assert "Exit codes: 0 no contradiction" in words


if __name__ == "__main__":
    sys.stdout.write(_surface())
