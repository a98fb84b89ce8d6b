"""A sketch holds what it says it holds, to the bit, whatever the dtype, the layout and the framework."""

from __future__ import annotations

import base64
import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from repro.trace import SKETCH_PLACES, Sketch, TraceEntry, trace_tensor
from repro.trace import sketch as sketch_module


def sketch_of(tensor: object) -> Sketch:
    entry = trace_tensor("name", tensor, "operation")
    assert entry.sketch is not None
    return entry.sketch


def decoded(text: str | None, dtype: str) -> np.ndarray:
    assert text is not None
    return np.frombuffer(base64.b64decode(text, validate=True), np.dtype(dtype).newbyteorder("<"))


FLOATS = ["float16", "float32", "float64"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


@pytest.mark.parametrize("size", [1, 2, 63, 64])
def test_up_to_64_values_are_all_kept(size: int) -> None:
    values = np.arange(size, dtype=np.float32)

    assert decoded(sketch_of(values).values, "float32").tolist() == list(range(size))


@pytest.mark.parametrize("size", [65, 66, 127, 128, 4096, 1_000_003])
def test_of_more_values_64_are_kept_at_their_places(size: int) -> None:
    kept = decoded(sketch_of(np.arange(size, dtype=np.int64)).values, "int64").tolist()

    assert kept == [i * (size - 1) // 63 for i in range(64)]
    assert (kept[0], kept[-1], len(set(kept))) == (0, size - 1, SKETCH_PLACES)


def test_places_are_in_c_order_of_the_shape_not_of_the_memory() -> None:
    values = np.arange(100 * 7, dtype=np.float32).reshape(100, 7)

    assert sketch_of(np.asfortranarray(values)) == sketch_of(values)
    assert sketch_of(values.T) != sketch_of(values)


def test_0_d_and_empty_tensors() -> None:
    assert sketch_of(np.float32(2)) == Sketch(values="AAAAQA==", minimum="AAAAQA==", maximum="AAAAQA==", finite=1)
    assert sketch_of(torch.tensor(2.0)) == sketch_of(np.float32(2))
    for empty in (np.empty((0, 3), np.float32), torch.empty(3, 0), np.empty(0, np.int64), np.empty(0, bool)):
        assert sketch_of(empty) == Sketch(values="", minimum=None, maximum=None, finite=0)


def brute_force(values: np.ndarray) -> tuple[float | None, float | None, int]:
    finite = [value for value in values.reshape(-1).tolist() if math.isfinite(value)]
    return min(finite, default=None), max(finite, default=None), len(finite)


SPECIAL = [0.0, -0.0, math.inf, -math.inf, math.nan, -math.nan, 5e-324, -5e-324, 1.0, -1.0]


@st.composite
def float_arrays(draw: st.DrawFn) -> np.ndarray:
    """Any patterns, special values among them; ranges of one sign only, as activations have them."""
    dtype = np.dtype(draw(st.sampled_from(FLOATS)))
    size = draw(st.integers(0, 70))
    bits = draw(hnp.arrays(f"u{dtype.itemsize}", size))
    values = bits.view(dtype).copy()
    for place in draw(st.lists(st.integers(0, max(0, size - 1)), max_size=5 if size else 0)):
        with np.errstate(all="ignore"):
            values[place] = draw(st.sampled_from(SPECIAL))
    kept = draw(st.sampled_from(["all", "not negative", "negative", "zeros"]))
    if kept == "not negative":
        values = np.abs(values)
    elif kept == "negative":
        values = -np.abs(values)
    elif kept == "zeros":
        values = np.copysign(np.zeros_like(values), values)
    return values


@given(float_arrays())
@example(np.array([-0.0, 0.0], np.float32))
@example(np.array([0.0, -0.0], np.float32))
@example(np.array([-0.0], np.float64))
@example(np.array([-0.0, -1.0], np.float16))
@example(np.array([np.nan, -np.inf], np.float32))
def test_extremes_and_finite_count_agree_with_brute_force(values: np.ndarray) -> None:
    low, high, finite = brute_force(values)
    sketch = sketch_of(values)

    assert sketch.finite == finite
    for text, expected in ((sketch.minimum, low), (sketch.maximum, high)):
        if expected is None:
            assert text is None
        else:
            found = decoded(text, values.dtype.name)
            assert found.shape == (1,)
            assert found[0] == expected
            assert not (found[0] == 0 and np.signbit(found[0])), "a zero extreme is +0.0"


@given(float_arrays())
def test_numpy_and_torch_give_one_entry(values: np.ndarray) -> None:
    tensor = torch.from_numpy(values)

    assert trace_tensor("name", tensor, "kind") == trace_tensor("name", values, "kind")
    assert sketch_of(tensor.flip(0).flip(0)) == sketch_of(values)


@given(float_arrays(), st.randoms(use_true_random=False))
def test_the_order_of_values_does_not_change_extremes(values: np.ndarray, shuffler: object) -> None:
    order = list(range(len(values)))
    shuffler.shuffle(order)  # type: ignore[attr-defined]
    one, other = sketch_of(values), sketch_of(values[order])

    assert (one.minimum, one.maximum, one.finite) == (other.minimum, other.maximum, other.finite)


@pytest.mark.parametrize("dtype", INTEGERS)
@settings(max_examples=25)
@given(st.data())
def test_extremes_of_integers(dtype: str, data: st.DataObject) -> None:
    values = data.draw(hnp.arrays(dtype, st.integers(1, 70)))
    sketch = sketch_of(values)

    assert decoded(sketch.minimum, dtype).tolist() == [min(values.tolist())]
    assert decoded(sketch.maximum, dtype).tolist() == [max(values.tolist())]
    assert sketch.finite == values.size
    assert sketch_of(torch.from_numpy(values)) == sketch


def test_extremes_of_booleans() -> None:
    found = {
        pattern: (sketch_of(np.array(pattern)).minimum, sketch_of(torch.tensor(pattern)).maximum)
        for pattern in [(False, False), (True, False), (True, True)]
    }

    assert found == {(False, False): ("AA==", "AA=="), (True, False): ("AA==", "AQ=="), (True, True): ("AQ==", "AQ==")}


def test_complex_numbers_have_no_extremes() -> None:
    values = np.array([1 + 1j, complex(np.nan, 0), complex(0, np.inf)], np.complex64)

    assert sketch_of(values) == sketch_of(torch.from_numpy(values))
    assert (sketch_of(values).minimum, sketch_of(values).maximum, sketch_of(values).finite) == (None, None, 1)


def every_pattern(dtype: torch.dtype) -> torch.Tensor:
    unsigned = {1: torch.uint8, 2: torch.uint16}[dtype.itemsize]
    return torch.arange(256**dtype.itemsize).to(unsigned).view(dtype)


@pytest.mark.parametrize(
    "dtype",
    [
        torch.float16,
        torch.bfloat16,
        torch.float8_e4m3fn,
        torch.float8_e5m2,
        torch.float8_e4m3fnuz,
        torch.float8_e5m2fnuz,
        torch.float8_e8m0fnu,
    ],
    ids=str,
)
@pytest.mark.parametrize("kept", ["all", "positive", "negative", "small", "not finite"])
def test_every_pattern_of_the_small_floats(dtype: torch.dtype, kept: str) -> None:
    patterns = every_pattern(dtype)
    values = patterns.float()
    chosen = {
        "all": torch.ones_like(values, dtype=torch.bool),
        "positive": ~torch.signbit(values),
        "negative": torch.signbit(values),
        "small": values.abs() < 1,
        "not finite": ~torch.isfinite(values),
    }[kept]
    patterns, values = patterns[chosen], values[chosen]
    finite = values[torch.isfinite(values)]
    sketch = sketch_of(patterns)

    assert sketch.finite == len(finite)
    for text, extreme in ((sketch.minimum, torch.amin), (sketch.maximum, torch.amax)):
        if not len(finite):
            assert text is None
            continue
        found = torch.frombuffer(bytearray(base64.b64decode(str(text))), dtype=dtype).float()
        assert found.tolist() == [extreme(finite).item()]
        assert not (found == 0).logical_and(torch.signbit(found)).any()


@pytest.mark.parametrize("place", [0, 99, 100, 101, 199, 250])
def test_chunks_do_not_show(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).standard_normal(251).astype(np.float32)
    values[place] = -100
    values[(place + 50) % 251] = 100
    values[(place + 120) % 251] = np.nan
    whole = sketch_of(values)
    monkeypatch.setattr(sketch_module, "_CHUNK_BYTES", 400)

    assert sketch_of(values) == whole
    assert decoded(whole.minimum, "float32")[0] == -100
    assert decoded(whole.maximum, "float32")[0] == 100
    assert whole.finite == 250


def test_a_chunk_without_a_finite_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketch_module, "_CHUNK_BYTES", 8)
    values = np.array([np.nan, np.inf, 3, 2, -np.inf, np.nan, 1], np.float32)
    sketch = sketch_of(values)

    assert (decoded(sketch.minimum, "float32")[0], decoded(sketch.maximum, "float32")[0], sketch.finite) == (1, 3, 3)


def test_extremes_hold_where_the_processor_flushes_denormals() -> None:
    values = torch.tensor([1e-40, -1e-40, 0.0])
    expected = sketch_of(values.numpy())
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush denormals")
    try:
        assert sketch_of(values) == expected
    finally:
        torch.set_flush_denormal(False)
    assert decoded(expected.minimum, "float32")[0] == np.float32(-1e-40)


def test_the_sketch_of_a_named_tensor_is_pinned() -> None:
    values = torch.linspace(-2, 3, 1001).reshape(7, 11, 13)
    entry = trace_tensor("forward/conv1", values, "Conv2d")

    assert isinstance(entry, TraceEntry)
    assert (entry.dtype, entry.shape) == ("float32", (7, 11, 13))
    assert entry.sketch is not None
    assert (entry.sketch.minimum, entry.sketch.maximum, entry.sketch.finite) == ("AAAAwA==", "AABAQA==", 1001)
    assert (
        decoded(entry.sketch.values, "float32").tolist()
        == values.reshape(-1)[[i * 1000 // 63 for i in range(64)]].tolist()
    )
    assert trace_tensor("forward/conv1", values.numpy(), "Conv2d") == entry


def test_big_endian_arrays_and_other_layouts_have_one_entry() -> None:
    values = np.random.default_rng(1).standard_normal((4, 5, 6, 7)).astype(np.float32)
    entry = trace_tensor("name", values, "kind")
    last = torch.from_numpy(values).contiguous(memory_format=torch.channels_last)

    assert trace_tensor("name", values.astype(">f4"), "kind") == entry
    assert trace_tensor("name", np.asfortranarray(values), "kind") == entry
    assert trace_tensor("name", values[:, ::-1][:, ::-1], "kind") == entry
    assert trace_tensor("name", last, "kind") == entry
    assert trace_tensor("name", torch.from_numpy(values).requires_grad_(), "kind") == entry
