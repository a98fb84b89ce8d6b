"""Runs the benchmarks of this stack and shows them."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from tabulate import tabulate

from repro.bench.measure import Benchmark, Measurement, measure
from repro.schema import Cpu, Document

SUBJECTS = (
    "digest",
    "digest_torch",
    "sketch",
    "trace_torch",
    "check_rep",
    "evaluate_torch",
    "evaluate_straight",
    "retrain_torch",
    "canonical_torch",
    "prepare",
)
"""The files of this package that hold benchmarks, in the order in which they run."""

_FRAMEWORKS = {"torch", "tensorflow"}


class BenchmarkReport(Document):
    """What one run of the benchmarks measured.

    Attributes:
        cpu: the processor that it ran on.
        skipped: subjects that this stack cannot run, with the reason.
    """

    kind: ClassVar[str] = "repro-benchmarks"

    cpu: Cpu
    measurements: tuple[Measurement, ...]
    skipped: dict[str, str] = {}

    def table(self) -> str:
        """Return the measurements as people read them."""
        rows = [_row(one) for one in self.measurements]
        head = ["subject", "case", "baseline", "time", "baseline's", "GB/s", "ratio", "quartiles", "aim", ""]
        text = tabulate(rows, head, tablefmt="simple", disable_numparse=True, colalign=_ALIGNED)
        left_out = [f"{subject}: not run: {reason}" for subject, reason in self.skipped.items()]
        return "\n".join([text, *left_out])


_ALIGNED = ("left", "left", "left", *["right"] * 6, "left")


def run_benchmarks(
    cpu: Cpu,
    subjects: Iterable[str] = SUBJECTS,
    budget_seconds: float = 2.0,
    progress: Callable[[Benchmark], None] = lambda benchmark: None,
) -> BenchmarkReport:
    """Run the benchmarks of the named subjects, one at a time.

    Args:
        cpu: what to name as the processor.
        subjects: of :data:`SUBJECTS`.
        budget_seconds: for each benchmark.
        progress: called with each before it runs.
    """
    measurements: list[Measurement] = []
    skipped: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="repro-bench-") as folder:
        for subject in subjects:
            try:
                found: Iterator[Benchmark] = importlib.import_module(f"repro.bench.{subject}").benchmarks(Path(folder))
            except ModuleNotFoundError as error:
                if error.name not in _FRAMEWORKS:
                    raise
                skipped[subject] = f"{error.name} is not in this stack"
                continue
            for benchmark in found:
                progress(benchmark)
                measurements.append(measure(benchmark, budget_seconds))
    return BenchmarkReport(cpu=cpu, measurements=tuple(measurements), skipped=skipped)


def _row(one: Measurement) -> list[str]:
    return [
        one.subject,
        one.case,
        one.baseline_name,
        _time(one.seconds),
        _time(one.baseline_seconds),
        "" if one.gigabytes_per_second is None else f"{one.gigabytes_per_second:.2f}",
        f"{one.ratio:.2f}",
        f"{one.quartiles[0]:.2f}-{one.quartiles[1]:.2f}",
        "" if one.at_most is None else f"{one.at_most:.2f}",
        one.verdict,
    ]


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e3)):
        if abs(seconds) * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
