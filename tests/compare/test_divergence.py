"""Traces against damaged copies of themselves."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.compare.divergence import Comparison, NoDistance, compare_traces
from repro.errors import BadInput
from repro.schema import BitVerdict
from repro.trace import Sketch, Trace, TraceEntry, thin, trace_tensor

NAME = "step1/gradient/conv1.weight"


def trace(**tensors: np.ndarray) -> Trace:
    return Trace.from_entries([trace_tensor(name, values, "Conv2d") for name, values in tensors.items()])


def one(values: np.ndarray, operation: str = "gradient") -> Trace:
    return Trace.from_entries([trace_tensor(NAME, values, operation)])


def ramp(size: int, dtype: str = "float32") -> np.ndarray:
    return np.linspace(1, 2, size).astype(dtype)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], str]:
    """A few tensors, the same with one bit of one of them flipped, and that one's name."""
    tensors = {}
    for index in range(draw(st.integers(1, 5))):
        dtype = draw(st.sampled_from(["float16", "float32", "float64", "int64", "uint8"]))
        size = draw(st.integers(1, 200))
        raw = np.random.default_rng(draw(st.integers(0, 99))).bytes(size * np.dtype(dtype).itemsize)
        tensors[f"layer{index}"] = np.frombuffer(raw, dtype).copy()
    name = draw(st.sampled_from(sorted(tensors)))
    flipped = {key: values.copy() for key, values in tensors.items()}
    bit = draw(st.integers(0, 8 * flipped[name].nbytes - 1))
    flipped[name].view(np.uint8)[bit // 8] ^= 1 << bit % 8
    return tensors, flipped, name


@given(damaged())
def test_any_flipped_bit_is_found_and_named(
    case: tuple[dict[str, np.ndarray], dict[str, np.ndarray], str],
) -> None:
    tensors, flipped, name = case
    comparison = compare_traces(trace(**tensors), trace(**flipped))
    assert comparison.verdict is BitVerdict.DIFFERENT
    assert comparison.first is not None
    assert comparison.first.name == name
    assert (comparison.compared, comparison.agreeing) == (len(tensors), len(tensors) - 1)
    assert [distance.name for distance in comparison.distances] == [name]
    if tensors[name].size <= 64:
        assert comparison.first.differing == 1
        assert comparison.first.no_distance in (None, NoDistance.NO_ULPS)
    assert comparison.sentence().startswith(f"first difference: {name} (Conv2d), ")
    assert Comparison.model_validate_json(comparison.model_dump_json()) == comparison


@given(damaged())
def test_a_trace_is_identical_to_itself(
    case: tuple[dict[str, np.ndarray], dict[str, np.ndarray], str],
) -> None:
    tensors, _, _ = case
    comparison = compare_traces(trace(**tensors), trace(**tensors))
    assert comparison.verdict is BitVerdict.IDENTICAL
    assert (comparison.compared, comparison.agreeing, comparison.first) == (len(tensors), len(tensors), None)
    assert comparison.sentence() == f"identical: {len(tensors)} of {len(tensors)} tensors"


def test_the_sentence_of_a_distance() -> None:
    values = ramp(90)
    places = (np.arange(64) * 89 // 63)[:12]
    other = values.copy()
    other.view(np.uint32)[places] += np.array([3] + [1] * 11, np.uint32)
    first = compare_traces(one(values), one(other)).first
    assert first is not None
    assert first.sentence() == f"{NAME} (gradient), 12 of 64 sampled values of 90, at most 3 ulps"
    assert first.ulps is not None
    assert (first.ulps.max_ulps, first.ulps.median_ulps) == (3, 0)
    assert first.extremes_agree is False  # the first place holds the minimum


@pytest.mark.parametrize(
    ("expected", "actual", "reason", "sentence"),
    [
        (ramp(3), np.nextafter(ramp(3), np.float32(9)), None, "3 of 3 values, at most 1 ulp"),
        (ramp(3), ramp(3).astype("float64"), NoDistance.DTYPE, "dtype float64 instead of float32"),
        (ramp(6), ramp(6).reshape(2, 3), NoDistance.SHAPE, "shape 2x3 instead of 6"),
        (ramp(1), ramp(1)[0], NoDistance.SHAPE, "shape scalar instead of 1"),
        (np.array([1, 2]), np.array([1, 3]), NoDistance.NO_ULPS, "1 of 2 values, int64 has no ulps"),
        (np.array([0.0, 1]), np.array([-0.0, 1]), None, "1 of 2 values, 1 of them in the sign of zero only"),
        (np.array([1.0, 2]), np.array([np.nan, 2]), None, "1 of 2 values, 1 of them NaN on one side only"),
    ],
)
def test_sentences(expected: np.ndarray, actual: np.ndarray, reason: NoDistance | None, sentence: str) -> None:
    comparison = compare_traces(one(expected), one(actual))
    assert comparison.first is not None
    assert comparison.first.no_distance is reason
    assert comparison.sentence() == f"first difference: {NAME} (gradient), {sentence}"
    assert comparison.first.extremes_agree in (None, False) or reason is None


def test_a_difference_between_the_sampled_places() -> None:
    values = ramp(1000)
    other = values.copy()
    other[1] = np.nextafter(other[1], np.float32(9))
    first = compare_traces(one(values), one(other)).first
    assert first is not None
    assert (first.no_distance, first.differing, first.extremes_agree) == (NoDistance.OUTSIDE_SAMPLE, 0, True)
    assert first.sentence().endswith("outside the 64 sampled values of 1000")
    other[1] = 5.0
    first = compare_traces(one(values), one(other)).first
    assert first is not None
    assert first.extremes_agree is False


def test_a_digest_that_its_values_contradict() -> None:
    entry = trace_tensor(NAME, ramp(3), "gradient")
    forged = entry.model_copy(update={"digest": "0" * 64})
    comparison = compare_traces(Trace.from_entries([entry]), Trace.from_entries([forged]))
    assert comparison.verdict is BitVerdict.DIFFERENT
    assert comparison.sentence().endswith("all 3 values agree but the digests do not: one trace is damaged")


def test_no_sketch() -> None:
    bare = [entry.model_copy(update={"sketch": None}) for entry in one(ramp(3))]
    comparison = compare_traces(Trace.from_entries(bare), one(ramp(3) + 1))
    assert comparison.first is not None
    assert comparison.first.no_distance is NoDistance.NO_SKETCH
    assert [distance.max_ulps for distance in comparison.distances] == [None]


def test_bfloat16_has_a_distance() -> None:
    def entry(bits: list[int], digest: str) -> TraceEntry:
        values = base64.b64encode(np.array(bits, "<u2").tobytes()).decode()
        sketch = Sketch(values=values, minimum=None, maximum=None, finite=2)
        return TraceEntry(
            name=NAME, operation="Linear", dtype="bfloat16", shape=(2,), digest=digest * 64, sketch=sketch
        )

    comparison = compare_traces(
        Trace.from_entries([entry([0x3F80, 0x0001], "a")]), Trace.from_entries([entry([0x3F80, 0x8001], "b")])
    )
    assert comparison.first is not None
    assert comparison.first.sentence() == f"{NAME} (Linear), 1 of 2 values, at most 2 ulps"


def test_first_is_by_the_expected_order() -> None:
    expected = trace(b=ramp(3), a=ramp(3), c=ramp(3))
    actual = trace(c=ramp(3) + 1, a=ramp(3) + 1, b=ramp(3))
    comparison = compare_traces(expected, actual)
    assert comparison.first is not None
    assert comparison.first.name == "a"
    assert [distance.name for distance in comparison.distances] == ["a", "c"]
    assert all(distance.max_ulps for distance in comparison.distances)


def test_order_alone_is_no_difference() -> None:
    comparison = compare_traces(trace(a=ramp(3), b=ramp(4)), trace(b=ramp(4), a=ramp(3)))
    assert comparison.verdict is BitVerdict.IDENTICAL


def test_missing_and_extra_tensors_are_differences() -> None:
    comparison = compare_traces(trace(a=ramp(3), b=ramp(3), c=ramp(3)), trace(a=ramp(3), d=ramp(3)))
    assert comparison.verdict is BitVerdict.DIFFERENT
    assert (comparison.missing, comparison.extra, comparison.first) == (("b", "c"), ("d",), None)
    assert comparison.sentence() == ("all 1 common tensors agree; missing: b and 1 more; extra: d")
    for other in (Trace(entries=()), trace(a=ramp(3), b=ramp(3))):
        assert compare_traces(trace(a=ramp(3)), other).verdict is BitVerdict.DIFFERENT


def test_an_empty_expectation_is_no_agreement() -> None:
    with pytest.raises(BadInput, match="holds no tensor"):
        compare_traces(Trace(entries=()), trace(a=ramp(3)))


@pytest.mark.parametrize("values", ["!", base64.b64encode(b"123").decode(), ""])
def test_a_damaged_sketch_names_its_tensor(values: str) -> None:
    entry = trace_tensor(NAME, ramp(3), "gradient")
    assert entry.sketch is not None
    broken = entry.model_copy(update={"sketch": entry.sketch.model_copy(update={"values": values})})
    with pytest.raises(BadInput, match=f"{NAME}: the sketch does not hold 3 values of float32"):
        compare_traces(one(ramp(3) + 1), Trace.from_entries([broken]))


@given(st.integers(64, 500), st.integers(0, 499), st.integers(1, 5))
def test_a_thinned_trace_is_compared_with_a_full_one(size: int, place: int, ulps: int) -> None:
    moved = ramp(size)
    moved.view(np.int32)[place % size] += ulps
    full, other = one(ramp(size)), one(moved)
    assert compare_traces(thin(full), full).verdict is BitVerdict.IDENTICAL
    for expected, actual in ((thin(full), other), (full, thin(other)), (thin(full), thin(other))):
        first = compare_traces(expected, actual).first
        assert first is not None
        assert first.sampled == 10
        kept = place % size in {i * (size - 1) // 63 for i in range(0, 64, 7)}
        assert first.ulps is None or first.ulps.max_ulps == ulps
        assert (first.ulps is not None) == kept


def test_small_tensors_are_not_thinned() -> None:
    assert thin(one(ramp(63))) == one(ramp(63))
