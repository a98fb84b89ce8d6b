from __future__ import annotations

from pathlib import Path

import pynvml
import pytest

from repro.errors import EXIT_PREREQUISITE, PrerequisiteError
from repro.hardware.gpu import cuda_version, cudnn_version, read_gpus
from repro.schema import Gpu
from tests.hardware import nvml_library

H200 = Gpu(name="NVIDIA H200", compute_capability="9.0", memory_mib=143771)


def test_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    library = nvml_library.load(monkeypatch, "h200")
    assert read_gpus() == ((H200,), "580.159.03")
    assert library.calls[-1] == "nvmlShutdown"


def test_two_kinds_keep_the_order_of_the_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml_library.load(monkeypatch, "two-kinds")
    gpus, driver = read_gpus()
    assert [(gpu.name, gpu.compute_capability, gpu.memory_mib) for gpu in gpus] == [
        ("NVIDIA GeForce GTX 1080 Ti", "6.1", 11264),
        ("NVIDIA GeForce RTX 3090", "8.6", 24576),
    ]
    assert driver == "531.14"


def test_a_gpu_without_memory_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml_library.load(monkeypatch, "shared-memory")
    assert read_gpus()[0] == (Gpu(name="NVIDIA GB10", compute_capability="12.1", memory_mib=None),)


def test_bytes_of_older_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml_library.load(monkeypatch, "h200")
    # what the functions were before bindings began to decode
    for name in ("nvmlDeviceGetName", "nvmlSystemGetDriverVersion"):
        monkeypatch.setattr(pynvml, name, getattr(pynvml, name).__wrapped__)
    pynvml.nvmlInit()
    assert pynvml.nvmlSystemGetDriverVersion() == b"580.159.03"
    assert read_gpus() == ((H200,), "580.159.03")


def test_no_library_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_there(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    monkeypatch.setattr(pynvml, "CDLL", not_there)
    assert read_gpus() == ((), None)


def test_no_driver_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml_library.load(monkeypatch, "driver-not-loaded")
    assert read_gpus() == ((), None)


@pytest.mark.parametrize(
    ("recorded", "told"),
    [
        ("no-permission", "nvmlInit failed: Insufficient Permissions"),
        ("version-mismatch", "nvmlInit failed: RM has detected an NVML/RM version mismatch"),
        ("second-gpu-lost", "nvmlDeviceGetCudaComputeCapability of GPU 1 failed: GPU is lost"),
    ],
)
def test_a_driver_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, recorded: str, told: str) -> None:
    library = nvml_library.load(monkeypatch, recorded)
    with pytest.raises(PrerequisiteError, match=told) as caught:
        read_gpus()
    assert caught.value.exit_code == EXIT_PREREQUISITE
    assert caught.value.next_step
    started = library.answers["nvmlInitWithFlags"]["code"] == 0
    assert library.calls.count("nvmlShutdown") == int(started)


def test_nothing_that_names_one_gpu_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    library = nvml_library.load(monkeypatch, "two-kinds")
    read_gpus()
    assert not [call for call in library.calls if "UUID" in call or "Serial" in call or "Pci" in call]


@pytest.mark.parametrize(("number", "text"), [(10010, "10.1"), (11010, "11.1"), (12020, "12.2"), (13000, "13.0")])
def test_cuda_version(number: int, text: str) -> None:
    assert cuda_version(number) == text


@pytest.mark.parametrize(("number", "text"), [(7605, "7.6.5"), (8005, "8.0.5"), (8907, "8.9.7"), (92400, "9.24.0")])
def test_cudnn_version(number: int, text: str) -> None:
    assert cudnn_version(number) == text


def test_every_recording_is_read() -> None:
    used = Path(__file__).read_text(encoding="utf-8")
    recorded = [path.stem for path in nvml_library.FOLDER.glob("*.json")]
    assert recorded
    assert [name for name in recorded if f'"{name}"' not in used] == []
