"""The digest of a named set: names and contents count, order and place do not."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import assume, given
from hypothesis import strategies as st

from repro.digest import folder_digest, folder_manifest, parse_manifest, set_digest, write_manifest
from repro.errors import BadInput

LINE_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"

digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=LINE_BREAKS), min_size=1, max_size=20)
named_sets = st.dictionaries(names, digests, max_size=6)

A, B = "a" * 64, "b" * 64


@given(named_sets)
def test_parsing_gives_back_what_was_written(named: dict[str, str]) -> None:
    assert parse_manifest(write_manifest(named)) == named


@given(named_sets)
def test_writing_gives_back_what_was_parsed(named: dict[str, str]) -> None:
    text = write_manifest(named)

    assert write_manifest(parse_manifest(text)) == text


@given(named_sets, st.randoms(use_true_random=False))
def test_the_order_of_insertion_does_not_count(named: dict[str, str], shuffler: random.Random) -> None:
    items = list(named.items())
    shuffler.shuffle(items)

    assert write_manifest(dict(items)) == write_manifest(named)


def test_lines_are_sorted_by_the_names_utf8_bytes() -> None:
    # UTF-16 order would put U+10000 before U+FFFD, and a locale "a" before "B".
    named = {"a": A, "B": A, "\U00010000": A, "\ufffd": A, "é": A, "a b": A}
    lines = write_manifest(named).decode("utf-8").splitlines()

    assert lines == [f"{A}  {name}" for name in ("B", "a", "a b", "é", "\ufffd", "\U00010000")]


def test_the_digest_of_a_set_is_that_of_its_lines() -> None:
    assert set_digest({"y": B, "x": A}) == blake3(f"{A}  x\n{B}  y\n".encode()).hexdigest()
    assert set_digest({}) == blake3(b"").hexdigest()


def test_names_belong_to_contents() -> None:
    assert len({set_digest({"x": A, "y": B}), set_digest({"x": B, "y": A}), set_digest({"x": A, "z": B})}) == 3


@pytest.mark.parametrize("line_break", LINE_BREAKS)
def test_a_name_with_a_line_break_is_refused(line_break: str) -> None:
    with pytest.raises(BadInput, match="line break"):
        write_manifest({f"a{line_break}b": A})


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(BadInput, match="empty"):
        write_manifest({"": A})


def test_a_name_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(BadInput, match=r"'weights\\udcff.*no Unicode text"):
        write_manifest({os.fsdecode(b"weights\xff"): A})


@pytest.mark.parametrize("digest", ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, f"{'a' * 64}\n", " " + "a" * 63])
def test_what_is_no_digest_is_refused(digest: str) -> None:
    with pytest.raises(BadInput, match=r"conv1\.weight: expected a digest of 64 hexadecimal digits"):
        write_manifest({"conv1.weight": digest})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{A}  x\n{B}  x\n", "line 2: expected '<64 hexadecimal digits>  <new name>'"),
        (f"{A}  x\n{B} y\n", "line 2"),
        (f"{A}  x\n\n", "line 2"),
        (f"{A.upper()}  x\n", "line 1"),
        (f"{A}  x\n{B}  y", "line 2: it does not end in a line break"),
        (f"{A}  y\n{B}  x\n", "not sorted"),
        (f"{A}  x\r\n", "line break"),
    ],
)
def test_text_that_no_manifest_has_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parse_manifest(text.encode())


def test_text_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(BadInput, match="not UTF-8 at byte 66"):
        parse_manifest(f"{A}  ".encode() + b"\xff\n")


@given(named_sets.filter(bool), st.data())
def test_damage_is_an_error_or_another_set(named: dict[str, str], data: st.DataObject) -> None:
    text = bytearray(write_manifest(named))
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 3)))
    put = data.draw(st.binary(max_size=3) | st.sampled_from([b"\n", b"  ", b"\r\n", b"a"]))
    damaged = bytes(text[:start] + put + text[stop:])
    assume(damaged != text)

    try:
        found = parse_manifest(damaged)
    except BadInput:
        return
    assert found != named
    assert set_digest(found) != set_digest(named)


NAMES = ["weights.bin", "a folder/a file.txt", "deep/er/still/x", "naïve/日本語", ".hidden", "B", "a"]


def fill(folder: Path, names: list[str]) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"content of {name}".encode())


def expected_manifest() -> dict[str, str]:
    return {name: blake3(f"content of {name}".encode()).hexdigest() for name in NAMES}


def test_a_folder_is_the_set_of_its_files_under_their_relative_names(tmp_path: Path) -> None:
    fill(tmp_path, NAMES)

    found = folder_manifest(tmp_path)

    assert found == expected_manifest()
    assert list(found) == sorted(NAMES, key=str.encode)
    assert folder_digest(tmp_path) == set_digest(expected_manifest())


def test_the_order_of_creation_and_the_working_directory_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tmp_path / "one", tmp_path / "another place"
    fill(one, NAMES)
    fill(other, NAMES[::-1])
    monkeypatch.chdir(other)

    assert list(folder_manifest(one)) == list(folder_manifest(other)) == list(folder_manifest(Path()))
    assert folder_digest(one) == folder_digest(other) == folder_digest(Path()) == folder_digest(Path("../one"))


def test_empty_folders_are_no_part(tmp_path: Path) -> None:
    fill(tmp_path, NAMES)
    before = folder_digest(tmp_path)
    (tmp_path / "empty" / "inner").mkdir(parents=True)

    assert folder_digest(tmp_path) == before


def test_a_pattern_chooses_files(tmp_path: Path) -> None:
    fill(tmp_path, NAMES)

    assert set(folder_manifest(tmp_path, "**/*.txt")) == {"a folder/a file.txt"}


def test_a_changed_a_renamed_and_a_new_file_change_the_digest(tmp_path: Path) -> None:
    fill(tmp_path, NAMES)
    found = {folder_digest(tmp_path)}
    (tmp_path / "B").write_bytes(b"changed")
    found.add(folder_digest(tmp_path))
    (tmp_path / "B").rename(tmp_path / "C")
    found.add(folder_digest(tmp_path))
    (tmp_path / "new").touch()
    found.add(folder_digest(tmp_path))

    assert len(found) == 4


def test_a_link_to_a_file_inside_counts_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    digest = blake3(b"content").hexdigest()

    assert folder_manifest(tmp_path) == {"file": digest, "link": digest}


def test_links_that_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    fill(outside, NAMES)
    for target, message in [
        (outside / "B", "leads out of"),
        (outside, "leads out of"),
        (Path("inner"), "is no file"),
        (Path("nowhere"), "is no file"),
        (Path("../outside/absent"), "leads out of"),
    ]:
        folder = tmp_path / "folder"
        fill(folder, ["inner/file"])
        (folder / "link").symlink_to(target)
        with pytest.raises(BadInput, match=rf"link .*{message}"):
            folder_manifest(folder)
        (folder / "link").unlink()


def test_a_device_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(BadInput, match="pipe is no file"):
        folder_manifest(tmp_path)


def test_a_file_whose_name_is_no_unicode_is_refused(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).touch()
    except OSError:
        pytest.skip("this file system takes no such name")

    with pytest.raises(BadInput, match="no Unicode text"):
        folder_manifest(tmp_path)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    for path in (tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(BadInput, match="is no folder"):
            folder_manifest(path)
