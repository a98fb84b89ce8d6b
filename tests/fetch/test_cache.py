"""The cache: verified on every read, whatever happened to it meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from repro.errors import Contradiction
from repro.fetch import Receipt
from repro.paths import cache_folder
from tests.fetch.conftest import QUICK, artifact
from tests.fetch.server import CONTENT, OTHER, Misbehaving

Fetch = Callable[..., Receipt]


@pytest.fixture
def final(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "a-model" / "model.bin"


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def drop_the_receipt(path: Path) -> None:
    path.with_name(".model.bin.receipt.json").unlink()


def damage_the_receipt(path: Path) -> None:
    path.with_name(".model.bin.receipt.json").write_text("{", encoding="utf-8")


DAMAGES = {
    flip_a_bit: "its content has changed since it was fetched",
    cut: "its content has changed since it was fetched",
    drop_the_receipt: "it was not put there by this command",
    damage_the_receipt: "it was not put there by this command",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("stated", [True, False], ids=["stated", "not stated"])
def test_damage_is_noticed(
    damage: Callable[[Path], None], stated: bool, server: Misbehaving, fetch: Fetch, final: Path
) -> None:
    one = artifact(server.url("good")) if stated else artifact(server.url("good"), sha256=None)
    fetch(one)
    damage(final)

    with pytest.raises(Contradiction, match=DAMAGES[damage]):
        fetch(one, replace(QUICK, offline=True))

    fetch(one)
    assert final.read_bytes() == CONTENT


def test_a_file_that_someone_put_there_is_not_taken(server: Misbehaving, fetch: Fetch, final: Path) -> None:
    final.parent.mkdir(parents=True)
    final.write_bytes(OTHER)

    fetch(artifact(server.url("good"), sha256=None))

    assert final.read_bytes() == CONTENT


def test_what_killed_processes_half_wrote_goes_away(server: Misbehaving, fetch: Fetch, final: Path) -> None:
    final.parent.mkdir(parents=True)
    strays = [".model.bin.partial.json.ab1.partial", "..model.bin.receipt.json.ab2.partial"]
    for name in (*strays, ".model.bin.index.partial.json.ab3.partial"):
        (final.parent / name).write_bytes(b"{")

    fetch(artifact(server.url("good")))

    left = {path.name for path in final.parent.iterdir()}
    assert not left & set(strays)
    assert ".model.bin.index.partial.json.ab3.partial" in left  # of another file, perhaps in use


def test_a_digest_that_is_stated_later_counts(server: Misbehaving, fetch: Fetch) -> None:
    fetch(artifact(server.url("wrong"), sha256=None))

    with pytest.raises(Contradiction, match="another file than the one that is stated now"):
        fetch(artifact(server.url("missing")))


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    assert cache_folder(tmp_path) == tmp_path

    monkeypatch.delenv("REPRO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "repro" / "artifacts"
