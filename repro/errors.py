"""Every error a user can meet, with its exit code and the next step to take.

The exit codes are part of the command's contract:
0 nothing contradicts what was expected, 1 a contradiction was found, 2 the call is wrong,
3 it could not run, 4 a fault of ours, 130 interrupted.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

EXIT_OK = 0
EXIT_CONTRADICTION = 1
EXIT_USAGE = 2
EXIT_PREREQUISITE = 3
EXIT_INTERNAL = 4
EXIT_INTERRUPTED = 130


class ReproError(Exception):
    """Base of all expected errors.

    Attributes:
        exit_code: what the command ends with.
        next_step: the command or action that mends it, or ``None`` where there is none.
    """

    exit_code = EXIT_INTERNAL

    def __init__(self, message: str, *, next_step: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    @property
    def kind(self) -> str:
        """The closed name of this error, as machine-readable output gives it."""
        return type(self).__name__

    def __str__(self) -> str:
        return self.message if self.next_step is None else f"{self.message}\n  Next: {self.next_step}"


class Contradiction(ReproError):
    """What was computed or downloaded contradicts what was promised."""

    exit_code = EXIT_CONTRADICTION


class UsageError(ReproError):
    """The call itself is wrong."""

    exit_code = EXIT_USAGE


class UnknownName(UsageError):
    """A system, model, protocol, split or profile that does not exist."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        choices = sorted(known)
        near = difflib.get_close_matches(name, choices, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(choices) or 'none'}."
        super().__init__(f"unknown {what} {name!r}. {hint}")


class PrerequisiteError(ReproError):
    """Something that is needed is missing or unusable: data, checkpoint, framework, stack."""

    exit_code = EXIT_PREREQUISITE


class MissingFile(PrerequisiteError):
    """A file that the call needs is not there."""


class Unavailable(PrerequisiteError):
    """A download that cannot be had: gone, behind a login, a page instead of the file, or the call is offline."""


class MissingStack(PrerequisiteError):
    """The virtual environment of a stack is not there or lacks its framework."""


class NoCanonicalForm(PrerequisiteError):
    """An operation, or arguments of one, for which canonical arithmetic defines no result."""


class UnfitMachine(PrerequisiteError):
    """A machine, or the switches of a process, on which canonical arithmetic would not hold."""


class BadInput(PrerequisiteError):
    """A file or row that cannot be read as what it should be."""


class SchemaTooNew(PrerequisiteError):
    """A document written by a newer version of this harness."""


class BadCheckpoint(BadInput):
    """A checkpoint that does not hold exactly the model's tensors."""


class UnfitCheckpoint(BadCheckpoint):
    """A sound checkpoint of some other model.

    Attributes:
        shapes: the shape of each of its tensors, by name, so that the model can be recognised.
    """

    def __init__(self, message: str, *, shapes: Mapping[str, tuple[int, ...]], next_step: str | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.shapes = dict(shapes)


class FrameworkClash(ReproError):
    """A second framework was about to be imported into one process."""


def error_data(error: ReproError) -> dict[str, Any]:
    """Return an error as plain data: closed kind, message and next step."""
    return {"kind": error.kind, "message": error.message, "next_step": error.next_step}
