"""Verbs of the design whose stage this version does not have. They say so and exit 3."""

from __future__ import annotations

from collections.abc import Callable

import typer

from repro.cli import options
from repro.cli.answer import Answer, finish
from repro.errors import NotBuiltYet

VERBS = {
    "retrain": "Train a system anew by its published recipe.",
}


def not_built_yet(name: str, what: str) -> Callable[..., None]:
    """Return the command for a verb that comes later; it takes whatever it is given."""

    def command(
        arguments: list[str] | None = typer.Argument(None, hidden=True),  # noqa: B008  # how typer declares
        json: options.Json = False,
    ) -> None:
        def run() -> Answer:
            raise NotBuiltYet(
                f"`repro {name}` is not built yet: {what}",
                next_step="use check-rep, eval and report, which are",
            )

        finish(name, run, as_json=json)

    return command
