"""Caps: limits on instruction set, oneDNN and threads, so that one machine stands in for a lesser one.

A cap is a set of environment variables that the numerical libraries read when they start, so it holds for
a child process. Where a variable was found to do nothing, it is not here; where it does something only on some
processors, the table says so.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import distributions, version
from pathlib import Path

from repro.errors import MissingStack, UnknownName, UsageError
from repro.hardware.cpu import ISA_LEVELS, ONEDNN_OFF, own_levels
from repro.schema import Caps

__all__ = ["CAP_VARIABLES", "ISA_LEVELS", "ONEDNN_OFF", "check_environment", "described", "environment", "parse_caps"]

_KERNELS: Mapping[str, Mapping[str, str]] = {
    "baseline": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",  # the lowest that oneDNN knows
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",  # Intel processors only: changes nothing on AMD
        "MKL_CBWR": "COMPATIBLE",  # the one switch that MKL obeys on AMD
        "OPENBLAS_CORETYPE": "Nehalem",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        # libm: CPython's math, NumPy and scalar paths of the frameworks; its FMA variants give other bits
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4",
    },
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        # TensorFlow switches oneDNN on by itself where it finds AVX512-VNNI or better, which the cap hides.
        "TF_ENABLE_ONEDNN_OPTS": "0",
    },
}
"""Variables that hold kernels down to a level that lies below the processor's own."""

_WITHOUT_ONEDNN = {
    "TF_ENABLE_ONEDNN_OPTS": "0",  # TensorFlow's own operations; what is left of oneDNN are its matrix products
    "REPRO_ONEDNN": "0",  # torch reads no variable for it: our own switches do, see switches_torch
}
"""Variables that keep oneDNN's operations out, at the processor's own level."""

_NUMPY_FEATURES = {
    "before 2.4": {
        "avx2": "AVX F16C FMA3 AVX2",
        "avx512": "AVX512F AVX512CD AVX512_KNL AVX512_KNM AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL",
    },
    "since 2.4": {"avx2": "X86_V3", "avx512": "X86_V4 AVX512_ICL AVX512_SPR"},
}
"""What ``NPY_DISABLE_CPU_FEATURES`` calls the code of a level. NumPy 2.4 has new names and warns of old ones."""

_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)

_OLD_ONEDNN = "DNNL_MAX_CPU_ISA"

CAP_VARIABLES: frozenset[str] = frozenset(
    {"NPY_DISABLE_CPU_FEATURES", "TF_NUM_INTEROP_THREADS", _OLD_ONEDNN, *_THREADS}.union(
        _WITHOUT_ONEDNN, *_KERNELS.values()
    )
)
"""Every variable that :func:`environment` may set. Whoever starts a child removes them first: one left over in
the user's shell would cap what no record tells."""

_CHECKED = (
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    _OLD_ONEDNN,
    "MKL_ENABLE_INSTRUCTIONS",
    "OPENBLAS_CORETYPE",
    *_WITHOUT_ONEDNN,
)


def parse_caps(isa: str | None, threads: int | None) -> Caps:
    """Return checked caps.

    Args:
        isa: one of :data:`ISA_LEVELS`; ``onednn-off`` for the processor's own level without oneDNN; or ``None`` for
            all that the processor has.
        threads: how many threads libraries may use, at least 1; ``None`` for their own choice.

    Raises:
        UnknownName: there is no such level.
        UsageError: the processor does not have the level, or ``threads`` is below 1.
    """
    _check_level(isa)
    if threads is not None and threads < 1:
        raise UsageError(f"expected at least 1 thread, got {threads}")
    return Caps(isa=isa, threads=threads)


def environment(caps: Caps, *, python: Path | None = None) -> dict[str, str]:
    """Return the environment variables that put a child process under caps.

    A cap at the processor's own level is no limit and sets nothing, so that such a run is, for every library,
    the uncapped one.

    Args:
        caps: what to set.
        python: the child's interpreter, whose NumPy decides what its features are called; this one's by default.

    Raises:
        UnknownName, UsageError: as :func:`parse_caps`.
        MissingStack: there is no NumPy beside ``python``.
    """
    _check_level(caps.isa)
    variables: dict[str, str] = {}
    if caps.isa == ONEDNN_OFF:
        variables |= _WITHOUT_ONEDNN
    elif caps.isa is not None and caps.isa != own_levels()[-1]:
        variables |= _KERNELS[caps.isa]
        variables["NPY_DISABLE_CPU_FEATURES"] = _numpy_features_above(caps.isa, _numpy_version(python))
        if platform.libc_ver()[0] != "glibc":
            variables.pop("GLIBC_TUNABLES", None)
    if caps.threads is not None:
        variables |= dict.fromkeys(_THREADS, str(caps.threads))
        variables["TF_NUM_INTEROP_THREADS"] = "1"  # else TensorFlow runs that many operations side by side as well
    return variables


def described(isa: str) -> str:
    """Return a cap as people read it behind a device: ``up to avx2``, ``with onednn-off``."""
    return f"with {isa}" if isa == ONEDNN_OFF else f"up to {isa}"


def check_environment(caps: Caps) -> None:
    """Refuse a process whose libraries are capped otherwise than ``caps`` says.

    Raises:
        UsageError: a variable is set, missing or different; the message names it.
    """
    expected = environment(caps)
    for name in _CHECKED:
        found, wanted = os.environ.get(name), expected.get(name)
        if found != wanted:
            raise UsageError(
                f"{name} is {found or 'not set'}, but a cap of {caps.isa or 'nothing'} means {wanted or 'not set'}",
                next_step=f"unset {name} and ask for a cap with --isa",
            )


def _check_level(isa: str | None) -> None:
    if isa is None or isa == ONEDNN_OFF or isa in own_levels():
        return
    if isa not in ISA_LEVELS:
        raise UnknownName("instruction set level", isa, {*ISA_LEVELS, ONEDNN_OFF, *own_levels()})
    raise UsageError(
        f"this processor cannot run {isa} kernels; it has {', '.join(own_levels())}",
        next_step=f"take one of these, or leave the cap out (which is {own_levels()[-1]})",
    )


def _numpy_version(python: Path | None) -> str:
    if python is None or python == Path(sys.executable):
        return version("numpy")
    sites = [str(site) for site in sorted(python.parent.parent.glob("lib/python3*/site-packages"))]
    for distribution in distributions(name="numpy", path=sites):
        return distribution.version
    raise MissingStack(f"no NumPy beside {python}", next_step="make setup")


def _numpy_features_above(level: str, numpy_version: str) -> str:
    major, minor = (int(part) for part in numpy_version.split(".")[:2])
    names = _NUMPY_FEATURES["since 2.4" if (major, minor) >= (2, 4) else "before 2.4"]
    return " ".join(names[above] for above in ISA_LEVELS[ISA_LEVELS.index(level) + 1 :])
