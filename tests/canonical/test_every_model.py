"""One digest for every torch model of every system, under every setting that changes native bits.

Every model runs at its own image size: four images forward, in batches of one, three and all; then three steps of its
own training with three images (large models do one: ``every_model.py``), in order and permuted. Other settings than the
processor's own are slower, up to several times: there one image is fed forward, and the batch has one order. Digests
are by image and by step, so they are still compared. That batches and order do not matter on the plain route either,
the witnesses show (``test_invariance.py``).
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from repro.hardware.caps import CAP_VARIABLES, environment
from repro.hardware.cpu import own_levels
from repro.schema import Caps
from tests.canonical.accuracy import torch_models

PLAIN = {"REPRO_CANONICAL_KERNELS": "off"}
OWN = "the processor's own kernels, two threads"
AVX2 = "AVX2, one thread"

SETTINGS = {
    OWN: environment(Caps(threads=2)),
    AVX2: environment(Caps(isa="avx2" if "avx2" in own_levels() else None, threads=1)),
    "MKL's compatible code, oneDNN's for SSE4.1": {
        "MKL_CBWR": "COMPATIBLE",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "OMP_NUM_THREADS": "1",
    },
    "no AVX, the plain route, one thread": environment(Caps(isa="baseline", threads=1)) | PLAIN,
}
FEWER = ("--images", "1", "--one-order")
OTHERS = [name for name in SETTINGS if name != OWN]


@cache
def digests(name: str, setting: str) -> dict[str, str]:
    """Return the digests of one process, by part; what it asserts itself does not hold where it fails."""
    kept = {variable: value for variable, value in os.environ.items() if variable not in {*CAP_VARIABLES, *PLAIN}}
    command = [sys.executable, "-m", "tests.canonical.every_model", name, *(() if setting == OWN else FEWER)]
    answer = subprocess.run(
        command,
        env=kept | SETTINGS[setting],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    return dict(line.split(" ") for line in answer.stdout.splitlines())


@pytest.mark.slow
@pytest.mark.timeout(3600)  # two processes; the largest models take minutes each
@pytest.mark.parametrize("name", torch_models())
@pytest.mark.parametrize("setting", OTHERS)
def test_every_setting_gives_the_digests_of_the_processors_own_kernels(name: str, setting: str) -> None:
    expected, found = digests(name, OWN), digests(name, setting)
    assert {"image0", *(part for part in expected if part.startswith("step"))} == set(found)
    assert found == {part: expected[part] for part in found}
