"""Reads the processor: who made it, which vector extensions it has, how large its inner caches are."""

from __future__ import annotations

import platform
import re
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from repro.schema import Caps, Cpu

ISA_LEVELS = ("baseline", "avx2", "avx512")
"""Levels of x86-64 that kernels are written for, lowest first; each includes those before it."""

ONEDNN_OFF = "onednn-off"
"""The cap that keeps the processor's own level and takes oneDNN away."""

_NEEDS = {
    "avx512": frozenset({"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx2", "fma"}),
    "avx2": frozenset({"avx2", "fma"}),
}
"""What ATen and oneDNN ask of a processor before they take a level's kernels."""

_X86_VECTOR = re.compile(r"s{2,3}e|avx|fma|f16c|amx|vaes|vpclmulqdq|gfni")
_ARM_VECTOR = re.compile(r"asimd|neon|sve|sme|bf16|i8mm|fphp")
_ANY = re.compile("")
_OTHER_NAMES = {"pni": "sse3"}


def read_cpu(caps: Caps, *, root: Path = Path("/"), architecture: str | None = None) -> Cpu:
    """Read the processor.

    On Linux from ``/proc/cpuinfo`` and sysfs (milliseconds); elsewhere through py-cpuinfo, which starts
    processes and takes seconds, and tells no cache that can be relied on.

    Args:
        caps: limits; they change ``isa`` alone.
        root: where ``proc`` and ``sys`` lie.
        architecture: as ``platform.machine()`` would say; this machine's by default.
    """
    machine = _common_name(architecture or platform.machine())
    if platform.system() == "Linux":
        facts = _from_proc((root / "proc/cpuinfo").read_text(encoding="utf-8"))
        facts |= {"l1d_kib": _cache_kib(root, 1), "l2_kib": _cache_kib(root, 2)}
    else:
        facts = _from_cpuinfo()
    flags = {_OTHER_NAMES.get(flag, flag) for flag in facts.pop("flags")}
    pattern = {"x86_64": _X86_VECTOR, "aarch64": _ARM_VECTOR}.get(machine, _ANY)
    sets = tuple(sorted(flag for flag in flags if pattern.match(flag)))
    return Cpu(
        architecture=machine,
        logical_cores=usable_cores(),
        instruction_sets=sets,
        isa=_isa(caps.isa, levels(machine, sets)[-1]),
        **facts,
    )


def levels(architecture: str, instruction_sets: tuple[str, ...]) -> tuple[str, ...]:
    """Return the levels that a processor can run, lowest first; other architectures have one, their own name."""
    if architecture != "x86_64":
        return (architecture,)
    return tuple(level for level in ISA_LEVELS if _NEEDS.get(level, frozenset()) <= set(instruction_sets))


def _isa(cap: str | None, own: str) -> str:
    return f"{own}-{ONEDNN_OFF}" if cap == ONEDNN_OFF else cap or own


@cache
def own_levels() -> tuple[str, ...]:
    """Return the levels of this machine's processor, lowest first, without caps."""
    cpu = read_cpu(Caps())
    return levels(cpu.architecture, cpu.instruction_sets)


def _common_name(machine: str) -> str:
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(machine.lower(), machine.lower())


def usable_cores() -> int:
    """Return the logical cores that this process may run on: what libraries size their thread pools by."""
    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):  # not on macOS
        return len(process.cpu_affinity() or ())
    return psutil.cpu_count() or 1


def _from_proc(text: str) -> dict[str, Any]:
    """Return the facts of the first processor block; x86 writes decimal numbers, Arm hexadecimal codes."""
    block = text.strip().partition("\n\n")[0]
    lines = (line.partition(":") for line in block.splitlines())
    entry = {key.strip(): value.strip() for key, _, value in lines}
    vendor = entry.get("vendor_id") or entry.get("CPU implementer") or "unknown"
    model = entry.get("model") or entry.get("CPU part")
    return {
        "vendor": vendor,
        "name": entry.get("model name") or entry.get("cpu") or f"{vendor} part {model or 'unknown'}",
        "family": _number(entry.get("cpu family")),
        "model": _number(model),
        "stepping": _number(entry.get("stepping") or entry.get("CPU revision")),
        "flags": (entry.get("flags") or entry.get("Features") or entry.get("features") or "").split(),
    }


def _from_cpuinfo() -> dict[str, Any]:
    import cpuinfo  # not at the top: only other systems than Linux pay for it

    entry = cpuinfo.get_cpu_info()
    return {
        "vendor": entry.get("vendor_id_raw") or "unknown",
        "name": entry.get("brand_raw") or "unknown",
        "family": entry.get("family"),
        "model": entry.get("model"),
        "stepping": entry.get("stepping"),
        "flags": entry.get("flags", []),
    }


def _number(text: str | None) -> int | None:
    try:
        return None if text is None else int(text, 0)
    except ValueError:  # s390x and others write words here
        return None


def _cache_kib(root: Path, level: int) -> int | None:
    """Return the size of the first processor's data cache of a level, or ``None`` where sysfs tells none."""
    for index in sorted((root / "sys/devices/system/cpu/cpu0/cache").glob("index*")):
        entry = {name: (index / name).read_text(encoding="ascii").strip() for name in ("level", "type", "size")}
        if entry["level"] == str(level) and entry["type"] in ("Data", "Unified"):
            size, unit = int(entry["size"][:-1]), entry["size"][-1]
            return size * {"K": 1, "M": 1024}[unit]
    return None
