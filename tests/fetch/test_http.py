"""Against a server that misbehaves: the right file, or a clear error and nothing under the final name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from repro.errors import Contradiction, ReproError, Unavailable
from repro.fetch import Receipt
from tests.fetch.conftest import QUICK, artifact
from tests.fetch.server import CONTENT, SHA256, Misbehaving

Fetch = Callable[..., Receipt]

GIVES = [
    *("good", "truncates", "truncates-silently", "stalls", "resets", "busy", "broken", "ignores-ranges"),
    *("lies-about-ranges", "changes", "changes-and-ignores-if-range", "changes-in-secret", "no-validator"),
    *("redirect", "gzip", "chunked"),
]
"""Ways in which a patient client still comes to the file."""

REFUSES = {
    "truncates-always": (Unavailable, "broke off after 1000 of 3000001 bytes"),
    "stalls-always": (Unavailable, "no answer in 0.5 s"),
    "resets-always": (Unavailable, "connection failed"),
    "missing": (Unavailable, "answered 404: there is no such file"),
    "gone": (Unavailable, "answered 410: the file is gone"),
    "forbidden": (Unavailable, "answered 403: access is refused"),
    "busy-always": (Unavailable, "answered 429 (4 tries)"),
    "broken-always": (Unavailable, "answered 500 (4 tries)"),
    "claims-more": (Unavailable, "of 3000006 bytes"),
    "claims-less": (Contradiction, f"expected sha256 {SHA256}, found "),
    "circle/a": (Unavailable, "redirected in a circle"),
    "html": (Unavailable, "a web page ('Sign in'): the host wants a login instead of model.bin"),
    "quota": (Unavailable, "download quota for this file is used up"),
    "gzip-damaged": (Unavailable, "its gzip encoding is damaged"),
    "brotli": (Unavailable, "sent in the encoding 'br'"),
    "wrong": (Contradiction, f"expected sha256 {SHA256}, found "),
    "empty": (Unavailable, "an empty file"),
}


def final(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "a-model" / "model.bin"


@pytest.mark.parametrize("way", GIVES)
def test_gives_the_right_file(way: str, server: Misbehaving, fetch: Fetch, tmp_path: Path) -> None:
    receipt = fetch(artifact(server.url(way)))

    assert final(tmp_path).read_bytes() == CONTENT
    assert receipt.measured.sha256 == SHA256
    assert receipt.source == server.url(way)
    assert sorted(path.name for path in final(tmp_path).parent.iterdir()) == [
        ".model.bin.lock",
        ".model.bin.receipt.json",
        "model.bin",
    ]


@pytest.mark.parametrize("way", [way for way in GIVES if way not in ("truncates-silently", "changes-in-secret")])
def test_gives_the_right_file_without_a_stated_digest(
    way: str, server: Misbehaving, fetch: Fetch, tmp_path: Path
) -> None:
    fetch(artifact(server.url(way), sha256=None))

    assert final(tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("way", REFUSES)
def test_refuses(way: str, server: Misbehaving, fetch: Fetch, tmp_path: Path) -> None:
    kind, words = REFUSES[way]

    with pytest.raises(kind) as caught:
        fetch(artifact(server.url(way)))

    assert words in caught.value.message
    assert caught.value.next_step
    assert not final(tmp_path).exists()


def test_every_way_of_the_server_is_tried() -> None:
    from tests.fetch.server import Answering

    ways = {name.removeprefix("give_").replace("_", "-") for name in dir(Answering) if name.startswith("give_")}
    elsewhere = {"uc", "archive", "api", "slow"}

    assert ways == {*GIVES, *(way.partition("/")[0] for way in REFUSES), *elsewhere}


def test_goes_on_where_it_broke_off(server: Misbehaving, fetch: Fetch) -> None:
    fetch(artifact(server.url("truncates")))

    assert [headers.get("Range") for _, headers in server.asked] == [None, "bytes=1100000-", "bytes=2200000-"]
    assert [headers.get("If-Range") for _, headers in server.asked] == [None, '"t"', '"t"']
    assert {headers["Accept-Encoding"] for _, headers in server.asked} == {"identity"}


def test_the_next_call_goes_on_too(server: Misbehaving, fetch: Fetch, tmp_path: Path) -> None:
    impatient = replace(QUICK, tries=1)
    with pytest.raises(Unavailable, match=r"broke off after 1100000 of 3000001 bytes"):
        fetch(artifact(server.url("truncates")), impatient)
    assert not final(tmp_path).exists()
    assert final(tmp_path).with_name("model.bin.partial").read_bytes() == CONTENT[:1_100_000]
    with pytest.raises(Unavailable, match="broke off after 2200000"):
        fetch(artifact(server.url("truncates")), impatient)

    fetch(artifact(server.url("truncates")), impatient)

    assert final(tmp_path).read_bytes() == CONTENT


def test_a_second_call_asks_nobody(server: Misbehaving, fetch: Fetch) -> None:
    first = fetch(artifact(server.url("good")))
    second = fetch(artifact(server.url("good")))

    assert first == second
    assert len(server.asked) == 1


def test_a_host_without_anybody_is_asked_twice_in_all(fetch: Fetch) -> None:
    with pytest.raises(Unavailable, match=r"connection failed: .*refused.* \(2 tries\)"):
        fetch(artifact("http://127.0.0.1:9/a", "http://127.0.0.1:9/b"))


def test_the_next_address_is_asked_where_one_has_no_file(server: Misbehaving, fetch: Fetch) -> None:
    receipt = fetch(artifact(server.url("missing"), server.url("quota"), server.url("good")))

    assert receipt.source == server.url("good")


def test_a_wrong_file_is_not_passed_over(server: Misbehaving, fetch: Fetch) -> None:
    with pytest.raises(Contradiction, match=r"wrong gave another file than model\.bin"):
        fetch(artifact(server.url("wrong"), server.url("good")))


@pytest.mark.parametrize(
    "stated",
    [
        {"md5": hashlib.md5(CONTENT).hexdigest()},
        {"sha1": hashlib.sha1(CONTENT).hexdigest()},
        {"sha256_prefix": SHA256[:8]},
        {"git_blob_sha1": hashlib.sha1(b"blob 3000001\0" + CONTENT).hexdigest()},
        {"size": len(CONTENT)},
    ],
    ids=lambda stated: next(iter(stated)),
)
def test_every_stated_value_is_checked(
    stated: dict[str, str | int], server: Misbehaving, fetch: Fetch, tmp_path: Path
) -> None:
    name, value = next(iter(stated.items()))
    off = value + 1 if isinstance(value, int) else ("1" if value[0] != "1" else "2") + value[1:]

    with pytest.raises(Contradiction, match="expected"):
        fetch(artifact(server.url("good"), sha256=None, **{name: off}))
    assert not final(tmp_path).exists()

    fetch(artifact(server.url("good"), sha256=None, **stated))
    assert final(tmp_path).read_bytes() == CONTENT


def test_the_errors_are_of_this_project(server: Misbehaving, fetch: Fetch) -> None:
    for url in ("http://", "http://127.0.0.1:99999/x", "gopher://x/y", "https://drive.google.com/nothing"):
        with pytest.raises(ReproError):
            fetch(artifact(url))
