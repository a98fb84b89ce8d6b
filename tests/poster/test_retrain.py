"""POSTER V2's training on the loop: what is drawn, in which order, SAM's steps, and real runs to the bit."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import RandomErasing
from torchvision.transforms import functional as transforms

from pipelines.poster import recipe
from pipelines.poster.augment import _jittered, _turned, augment, balanced_order
from pipelines.poster.model_torch import PosterV2
from pipelines.poster.protocol import normalised, resized
from pipelines.poster.system import SYSTEM
from pipelines.poster.train_torch import training as published_step
from pipelines.poster.trainer_torch import PosterTrainer, save, start
from pipelines.poster.weights_torch import load
from repro.digest.draws import permutation, uniforms
from repro.errors import BadInput, MissingFile
from repro.schema import Samples
from repro.stages.training.loop import Loop
from tests.retrain import small
from tests.retrain.photographs import as_caer_s
from tests.retrain.test_loop import outcome

STUDENT = recipe.THREE["augmentation"]["main.py"]


def _samples(count: int, epoch: int = 0) -> Samples:
    return Samples(np.arange(count), np.arange(count), 7, count, epoch)


def _image(seed: int, shape: tuple[int, ...] = (60, 60, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def test_flips_and_erasing_are_what_names_draw() -> None:
    images = [_image(seed) for seed in range(24)]
    erasing = {"probability": 1.0, "scale": [0.05, 0.05], "ratio": [0.3, 3.3]}
    settings = {"resize": "squash", "augmentation": {"flip": 0.5, "erasing": erasing}}
    inputs = augment(images, settings, _samples(24))
    areas, flips = [], 0
    for place, image in enumerate(images):
        plain = normalised(resized(image, "squash"))
        flipped = uniforms(f"augment/{_samples(24).key(place)}", 1)[0] < 0.5
        flips += int(flipped)
        plain = plain[:, :, ::-1] if flipped else plain
        erased = (inputs[place] == 0).all(axis=0) & (plain != 0).any(axis=0)
        assert np.array_equal(inputs[place][:, ~erased], plain[:, ~erased])
        rows, columns = np.flatnonzero(erased.any(axis=1)), np.flatnonzero(erased.any(axis=0))
        areas.append((rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1) / 224**2)
    assert 4 < flips < 20
    assert np.allclose(areas, 0.05, atol=0.005)
    assert np.array_equal(augment([images[5]], settings, Samples(np.array([5]), np.array([5]), 7, 24))[0], inputs[5])
    assert not np.array_equal(augment(images, settings, _samples(24, epoch=1)), inputs)


def test_boxes_are_distributed_as_torchvisions() -> None:
    torch.manual_seed(0)
    image = torch.ones(3, 224, 224)
    theirs = np.array([RandomErasing.get_params(image, (0.02, 0.1), (0.3, 3.3), [0.0])[:4] for _ in range(300)])
    erasing = {"probability": 1.0, "scale": [0.02, 0.1], "ratio": [0.3, 3.3]}
    settings = {"resize": "squash", "augmentation": {"erasing": erasing}}
    ours = []
    for place, one in enumerate(augment([np.full((9, 9), 255, np.uint8)] * 300, settings, _samples(300))):
        rows, columns = (np.flatnonzero((one[0] == 0).any(axis=axis)) for axis in (1, 0))
        assert rows.size, place
        ours.append([rows[0], columns[0], len(rows), len(columns)])
    spread = theirs.std(axis=0) / np.sqrt(150)
    assert (np.abs(np.mean(ours, axis=0) - theirs.mean(axis=0)) < 5 * spread).all()


def test_the_students_jitter_is_torchvisions() -> None:
    picture = Image.fromarray(_image(3))
    numbers = 2 * uniforms("jitter/a", 4) - 1
    steps: list[Any] = [
        lambda one: transforms.adjust_brightness(one, 1 + 0.2 * numbers[0]),
        lambda one: transforms.adjust_contrast(one, 1 + 0.2 * numbers[1]),
        lambda one: transforms.adjust_saturation(one, 1 + 0.2 * numbers[2]),
        lambda one: transforms.adjust_hue(one, 0.1 * numbers[3]),
    ]
    expected = picture
    for place in permutation("order of the jitter/a", 4):
        expected = steps[place](expected)
    assert np.array_equal(np.asarray(_jittered(picture, STUDENT["color_jitter"], "a")), np.asarray(expected))
    for factor in (-0.1, -0.03, 0.0, 0.07):
        turned = transforms.adjust_hue(picture, factor)
        assert np.array_equal(np.asarray(_turned(picture, factor)), np.asarray(turned))


def test_the_students_turns_and_shifts_are_torchvisions() -> None:
    image, key = _image(4, (224, 224, 3)), _samples(1).key(0)
    settings = {"resize": "shorter side", "augmentation": {"rotation": 15, "translate": 0.1}}
    _, angle, right, down, _ = uniforms(f"augment/{key}", 5)
    by = [round((2 * right - 1) * 22.4), round((2 * down - 1) * 22.4)]
    turned = transforms.rotate(Image.fromarray(image), (2 * angle - 1) * 15)
    expected = transforms.affine(turned, angle=0.0, translate=by, scale=1.0, shear=[0.0, 0.0])
    assert np.array_equal(augment([image], settings, _samples(1))[0], normalised(expected))


def test_images_of_other_shapes_are_told_of() -> None:
    settings = {"resize": "shorter side", "augmentation": STUDENT}
    with pytest.raises(BadInput, match="row 2: the image is 448 x 224"):
        augment([_image(1), _image(2, (50, 100, 3))], settings, _samples(2))


def test_every_class_is_drawn_as_often() -> None:
    labels = np.repeat([0, 1, 2], [900, 90, 10])
    places = balanced_order(labels, "order/0/0")
    assert len(places) == 1000
    counts = np.bincount(labels[places])
    assert (np.abs(counts - 1000 / 3) < 80).all()
    assert len(set(places[labels[places] == 2].tolist())) == 10
    assert not np.array_equal(places, balanced_order(labels, "order/0/1"))


class _Tiny(nn.Linear):
    def __init__(self) -> None:
        super().__init__(4, 7)


def _trainer(model: nn.Module) -> PosterTrainer:
    def backward(compute: Any, inputs: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        for parameter in model.parameters():
            parameter.grad = None
        loss, scores = compute(inputs, labels)
        loss.backward()
        return loss.detach(), scores.detach()

    return PosterTrainer(model, {**recipe.SEVEN, "learning_rate": 0.01}, backward)


def test_steps_are_those_of_check_rep_and_the_state_comes_back() -> None:
    torch.manual_seed(0)
    first, second = _Tiny(), _Tiny()
    second.load_state_dict(first.state_dict())
    trainer, step = _trainer(first), published_step(second, {**recipe.SEVEN, "learning_rate": 0.01})
    inputs, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 4, 5])
    for _ in range(2):
        told, expected = trainer.step(inputs, labels), step(inputs, labels)
        torch.testing.assert_close(told["loss"], (expected["loss"] + expected["second_loss"]) / 2)
        assert torch.equal(first.weight, second.weight)
    assert [trainer.epoch_ended(epoch, {})["learning rate"] for epoch in range(3)] == pytest.approx(
        [0.01, 0.0098, 0.009604]
    )
    state, weights = deepcopy(trainer.state()), {name: value.clone() for name, value in first.state_dict().items()}
    trainer.step(inputs, labels)
    fresh = _Tiny()
    fresh.load_state_dict(weights)
    resumed = _trainer(fresh)
    resumed.restore(state)
    resumed.step(inputs, labels)
    assert torch.equal(fresh.weight, first.weight)
    assert resumed.sam.param_groups[0]["lr"] == pytest.approx(0.01 * 0.98**3)


def test_backbones_come_from_a_folder_and_what_is_saved_can_be_evaluated(tmp_path: Path) -> None:
    torch.manual_seed(1)
    source, model = PosterV2(7), PosterV2(7)
    with pytest.raises(MissingFile, match=r"mobilefacenet_model_best\.pth\.tar and ir50\.pth"):
        start(model, tmp_path)
    torch.save({"state_dict": source.face_landback.state_dict()}, tmp_path / "mobilefacenet_model_best.pth.tar")
    torch.save(source.ir_back.state_dict(), tmp_path / "ir50.pth")
    head = model.VIT.head.linear.weight.clone()
    start(model, tmp_path)
    assert torch.equal(model.ir_back.body3[0].res_layer[1].weight, source.ir_back.body3[0].res_layer[1].weight)  # type: ignore[index]
    assert torch.equal(model.VIT.head.linear.weight, head)
    written = save(model, tmp_path / "best")
    assert all(name.startswith("module.") for name in torch.load(written, weights_only=True)["state_dict"])
    load(source, written)
    assert torch.equal(source.VIT.head.linear.weight, head)


def test_recipes_name_what_there_is() -> None:
    for model in SYSTEM.models:
        assert model.recipes
        for one in model.recipes:
            for split in (one.train, one.test, *one.watched):
                SYSTEM.split(split)
            for protocol in (one.protocol, *one.test_protocols):
                SYSTEM.protocol(protocol)
    rates = [one.settings["learning_rate"] for one in recipe.SEVEN_RECIPES]
    assert rates == [3.5e-5, 1e-6, 4e-5]
    assert recipe.THREE_RECIPES[1].stages[0].epochs == 100


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what a training takes on photographs of FER2013 laid out as CAER-S, whose classes it has."""
    root = as_caer_s(shared / "data" / "fer2013.csv.xz", tmp_path_factory.mktemp("faces"))
    return {"data": str(root), "results": tmp_path_factory.mktemp("results")}


