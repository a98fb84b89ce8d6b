from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from repro.determinism.environment import DETERMINISTIC_ENVIRONMENT, child_environment, switched
from repro.schema import Caps

_TORCH = """
import json, random, numpy, torch
from repro.determinism.switches_torch import make_deterministic
told = make_deterministic(7, 1)
draws = [random.random(), float(numpy.random.rand()), float(torch.rand(())), torch.empty(3).isnan().all().item()]
print(json.dumps([told, draws]))
"""

_TENSORFLOW = """
import json, random, numpy, tensorflow as tf
from repro.determinism.switches_tensorflow import make_deterministic
told = make_deterministic(7, 1)
print(json.dumps([told, [random.random(), float(numpy.random.rand()), float(tf.random.uniform(()))]]))
"""


def _told(python: Path | str, code: str, isa: str | None = None) -> list[object]:
    variables = child_environment(Caps(isa=isa, threads=1))
    ended = subprocess.run([str(python), "-c", code], env=variables, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_torch_says_what_was_set_and_draws_alike() -> None:
    first, second = _told(sys.executable, _TORCH), _told(sys.executable, _TORCH)
    assert first == second
    told = first[0]
    assert told == {
        "seeds": {"python.random": 7, "numpy.random": 7, "torch": 7},
        "deterministic_algorithms": True,
        "cudnn_benchmark": False,
        "cudnn_deterministic": True,
        "float32_matmul_precision": "highest",
        "tf32_matmul": False,
        "tf32_cudnn": False,
        "onednn": True,
        "threads": 1,
    }
    assert first[1][3] is True, "uninitialised memory is filled, so reading it shows"  # type: ignore[index]
    without = _told(sys.executable, _TORCH, "onednn-off")
    assert without == [{**told, "onednn": False}, first[1]]


@pytest.mark.slow
def test_tensorflow_says_what_was_set_and_draws_alike(root: Path) -> None:
    python = root / ".venv-tensorflow" / "bin" / "python"
    if not python.exists():
        pytest.skip("the TensorFlow stack is not installed: make setup")
    first, second = _told(python, _TENSORFLOW), _told(python, _TENSORFLOW)
    assert first == second
    assert first[0] == {
        "seeds": {"python.random": 7, "numpy.random": 7, "tensorflow": 7},
        "deterministic_ops": True,
        "tensor_float_32": False,
        "threads": 1,
    }


def test_the_child_sees_the_switches_and_the_rest_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    environment = child_environment(Caps())
    assert environment.keys().isdisjoint({"TF_XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS"})
    assert environment["PATH"] == os.environ["PATH"]
    assert DETERMINISTIC_ENVIRONMENT.items() <= environment.items()
    assert DETERMINISTIC_ENVIRONMENT.items() <= switched(Caps()).items()
