import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.common.pixels import PixelError, _parse_one, _parse_regular, parse_pixels
from repro.errors import BadInput

ROWS = st.integers(1, 6).flatmap(
    lambda count: st.lists(st.lists(st.integers(0, 255), min_size=count, max_size=count), min_size=1, max_size=5)
)


@given(ROWS)
def test_regular_texts_are_parsed_at_once(rows):
    texts = [" ".join(map(str, row)).encode() for row in rows]
    values = _parse_regular(texts, len(rows[0]))
    assert values is not None
    assert values.dtype == np.uint8
    assert values.tolist() == rows


def test_every_value_is_read():
    text = " ".join(map(str, range(256))).encode()
    assert parse_pixels([text], 256).tolist() == [list(range(256))]


@given(ROWS, st.data())
def test_unusual_texts_read_the_same(rows, data):
    spaces = st.sampled_from([" ", "  ", "\t"])
    zeros = st.sampled_from(["", "", "0", "000"])
    texts = ["".join(f"{data.draw(spaces)}{data.draw(zeros)}{value}" for value in row).encode() + b" " for row in rows]
    assert parse_pixels(texts, len(rows[0])).tolist() == rows


@given(st.lists(st.text("0123456789 ", max_size=12), min_size=1, max_size=4), st.integers(1, 4))
def test_both_ways_agree_on_anything(texts, count):
    """What the fast way takes, the careful way reads alike; what the careful way refuses, the fast one does too."""
    encoded = [text.strip().encode() for text in texts]
    fast = _parse_regular(encoded, count)
    try:
        careful = [_parse_one(index, text, count).tolist() for index, text in enumerate(encoded)]
    except PixelError:
        assert fast is None
    else:
        assert fast is None or fast.tolist() == careful


@pytest.mark.parametrize(
    "word",
    ["256", "299", "300", "999", "1000", "-1", "+1", "1.0", "1e1", "x", "0x1", "1_0", "٣", "²", "9" * 5000],
)
def test_a_wrong_pixel_is_named(word):
    texts = [b"1 2 3", f"1 {word} 3".encode(), b"4 5 6"]
    with pytest.raises(PixelError, match=r"pixel 2: expected a whole number 0\.\.255, found") as caught:
        parse_pixels(texts, 3)
    assert caught.value.index == 1
    assert isinstance(caught.value, BadInput)
    assert len(caught.value.message) < 120


@pytest.mark.parametrize(("text", "found"), [(b"", 0), (b"1 2", 2), (b"1 2 3 4", 4), (b"123", 1)])
def test_a_wrong_count_is_told(text, found):
    with pytest.raises(PixelError, match=f"expected 3 pixels, found {found}") as caught:
        parse_pixels([b"1 2 3", b"1 2 3", text], 3)
    assert caught.value.index == 2


def test_two_wrong_counts_do_not_cancel():
    with pytest.raises(PixelError, match="expected 3 pixels, found 2") as caught:
        parse_pixels([b"1 2", b"1 2 3 4"], 3)
    assert caught.value.index == 0
