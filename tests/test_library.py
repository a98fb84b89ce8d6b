from __future__ import annotations

import subprocess
import sys

import pytest

import repro
from repro.errors import UnknownName


def test_build_returns_the_frameworks_own_model() -> None:
    code = "import repro, torch\nprint(isinstance(repro.build('deep-emotion', 'deep_emotion'), torch.nn.Module))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stdout == "True\n", ended.stderr


def test_unknown_names_are_told_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean deep-emotion"):
        repro.build("deep-emotions", "deep_emotion")
    with pytest.raises(AttributeError, match="no attribute 'chekc_rep'"):
        repro.chekc_rep  # noqa: B018  # the access is the test


def test_the_public_calls_are_all_there() -> None:
    assert all(callable(getattr(repro, name)) for name in repro.__all__)
