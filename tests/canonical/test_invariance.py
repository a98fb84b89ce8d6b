"""One digest under every setting that changes native bits: the recorded ones, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
BASELINE = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}
PLAIN = {"REPRO_CANONICAL_KERNELS": "off"}

FAST = {
    "the processor's own kernels, two threads": {"OMP_NUM_THREADS": "2"},
    "no AVX, the plain route": {**BASELINE, **PLAIN, "OMP_NUM_THREADS": "1"},
}
SLOW = {
    "the processor's own kernels, one thread": {"OMP_NUM_THREADS": "1"},
    "AVX2, one thread": {**AVX2, "OMP_NUM_THREADS": "1"},
    "AVX2, the plain route, two threads": {**AVX2, **PLAIN, "OMP_NUM_THREADS": "2"},
    "no AVX, two threads": {**BASELINE, "OMP_NUM_THREADS": "2"},
    "MKL's compatible code, the plain route": {"MKL_CBWR": "COMPATIBLE", **PLAIN, "OMP_NUM_THREADS": "1"},
    "no oneDNN instructions beyond SSE4.1, the plain route": {"ONEDNN_MAX_CPU_ISA": "SSE41", **PLAIN},
}


def run(settings: dict[str, str]) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ATEN_", "MKL_", "ONEDNN_"))}
    command = [sys.executable, str(HERE / "witness.py")]
    answer = subprocess.run(command, env=kept | settings, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr[-2000:]
    return answer.stdout


@pytest.mark.parametrize("name", FAST)
def test_the_recorded_digests(name: str) -> None:
    assert run(FAST[name]) == (HERE / "witness.txt").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_the_recorded_digests_under_more_settings(name: str) -> None:
    assert run(SLOW[name]) == (HERE / "witness.txt").read_text(encoding="utf-8")
