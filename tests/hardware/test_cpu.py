from __future__ import annotations

import platform
from pathlib import Path

import cpuinfo
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.hardware.cpu import ISA_LEVELS, levels, read_cpu
from repro.schema import Caps, Cpu

linux = pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc")

# Written by hand in the layout of Linux's /proc/cpuinfo (two processors, so that only the first counts) with
# identities of real processors; flags shortened.
SAPPHIRE_RAPIDS = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8488C
stepping\t: 8
flags\t\t: fpu sse sse2 smep pni ssse3 fma sse4_1 sse4_2 avx f16c avx2 avx512f avx512dq avx512bw avx512vl amx_tile

processor\t: 1
vendor_id\t: GenuineIntel
flags\t\t: fpu
"""
SAPPHIRE_RAPIDS_SETS = (
    *("amx_tile", "avx", "avx2", "avx512bw", "avx512dq", "avx512f", "avx512vl", "f16c", "fma"),
    *("sse", "sse2", "sse3", "sse4_1", "sse4_2", "ssse3"),
)
WESTMERE = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 44
model name\t: Intel(R) Xeon(R) CPU X5650
stepping\t: 2
flags\t\t: fpu sse sse2 sme pni ssse3 sse4_1 sse4_2
"""
NEOVERSE_V1 = """processor\t: 0
BogoMIPS\t: 2100.00
Features\t: fp asimd evtstrm aes fphp asimdhp asimddp sve i8mm bf16
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x1
CPU part\t: 0xd40
CPU revision\t: 1
"""


def machine(root: Path, text: str, caches: dict[str, tuple[str, str, str]]) -> Path:
    (root / "proc").mkdir()
    (root / "proc/cpuinfo").write_text(text, encoding="utf-8")
    for index, entry in caches.items():
        folder = root / "sys/devices/system/cpu/cpu0/cache" / index
        folder.mkdir(parents=True)
        for name, value in zip(("level", "type", "size"), entry, strict=True):
            (folder / name).write_text(value + "\n", encoding="ascii")
    return root


@linux
def test_this_machine_as_a_library_reads_it() -> None:
    cpu, told = read_cpu(Caps()), cpuinfo.get_cpu_info()
    assert (cpu.vendor, cpu.name) == (told.get("vendor_id_raw", cpu.vendor), told["brand_raw"])
    assert (cpu.family, cpu.model, cpu.stepping) == (told.get("family"), told.get("model"), told.get("stepping"))
    # Where it may run CPUID itself, the library adds flags by names without the kernel's underscores.
    flags = {"sse3" if flag == "pni" else flag.replace("_", "") for flag in told["flags"]}
    own = {flag.replace("_", "") for flag in cpu.instruction_sets}
    assert own <= flags
    assert {flag for flag in flags if flag.startswith(("avx", "fma"))} <= own
    assert cpu.logical_cores == len(psutil.Process().cpu_affinity())


@linux
def test_caps_change_the_level_alone() -> None:
    free, capped = read_cpu(Caps()), read_cpu(Caps(isa="baseline", threads=1))
    assert capped.isa == "baseline"
    assert capped.model_copy(update={"isa": free.isa}) == free


@linux
def test_intel_with_avx512(tmp_path: Path) -> None:
    caches = {
        "index0": ("1", "Data", "48K"),
        "index1": ("1", "Instruction", "32K"),
        "index2": ("2", "Unified", "2M"),
        "index3": ("3", "Unified", "107520K"),
    }
    cpu = read_cpu(Caps(), root=machine(tmp_path, SAPPHIRE_RAPIDS, caches), architecture="x86_64")
    assert cpu == Cpu(
        architecture="x86_64",
        vendor="GenuineIntel",
        name="Intel(R) Xeon(R) Platinum 8488C",
        family=6,
        model=143,
        stepping=8,
        logical_cores=cpu.logical_cores,
        instruction_sets=SAPPHIRE_RAPIDS_SETS,
        isa="avx512",
        l1d_kib=48,
        l2_kib=2048,
    )


@linux
def test_intel_without_avx2_and_without_sysfs(tmp_path: Path) -> None:
    cpu = read_cpu(Caps(), root=machine(tmp_path, WESTMERE, {}), architecture="x86_64")
    assert (cpu.isa, cpu.model, cpu.l1d_kib, cpu.l2_kib) == ("baseline", 44, None, None)
    assert cpu.instruction_sets == ("sse", "sse2", "sse3", "sse4_1", "sse4_2", "ssse3")  # sme encrypts memory


@linux
def test_arm_has_one_level_and_no_name(tmp_path: Path) -> None:
    caches = {"index0": ("1", "Data", "64K"), "index2": ("2", "Unified", "1024K")}
    cpu = read_cpu(Caps(), root=machine(tmp_path, NEOVERSE_V1, caches), architecture="aarch64")
    assert (cpu.architecture, cpu.isa, cpu.vendor, cpu.name) == ("aarch64", "aarch64", "0x41", "0x41 part 0xd40")
    assert (cpu.family, cpu.model, cpu.stepping) == (None, 0xD40, 1)
    assert cpu.instruction_sets == ("asimd", "asimddp", "asimdhp", "bf16", "fphp", "i8mm", "sve")


@pytest.mark.parametrize(("system", "machine_name"), [("Darwin", "arm64"), ("Windows", "AMD64")])
def test_elsewhere_through_py_cpuinfo(monkeypatch: pytest.MonkeyPatch, system: str, machine_name: str) -> None:
    answers = {  # py-cpuinfo leaves out what a system does not tell
        "Darwin": {"brand_raw": "Apple M1", "flags": []},
        "Windows": {
            "vendor_id_raw": "GenuineIntel",
            "brand_raw": "Intel(R) Core(TM) i7-5820K CPU @ 3.30GHz",
            "family": 6,
            "model": 63,
            "stepping": 2,
            "flags": ["avx", "avx2", "fma", "sse3"],
        },
    }
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(cpuinfo, "get_cpu_info", lambda: answers[system])
    cpu = read_cpu(Caps(), architecture=machine_name)
    if system == "Darwin":
        assert (cpu.architecture, cpu.vendor, cpu.name, cpu.isa) == ("aarch64", "unknown", "Apple M1", "aarch64")
    else:
        assert (cpu.architecture, cpu.family, cpu.model, cpu.isa) == ("x86_64", 6, 63, "avx2")
    assert (cpu.l1d_kib, cpu.l2_kib) == (None, None)


FEATURES = ("sse2", "avx2", "fma", "avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512_vnni")


@given(st.sets(st.sampled_from(FEATURES)), st.sampled_from(FEATURES))
def test_levels_grow_with_what_the_processor_has(sets: set[str], more: str) -> None:
    before, after = levels("x86_64", tuple(sets)), levels("x86_64", tuple(sets | {more}))
    assert before == ISA_LEVELS[: len(before)]
    assert after[: len(before)] == before
