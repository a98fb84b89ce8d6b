"""What is declared to download, and how its files are read."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from repro.errors import BadInput, MissingFile, SchemaTooNew, UnknownName
from repro.fetch.source import parse_source
from repro.registry import systems
from repro.stages.fetch import chosen
from repro.store.artifacts import Pin, load_artifacts, load_pins, save_pins, with_pins
from repro.store.claims import load_claims
from tests.fetch.conftest import artifact

HEAD = 'schema = "repro-artifacts/1"\n[[artifact]]\nid = "a"\nkind = "dataset"\nhost = "other"\n'


def declare(folder: Path, system: str, text: str) -> Path:
    path = folder / system / "artifacts.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_project_declares_what_the_sources_name(root: Path, shared: Path) -> None:
    """Every artifact of the research is declared with its digests, sizes and addresses, and no other but one."""
    known = tomllib.loads((shared / "facts" / "artifacts.toml").read_text(encoding="utf-8"))["artifact"]
    mine = {one.id: one for one in load_artifacts(root / "pipelines")}

    assert set(mine) - {one["id"] for one in known} == {"mini-xception-checkpoint"}
    for one in known:
        found = mine[one["id"]]
        assert (found.system, found.kind, found.host) == (one["system"], one["kind"], one["host"])
        names = ("md5", "sha1", "sha256", "sha256_prefix", "git_blob_sha1")
        assert {name: one[name] for name in names if name in one} == dict(found.files[0].stated)
        assert found.files[0].size == one.get("size_bytes")
        ids = {parse_source(url).target for file in found.files for url in file.urls} | {str(found.page)}
        assert all(any(identity in target for target in ids) for identity in one.get("google_drive_ids", []))


def test_every_address_can_be_read(root: Path) -> None:
    artifacts = load_artifacts(root / "pipelines")

    assert len([parse_source(url) for one in artifacts for file in one.files for url in file.urls]) > 100
    assert len({(one.id, file.name) for one in artifacts for file in one.files}) > 105


def test_every_claim_names_an_artifact_that_is_declared(root: Path) -> None:
    ids = {one.id for one in load_artifacts(root / "pipelines")}
    named = {claim.artifact for claim in load_claims(root / "expected_results")} - {None}

    assert named <= ids
    assert len(named) > 20


def test_folders_without_a_declaration_are_no_systems() -> None:
    assert "deep-emotion" in systems()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("schema = ", "Invalid value"),
        ('schema = "repro-claims/1"\n', "expected schema repro-artifacts/1"),
        ('schema = "repro-artifacts/1"\n', "artifact: Field required"),
        (HEAD.replace('kind = "dataset"\n', ""), "artifact a: kind: Field required"),
        (HEAD.replace('id = "a"\n', ""), "artifact number 1: id: Field required"),
        (HEAD + 'system = "x"\n', "artifact a: system: the folder says it, a-system"),
        (HEAD + 'md5 = "00"\n', r"artifact a: file.0.md5: String should match"),
        (HEAD + 'urls = ["no url"]\n', r"artifact a: file.0.urls.0: String should match"),
        (HEAD + 'filename = "../up"\n', "expected the name of a file below the artifact's own folder"),
        (HEAD + 'filename = "/etc/passwd"\n', "expected the name of a file below the artifact's own folder"),
        (HEAD + "size = 0\n", r"artifact a: file.0.size: Input should be greater than 0"),
        (HEAD + 'colour = "red"\n', "artifact a: colour: Extra inputs are not permitted"),
        (HEAD + '[[artifact.file]]\nname = "x"\n[[artifact.file]]\nname = "x"\n', "two files have one name"),
    ],
)
def test_damage_is_told_with_file_artifact_and_field(text: str, words: str, tmp_path: Path) -> None:
    path = declare(tmp_path, "a_system", text)

    with pytest.raises(BadInput, match=words) as caught:
        load_artifacts(tmp_path)
    assert caught.value.message.startswith(f"{path}: ")


def test_ids_are_unique_among_systems(tmp_path: Path) -> None:
    declare(tmp_path, "a_system", HEAD)
    declare(tmp_path, "b_system", HEAD)

    with pytest.raises(BadInput, match=r"b_system/artifacts\.toml: a is already in .*a_system"):
        load_artifacts(tmp_path)


def test_order_and_names(tmp_path: Path) -> None:
    declare(tmp_path, "common", HEAD.replace('"a"', '"s"'))
    declare(tmp_path, "b_b", HEAD.replace('"a"', '"b"') + '[[artifact]]\nid = "a"\nkind = "document"\nhost = "other"\n')

    found = load_artifacts(tmp_path)

    assert [(one.system, one.id, one.files[0].name) for one in found] == [
        ("b-b", "b", "b"),
        ("b-b", "a", "a"),
        ("shared", "s", "s"),
    ]


def test_nothing_and_something_newer(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"no artifacts\.toml"):
        load_artifacts(tmp_path)
    declare(tmp_path, "a", HEAD.replace("/1", "/2"))
    with pytest.raises(SchemaTooNew):
        load_artifacts(tmp_path)


def test_pins_are_kept_sorted_and_once(tmp_path: Path) -> None:
    def made(name: str, digit: str) -> Pin:
        return Pin(artifact=name, file="f", size=1, sha256=digit * 64)

    save_pins(tmp_path, "a-system", [made("b", "1"), made("a", "1")])
    path = save_pins(tmp_path, "a-system", [made("b", "2")])

    assert [pin.sha256[0] for pin in load_pins(tmp_path).values()] == ["1", "2"]
    assert path == tmp_path / "a-system" / "pins.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + text.partition("\n")[2], encoding="utf-8")
    with pytest.raises(BadInput, match="a: f is pinned twice"):
        load_pins(tmp_path)


def test_a_pin_binds_only_what_no_publisher_identifies() -> None:
    pins = {("a-model", "model.bin"): Pin(artifact="a-model", file="model.bin", size=3, sha256="1" * 64)}

    assert with_pins(artifact(sha256=None), pins).files[0].sha256 == "1" * 64
    assert with_pins(artifact(sha256=None, sha256_prefix="2" * 8), pins).files[0].sha256 == "1" * 64
    assert with_pins(artifact(), pins) == artifact()


def test_names_are_chosen() -> None:
    everything = chosen([])
    ids = [one.id for one in everything]

    assert [one.id for one in chosen(["rmn/cbam_resnet50"])] == ["rmn-checkpoint-cbam-resnet50"]
    assert {one.system for one in chosen(["poster", "shared"])} == {"poster", "shared"}
    assert [one.id for one in chosen([ids[5], ids[2]])] == [ids[2], ids[5]]
    assert {one.kind for one in chosen(["rmn"], ["checkpoint", "document"])} == {"checkpoint", "document"}
    with pytest.raises(UnknownName, match="Did you mean rmn-checkpoint-vgg19"):
        chosen(["rmn-checkpoint-vgg9"])
    with pytest.raises(UnknownName, match="kind of artifact 'film'"):
        chosen([], ["film"])