def _training(
    real: dict[str, Any], *, images: int, stage: dict[str, Any], settings: dict[str, Any], **more: Any
) -> Any:
    published = recipe.SEVEN_RECIPES[2]
    declared = small.changed(published, stages=[stage], settings={**published.settings, **settings})
    return small.training(model="poster/poster_v2_7cls", declared=declared, images=images, **real, **more)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_twenty_steps_killed_and_resumed_with_any_number_of_workers(real: dict[str, Any], tmp_path: Path) -> None:
    def loop_in(folder: str, workers: int) -> Loop:
        stage = {"epochs": 1, "batch": 2}
        one = _training(real, images=40, stage=stage, settings={}, workers=workers, every=5)
        return small.loop(one, tmp_path / folder)

    def ended(folder: str, workers: int, killed: tuple[tuple[int, int], ...] = ()) -> dict[str, Any]:
        for stop, before in killed:  # with so many workers, the last state saved long before
            loop = loop_in(folder, before)
            loop._due = 0.0 if loop.standing.step == 0 else float("inf")
            assert not loop.run(until=stop)
        loop = loop_in(folder, workers)
        loop._due = float("inf")
        assert loop.run()
        assert loop.standing.step == 20
        return outcome(tmp_path / folder, loop)

    assert ended("killed", 3, ((2, 1), (6, 0))) == ended("whole", 0)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_64_images_are_memorised(real: dict[str, Any], tmp_path: Path) -> None:
    """At the published rate, with nothing drawn: at 3e-4 it was seen to stay at chance."""
    one = _training(real, images=64, stage={"epochs": 60, "batch": 4}, settings={"augmentation": {}}, every=1000)
    loop = small.loop(one, tmp_path / "run")
    rows = loop.standing.rows
    while not (rows and rows[-1]["accuracy"] == 1 and rows[-1]["loss"] < 0.2) and len(rows) < 60:
        loop._due = float("inf")
        loop.run(until=16 * len(rows) + 16)
        print(
            f"epoch {rows[-1]['epoch']}: loss {rows[-1]['loss']:.4f}, accuracy {rows[-1]['accuracy']:.4f}", flush=True
        )
    assert rows[0]["loss"] > 1.5
    assert rows[-1]["loss"] < 0.2
    assert rows[-1]["accuracy"] == 1.0
