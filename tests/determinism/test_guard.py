from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def frameworks(tmp_path: Path) -> Path:
    """A folder with two packages that are called like the frameworks: importing the real ones takes seconds."""
    for name in ("torch", "tensorflow"):
        (tmp_path / f"{name}.py").write_text("loaded = True\n")
    return tmp_path


def _run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{Path.cwd()}"}
    start = "from repro.determinism.guard import allow_only\n"
    return subprocess.run(
        [sys.executable, "-c", start + code], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("allowed", "refused"), [("'torch'", "tensorflow"), ("None", "torch"), ("None", "tensorflow")])
def test_a_second_framework_is_refused(frameworks: Path, allowed: str, refused: str) -> None:
    ended = _run(f"allow_only({allowed})\nimport {refused}", frameworks)
    assert ended.returncode != 0
    assert f"FrameworkClash: {refused} was about to be imported" in ended.stderr


def test_the_allowed_one_is_imported(frameworks: Path) -> None:
    assert _run("allow_only('torch')\nimport torch\nprint(torch.loaded)", frameworks).stdout == "True\n"


def test_one_that_is_loaded_already_is_refused(frameworks: Path) -> None:
    ended = _run("import torch\nallow_only('tensorflow')", frameworks)
    assert "torch is loaded, tensorflow refused" in ended.stderr


def test_one_that_is_not_installed_is_no_clash(tmp_path: Path) -> None:
    ended = _run("allow_only('torch')\nimport tensorflow", tmp_path)
    assert "ModuleNotFoundError" in ended.stderr
    assert "FrameworkClash" not in ended.stderr
