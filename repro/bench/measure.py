"""One benchmark and its measurement: interleaved repetitions, medians, a ratio."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from repro.schema import Frozen

_MIN_REPETITIONS = 7
_MAX_REPETITIONS = 301


@dataclass(frozen=True)
class Benchmark:
    """What is measured against what.

    Attributes:
        subject: what several benchmarks have in common, e.g. ``tensor digest``.
        case: what tells this one from them, e.g. ``NumPy float32, 256 MB``.
        run: what is measured.
        baseline: what it is compared with, without arguments as ``run``; it runs beside it, in turns.
        baseline_name: what the baseline is.
        at_most: the ratio that is aimed at; ``None`` where there is no aim.
        without: what of ``run`` does not count, e.g. the forward pass without its trace; its time is taken off.
        num_bytes: what ``run`` reads, for its throughput; ``None`` where that says nothing.
    """

    subject: str
    case: str
    run: Callable[[], object]
    baseline: Callable[[], object]
    baseline_name: str
    at_most: float | None = None
    without: Callable[[], object] | None = None
    num_bytes: int | None = None


class Measurement(Frozen):
    """What came out of a benchmark.

    Attributes:
        seconds: median time of the subject, each time with that of its neighbour ``without`` taken off.
        baseline_seconds: median time of the baseline.
        ratio: the one over the other. Below 1 the subject is faster.
        quartiles: of the ratios of the single repetitions: how far to trust the ratio.
        repetitions: of each.
        at_most: the ratio that is aimed at.
        gigabytes_per_second: what the subject reads, in 10^9 bytes a second.
    """

    subject: str
    case: str
    baseline_name: str
    seconds: float
    baseline_seconds: float
    ratio: float
    quartiles: tuple[float, float]
    repetitions: int
    at_most: float | None = None
    gigabytes_per_second: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the aim is ``met`` or ``missed``; ``unclear`` if it lies between the quartiles; empty without one."""
        if self.at_most is None:
            return ""
        low, high = self.quartiles
        return "met" if high <= self.at_most else "missed" if low > self.at_most else "unclear"


def measure(benchmark: Benchmark, budget_seconds: float, clock: Callable[[], float] = time.perf_counter) -> Measurement:
    """Run a benchmark until its budget is spent, at least 7 and at most 301 times.

    Subject and baseline take turns and change places every time, so that a load, a clock rate or a cache that
    drifts touches both alike. One round before the first is not counted.

    Args:
        benchmark: what to run.
        budget_seconds: for all repetitions of all its parts.
        clock: seconds.
    """
    parts = [part for part in (benchmark.run, benchmark.baseline, benchmark.without) if part is not None]
    rounds: list[list[float]] = []
    for part in parts:
        part()
    collecting = gc.isenabled()
    gc.disable()
    try:
        end = clock() + budget_seconds
        while len(rounds) < _MIN_REPETITIONS or (len(rounds) < _MAX_REPETITIONS and clock() < end):
            order = range(len(parts)) if len(rounds) % 2 else reversed(range(len(parts)))
            times = {index: _timed(parts[index], clock) for index in order}
            rounds.append([times[index] for index in range(len(parts))])
    finally:
        if collecting:
            gc.enable()
    runs, baselines, *withouts = zip(*rounds, strict=True)
    off = withouts[0] if withouts else (0.0,) * len(rounds)
    # Each less its neighbour: a clock rate that drifts moves both, and their medians may come from far apart.
    own = [run - less for run, less in zip(runs, off, strict=True)]
    seconds = statistics.median(own)
    baseline_seconds = statistics.median(baselines)
    ratios = [one / baseline for one, baseline in zip(own, baselines, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    return Measurement(
        subject=benchmark.subject,
        case=benchmark.case,
        baseline_name=benchmark.baseline_name,
        seconds=seconds,
        baseline_seconds=baseline_seconds,
        ratio=seconds / baseline_seconds,
        quartiles=(low, high),
        repetitions=len(rounds),
        at_most=benchmark.at_most,
        gigabytes_per_second=benchmark.num_bytes / seconds / 1e9 if benchmark.num_bytes and seconds > 0 else None,
    )


def _timed(part: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    part()
    return clock() - start
