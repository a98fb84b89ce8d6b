"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

# Machines that run these tests are shared: how long one example takes says nothing.
hypothesis.settings.register_profile("repro", deadline=None, derandomize=True)
hypothesis.settings.load_profile("repro")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real data, contracts and facts; tests that need it are skipped where there is none."""
    folder = Path(os.environ.get("REPRO_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no research data: {folder} is missing; set REPRO_SHARED to where it is")
    return folder
