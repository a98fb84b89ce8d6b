"""Each framework in a process of its own: digests need no copy, and TensorFlow's agree with NumPy's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.stacks import tensorflow_python

SIZE_KIB = 256 * 1024
NO_COPY_KIB = SIZE_KIB // 16

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")


def run(python: Path | str, root: Path, script: str, *arguments: str) -> Any:
    """Run a script of this folder and return the JSON document that it prints."""
    ended = subprocess.run(
        [str(python), str(root / "tests" / "digest" / script), *arguments],
        env={**os.environ, "PYTHONPATH": str(root), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def assert_no_copy(grown: dict[str, int]) -> None:
    """Check growths of the peak in KiB; the last one is of a tensor that has to be copied."""
    assert grown.pop("transposed") > SIZE_KIB - NO_COPY_KIB
    assert grown
    assert {name: growth for name, growth in grown.items() if growth > NO_COPY_KIB} == {}


@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_256_mb_are_digested_and_sketched_where_they_lie(root: Path, framework: str) -> None:
    assert_no_copy(run(sys.executable, root, "measured.py", framework))


@pytest.mark.slow
def test_256_mb_of_tensorflow_are_digested_and_sketched_where_they_lie(root: Path) -> None:
    assert_no_copy(run(tensorflow_python(), root, "measured.py", "tensorflow"))


@pytest.mark.slow
def test_tensorflow_gives_the_entries_that_numpy_gives(root: Path) -> None:
    found = run(tensorflow_python(), root, "in_tensorflow.py")

    assert len(found["pairs"]) == 16
    assert {name: pair for name, pair in found["pairs"].items() if pair[0] != pair[1]} == {}
    assert len(found["refused"]) == 6
    assert [text for text in found["refused"].values() if not text.startswith("TypeError: ")] == []
