"""The audit as a user meets it: on faces with known faults, in several containers, and on real data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.common.dataset import Dataset
from pipelines.common.faces import drawn_faces
from repro.digest import tensor_digest
from tests.command import Place
from tests.containers import made


@pytest.fixture(scope="module")
def faulty() -> Dataset:
    """Return 30 faces: Training 0 to 13, PublicTest 0 to 7, PrivateTest 0 to 7, with faults put in."""
    faces = drawn_faces(5, (14, 8, 8))
    images, labels = faces.images.copy(), faces.labels.copy()
    images[3], labels[3] = images[2], labels[2]  # twice in Training, one label
    images[14], labels[14] = images[2], labels[2]  # and in PublicTest, the same label
    images[15], labels[15] = images[5], (labels[5] + 1) % 7  # in both, another label
    images[22], labels[22] = images[14], (labels[14] + 1) % 7  # in PrivateTest, another label
    images[7] = 100
    images[29] = np.clip(images[9].astype(int) + 5, 0, 255)
    return Dataset(images, labels, faces.usages, "faces with faults")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("audit"))


def _audited(place: Place, data: Path) -> tuple[dict, dict]:
    ended = place.run("audit", "--data", str(data), "--json")
    assert ended.code == 0, ended.err
    (record,) = ended.data()["records"]
    lists = json.loads((place.results / "objects" / f"{record['outputs']['lists']}.json").read_text())
    return record["result"], lists


def test_faults_are_found(place: Place, faulty: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(made.kaggle(faulty))
    result, lists = _audited(place, path)
    assert result["content"] == faulty.content_digest() == lists["content"]
    assert result["distinct"] == 26
    assert result["identical"]["within"] == {"Training": 1, "PublicTest": 0, "PrivateTest": 0}
    across = {(row["split"], row["also_in"]): (row["rows"], row["same_label"]) for row in result["identical"]["across"]}
    assert across["Training", "PublicTest"] == (3, 2)
    assert across["PublicTest", "Training"] == (2, 1)
    assert across["PrivateTest", "Training"] == (1, 0)
    assert across["PrivateTest", "PublicTest"] == (1, 0)
    assert across["Training", "PrivateTest"] == (2, 0)
    assert result["several_labels"] == 2
    assert result["constant"] == 1
    split = result["splits"]["Training"]
    training = faulty.subset(("Training",))
    assert split["intensity"]["sum"] == int(training.images.sum(dtype=int))
    assert split["intensity"]["mean"] == pytest.approx(training.images.mean())
    assert split["classes"] == training.counts()["Training"]
    assert split["constant"] == 1

    digests = {name: tensor_digest(faulty.images[row]) for name, row in (("twice", 2), ("both", 5), ("grey", 7))}
    assert lists["identical"] == sorted([digests["twice"], digests["both"]])
    assert lists["several_labels"] == sorted([digests["twice"], digests["both"]])
    assert lists["constant"] == [digests["grey"]]
    listed = {image["image"]: image for image in lists["images"]}
    assert listed[digests["twice"]]["rows"] == {"Training": [2, 3], "PublicTest": [0], "PrivateTest": [0]}
    assert listed[digests["both"]]["labels"] == sorted([faulty.labels[5], (faulty.labels[5] + 1) % 7])
    near = {(pair["first"], pair["second"]) for pair in lists["near"]}
    assert tuple(sorted(tensor_digest(faulty.images[row]) for row in (9, 29))) in near
    alike = {(row["split"], row["also_in"]): row["rows"] for row in result["near"]["across"]}
    assert alike["PrivateTest", "Training"] >= 1


def test_the_lists_are_those_of_every_container(place: Place, faulty: Dataset, tmp_path: Path) -> None:
    table = tmp_path / "fer2013.csv"
    table.write_bytes(made.kaggle(faulty))
    folder = made.write(tmp_path / "tree", made.tree(faulty))
    (first, one), (second, other) = _audited(place, table), _audited(place, folder)
    assert first["content"] != second["content"]
    assert first["lists"] == second["lists"]
    assert one["near"] == other["near"]
    assert [image["image"] for image in one["images"]] == [image["image"] for image in other["images"]]


def test_a_record_answers_and_a_table_is_printed(place: Place, faulty: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(made.kaggle(faulty))
    _audited(place, path)
    before = place.records()
    ended = place.run("audit", "--data", str(path))
    assert ended.code == 0
    assert "26 different images; 2 of them under several labels, 1 constant" in ended.out
    assert place.records() == before


def test_data_without_labels_is_audited_and_not_evaluated(place: Place, faulty: Dataset, tmp_path: Path) -> None:
    files = {"train.csv": made.competition_train(faulty), "test.csv": made.competition_test(faulty)}
    folder = made.write(tmp_path / "competition", files)
    result, lists = _audited(place, folder)
    assert set(result["splits"]) == {"Training", "Test"}
    assert sum(result["splits"]["Test"]["classes"].values()) == 0
    assert result["several_labels"] == 0
    assert {len(image["labels"]) for image in lists["images"]} <= {0, 1}
    told = place.run("etl", "--data", str(folder))
    assert "no label" in told.out
    checkpoint = tmp_path / "any.pt"
    checkpoint.write_bytes(b"read only after the labels")
    call = ("eval", "-s", "deep-emotion", "-c", str(checkpoint), "--split", "test-both", "--data", str(folder))
    refused = place.run(*call)
    assert refused.code == 3
    assert "16 of 16 rows have no label, the first is row 15" in refused.err


@pytest.mark.slow
def test_the_real_edition_has_the_known_overlaps(place: Place, shared: Path) -> None:
    """The counts of defect F-DUP, as far as the edition at hand has the rows (700 of PrivateTest)."""
    path = shared / "data" / "fer2013.csv.xz"
    if not path.is_file():
        pytest.skip(f"no real data: {path} is missing")
    result, lists = _audited(place, path)
    across = {(row["split"], row["also_in"]): row["rows"] for row in result["identical"]["across"]}
    assert across["PublicTest", "Training"] == 280
    assert across["PrivateTest", "Training"] == 63
    assert result["identical"]["within"] == {"Training": 1236, "PublicTest": 26, "PrivateTest": 0}
    assert [result["splits"][usage]["constant"] for usage in ("Training", "PublicTest")] == [11, 1]
    assert result["several_labels"] == len(lists["several_labels"]) == 50
    assert result["distinct"] == 31401
    assert result["near"]["pairs"] == len(lists["near"]) == 1420
    assert "JPEG" in result["edition"]


def test_the_report_shows_what_was_audited(place: Place, faulty: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "faulty.csv"
    path.write_bytes(made.kaggle(faulty))
    _audited(place, path)
    audits = {row["data"]: row for row in place.run("report", "--json").data()["report"]["audits"]}
    row = audits["faulty.csv"]
    assert row["distinct"] == 26
    assert {"split": "PublicTest", "also_in": "Training", "rows": 2, "same_label": 1} in row["overlaps"]
    report = (place.results / "report" / "report.md").read_text()
    assert "## What the data repeat" in report
    assert "| PublicTest" in report
