"""What the digest of a torch tensor costs beside bare BLAKE3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from repro.bench.bare import BARE, bare_digest, megabytes
from repro.bench.digest import AT_MOST, TENSOR_BYTES
from repro.bench.measure import Benchmark
from repro.digest import as_array, tensor_digest
from repro.digest.array import value_bytes


def benchmarks(folder: Path) -> Iterator[Benchmark]:
    """Give the benchmarks, one after the other; each one's data are gone when the next is asked for.

    Args:
        folder: for files; none is needed.
    """
    for size in TENSOR_BYTES:
        yield _of_tensor(torch.rand(size // 4, generator=torch.Generator().manual_seed(0)))
    yield _of_tensor(torch.rand(TENSOR_BYTES[0] // 2, generator=torch.Generator().manual_seed(0)).bfloat16())


def _of_tensor(values: torch.Tensor) -> Benchmark:
    array, dtype = as_array(values)
    return Benchmark(
        subject="tensor digest",
        case=f"torch {dtype}, {megabytes(array.nbytes)}",
        run=lambda: tensor_digest(values),
        baseline=bare_digest(value_bytes(array)),
        baseline_name=BARE,
        at_most=AT_MOST if array.nbytes >= 10**6 else None,
        num_bytes=array.nbytes,
    )
