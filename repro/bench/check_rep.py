"""What a check costs whose record answers, beside starting the command at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from repro.bench.measure import Benchmark


def benchmarks(folder: Path) -> Iterator[Benchmark]:
    """Give a warm check-rep of every system on the embedded data, measured once before.

    Args:
        folder: for its records.
    """
    check = [sys.executable, "-m", "repro", "check-rep", "--results", str(folder / "results")]
    subprocess.run(check, check=False, stdout=subprocess.DEVNULL)
    yield Benchmark(
        subject="check-rep, warm",
        case="all systems, embedded data",
        run=lambda: subprocess.run(check, check=False, stdout=subprocess.DEVNULL),
        baseline=lambda: subprocess.run(
            [sys.executable, "-m", "repro", "--help"], check=True, stdout=subprocess.DEVNULL
        ),
        baseline_name="repro --help",
    )
