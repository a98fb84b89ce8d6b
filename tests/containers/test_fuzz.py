"""Damage at any byte of any container: an error of ours, or what was there.

What is promised where a container still reads: one with checksums (.gz, .xz, .zip, PNG) reads as it was; in a plain
table all rows but the damaged one are as they were; a JPEG has no checksum, so its pixels may differ. A name in a
container (of a file, a class, a split) is not under any promise but that of the zip's and gzip's checksums.
"""

from __future__ import annotations

import gzip
import lzma
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.common.containers import read_container
from pipelines.common.dataset import USAGES
from repro.errors import ReproError
from tests.containers import made

FACES = made.faces((3, 2, 2))
CHECKED = {  # every byte of the content is under a checksum
    "csv.gz": gzip.compress(made.kaggle(FACES), mtime=0),
    "csv.xz": lzma.compress(made.icml(FACES)),
    "zip": made.zipped({"fer2013/fer2013.csv": made.kaggle(FACES)}),
    "tar.gz": made.PACKINGS["tar.gz"]({"fer2013/fer2013.csv": made.kaggle(FACES)}),
    "tar.xz": made.PACKINGS["tar.xz"](made.authors_files(FACES)),
    "tree.zip": made.zipped(made.tree(FACES)),
    "tree.tar.gz": made.PACKINGS["tar.gz"](made.tree(FACES)),
}
PLAIN = {
    "fer2013.csv": made.kaggle(FACES),
    "icml_face_data.csv": made.icml(FACES),
    "train.csv": made.competition_train(FACES),
    "data_train.csv": made.semicolons(FACES, "Training"),
    "tar": made.tarred({"fer2013/fer2013.csv": made.kaggle(FACES)}),
    "tree.tar": made.tarred(made.tree(FACES)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzzed")


def mutated(data, generator):
    """Return the bytes with one to three changes: a bit, a byte, a run that is lost, doubled or noise, an end."""
    changed = bytearray(data)
    for _ in range(generator.choice([1, 1, 1, 2, 3])):
        place, length = generator.randrange(len(changed)), generator.choice([1, 2, 7, 64, 600])
        kind = generator.choice(["bit", "byte", "lose", "double", "noise", "cut", "zero"])
        if kind == "bit":
            changed[place] ^= 1 << generator.randrange(8)
        elif kind == "byte":
            changed[place] = generator.choice(b'0 9,;"\n\r\0x-\xff/.')
        elif kind == "lose":
            del changed[place : place + length]
        elif kind == "double":
            changed[place:place] = changed[place : place + length]
        elif kind == "noise":
            changed[place : place + length] = generator.randbytes(length)
        elif kind == "zero":
            changed[place : place + length] = bytes(length)
        elif place:
            del changed[place:]
        if not changed:
            changed.append(0)
    return bytes(changed)


def read(folder, name, data):
    """Return the data set, or ``None`` where an error of ours was raised; any other fails the test."""
    path = folder / name
    path.write_bytes(data)
    try:
        return read_container(path)
    except ReproError as error:
        told = error.message
    assert name in told
    return None


@pytest.mark.parametrize("name", CHECKED)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_what_has_a_checksum_reads_as_it_was_or_not_at_all(folder, name, seed):
    dataset = read(folder, name, mutated(CHECKED[name], random.Random(seed)))
    if dataset is not None:
        assert dataset.unordered_digests() == FACES.unordered_digests()


@pytest.mark.parametrize("name", PLAIN)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_what_has_none_raises_nothing_else(folder, name, seed):
    dataset = read(folder, name, mutated(PLAIN[name], random.Random(seed)))
    if dataset is not None:
        known = {image.tobytes() for image in FACES.images}
        same = sum(image.tobytes() in known for image in dataset.images)
        assert same >= len(dataset) - 3  # three changes harm three rows at most


IMAGES = made.tree(FACES)
PNG = next(iter(IMAGES))


@given(seed=st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_a_png_reads_as_it_was_or_not_at_all(folder, seed):
    path = folder / "tree" / "train" / "happy" / "1.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(mutated(IMAGES[PNG], random.Random(seed)))
    try:
        dataset = read_container(folder / "tree")
    except ReproError:
        return
    assert np.array_equal(dataset.images[0], FACES.images[0])


@given(seed=st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_a_jpeg_reads_as_some_picture_or_not_at_all(folder, seed):
    from tests.containers.test_damage import jpeg

    path = folder / "jpegs" / "train" / "happy" / "1.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(mutated(jpeg(FACES.images[0]), random.Random(seed)))
    try:
        dataset = read_container(folder / "jpegs")
    except ReproError:
        return
    assert dataset.images.shape == (1, 48, 48)


@given(data=st.binary(max_size=3000))
@settings(max_examples=150, deadline=None)
def test_noise_is_no_container(folder, data):
    table, picture = b"emotion,pixels,Usage\n", b"\x89PNG\r\n\x1a\n"
    for magic in (b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"\xfd7zXZ\x00", picture, table):
        assert read(folder, "noise", magic + data) is None


@given(order=st.permutations(range(len(FACES))))
@settings(max_examples=25, deadline=None)
def test_tables_of_one_order_have_one_digest(folder, order):
    rows = np.array(order)
    shuffled = type(FACES)(FACES.images[rows], FACES.labels[rows], FACES.usages[rows], "shuffled")
    kaggle, authors = folder / "kaggle", folder / "authors"
    kaggle.write_bytes(made.kaggle(shuffled))
    made.write(authors, made.authors_files(shuffled))
    first, second = read_container(kaggle), read_container(authors)
    assert first.content_digest() == second.content_digest() == shuffled.content_digest()
    assert first.unordered_digests() == FACES.unordered_digests()
    same_order = all(
        np.array_equal(shuffled.subset((usage,)).images, FACES.subset((usage,)).images) for usage in USAGES
    )
    assert (first.content_digest() == FACES.content_digest()) == same_order
