from __future__ import annotations

import getpass
import platform
import re
from pathlib import Path

import pytest

from repro.errors import PrerequisiteError, UsageError
from repro.hardware.caps import CAP_VARIABLES
from repro.hardware.cpu import own_levels
from repro.hardware.gpu import CudaRuntime
from repro.hardware.probe import read_profile
from repro.schema import Caps, Cuda, FrameworkState, Gpu, Profile
from tests.hardware import nvml_library

TORCH = FrameworkState(name="torch", version="2.14.1+cu130")
PASCAL = Gpu(name="NVIDIA GeForce GTX 1080 Ti", compute_capability="6.1", memory_mib=11264)
AMPERE = Gpu(name="NVIDIA GeForce RTX 3090", compute_capability="8.6", memory_mib=24576)


@pytest.fixture(autouse=True)
def uncapped(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CAP_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml_library.load(monkeypatch, "two-kinds")


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml_library.load(monkeypatch, "driver-not-loaded")


@pytest.mark.usefixtures("no_gpu")
def test_the_machine_alone() -> None:
    profile = read_profile(Caps(threads=1))
    assert (profile.device, profile.gpus, profile.cuda, profile.framework) == ("cpu", (), None, None)
    assert (profile.cpu.isa, profile.caps) == (own_levels()[-1], Caps(threads=1))
    assert profile.python == platform.python_version()
    assert re.fullmatch(r"\S+ \d\S*", profile.libc)
    assert Profile.from_data(profile.to_data(), "itself") == profile


@pytest.mark.usefixtures("two_gpus")
def test_the_machine_alone_lists_every_gpu() -> None:
    profile = read_profile(Caps())
    assert (profile.device, profile.gpus, profile.cuda) == ("cuda", (PASCAL, AMPERE), Cuda(driver="531.14"))


@pytest.mark.usefixtures("two_gpus")
def test_gpus_come_in_the_frameworks_order_with_the_drivers_memory() -> None:
    seen = CudaRuntime(
        runtime="13.0", cudnn="9.24.0", gpus=tuple(gpu.model_copy(update={"memory_mib": 1}) for gpu in (AMPERE, PASCAL))
    )
    profile = read_profile(Caps(), TORCH, seen)
    assert profile.gpus == (AMPERE, PASCAL)
    assert profile.cuda == Cuda(driver="531.14", runtime="13.0", cudnn="9.24.0")
    assert profile.device == "cuda"


@pytest.mark.usefixtures("two_gpus")
def test_a_slice_of_a_gpu_is_what_the_framework_says() -> None:
    part = Gpu(name="NVIDIA H200 MIG 1g.18gb", compute_capability="9.0", memory_mib=16384)
    assert read_profile(Caps(), TORCH, CudaRuntime(runtime="13.0", cudnn=None, gpus=(part,))).gpus == (part,)


@pytest.mark.usefixtures("two_gpus")
def test_gpus_that_the_framework_cannot_use_are_left_out() -> None:
    profile = read_profile(Caps(), TORCH, None)
    assert (profile.device, profile.gpus, profile.cuda) == ("cpu", (), None)


@pytest.mark.usefixtures("two_gpus")
def test_a_run_on_the_processor_of_a_machine_with_gpus() -> None:
    seen = CudaRuntime(runtime="13.0", cudnn="9.24.0", gpus=(PASCAL,))
    profile = read_profile(Caps(), TORCH, seen, device="cpu")
    assert (profile.device, profile.gpus) == ("cpu", (PASCAL,))


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_is_asked_for_that_the_framework_cannot_use() -> None:
    with pytest.raises(PrerequisiteError, match="no GPU can be used here"):
        read_profile(Caps(), TORCH, None, device="cuda")


@pytest.mark.usefixtures("no_gpu")
def test_a_cap_that_nobody_asked_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    with pytest.raises(UsageError, match="ONEDNN_MAX_CPU_ISA is SSE41, but a cap of nothing means not set") as caught:
        read_profile(Caps(), TORCH)
    assert caught.value.next_step
    assert read_profile(Caps()).cpu.isa == own_levels()[-1]  # without a framework nothing obeys the variable


@pytest.mark.usefixtures("two_gpus")
def test_nothing_names_a_user_a_host_or_a_path() -> None:
    from repro.hardware.pools import read_pools

    state = TORCH.model_copy(update={"pools": read_pools()})
    values = [str(value) for value in read_profile(Caps(), state).fields().values()]
    assert not [value for value in values if "/" in value or "\\" in value]
    words = {word for value in values for word in re.split(r"[\s,]+", value)}
    assert words.isdisjoint({getpass.getuser(), platform.node(), Path.home().name} - {""})
