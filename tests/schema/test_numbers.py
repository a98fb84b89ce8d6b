"""Numbers in JSON: floats come back to the bit, and equal data have one canonical text."""

from __future__ import annotations

import json
import math
import random
import struct
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.schema import canonical_json, exact_float, pretty_json

float32s = st.integers(0, 2**32 - 1).map(lambda bits: struct.unpack("<f", struct.pack("<I", bits))[0])
float64s = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])


@given(float64s | st.floats())
def test_a_float64_comes_back_to_the_bit(value: float) -> None:
    named = json.loads(json.dumps(exact_float(value)))
    if math.isnan(value):
        assert named == {"hex": "nan", "text": "nan"}
        return

    for back in (float.fromhex(named["hex"]), float(named["text"])):
        assert struct.pack("<d", back) == struct.pack("<d", value)


@given(float32s | st.floats(width=32))
def test_a_float32_comes_back_to_the_bit(value: float) -> None:
    named = json.loads(json.dumps(exact_float(value, bits=32)))
    if math.isnan(value):
        assert named == {"hex": "nan", "text": "nan"}
        return

    for back in (float.fromhex(named["hex"]), np.float32(named["text"])):
        assert struct.pack("<f", back) == struct.pack("<f", value)
    if math.isfinite(value):
        assert len(Decimal(named["text"]).normalize().as_tuple().digits) <= 9


def test_examples() -> None:
    assert exact_float(np.float32(1.081964).item(), bits=32) == {"hex": "0x1.14fb980000000p+0", "text": "1.081964"}
    assert exact_float(-0.0) == {"hex": "-0x0.0p+0", "text": "-0.0"}
    assert exact_float(math.inf, bits=32) == {"hex": "inf", "text": "inf"}
    assert exact_float(-math.inf) == {"hex": "-inf", "text": "-inf"}
    assert exact_float(np.float64(0.1)) == {"hex": "0x1.999999999999ap-4", "text": "0.1"}


@pytest.mark.parametrize(("value", "bits"), [(0.1, 32), (1e300, 32), (5e-324, 32), (0.5, 16), (0.5, 0)])
def test_what_the_bits_do_not_hold_is_refused(value: float, bits: int) -> None:
    with pytest.raises(ValueError, match=f"for {bits}"):
        exact_float(value, bits=bits)


json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def reordered(data: object, shuffler: random.Random) -> object:
    if isinstance(data, list):
        return [reordered(item, shuffler) for item in data]
    if isinstance(data, dict):
        items = [(key, reordered(value, shuffler)) for key, value in data.items()]
        shuffler.shuffle(items)
        return dict(items)
    return data


@given(json_data, st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_count(data: object, shuffler: random.Random) -> None:
    assert canonical_json(reordered(data, shuffler)) == canonical_json(data)


@given(json_data)
def test_canonical_and_pretty_text_hold_the_data(data: object) -> None:
    assert json.loads(canonical_json(data)) == data
    assert json.loads(pretty_json(data)) == data


def test_canonical_text_is_pinned() -> None:
    data = {"b": [1, 2.0, -0.0, None, True], "a": {"é": "\u2028", "": 1e-7}}

    assert canonical_json(data) == '{"a":{"":1e-07,"é":"\u2028"},"b":[1,2.0,-0.0,null,true]}'.encode()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_json_number_is_refused(value: float) -> None:
    for write in (canonical_json, pretty_json):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write({"value": value})
