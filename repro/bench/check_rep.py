"""What a check costs whose record answers, beside starting the command at all."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from repro.bench.measure import Benchmark
from repro.registry import benchmarked_models


def benchmarks(folder: Path) -> Iterator[Benchmark]:
    """Give a warm check-rep of the smallest benchmarked model on the embedded data, measured once before.

    Args:
        folder: for its records.
    """
    system, model = min(benchmarked_models("torch"), key=lambda one: math.prod(one[1].input_shape))
    check = [sys.executable, "-m", "repro", "check-rep", "--results", str(folder / "results")]
    check += ["--system", system.name, "--model", model.name]
    subprocess.run(check, check=False, stdout=subprocess.DEVNULL)
    yield Benchmark(
        subject="check-rep, warm",
        case=f"{model.title}, embedded data",
        run=lambda: subprocess.run(check, check=False, stdout=subprocess.DEVNULL),
        baseline=lambda: subprocess.run(
            [sys.executable, "-m", "repro", "--help"], check=True, stdout=subprocess.DEVNULL
        ),
        baseline_name="repro --help",
    )
