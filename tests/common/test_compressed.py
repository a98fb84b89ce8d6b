import gzip
import lzma

import pytest

from pipelines.common.compressed import read_pieces
from repro.errors import BadInput, MissingFile

DATA = bytes(range(256)) * 12_000  # 3 MB: more than two pieces
PACKINGS = {"plain": bytes, "gzip": gzip.compress, "xz": lambda data: lzma.compress(data, preset=0)}


@pytest.fixture(params=PACKINGS)
def packed(request, tmp_path):
    path = tmp_path / "data.bin"  # the name says nothing
    path.write_bytes(PACKINGS[request.param](DATA))
    return path


def test_bytes_come_back(packed):
    pieces = list(read_pieces(packed))
    assert b"".join(pieces) == DATA
    assert max(map(len, pieces)) <= 1 << 20


def test_progress_counts_up_to_the_size(packed):
    told = []
    list(read_pieces(packed, lambda done, size: told.append((done, size))))
    done = [at for at, _ in told]
    assert done == sorted(done)
    assert {size for _, size in told} == {packed.stat().st_size}
    assert done[-1] == packed.stat().st_size


def test_two_members_read_as_one(tmp_path):
    path = tmp_path / "two"
    path.write_bytes(gzip.compress(b"one,", mtime=0) + gzip.compress(b"two", mtime=0))
    assert b"".join(read_pieces(path)) == b"one,two"


@pytest.mark.parametrize("packing", ["gzip", "xz"])
def test_a_cut_is_told(packing, tmp_path):
    whole = PACKINGS[packing](DATA)
    path = tmp_path / "cut"
    for end in (20, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(BadInput, match="cut: the compressed data are cut off") as caught:
            list(read_pieces(path))
        assert caught.value.next_step is not None


@pytest.mark.parametrize("packing", ["gzip", "xz"])
def test_a_changed_byte_is_told(packing, tmp_path):
    damaged = bytearray(PACKINGS[packing](DATA))
    damaged[len(damaged) // 2] ^= 0x10
    path = tmp_path / "damaged"
    path.write_bytes(damaged)
    with pytest.raises(BadInput, match="the compressed data are c"):
        list(read_pieces(path))


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(MissingFile, match="no such file") as caught:
        list(read_pieces(tmp_path / "nothing.csv"))
    assert caught.value.next_step is not None
    with pytest.raises(BadInput, match="is a directory"):
        list(read_pieces(tmp_path))
