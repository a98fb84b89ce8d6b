"""Puts the profile of this machine together."""

from __future__ import annotations

import platform

from repro.errors import PrerequisiteError
from repro.hardware.caps import check_environment
from repro.hardware.cpu import read_cpu
from repro.hardware.gpu import CudaRuntime, read_gpus
from repro.schema import Caps, Cuda, Device, FrameworkState, Gpu, Profile


def read_profile(
    caps: Caps,
    framework: FrameworkState | None = None,
    cuda: CudaRuntime | None = None,
    *,
    device: Device | None = None,
) -> Profile:
    """Read this machine; with a framework's answers, as that framework sees it.

    Args:
        caps: the limits that this process runs under.
        framework: what ``read_framework`` of the framework's own module returned; ``None`` for the machine alone.
        cuda: its second answer; ``None`` where the framework can use no GPU, which then is not listed.
        device: where the computation runs; by default on a GPU if one can be used.

    Raises:
        UsageError: the environment of this process caps its libraries otherwise than ``caps``.
        PrerequisiteError: the GPU's driver is there but fails, or ``cuda`` is asked for where no GPU can be used.
    """
    gpus, driver = read_gpus()
    if framework is not None:
        check_environment(caps)
        gpus = tuple(_as_nvml_says(gpu, gpus) for gpu in cuda.gpus) if cuda is not None else ()
    if device == "cuda" and not gpus:
        raise PrerequisiteError("no GPU can be used here", next_step="compute on the processor: --device cpu")
    software = None
    if gpus:
        software = Cuda(driver=driver, runtime=cuda.runtime if cuda else None, cudnn=cuda.cudnn if cuda else None)
    return Profile(
        device=device or ("cuda" if gpus else "cpu"),
        operating_system=platform.system(),
        libc=_libc(),
        python=platform.python_version(),
        cpu=read_cpu(caps),
        gpus=gpus,
        cuda=software,
        framework=framework,
        caps=caps,
    )


def _as_nvml_says(gpu: Gpu, known: tuple[Gpu, ...]) -> Gpu:
    """Return NVML's entry for a GPU, whose memory does not depend on who asks; a slice of a GPU has none."""
    twins = [one for one in known if (one.name, one.compute_capability) == (gpu.name, gpu.compute_capability)]
    return twins[0] if twins else gpu


def _libc() -> str:
    """Return name and version of the C library, whose mathematical functions can change bits."""
    name, version = platform.libc_ver()
    return f"{name} {version}" if name else f"{platform.system()} {platform.mac_ver()[0] or platform.release()}"
