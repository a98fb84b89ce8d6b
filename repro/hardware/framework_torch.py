"""What torch says of itself in its own process: kernels, precision switches, threads, GPU software."""

from __future__ import annotations

import ctypes
import os
import re
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from operator import attrgetter

import torch
from torch import nn

from repro.hardware.gpu import CudaRuntime, cudnn_version
from repro.hardware.pools import read_pools
from repro.schema import FrameworkState, Gpu, Scalar

_MIB = 2**20

_SWITCHES = (
    "fp32_precision",
    "cuda.matmul.fp32_precision",
    "cuda.matmul.allow_fp16_reduced_precision_reduction",
    "cuda.matmul.allow_bf16_reduced_precision_reduction",
    "cuda.matmul.allow_fp16_accumulation",
    "cudnn.enabled",
    "cudnn.conv.fp32_precision",
    "cudnn.rnn.fp32_precision",
    "cudnn.benchmark",
    "cudnn.deterministic",
    "mkldnn.enabled",
    "mkldnn.deterministic",
    "mkldnn.matmul.fp32_precision",
    "mkldnn.conv.fp32_precision",
)
"""Attributes of ``torch.backends``. TF32 is read through ``fp32_precision``, not through the older ``allow_tf32``
and ``get_float32_matmul_precision``: torch refuses to read those once both kinds were set; these follow either."""


def read_framework() -> tuple[FrameworkState, CudaRuntime | None]:
    """Return torch's state and, where it can use a GPU, the GPU software.

    Runs one small convolution and one small matrix product to see which kernels are chosen; draws no random
    number and changes no switch. While they run (milliseconds), standard output is listened to.
    """
    state = FrameworkState(
        name="torch",
        version=torch.__version__,
        kernels=dict(_kernels()),
        precision=_precision(),
        threads={"intra": torch.get_num_threads(), "inter": torch.get_num_interop_threads()},
        pools=read_pools(),
    )
    return state, _cuda()


@cache
def _kernels() -> tuple[tuple[str, Scalar], ...]:
    """Return what the CPU libraries are and chose. Fixed once the process has started, so asked once.

    ``mkl_cnr`` is MKL's conditional numerical reproducibility mode, ``mkl_processor`` the instruction set that
    MKL took the processor for (on others than Intel's it only says ``Intel(R) Architecture``).
    """
    built = torch.__config__.show()
    found: dict[str, Scalar] = {"aten": torch.backends.cpu.get_cpu_capability()}
    if torch.backends.mkl.is_available():
        told = _listen(_multiply)
        found["mkl"] = _search(r"Math Kernel Library Version (.+?) for ", built)
        found["mkl_processor"] = _search(r"architecture (.+?)(?: enabled)? processors", told)
        found["mkl_cnr"] = _search(r"\bCNR:(\S+)", told)
        found["mkl_max_instructions"] = os.environ.get("MKL_ENABLE_INSTRUCTIONS")
    if torch.backends.mkldnn.is_available():
        told = _listen(_convolve)
        found["onednn"] = _search(r"MKL-DNN v(\S+)", built)
        found["onednn_isa"] = _search(r"info,cpu,isa:(.+)", told)
        found["onednn_convolution"] = _search(r",exec,cpu,convolution,([^,]+)", told)
        found["onednn_max_isa"] = os.environ.get("ONEDNN_MAX_CPU_ISA")
    return tuple(found.items())


def _multiply() -> None:
    with torch.backends.mkl.verbose(torch.backends.mkl.VERBOSE_ON):
        torch.mm(torch.zeros(64, 64), torch.zeros(64, 64))


def _convolve() -> None:
    # Two images: torch keeps some convolutions of a single one for itself.
    with torch.no_grad(), torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
        nn.functional.conv2d(torch.zeros(2, 16, 32, 32), torch.zeros(16, 16, 3, 3))


def _listen(work: Callable[[], None]) -> str:
    """Return what a library prints to the process's standard output, below Python, while ``work`` runs.

    Neither oneDNN nor MKL as torch links them has another way to say which kernels they chose.
    """
    library = ctypes.CDLL(None)
    sys.stdout.flush()
    library.fflush(None)
    saved = os.dup(1)
    try:
        with tempfile.TemporaryFile() as heard:
            os.dup2(heard.fileno(), 1)
            try:
                work()
            finally:
                library.fflush(None)
                os.dup2(saved, 1)
            heard.seek(0)
            return heard.read().decode("utf-8", errors="replace")
    finally:
        os.close(saved)


def _search(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found[1].strip() if found else None


def _precision() -> dict[str, Scalar]:
    return {
        **{switch.replace(".", "_"): attrgetter(switch)(torch.backends) for switch in _SWITCHES},
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "deterministic_warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "default_dtype": str(torch.get_default_dtype()).removeprefix("torch."),
        "cublas_workspace_config": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
        "nvidia_tf32_override": os.environ.get("NVIDIA_TF32_OVERRIDE"),
    }


def _cuda() -> CudaRuntime | None:
    if not torch.cuda.is_available():
        return None
    number = torch.backends.cudnn.version()
    properties = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return CudaRuntime(
        runtime=torch.version.cuda,
        cudnn=None if number is None else cudnn_version(number),
        gpus=tuple(
            Gpu(name=one.name, compute_capability=f"{one.major}.{one.minor}", memory_mib=one.total_memory // _MIB)
            for one in properties
        ),
    )
