"""What a trace entry (digest and sketch) of an array costs beside bare BLAKE3, by size, where no kernel is compiled.

The sizes are those of a ResNet34's activations at 224 x 224, for one image and for thirty-two.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from repro.bench.bare import BARE, bare_digest, megabytes
from repro.bench.measure import Benchmark
from repro.digest.array import value_bytes
from repro.trace import trace_tensor

AT_MOST = 1.05

SIZES = (100_352, 401_408, 802_816, 3_211_264, 25_690_112, 102_760_448)


def benchmarks(folder: Path) -> Iterator[Benchmark]:
    """Give the benchmarks, one after the other; each one's data are gone when the next is asked for.

    Args:
        folder: for files; none is needed.
    """
    for size in SIZES:
        values = np.random.default_rng(0).standard_normal(size // 4, np.float32)
        yield _of_array(values, "float32")
    yield _of_array(np.maximum(values, 0), "float32 after ReLU")
    yield _of_array(values.astype(np.float16), "float16")
    values[0] = np.nan
    yield _of_array(values, "float32 with a NaN")


def _of_array(values: np.ndarray, what: str) -> Benchmark:
    return Benchmark(
        subject="trace entry",
        case=f"NumPy {what}, {megabytes(values.nbytes)}",
        run=lambda: trace_tensor("name", values, "kind"),
        baseline=bare_digest(value_bytes(values)),
        baseline_name=BARE,
        at_most=AT_MOST,
        num_bytes=values.nbytes,
    )
