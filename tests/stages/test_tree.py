"""Trees of files: whole or not there, taken up where they were left, whatever happened in between."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from repro.digest import folder_manifest
from repro.errors import PrerequisiteError
from repro.stages.tree import finish, is_finished, write_tree

IMAGES = np.random.default_rng(0).integers(0, 256, (150, 4, 4), np.uint8)
PLAN = {f"{'ab'[row % 2]}/{row}.bin": row for row in reversed(range(150))}
SOURCE = "5" * 64


def encode(images: np.ndarray) -> Iterator[bytes]:
    return (image.tobytes() for image in images)


class Counted:
    """Encodes, counts, and calls ``at[n]`` before the n-th image."""

    def __init__(self, at: dict[int, Callable[[], None]] | None = None) -> None:
        self.count, self.at = 0, at or {}

    def __call__(self, images: np.ndarray) -> Iterator[bytes]:
        for image in images:
            self.count += 1
            self.at.get(self.count, lambda: None)()
            yield image.tobytes()


def stop() -> None:
    raise KeyboardInterrupt


def write(tree: Path, with_: Callable[[np.ndarray], Iterator[bytes]] = encode, source: str = SOURCE) -> dict[str, str]:
    return write_tree(tree, PLAN, IMAGES, with_, source, lambda done, total: None)


def assert_whole(tree: Path, digests: dict[str, str]) -> None:
    assert list(digests) == list(PLAN)
    assert folder_manifest(tree) == dict(sorted(digests.items()))
    assert all((tree / name).read_bytes() == IMAGES[row].tobytes() for name, row in PLAN.items())
    assert not tree.with_name(f"{tree.name}.partial").exists()


def test_a_tree_is_written_whole_and_told_about(tmp_path: Path) -> None:
    tree, told = tmp_path / "made" / "tree", []
    digests = write_tree(tree, PLAN, IMAGES, encode, SOURCE, lambda done, total: told.append((done, total)))
    assert_whole(tree, digests)
    assert told == sorted(told)
    assert told[-1] == (150, 150)
    assert not is_finished(tree), "its record is not written yet"
    finish(tree)
    assert is_finished(tree)


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    with pytest.raises(KeyboardInterrupt):
        write(tree, Counted({120: stop}))
    assert not tree.exists()
    rest = Counted()
    assert_whole(tree, write(tree, rest))
    assert rest.count < 150


def test_what_was_torn_changed_or_put_there_is_written_again(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    with pytest.raises(KeyboardInterrupt):
        write(tree, Counted({140: stop}))
    partial, journal = tmp_path / "tree.partial", tmp_path / "tree.journal"
    written = sorted(path for path in partial.rglob("*.bin"))
    written[0].write_bytes(b"torn")
    written[1].unlink()
    written[2].unlink()
    written[2].symlink_to(written[3])
    (partial / "a" / "stranger").write_bytes(b"")
    journal.write_text(journal.read_text()[:-7])
    assert_whole(tree, write(tree))


def test_a_journal_of_another_source_does_not_count(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    with pytest.raises(KeyboardInterrupt):
        write(tree, Counted({140: stop}), source="6" * 64)
    anew = Counted()
    assert_whole(tree, write(tree, anew))
    assert anew.count == 150


def test_a_damaged_journal_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "tree.journal").write_bytes(SOURCE.encode() + b"\n\xff no  such\n\n  \nline")
    assert_whole(tmp_path / "tree", write(tmp_path / "tree"))


def test_a_tree_whose_record_was_not_written_is_taken_up_without_encoding(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    digests, again = write(tree), Counted()
    assert write(tree, again) == digests
    assert again.count == 0
    assert_whole(tree, digests)


def test_a_finished_tree_is_replaced_only_by_a_whole_one(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    finish_after = write(tree)
    finish(tree)
    (tree / "a" / "0.bin").write_bytes(b"changed")
    with pytest.raises(KeyboardInterrupt):
        write(tree, Counted({100: stop}))
    assert (tree / "a" / "0.bin").read_bytes() == b"changed"
    assert_whole(tree, finish_after | write(tree))


def test_a_full_disk_is_told_and_the_next_call_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, real, count = tmp_path / "tree", Path.write_bytes, 0

    def full(self: Path, data: bytes) -> int:
        nonlocal count
        count += 1
        if count > 100:
            real(self, data[:3])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return real(self, data)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(PrerequisiteError, match=r"cannot be written \(No space left on device\)"):
            write(tree)
    assert not tree.exists()
    assert_whole(tree, write(tree))


def test_two_runs_at_once_do_not_meet(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    with (tmp_path / "tree.journal").open("a+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(PrerequisiteError, match=r"another run writes .*tree now"):
            write(tree)
    assert_whole(tree, write(tree))
