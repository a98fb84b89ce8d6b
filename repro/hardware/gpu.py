"""Reads the GPUs through NVML, NVIDIA's management library. No UUID or serial number is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pynvml

from repro.errors import PrerequisiteError
from repro.schema import Frozen, Gpu

_NO_DRIVER = (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED)
_MIB = 2**20


class CudaRuntime(Frozen):
    """What a framework says of the GPU software in its own process.

    Attributes:
        runtime, cudnn: versions, e.g. ``12.2`` and ``8.9.7``.
        gpus: the GPUs that it can use, in its order: the first is the one that it computes on.
    """

    runtime: str | None
    cudnn: str | None
    gpus: tuple[Gpu, ...]


def read_gpus() -> tuple[tuple[Gpu, ...], str | None]:
    """Return all GPUs of this machine in PCI bus order, and the driver's version.

    Without a driver or its library both are empty: that is a machine without a GPU.

    Raises:
        PrerequisiteError: the driver is there but refuses or fails; the message names the call.
    """
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        if error.value in _NO_DRIVER:
            return (), None
        raise _told("nvmlInit", error) from error
    try:
        driver = _text(_ask(pynvml.nvmlSystemGetDriverVersion))
        return tuple(_gpu(index) for index in range(_ask(pynvml.nvmlDeviceGetCount))), driver
    finally:
        pynvml.nvmlShutdown()


def cuda_version(number: int) -> str:
    """Return CUDA's own version number as text: 12020 is 12.2. It holds no update level."""
    return f"{number // 1000}.{number % 1000 // 10}"


def cudnn_version(number: int) -> str:
    """Return cuDNN's own version number as text: 8907 is 8.9.7, and since version 9 90100 is 9.1.0."""
    major = 10_000 if number >= 90_000 else 1_000
    return f"{number // major}.{number % major // 100}.{number % 100}"


def _gpu(index: int) -> Gpu:
    handle = _ask(pynvml.nvmlDeviceGetHandleByIndex, index)
    major, minor = _ask(pynvml.nvmlDeviceGetCudaComputeCapability, handle, of=index)
    return Gpu(
        name=_text(_ask(pynvml.nvmlDeviceGetName, handle, of=index)),
        compute_capability=f"{major}.{minor}",
        memory_mib=_memory_mib(handle, index),
    )


def _memory_mib(handle: Any, index: int) -> int | None:
    try:
        return int(pynvml.nvmlDeviceGetMemoryInfo(handle).total) // _MIB
    except pynvml.NVMLError as error:
        if error.value == pynvml.NVML_ERROR_NOT_SUPPORTED:  # GPUs that share the processor's memory
            return None
        raise _told("nvmlDeviceGetMemoryInfo", error, index) from error


def _ask(call: Callable[..., Any], *arguments: Any, of: int | None = None) -> Any:
    try:
        return call(*arguments)
    except pynvml.NVMLError as error:
        raise _told(call.__name__, error, of) from error


def _told(call: str, error: pynvml.NVMLError, index: int | None = None) -> PrerequisiteError:
    where = "" if index is None else f" of GPU {index}"
    return PrerequisiteError(
        f"the NVIDIA driver is there, but {call}{where} failed: {error}",
        next_step="run nvidia-smi, which meets the same fault, and mend the driver",
    )


def _text(answer: str | bytes) -> str:
    """Return NVML text; older bindings hand out bytes."""
    return answer.decode("utf-8") if isinstance(answer, bytes) else answer
