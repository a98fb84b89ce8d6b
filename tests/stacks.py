"""The other framework's interpreter, for tests that start a program in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.errors import MissingStack
from repro.stages.stacks import find_stack


def tensorflow_python() -> Path:
    """Return the interpreter of the TensorFlow stack; without one the test is skipped."""
    try:
        return find_stack("tensorflow").python
    except MissingStack as error:
        pytest.skip(str(error))
