from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from repro.hardware.cpu import own_levels
from repro.hardware.gpu import CudaRuntime
from repro.hardware.match import describe
from repro.schema import Caps, FrameworkState, Gpu, Profile
from tests.hardware import child

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the torch stack")

CODE = """
import hashlib, json, sys
from types import SimpleNamespace
import torch
from repro.hardware.framework_torch import read_framework
from repro.hardware.probe import read_profile
from repro.schema import Caps

def digest(tensor): return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()
def tensor(*shape): return torch.from_numpy(draw(*shape))
generator = torch.get_rng_state()
state, cuda = read_framework()
profile = read_profile(Caps.model_validate_json(sys.argv[1]), state, cuda, device="cpu")
again, _ = read_framework()
drawn = not torch.equal(generator, torch.get_rng_state())
bits = {
    "convolution": digest(torch.nn.functional.conv2d(tensor(2, 16, 40, 40), tensor(24, 16, 3, 3))),
    "matmul": digest(tensor(65, 300) @ tensor(300, 77)),
    "softmax": digest(tensor(65, 300).softmax(1)),
    "add": digest(tensor(65, 300) + tensor(65, 300)),
}
torch.use_deterministic_algorithms(True)
torch.backends.cuda.matmul.allow_tf32 = True
torch.backends.fp32_precision = "ieee"  # from here on torch refuses to read some older switches
mixed, _ = read_framework()
torch.cuda.is_available = lambda: True
torch.cuda.device_count = lambda: 1
torch.cuda.get_device_properties = lambda index: SimpleNamespace(
    name="NVIDIA H200", major=9, minor=0, total_memory=150_000_000_000
)
_, seen = read_framework()
print(json.dumps({
    "profile": profile.to_data(), "again": again == state, "drawn": drawn, "bits": bits,
    "mixed": mixed.model_dump(mode="json"), "cuda": seen.model_dump(mode="json"),
    "version": torch.__version__, "cuda_version": torch.version.cuda, "cudnn": torch.backends.cudnn.version(),
    "capability": torch.backends.cpu.get_cpu_capability(),
}))
"""


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """What torch says in one process without a cap on the level and in one at baseline, one thread each."""
    names = {"free": None, "baseline": "baseline"}
    running = {
        name: child.start(Path(sys.executable), CODE, Caps(isa=isa, threads=1), OPENBLAS_VERBOSE="0")
        for name, isa in names.items()
    }
    return {name: child.answer(process) for name, process in running.items()}


@pytest.fixture(scope="module")
def profiles(answers: dict[str, Any]) -> dict[str, Profile]:
    return {name: Profile.from_data(answer["profile"], name) for name, answer in answers.items()}


@pytest.fixture(scope="module")
def states(profiles: dict[str, Profile]) -> dict[str, FrameworkState]:
    found = {name: profile.framework for name, profile in profiles.items()}
    return {name: state for name, state in found.items() if state is not None}


below = pytest.mark.skipif(len(own_levels()) == 1, reason="this processor has one level only")


@below
def test_the_probe_tells_the_level_that_torch_uses(
    answers: dict[str, Any], profiles: dict[str, Profile], states: dict[str, FrameworkState]
) -> None:
    assert profiles["free"].cpu.isa == own_levels()[-1] == states["free"].kernels["aten"].lower()
    assert profiles["baseline"].cpu.isa == "baseline"
    assert states["baseline"].kernels["aten"] == "DEFAULT" == answers["baseline"]["capability"]
    assert states["baseline"].kernels["onednn_isa"] == "Intel SSE4.1"
    assert str(states["baseline"].kernels["onednn_convolution"]).endswith("sse41")
    assert states["free"].kernels["onednn_convolution"] != states["baseline"].kernels["onednn_convolution"]
    assert (states["free"].kernels["mkl_cnr"], states["baseline"].kernels["mkl_cnr"]) == ("OFF", "COMPATIBLE")


@below
@pytest.mark.parametrize("what", ["convolution", "matmul", "softmax"])
def test_baseline_gives_other_bits(answers: dict[str, Any], what: str) -> None:
    assert answers["free"]["bits"][what] != answers["baseline"]["bits"][what]
    assert answers["free"]["bits"]["add"] == answers["baseline"]["bits"]["add"]


@below
def test_the_two_levels_are_two_classes(profiles: dict[str, Profile]) -> None:
    free, capped = describe(profiles["free"]), describe(profiles["baseline"])
    assert {field for field in free.match if free.match[field] != capped.match[field]} == {"cpu.isa"}
    assert free.name != capped.name


def test_versions_threads_and_pools(answers: dict[str, Any], states: dict[str, FrameworkState]) -> None:
    state = states["free"]
    assert (state.name, state.version) == ("torch", answers["free"]["version"])
    assert state.threads["intra"] == 1
    assert {pool.threads for pool in state.pools} == {1}
    assert {"blas", "openmp"} <= {pool.user_api for pool in state.pools}
    for library in ("mkl", "onednn"):
        version = state.kernels.get(library)
        assert version is None or str(version)[0].isdecimal()


def test_reading_changes_nothing(answers: dict[str, Any]) -> None:
    assert [(answer["again"], answer["drawn"]) for answer in answers.values()] == [(True, False)] * 2


def test_switches_are_read_after_old_and_new_ways_were_mixed(
    answers: dict[str, Any], states: dict[str, FrameworkState]
) -> None:
    before, after = states["free"].precision, answers["free"]["mixed"]["precision"]
    assert (before["deterministic_algorithms"], after["deterministic_algorithms"]) == (False, True)
    assert (before["cuda_matmul_fp32_precision"], after["cuda_matmul_fp32_precision"]) == ("none", "tf32")
    assert (before["fp32_precision"], after["fp32_precision"]) == ("none", "ieee")


def test_gpu_software_as_torch_tells_it(answers: dict[str, Any]) -> None:
    told = answers["free"]
    if told["cuda_version"] is None:
        pytest.skip("this torch was built without CUDA")
    assert CudaRuntime.model_validate(told["cuda"]) == CudaRuntime(
        runtime=told["cuda_version"],
        cudnn=".".join(
            str(part) for part in (told["cudnn"] // 10000, told["cudnn"] % 10000 // 100, told["cudnn"] % 100)
        ),
        gpus=(Gpu(name="NVIDIA H200", compute_capability="9.0", memory_mib=143051),),
    )
