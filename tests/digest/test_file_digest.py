"""The digest of a file or stream is BLAKE3 of its bytes."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from blake3 import blake3

from repro.digest import file_digest, stream_digest
from repro.errors import BadInput, MissingFile

# Both sides of what is read or mapped, of what is hashed with threads, and of a stream's pieces.
SIZES = [0, 1, 1000, (1 << 14) - 1, 1 << 14, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 * (1 << 20) + 12345]


def content(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@pytest.mark.parametrize("size", SIZES)
def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(content(size))

    assert file_digest(path) == blake3(content(size)).hexdigest()


@pytest.mark.parametrize("size", SIZES)
def test_a_stream_has_the_digest_of_what_is_left_in_it(size: int) -> None:
    stream = io.BytesIO(b"read before" + content(size))
    stream.seek(len(b"read before"))

    assert stream_digest(stream) == blake3(content(size)).hexdigest()


def test_a_stream_may_give_less_than_is_asked_for() -> None:
    class Dripping(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(7, size or 7))

    assert stream_digest(Dripping(content(1000))) == blake3(content(1000)).hexdigest()


def test_the_digest_of_nothing_is_the_published_one(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    # The first test vector of BLAKE3's specification.
    assert file_digest(tmp_path / "empty") == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


def test_a_link_is_the_file_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")

    assert file_digest(tmp_path / "link") == file_digest(tmp_path / "file")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"no such file: .*absent"):
        file_digest(tmp_path / "absent")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a folder; expected a file"):
        file_digest(tmp_path)


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"content")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(BadInput, match="secret cannot be read: Permission denied"):
        file_digest(path)


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BadInput, match="cannot be read: Not a directory"):
        file_digest(tmp_path / "file" / "below")
