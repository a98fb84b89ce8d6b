"""Reading a damaged Kaggle table: an error that names the row, or every other row unharmed."""

import gzip
import lzma
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.common.dataset import USAGES
from pipelines.common.fer2013 import read_fer2013
from repro.errors import BadInput

HEADER = "emotion,pixels,Usage"
COUNT = 70  # more than two batches of rows


def make_lines():
    generator = np.random.default_rng(7)
    images = generator.integers(0, 256, (COUNT, 2304))
    return [f"{i % 7},{' '.join(map(str, image))},{USAGES[i % 3]}" for i, image in enumerate(images)]


LINES = make_lines()
WHOLE = "\n".join([HEADER, *LINES, ""]).encode()
FEW = "\n".join([HEADER, *LINES[:3], ""]).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged")


@pytest.fixture(scope="module")
def few(folder):
    path = folder / "few.csv"
    path.write_bytes(FEW)
    return read_fer2013(path)


def read(folder, data):
    path = folder / "table.csv"
    path.write_bytes(data)
    return read_fer2013(path)


def with_pixels(change):
    def damage(line):
        label, pixels, usage = line.split(",")
        words = pixels.split(" ")
        change(words)
        return ",".join([label, " ".join(words), usage])

    return damage


def with_field(place, text):
    def damage(line):
        fields = line.split(",")
        fields[place] = text
        return ",".join(fields)

    return damage


DAMAGES = {
    "a pixel too few": (with_pixels(lambda words: words.pop()), "expected 2304 pixels, found 2303"),
    "a pixel too many": (with_pixels(lambda words: words.append("0")), "expected 2304 pixels, found 2305"),
    "no pixel": (with_field(1, ""), "expected 2304 pixels, found 0"),
    "pixel 256": (with_pixels(lambda words: words.__setitem__(8, "256")), "pixel 9: expected a whole number"),
    "pixel -1": (with_pixels(lambda words: words.__setitem__(0, "-1")), "pixel 1: expected a whole number"),
    "pixel x": (with_pixels(lambda words: words.__setitem__(2303, "x")), "pixel 2304: expected a whole number"),
    "label 7": (with_field(0, "7"), "emotion: expected one of 0, 1, 2, 3, 4, 5, 6; found '7'"),
    "label -1": (with_field(0, "-1"), "emotion: .* found '-1'"),
    "label 3.0": (with_field(0, "3.0"), "emotion: .* found '3.0'"),
    "no label": (with_field(0, ""), "emotion: .* found ''"),
    "unknown usage": (with_field(2, "Test"), "Usage: expected one of Training, PublicTest, PrivateTest; found 'Test'"),
    "usage in small letters": (with_field(2, "training"), "Usage: .* found 'training'"),
    "a field too few": (lambda line: line.rpartition(",")[0], "expected 3 fields, found 2"),
    "a field too many": (lambda line: line + ",", "expected 3 fields, found 4"),
    "an open quote": (lambda line: f'"{line}', "the quotes are wrong"),
    "text after a quote": (lambda line: f'"3"x{line[1:]}', "the quotes are wrong"),
    "binary": (lambda line: line[:100] + "\0\x80\xff" + line[100:], "pixel .*: expected a whole number"),
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("row", [1, 33, COUNT])
def test_the_row_is_named(folder, name, row):
    damage, message = DAMAGES[name]
    lines = list(LINES)
    lines[row - 1] = damage(lines[row - 1])
    with pytest.raises(BadInput, match=rf"table\.csv: row {row} \(line {row + 1}\): {message}"):
        read(folder, "\n".join([HEADER, *lines]).encode())


def test_lines_count_blank_ones_and_rows_do_not(folder):
    lines = [HEADER, "", LINES[0], " ", "", LINES[1] + "x"]
    with pytest.raises(BadInput, match=r"row 2 \(line 6\): Usage"):
        read(folder, "\r\n".join(lines).encode())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (HEADER.encode(), "holds a header and no row"),
        (b"emotion,pixels\n0,1\n", "expected one column 'Usage', found 0 in the header 'emotion, pixels'"),
        (b"emotion,pixels,Usage,pixels\n", "expected one column 'pixels', found 2"),
        (LINES[0].encode(), "expected one column 'emotion', found 0"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, "is no text"),
        (b"PK\x03\x04" + bytes(2000), "is no text"),
        (HEADER.encode("utf-16"), "is no text"),
        (b"x" * 300_000, "line 1 is longer than 65536 bytes"),
        (HEADER.encode() + b"\n" + b"1 " * 100_000, "line 2 is longer than 65536 bytes"),
        (b'emotion,"pixels,Usage\n', "header: the quotes are wrong"),
    ],
)
def test_what_is_no_such_table_is_told(folder, data, message):
    with pytest.raises(BadInput, match=message) as caught:
        read(folder, data)
    assert "table.csv" in caught.value.message
    assert len(caught.value.message) < 300


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_one_wrong_byte_harms_one_row_at_most(folder, few, data):
    """A byte changed, put in or taken out: an error that names its row, or all other rows as they were."""
    place = data.draw(st.integers(0, len(FEW) - 2))
    kind = data.draw(st.sampled_from(["change", "insert", "delete"]))
    byte = data.draw(st.sampled_from([b" ", b",", b'"', b"\n", b"\r", b"\0", b"0", b"9", b"x", b"-", b"\xff"]))
    damaged = FEW[:place] + (b"" if kind == "delete" else byte) + FEW[place + (kind != "insert") :]
    row = FEW[:place].count(b"\n")
    try:
        dataset = read(folder, damaged)
    except BadInput as error:
        named = re.search(r"row (\d+) \(line", error.message)
        assert row == (0 if named is None else int(named[1]))
    else:
        assert len(dataset) == len(few)
        others = [other for other in range(len(few)) if other != row - 1]
        assert np.array_equal(dataset.images[others], few.images[others])
        assert np.array_equal(dataset.labels[others], few.labels[others])
        assert np.array_equal(dataset.usages[others], few.usages[others])


@given(st.integers(0, len(FEW)))
@settings(max_examples=60, deadline=None)
def test_a_cut_table_reads_its_whole_rows_or_not_at_all(folder, few, end):
    try:
        dataset = read(folder, FEW[:end])
    except BadInput:
        return
    assert FEW[end - 1 : end] == b"\n" or FEW[end : end + 1] in (b"\n", b"")
    assert np.array_equal(dataset.images, few.images[: len(dataset)])
    assert len(dataset) == FEW[:end].rstrip().count(b"\n")


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_compressed_tables_never_read_differently(folder, few, pack, data):
    packed = bytearray(pack(FEW))
    if data.draw(st.booleans()):
        del packed[data.draw(st.integers(0, len(packed) - 1)) :]
    else:
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        dataset = read(folder, bytes(packed))
    except BadInput:
        return
    assert dataset.content_digest() == few.content_digest()
