"""Reading the Kaggle table: what it should read, and real data."""

import csv
import gzip
import io
import itertools
import lzma
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.common.dataset import USAGES
from pipelines.common.editions import EDITIONS, UNKNOWN_EDITION
from pipelines.common.fer2013 import read_fer2013

COLUMNS = ("emotion", "pixels", "Usage")
REAL_DIGEST = "95624f4addc60e7920792920fb2c227591ae83dd2c9999718bb71e58018bac78"


@st.composite
def tables(draw):
    """Return labels, usages and images of a few rows."""
    count = draw(st.integers(1, 4))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    images = generator.integers(0, 256, (count, 48, 48), dtype=np.uint8)
    return generator.integers(0, 7, count).tolist(), generator.integers(0, 3, count).tolist(), images


@st.composite
def variants(draw, table):
    """Return one of the many ways to write the table."""
    labels, usages, images = table
    columns = draw(st.permutations([*COLUMNS, *draw(st.sampled_from([(), ("",), ("note, with comma",)]))]))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    line_end = draw(st.sampled_from(["\n", "\r\n"]))
    separator = draw(st.sampled_from([" ", " ", "  "]))
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting, lineterminator=line_end)
    writer.writerow(columns)
    for label, usage, image in zip(labels, usages, images, strict=True):
        fields = {"emotion": label, "Usage": USAGES[usage], "pixels": separator.join(map(str, image.flat))}
        writer.writerow([fields.get(column, 'say "x", y') for column in columns])
    body = text.getvalue()
    if draw(st.booleans()):
        body = body.removesuffix(line_end)
    body += line_end * draw(st.integers(0, 3))
    mark = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    pack = draw(st.sampled_from([bytes, bytes, gzip.compress, lambda data: lzma.compress(data, preset=0)]))
    return pack(mark + body.encode())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_every_way_to_write_it_reads_the_same(folder, data):
    labels, usages, images = table = data.draw(tables())
    path = folder / "variant.csv"
    path.write_bytes(data.draw(variants(table)))
    dataset = read_fer2013(path)
    assert dataset.labels.tolist() == labels
    assert dataset.usages.tolist() == usages
    assert np.array_equal(dataset.images, images)
    assert dataset.edition.startswith(UNKNOWN_EDITION)


@pytest.fixture(scope="module")
def first_lines(shared):
    path = shared / "data" / "fer2013.csv.xz"
    if not path.is_file():
        pytest.skip(f"no real data: {path} is missing")
    with lzma.open(path) as stream:
        return list(itertools.islice(stream, 151))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: lzma.compress(data, preset=0)])
def test_first_real_rows(first_lines, tmp_path, pack):
    path = tmp_path / "first"
    path.write_bytes(pack(b"".join(first_lines)))
    told = []
    dataset = read_fer2013(path, lambda done, size: told.append((done, size)))
    rows = list(csv.DictReader(line.decode() for line in first_lines))
    assert len(dataset) == len(rows) == 150
    assert dataset.labels.tolist() == [int(row["emotion"]) for row in rows]
    assert [USAGES[code] for code in dataset.usages] == [row["Usage"] for row in rows]
    expected = [[int(word) for word in row["pixels"].split()] for row in rows]
    assert np.array_equal(dataset.images.reshape(150, -1), expected)
    assert told[-1] == (path.stat().st_size, path.stat().st_size)
    assert dataset.edition.startswith(UNKNOWN_EDITION)


@pytest.mark.slow
def test_all_real_rows_within_half_a_gigabyte(shared, root):
    """In a process of its own, whose peak memory is read: the whole of it, interpreter included."""
    path = shared / "data" / "fer2013.csv.xz"
    if not path.is_file():
        pytest.skip(f"no real data: {path} is missing")
    code = (
        "import pathlib, sys\n"
        "from pipelines.common.fer2013 import read_fer2013\n"
        "dataset = read_fer2013(pathlib.Path(sys.argv[1]))\n"
        "status = pathlib.Path('/proc/self/status')\n"
        "lines = status.read_text().splitlines() if status.exists() else ['VmHWM: 0 kB']\n"
        "peak = next(line.split()[1] for line in lines if line.startswith('VmHWM'))\n"
        "counts = [sum(row.values()) for row in dataset.counts().values()]\n"
        "first = dataset.subset(('Training',), 0, 3589).counts()['Training']\n"
        "print(peak, dataset.content_digest(), *counts, *first.values(), dataset.edition, sep='|')\n"
    )
    result = subprocess.run([sys.executable, "-c", code, path], cwd=root, capture_output=True, text=True, check=True)
    peak, digest, *numbers, edition = result.stdout.strip().split("|")
    assert int(peak) < 500_000
    assert digest == REAL_DIGEST
    assert edition == EDITIONS[0].name
    assert list(map(int, numbers[:4])) == [28709, 3589, 700, 0]
    assert list(map(int, numbers[4:])) == [474, 47, 518, 922, 581, 420, 627]
