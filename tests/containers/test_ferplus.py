"""FER+'s votes beside a data set."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from pipelines.common.containers.ferplus import VOTES, read_ferplus
from pipelines.common.dataset import Dataset
from repro.errors import BadInput
from tests.command import Place
from tests.containers import made

FACES = made.faces((40, 20, 20))
NAMES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


def votes_of(dataset):
    """Return eight votes for a row's label and two for contempt, by column."""
    votes = np.zeros((len(dataset), len(VOTES)), int)
    votes[np.arange(len(dataset)), [VOTES.index(NAMES[label]) for label in dataset.labels]] = 8
    votes[:, VOTES.index("contempt")] = 2
    return votes


def lines_of(dataset):
    rows = zip(dataset.usages, votes_of(dataset), strict=True)
    header = ",".join(["Usage", "Image name", *VOTES])
    return [header] + [
        f"{made.USAGES[usage]},fer{row:07d}.png,{','.join(map(str, vote))}" for row, (usage, vote) in enumerate(rows)
    ]


def read(tmp_path, lines, dataset=FACES, pack=bytes):
    path = tmp_path / "fer2013new.csv"
    path.write_bytes(pack("\r\n".join(lines).encode()))
    return read_ferplus(path, dataset)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_votes_stand_beside_their_rows(tmp_path, pack):
    assert np.array_equal(read(tmp_path, lines_of(FACES), pack=pack), votes_of(FACES))


def test_rows_are_matched_inside_each_usage(tmp_path):
    order = np.concatenate([FACES.rows((usage,)) for usage in ("PrivateTest", "Training", "PublicTest")])
    mixed = Dataset(FACES.images[order], FACES.labels[order], FACES.usages[order], "in other order of usages")
    assert np.array_equal(read(tmp_path, lines_of(FACES), mixed), votes_of(mixed))


def test_rows_in_another_order_are_noticed(tmp_path):
    order = np.random.default_rng(1).permutation(40)
    order = np.concatenate([order, np.arange(40, 80)])
    shuffled = Dataset(FACES.images[order], FACES.labels[order], FACES.usages, "shuffled")
    alone = shuffled.subset(("Training",))
    with pytest.raises(BadInput, match="not in the original order"):
        read(tmp_path, lines_of(FACES.subset(("Training",))), alone)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], "PrivateTest: votes for 19 rows, but the data set has 20"),
        (lambda lines: ["Usage,neutral", *lines[1:]], "expected FER.'s columns"),
        (
            lambda lines: [*lines[:-1], lines[-1][:-1] + "11"],
            r"row 80 .*: NF: expected 0..10 votes, found '11'",
        ),
        (lambda lines: [*lines[:-1], lines[-1] + ",1"], "row 80 .*: expected 12 fields, found 13"),
        (lambda lines: [*lines[:-1], "Test" + lines[-1][11:]], "row 80 .*: Usage: expected one of"),
        (lambda lines: [], "expected FER.'s columns"),
    ],
)
def test_damage_is_told(tmp_path, change, message):
    with pytest.raises(BadInput, match=message):
        read(tmp_path, change(lines_of(FACES)))


def test_etl_reads_votes_and_compares_them_with_the_labels(tmp_path):
    lines = lines_of(FACES)
    first = FACES.rows(("Training",))[0]
    undecided = [*lines[1 + first].split(",")[:2], "5", "5", *["0"] * (len(VOTES) - 2)]
    lines[1 + first] = ",".join(undecided)
    (tmp_path / "votes.csv").write_text("\n".join(lines))
    (tmp_path / "fer2013.csv").write_bytes(made.kaggle(FACES))
    place = Place(tmp_path)
    call = ("etl", "--data", str(tmp_path / "fer2013.csv"), "--votes", str(tmp_path / "votes.csv"))
    ended = place.run(*call, "--json")
    assert ended.code == 0, ended.err
    _, record = ended.data()["records"]
    told = record["result"]["usages"]["Training"]
    met = 40 - (FACES.labels[first] not in (NAMES.index("neutral"), NAMES.index("happiness")))
    assert (told["rows"], told["undecided"], told["labelled"]) == (40, 1, 40)
    assert met - 1 <= told["labels_met"] <= met
    assert sum(told["in_front"].values()) == 39
    assert record["result"]["choices"] == list(VOTES)
    ended = place.run(*call)
    assert "39 of 40 rows have one choice in front" in ended.out
    assert place.run(*call, "--json").data()["records"][1] == record, "the record answers"


def test_votes_that_are_not_there_say_how_to_get_them(tmp_path):
    ended = Place(tmp_path).run("etl", "--votes", "fer2013new.csv")
    assert ended.code == 3
    assert "repro fetch ferplus-labels" in ended.err
