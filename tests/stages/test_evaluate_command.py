"""Evaluation as a user meets it, on drawn faces with keyed weights, and on real data where it is at hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.deep_emotion.model_torch import build
from repro.digest import file_digest, set_digest, tensor_digest
from repro.trace.keyed import keyed_tensor
from tests.command import Place


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = build()
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.from_numpy(keyed_tensor(name, tuple(value.shape), "a checkpoint", "oihw")))
    path = tmp_path_factory.mktemp("checkpoint") / "model.pt"
    torch.save(model.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("evaluation"))


def _call(checkpoint: Path, *more: str) -> tuple[str, ...]:
    return ("eval", "--system", "deep-emotion", "--checkpoint", str(checkpoint), "--json", *more)


def test_corrected_counts(place: Place, checkpoint: Path) -> None:
    ended = place.run(*_call(checkpoint, "--split", "validation", "--protocol", "corrected"))
    assert ended.code == 0, ended.err
    told = ended.data()
    assert told["n"] == 140
    assert told["accuracy"] == told["correct"] / 140
    low, high = told["interval"]
    assert low < told["accuracy"] < high
    assert told["digests"]["checkpoint"] == file_digest(checkpoint)
    state = torch.load(checkpoint, weights_only=True)
    assert told["digests"]["weights"] == set_digest({name: tensor_digest(value) for name, value in state.items()})
    record = told["records"][0]
    scores = np.load(place.results / "objects" / f"{record['outputs']['scores-0']}.npy")
    labels = np.load(place.results / "objects" / f"{record['outputs']['labels']}.npy")
    assert int((scores.argmax(axis=1) == labels).sum()) == told["correct"]
    assert tensor_digest(scores.argmax(axis=1).astype(np.int64)) == told["digests"]["predictions"]
    confusion = np.array(record["result"]["confusion"])
    assert confusion.sum() == 140
    assert np.trace(confusion) == told["correct"]
    assert [one["correct"] for one in told["classes"]] == np.diagonal(confusion).tolist()
    recalls = [one["correct"] / one["images"] for one in told["classes"]]
    assert told["means"]["recall"] == pytest.approx(sum(recalls) / 7)
    assert record["result"]["top5_correct"] >= told["correct"]
    assert told["stack"]["name"] == "torch"
    assert str(checkpoint.parent) not in json.dumps(told)


def test_published_protocol_runs_once_a_seed(place: Place, checkpoint: Path) -> None:
    told = place.run(*_call(checkpoint, "--protocol", "as-published")).data()
    runs = told["records"][0]["result"]["runs"]
    assert [run["seed"] for run in runs] == list(range(10))
    counts = [run["correct"] for run in runs]
    assert len({run["predictions"] for run in runs}) > 1, "dropout is on"
    assert told["spread"] == {
        "runs": 10,
        "minimum": min(counts),
        "maximum": max(counts),
        "mean": sum(counts) / 10,
    }
    assert all(run["printed"] == str(int(100 * run["published_mean"])) for run in runs)


def test_wrong_names_and_checkpoints_are_told(place: Place, checkpoint: Path, tmp_path: Path) -> None:
    assert place.run(*_call(checkpoint, "--split", "tset")).data()["error"]["message"].endswith("Did you mean test?")
    assert place.run(*_call(checkpoint, "--protocol", "publised")).code == 2
    state = torch.load(checkpoint, weights_only=True)
    del state["fc1.bias"]
    torch.save(state, tmp_path / "cut.pt")
    ended = place.run(*_call(tmp_path / "cut.pt"))
    assert ended.code == 3
    assert "fc1.bias is missing" in ended.data()["error"]["message"]
    state["fc1.bias"] = torch.full((50,), float("nan"))
    torch.save(state, tmp_path / "nan.pt")
    ended = place.run(*_call(tmp_path / "nan.pt"))
    assert ended.code == 3
    assert "fc1.bias in 50 places" in ended.data()["error"]["message"]
    state["fc1.bias"], state["fc2.weight"] = torch.full((50,), 3e38), torch.full((7, 50), 3e38)
    torch.save(state, tmp_path / "huge.pt")
    ended = place.run(*_call(tmp_path / "huge.pt"))
    assert ended.code == 3
    assert "scores that are no numbers" in ended.data()["error"]["message"]


@pytest.mark.slow
@pytest.mark.parametrize("which", ["a", "b"])
def test_real_checkpoints_on_every_split(place: Place, shared: Path, which: str) -> None:
    checkpoint = shared / "data" / "checkpoints" / f"deep_emotion-100-128-0.005.{which}.pt"
    data = str(shared / "data" / "fer2013.csv.xz")
    sizes = {}
    for split in ("training", "validation", "test", "validation-2022", "training-2022", "test-both"):
        ended = place.run(*_call(checkpoint, "--data", data, "--split", split))
        assert ended.code == 0, ended.err
        told = ended.data()
        sizes[split] = told["n"]
        assert told["accuracy"] > 0.45, f"{split}: a trained network is far above chance (1/7)"
        assert told["records"][0]["result"]["diagnosis"]["theta_spread"] == 0.0, "D-STN: the crop is constant"
    assert sizes == {
        "training": 28709,
        "validation": 3589,
        "test": 700,
        "validation-2022": 3589,
        "training-2022": 25120,
        "test-both": 4289,
    }


@pytest.mark.slow
@pytest.mark.parametrize("split", ["training", "validation", "test", "validation-2022", "training-2022", "test-both"])
@pytest.mark.parametrize("which", ["a", "b"])
def test_real_checkpoints_have_one_count_in_both_arithmetics(
    place: Place, shared: Path, which: str, split: str
) -> None:
    checkpoint = shared / "data" / "checkpoints" / f"deep_emotion-100-128-0.005.{which}.pt"
    call = _call(checkpoint, "--data", str(shared / "data" / "fer2013.csv.xz"), "--split", split)
    counts = {}
    for arithmetic in ("native", "canonical"):
        ended = place.run(*call, "--arithmetic", arithmetic)
        assert ended.code == 0, ended.err
        counts[arithmetic] = ended.data()["correct"]
    assert counts["native"] == counts["canonical"]


def test_a_count_is_certified_or_not(place: Place, checkpoint: Path) -> None:
    ended = place.run(*_call(checkpoint, "--split", "validation", "--protocol", "corrected", "--certify"))
    assert ended.code == 0, ended.err
    told = ended.data()
    certificate = told["certificate"]
    varied = [run["varied"] for run in certificate["runs"]]
    assert varied[-2:] == ["2 threads", "batches of 32"]
    assert all(run["sentence"] for run in certificate["runs"])
    low, high = certificate["counts"]
    assert low <= told["correct"] <= high
    assert certificate["certified"] == (low == high)
    assert all(low <= run["correct"] <= high for run in certificate["runs"])


def test_other_batches_and_threads_are_another_probe(place: Place, checkpoint: Path) -> None:
    call = _call(checkpoint, "--split", "validation", "--protocol", "corrected")
    usual = place.run(*call).data()
    other = place.run(*call, "--batch", "20", "--threads", "2").data()
    assert other["digests"]["predictions"] == usual["digests"]["predictions"]
    probe, usual_probe = other["records"][0]["result"]["probe"], usual["records"][0]["result"]["probe"]
    assert probe == f"{usual_probe}, threads 2, batch 20"
    assert place.run(*call, "--batch", "0").code == 2
