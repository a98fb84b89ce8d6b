"""C kernels: compiled once for a source, a compiler and a processor, and kept in the user's cache.

A kernel is one more route to bits that Python computes too. Where there is no compiler, or the processor is no x86-64,
the others are taken.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

_FLAGS = ("-O3", "-fopenmp", "-shared", "-fPIC")
_INSTRUCTIONS = {
    "AVX2": ("-mavx2",),
    "AVX512": ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"),
}
"""What the compiler may use, by :func:`instruction_set`; else SSE2."""

_VNNI = ("avx512_vnni", "-mavx512vnni")


def compiled(source: Path, flags: Sequence[str] = ()) -> ctypes.CDLL | None:
    """Return the library of a C source, compiled if it has not been; None where that cannot be had.

    Its OpenMP threads are those of PyTorch, whose OpenMP library the process has loaded under the same name before.

    Args:
        source: a C file.
        flags: for the compiler, beside those for optimisation, OpenMP and the instruction set.
    """
    if platform.machine() != "x86_64":
        return None
    try:
        return ctypes.CDLL(str(_built(source, [*_FLAGS, *flags, *_instruction_flags()])))
    except (OSError, RuntimeError, subprocess.CalledProcessError):  # RuntimeError: this user has no home
        return None


def instruction_set() -> str:
    """Return what PyTorch finds in this very process, an emulator's or a cap's: ``AVX512``, ``AVX2`` or ``DEFAULT``."""
    return str(torch.backends.cpu.get_cpu_capability())


def _built(source: Path, flags: list[str]) -> Path:
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise OSError("no C compiler")
    told = subprocess.run([compiler, "--version"], capture_output=True, check=True).stdout
    content = source.read_bytes() + told + " ".join(flags).encode()
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "repro" / "kernels"
    target = folder / f"{hashlib.sha256(content).hexdigest()[:32]}.so"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as name:
            made = Path(name) / "kernels.so"
            command = [compiler, *flags, "-o", str(made), str(source), "-lm"]
            subprocess.run(command, capture_output=True, check=True)
            made.replace(target)
    return target


def _instruction_flags() -> list[str]:
    capability = instruction_set()
    found = list(_INSTRUCTIONS.get(capability, ()))
    if capability == "AVX512" and _VNNI[0] in Path("/proc/cpuinfo").read_text().split():
        found.append(_VNNI[1])
    return found
