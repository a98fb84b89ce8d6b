"""``python -m repro.bench [--json] [--seconds N] [SUBJECT ...]``: run the benchmarks and print them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from repro.bench.measure import Benchmark
from repro.bench.run import SUBJECTS, run_benchmarks
from repro.determinism.environment import IDLE_THREADS
from repro.hardware.cpu import read_cpu
from repro.schema import Caps


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmarks and print them; what is running goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m repro.bench", description="Ratios against a baseline.")
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"of {', '.join(SUBJECTS)}; all by default")
    parser.add_argument("--seconds", type=float, default=2.0, help="spent on each benchmark (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args(arguments)
    unknown = [subject for subject in given.subjects if subject not in SUBJECTS]
    if unknown:
        parser.error(f"no subject {unknown[0]!r}; known: {', '.join(SUBJECTS)}")
    os.environ.update(IDLE_THREADS)  # as in a stage's children; OpenMP reads them when a subject imports torch
    report = run_benchmarks(read_cpu(Caps()), given.subjects or SUBJECTS, given.seconds, _say)
    sys.stdout.write(report.to_json() if given.json else f"{report.table()}\n")


def _say(benchmark: Benchmark) -> None:
    print(f"{benchmark.subject}: {benchmark.case}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
