"""Errors tell what to do next, and each class has the exit code of its contract."""

from __future__ import annotations

import pytest

from repro import errors

EXIT_CODES = {
    "ReproError": 4,
    "Contradiction": 1,
    "UsageError": 2,
    "UnknownName": 2,
    "PrerequisiteError": 3,
    "MissingFile": 3,
    "Unavailable": 3,
    "MissingStack": 3,
    "NoCanonicalForm": 3,
    "UnfitMachine": 3,
    "BadInput": 3,
    "SchemaTooNew": 3,
    "BadCheckpoint": 3,
    "UnfitCheckpoint": 3,
    "FrameworkClash": 4,
}


def test_the_exit_code_of_every_error_is_fixed() -> None:
    found = {
        name: value.exit_code
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.ReproError)
    }

    assert found == EXIT_CODES


def test_the_exit_codes_are_those_of_the_command() -> None:
    assert (errors.EXIT_OK, errors.EXIT_CONTRADICTION, errors.EXIT_USAGE) == (0, 1, 2)
    assert (errors.EXIT_PREREQUISITE, errors.EXIT_INTERNAL, errors.EXIT_INTERRUPTED) == (3, 4, 130)


def test_an_error_tells_the_next_step_on_a_line_of_its_own() -> None:
    error = errors.MissingStack("the torch stack is not installed", next_step="make setup")

    assert str(error) == "the torch stack is not installed\n  Next: make setup"
    assert (error.kind, error.message, error.next_step) == (
        "MissingStack",
        "the torch stack is not installed",
        "make setup",
    )


def test_an_error_without_a_next_step_is_its_message() -> None:
    assert str(errors.BadInput("row 3: expected 2304 pixels, found 2303")) == "row 3: expected 2304 pixels, found 2303"


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("rnm", ["rmn", "poster"], "Did you mean rmn?"),
        ("nothing like it", ["rmn", "poster"], "Known: poster, rmn."),
        ("rmn", [], "Known: none."),
    ],
)
def test_an_unknown_name_suggests_the_nearest(name: str, known: list[str], hint: str) -> None:
    assert str(errors.UnknownName("system", name, iter(known))) == f"unknown system {name!r}. {hint}"
