"""The compiled route of a trace gives what the ``blake3`` package and NumPy give, whatever it is given."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.canonical import compiled
from repro.digest.array import as_array, digest_values, tensor_header
from repro.trace import scan_torch, trace_tensor
from repro.trace.record_torch import Recorder
from repro.trace.sketch import Extremes, sketch_values
from tests.trace.test_sketch import INTEGERS, every_pattern, float_arrays

CHUNK = 1024
SUBTREES = [16, 64, 128, 256, 512]
"""Chunks hashed side by side, in a group, in groups for two threads, in four groups, which go together, in eight."""


@pytest.fixture(scope="module")
def kernel() -> ctypes.CDLL:
    """The kernel, or a skipped test."""
    found = scan_torch._kernel()
    if found is None:
        pytest.skip("no compiled kernel here: no AVX-512, or no C compiler")
    return found


@pytest.fixture
def threads() -> Iterator[None]:
    """Put the number of PyTorch's threads back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def check(kernel: ctypes.CDLL, values: np.ndarray, dtype: str) -> None:
    digest, extremes = scan_torch._scanned(kernel, values, dtype)

    assert digest == digest_values(values, dtype)
    assert sketch_values(values, dtype, extremes) == sketch_values(values, dtype)


def sizes() -> list[int]:
    """Bytes at which something changes: of a block, a chunk, a vector of chunks, a group, and of trees of groups."""
    chunks = [1, 2, 3, 5, *(count + more for count in SUBTREES for more in (-1, 0, 1)), 3 * 64 + 17, 100 * 64 + 5]
    return sorted({0, 1, 63, 64, 65, *(CHUNK * count for count in chunks)})


@pytest.mark.parametrize("size", sizes())
@pytest.mark.parametrize("behind", [-65, -40, -1, 0, 1])
def test_every_shape_of_the_tree(kernel: ctypes.CDLL, size: int, behind: int) -> None:
    header = len(tensor_header("uint8", (size,)))
    values = np.random.default_rng(size).integers(0, 256, max(0, size + behind - header), np.uint8)

    check(kernel, values, "uint8")


@given(float_arrays())
def test_floats_of_any_pattern(kernel: ctypes.CDLL, values: np.ndarray) -> None:
    check(kernel, values, values.dtype.name)


@settings(max_examples=20, deadline=None)
@given(float_arrays(), st.integers(1, 40_000), st.integers(0, 2**32 - 1))
def test_a_float_of_any_pattern_among_many(kernel: ctypes.CDLL, values: np.ndarray, more: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    many = np.concatenate([values, generator.standard_normal(more).astype(values.dtype)])
    generator.shuffle(many)

    check(kernel, many, many.dtype.name)


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool", "complex64", "complex128"])
def test_other_dtypes(kernel: ctypes.CDLL, dtype: str) -> None:
    drawn = np.random.default_rng(0).integers(0, 256, 16 * 9_001, np.uint8)
    values = drawn % 2 == 0 if dtype == "bool" else drawn.view(dtype)
    with np.errstate(invalid="ignore"):
        check(kernel, values, dtype)


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e4m3fnuz, torch.float8_e8m0fnu], ids=str
)
def test_every_pattern_of_the_small_floats(kernel: ctypes.CDLL, dtype: torch.dtype) -> None:
    patterns = every_pattern(dtype)
    finite = patterns[torch.isfinite(patterns.float())]

    check(kernel, *as_array(patterns))
    check(kernel, *as_array(finite))


def test_values_at_an_odd_address(kernel: ctypes.CDLL) -> None:
    values = np.frombuffer(np.random.default_rng(0).bytes(4 * 70_001 + 1), np.float32, offset=1)
    with np.errstate(invalid="ignore"):
        check(kernel, values, "float32")


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.usefixtures("threads")
def test_threads_change_nothing(kernel: ctypes.CDLL, count: int) -> None:
    torch.set_num_threads(count)
    values = np.random.default_rng(0).standard_normal(2_000_003)

    check(kernel, values, "float64")


def test_a_recorder_takes_it_for_large_tensors(kernel: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    plain = scan_torch._scanned

    def counted(kernel: ctypes.CDLL, values: np.ndarray, dtype: str) -> tuple[str, Extremes | None]:
        seen.append(values.shape)
        return plain(kernel, values, dtype)

    monkeypatch.setattr(scan_torch, "_scanned", counted)
    recorder, small, large = Recorder(), torch.rand(100), torch.rand(100, 1000).T
    recorder.add("small", small, "kind")
    recorder.add("large", large, "kind")

    assert seen == [(1000, 100)]
    assert list(recorder.trace()) == [trace_tensor("small", small, "kind"), trace_tensor("large", large, "kind")]


@pytest.mark.parametrize("variable", [("CC", "no-such-compiler"), ("REPRO_TRACE_KERNEL", "off")])
def test_without_it_the_entry_is_the_same(variable: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.rand(200, 1000)
    expected = trace_tensor("name", values, "kind", scan_torch.scanned)
    monkeypatch.setenv(*variable)
    scan_torch._kernel.cache_clear()
    try:
        assert scan_torch._kernel() is None
        assert trace_tensor("name", values, "kind", scan_torch.scanned) == expected
    finally:
        monkeypatch.undo()
        scan_torch._kernel.cache_clear()


def test_a_kernel_that_computes_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def scan(*arguments: object) -> int:
        return 0

    monkeypatch.setattr(compiled, "compiled", lambda source, flags: SimpleNamespace(scan=scan))
    monkeypatch.setattr(compiled, "instruction_set", lambda: "AVX512")
    scan_torch._kernel.cache_clear()
    expected = blake3(tensor_header("uint32", scan_torch._KNOWN.shape) + scan_torch._KNOWN.tobytes()).hexdigest()
    try:
        with pytest.raises(RuntimeError, match=rf"should be {expected}, but is 0{{64}}\. Set CC .* REPRO_TRACE_KERNEL"):
            scan_torch._kernel()
    finally:
        scan_torch._kernel.cache_clear()
