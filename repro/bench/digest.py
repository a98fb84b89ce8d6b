"""What the digests of files and NumPy arrays cost beside bare BLAKE3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from repro.bench.bare import BARE, bare_digest, bare_file_digest, megabytes
from repro.bench.measure import Benchmark
from repro.digest import file_digest, tensor_digest
from repro.digest.array import value_bytes

AT_MOST = 1 / 0.9
"""At least 90 % of bare BLAKE3's speed."""

FILE_BYTES = 256_000_000
TENSOR_BYTES = (256_000_000, 25_000_000, 400_000)


def benchmarks(folder: Path) -> Iterator[Benchmark]:
    """Give the benchmarks, one after the other; each one's data are gone when the next is asked for.

    Args:
        folder: for files.
    """
    path = folder / "file.bin"
    path.write_bytes(np.random.default_rng(0).bytes(FILE_BYTES))
    yield Benchmark(
        subject="file digest",
        case=megabytes(FILE_BYTES),
        run=lambda: file_digest(path),
        baseline=bare_file_digest(path),
        baseline_name=BARE,
        at_most=AT_MOST,
        num_bytes=FILE_BYTES,
    )
    path.unlink()
    for size in TENSOR_BYTES:
        yield _of_array(np.random.default_rng(0).random(size // 4, np.float32))


def _of_array(values: np.ndarray) -> Benchmark:
    return Benchmark(
        subject="tensor digest",
        case=f"NumPy float32, {megabytes(values.nbytes)}",
        run=lambda: tensor_digest(values),
        baseline=bare_digest(value_bytes(values)),
        baseline_name=BARE,
        at_most=AT_MOST if values.nbytes >= 10**6 else None,
        num_bytes=values.nbytes,
    )
