from __future__ import annotations

from typing import Any

import pytest

from repro.hardware.cpu import ONEDNN_OFF, own_levels
from repro.hardware.match import describe
from repro.schema import Caps, Profile
from tests.hardware import child
from tests.stacks import tensorflow_python

pytestmark = pytest.mark.slow

CODE = """
import hashlib, json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
from repro.hardware.framework_tensorflow import read_framework
from repro.hardware.probe import read_profile
from repro.schema import Caps

state, cuda = read_framework()
profile = read_profile(Caps.model_validate_json(sys.argv[1]), state, cuda, device="cpu")
sys.stdout.flush()
saved = os.dup(1)
os.dup2(2, 1)  # oneDNN says on standard output what it runs; the test reads it on standard error
def digest(tensor): return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()
def tensor(*shape): return tf.constant(draw(*shape))
bits = {
    "convolution": digest(tf.nn.conv2d(tensor(2, 40, 40, 16), tensor(3, 3, 16, 24), 1, "SAME")),
    "wide convolution": digest(tf.nn.conv2d(tensor(2, 20, 20, 128), tensor(3, 3, 128, 24), 1, "SAME")),
    "matmul": digest(tensor(65, 300) @ tensor(300, 77)),
    "add": digest(tensor(65, 300) + tensor(65, 300)),
}
tf.config.experimental.enable_op_determinism()
tf.config.experimental.enable_tensor_float_32_execution(False)
switched, _ = read_framework()
import ctypes
ctypes.CDLL(None).fflush(None)
os.dup2(saved, 1)
print(json.dumps({
    "profile": profile.to_data(), "bits": bits, "switched": switched.model_dump(mode="json"), "gpus": cuda is not None,
}))
"""


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """What TensorFlow says without a cap, at baseline and without oneDNN, and what oneDNN says beside it."""
    python = tensorflow_python()
    names = {"free": None, "baseline": "baseline", ONEDNN_OFF: ONEDNN_OFF}
    running = {
        name: child.start(python, CODE, Caps(isa=isa, threads=1), ONEDNN_VERBOSE="1") for name, isa in names.items()
    }
    return {name: child.answer(process) for name, process in running.items()}


@pytest.mark.skipif(len(own_levels()) == 1, reason="this processor has one level only")
def test_baseline_is_other_kernels_and_other_bits(answers: dict[str, Any]) -> None:
    free, capped = answers["free"], answers["baseline"]
    assert "cpu,isa:Intel SSE4.1" in capped["stderr"]
    assert "cpu,isa:Intel SSE4.1" not in free["stderr"]
    assert free["bits"]["add"] == capped["bits"]["add"]
    for what in ("convolution", "matmul"):
        assert free["bits"][what] != capped["bits"][what], what


def test_the_profile_under_a_cap(answers: dict[str, Any]) -> None:
    profile = Profile.from_data(answers["baseline"]["profile"], "baseline")
    assert profile.framework is not None
    assert (profile.cpu.isa, profile.caps.isa) == ("baseline", "baseline")
    assert profile.framework.name == "tensorflow"
    assert (profile.framework.kernels["onednn"], profile.framework.kernels["onednn_max_isa"]) == (False, "SSE41")
    assert profile.framework.threads == {"intra": 1, "inter": 1}
    assert {pool.threads for pool in profile.framework.pools} == {1}
    assert {pool.architecture for pool in profile.framework.pools} == {"Nehalem"}


@pytest.mark.skipif(own_levels()[-1] != "avx512", reason="below AVX-512 TensorFlow leaves oneDNN off by itself")
def test_without_onednn_convolutions_are_others_and_matrix_products_the_same(answers: dict[str, Any]) -> None:
    free, without = answers["free"], answers[ONEDNN_OFF]
    told = Profile.from_data(without["profile"], ONEDNN_OFF)
    assert told.cpu.isa == "avx512-onednn-off"
    assert told.framework is not None
    assert (told.framework.kernels["onednn"], told.framework.kernels["onednn_max_isa"]) == (False, None)
    assert free["profile"]["framework"]["kernels"]["onednn"] is True
    assert free["bits"]["wide convolution"] != without["bits"]["wide convolution"]
    assert (",convolution," in free["stderr"], ",convolution," in without["stderr"]) == (True, False)
    assert free["bits"]["matmul"] == without["bits"]["matmul"]
    assert describe(told).name == f"{describe(Profile.from_data(free['profile'], 'free')).name}-onednn-off"


def test_switches(answers: dict[str, Any]) -> None:
    before = answers["free"]["profile"]["framework"]["precision"]
    after = answers["free"]["switched"]["precision"]
    assert (before["op_determinism"], after["op_determinism"]) == (False, True)
    assert (before["tensor_float_32"], after["tensor_float_32"]) == (True, False)
    assert (before["mixed_precision"], before["floatx"]) == ("float32", "float32")
