"""The loop on TensorFlow."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.stacks import tensorflow_python


@pytest.mark.slow
def test_killed_or_with_workers_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    python = tensorflow_python()
    ended = subprocess.run(
        [str(python), "-m", "tests.retrain.in_tensorflow", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0", "PYTHONHASHSEED": "0", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout.splitlines()[-1])
    assert told["workers"] == told["killed"] == told["whole"]
