"""How a verb ends: one JSON document or text for people, and an exit code. The same for every verb."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer

from repro.errors import EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_OK, ReproError, error_data
from repro.schema import pretty_json
from repro.store.atomic import write_atomic

ANSWER_SCHEMA = "repro-answer/1"


class Answer:
    """What a verb found.

    Attributes:
        data: its part of the JSON document.
        text: the same for people.
        exit_code: what it means for the exit code.
        errors: what kept a part of it from running.
    """

    def __init__(
        self, data: dict[str, Any], text: str, exit_code: int = EXIT_OK, errors: Sequence[ReproError] = ()
    ) -> None:
        self.data, self.text, self.exit_code, self.errors = data, text, exit_code, errors


def finish(verb: str, run: Callable[[], Answer], *, as_json: bool, receipt: Path | None = None) -> None:
    """Run a verb, print its answer or its error, and end the process.

    Args:
        verb: its name, for the document.
        run: the verb's work.
        as_json: print the document instead of the text.
        receipt: also write the document there and exit 0, so that a pipeline goes on and reads it later.

    Raises:
        typer.Exit: always, with the exit code.
    """
    text: str | None = None
    try:
        answer = run()
        document = {"schema": ANSWER_SCHEMA, "verb": verb, "exit_code": answer.exit_code, **answer.data}
        text = answer.text
        for error in answer.errors:
            print(f"repro {verb}: {error}", file=sys.stderr)
            document.setdefault("error", error_data(error))
    except ReproError as error:
        document = _failure(verb, error.exit_code, error_data(error))
        print(f"repro {verb}: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"repro {verb}: interrupted; what was finished is kept, the same call goes on", file=sys.stderr)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except Exception as error:
        traceback.print_exc()
        told = {"kind": type(error).__name__, "message": str(error), "next_step": "please report this fault of repro"}
        document = _failure(verb, EXIT_INTERNAL, told)
    if as_json:
        sys.stdout.write(pretty_json(document))
    elif text is not None:
        _show(text)
    if receipt is not None:
        write_atomic(receipt, pretty_json(document))
        raise typer.Exit(EXIT_OK)
    raise typer.Exit(document["exit_code"])


_COLOURS = {
    "green": r"\b(identical|reproduced|certified)\b",
    "red bold": r"\b(different|unstable|failed|not reproduced)\b",
    "yellow": r"\b(unrecorded|blocked|close|unattainable|not certified)\b",
}


def _show(text: str) -> None:
    """Print text, with the verdicts coloured on a terminal and nowhere else."""
    if not sys.stdout.isatty():
        print(text)
        return
    from rich.console import Console
    from rich.text import Text

    shown = Text(text)
    for style, words in _COLOURS.items():
        shown.highlight_regex(words, style)
    Console().print(shown, soft_wrap=True)  # which leaves out colours where NO_COLOR is set


def _failure(verb: str, exit_code: int, error: dict[str, Any]) -> dict[str, Any]:
    return {"schema": ANSWER_SCHEMA, "verb": verb, "exit_code": exit_code, "error": error}
