"""``repro etl --prepare``: what a paper's scripts make of a data set, as a user asks for it."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from pipelines.common.faces import embedded
from pipelines.common.jpeg import grey_jpeg, jpeg_versions, rgb_jpeg
from pipelines.common.resize import resize_bilinear
from pipelines.lhc_net.etl import evaluation_inputs
from repro.digest import folder_digest, tensor_digest
from tests.command import Ended, Place

IMAGES = ("etl", "--prepare", "deep-emotion/images", "--json")


def record(ended: Ended) -> dict:
    assert ended.code == 0, ended.err
    return ended.data()["records"][-1]


def test_files_are_made_recorded_and_guarded(tmp_path: Path) -> None:
    place = Place(tmp_path)
    made = record(place.run(*IMAGES))
    tree = place.results / made["result"]["folder"]
    dataset = embedded()
    assert made["result"]["verdict"] == "complete"
    assert made["parameters"]["libraries"] == jpeg_versions()
    assert made["outputs"]["tree"] == folder_digest(tree)
    training = dataset.images[dataset.rows(("Training",))]
    assert (tree / "val" / "val7.jpg").read_bytes() == grey_jpeg(training[7])
    assert made["result"]["files"] == len(dataset)
    # the record answers
    assert place.run(*IMAGES).data()["records"][-1] == made
    # someone changes the tree
    (tree / "val" / "val7.jpg").write_bytes(b"no longer")
    (tree / "val" / "val8.jpg").unlink()
    (tree / "stranger.txt").write_text("hello")
    ended = place.run(*IMAGES)
    assert ended.code == 1
    told = ended.data()["error"]
    assert told["kind"] == "Contradiction"
    assert "1 missing (val/val8.jpg); 1 changed (val/val7.jpg); 1 foreign (stranger.txt)" in told["message"]
    # and has it written anew
    again = record(place.run(*IMAGES, "--force"))
    assert (again["outputs"], again["result"]) == (made["outputs"], made["result"])
    assert folder_digest(tree) == made["outputs"]["tree"]


def test_a_whole_system_is_prepared_by_its_name(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ended = place.run("etl", "--prepare", "lhc-net", "--json")
    assert ended.code == 0, ended.err
    _, tensors, images = ended.data()["records"]
    dataset = embedded()
    for usage, told in tensors["result"]["tensors"].items():
        rows = dataset.rows((usage,))
        inputs = evaluation_inputs(dataset.images[rows])
        assert told == {"dtype": "float32", "shape": [len(rows), 224, 224, 3]}
        assert tensors["outputs"][usage] == tensor_digest(inputs)
        assert (inputs[..., 0] == inputs[..., 2]).all()
    tree = place.results / images["result"]["folder"]
    rows = dataset.rows(("Training",))
    happy = rows[dataset.labels[rows] == 3]
    assert len(list((tree / "Training" / "Happiness").iterdir())) == len(happy)
    expected = resize_bilinear(dataset.images[happy[2]][None], (224, 224))[0].astype(np.uint8)
    assert (tree / "Training" / "Happiness" / "Images2.jpeg").read_bytes() == rgb_jpeg(expected, 100)


def test_unknown_preparations_are_told_with_the_nearest(tmp_path: Path) -> None:
    ended = Place(tmp_path).run("etl", "--prepare", "lhc-net/training-image")
    assert ended.code == 2
    assert "Did you mean lhc-net/training-images?" in ended.err
    assert not (tmp_path / "results").exists()


def test_killed_at_any_moment_the_next_run_makes_the_same(tmp_path: Path) -> None:
    undisturbed, killed = Place(tmp_path / "a"), Place(tmp_path / "b")
    call = ("etl", "--prepare", "lhc-net/training-images", "--json")
    wanted = record(undisturbed.run(*call))
    draws = random.Random("a killed tree")
    for _ in range(4):
        process = killed.start(*call)
        time.sleep(draws.uniform(0.3, 2.0))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    made = record(killed.run(*call))
    assert (made["outputs"], made["result"]) == (wanted["outputs"], wanted["result"])
    assert killed.records() == undisturbed.records()
    assert folder_digest(killed.results / made["result"]["folder"]) == wanted["outputs"]["tree"]


def test_data_without_the_rows_are_told(tmp_path: Path) -> None:
    path = tmp_path / "public.csv"
    path.write_text(f"emotion,pixels,Usage\n3,{' '.join(['7'] * 2304)},PublicTest\n")
    ended = Place(tmp_path).run("etl", "--data", str(path), "--prepare", "lhc-net/training-images")
    assert ended.code == 3
    assert "public.csv has no row for lhc-net/training-images" in ended.err


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_whole_training_set_in_500_mb(tmp_path: Path, shared: Path) -> None:
    place, data = Place(tmp_path), shared / "data" / "fer2013.csv.xz"
    process, peak = place.start("etl", "--data", str(data), "--prepare", "lhc-net/training-images", "--json"), 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = max(peak, *(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)
        time.sleep(0.1)
    assert process.stdout is not None
    made = record(Ended(process.returncode, process.stdout.read(), ""))
    counts = [3995, 436, 4097, 7215, 4830, 3171, 4965]
    folders = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Neutral")
    tree = place.results / made["result"]["folder"] / "Training"
    assert [len(list((tree / name).iterdir())) for name in folders] == counts
    assert 50e6 < peak <= 500e6
