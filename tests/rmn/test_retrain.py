"""The benchmark's training on the loop: augmentation, schedule, where it starts, and real runs to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torchvision.transforms import RandomResizedCrop

from pipelines.rmn import recipe
from pipelines.rmn.augment import augment, crop_box
from pipelines.rmn.system import SYSTEM
from pipelines.rmn.trainer_torch import BenchmarkTrainer, ImageNetTrainer, save, save_imagenet, start
from pipelines.rmn.views import view
from pipelines.rmn.weights_torch import load
from repro.digest.draws import uniforms
from repro.errors import UnfitCheckpoint
from repro.registry import resolve
from repro.schema import Samples
from repro.stages.training.loop import Loop
from tests.retrain import small
from tests.retrain.test_loop import outcome

FACES = {"image_size": 64, "augmentation": recipe.RECIPE["augmentation"]}


def _samples(rows: list[int], epoch: int = 0) -> Samples:
    return Samples(np.array(rows), np.arange(len(rows)), 7, 100, epoch)


def test_faces_are_flipped_and_turned_by_what_their_names_draw() -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 48, 48), np.uint8)
    samples = _samples(list(range(40)))
    inputs = augment(images, FACES, samples)
    assert inputs.shape == (40, 3, 64, 64)
    flipped = 0
    for place, image in enumerate(images):
        flip, angle = uniforms(f"augment/{samples.key(place)}", 2)
        expected = view(cv2.resize(image, (64, 64)), bool(flip < 0.5), 60 * angle - 30)
        assert np.array_equal(inputs[place], np.stack([expected.astype(np.float32) / np.float32(255)] * 3))
        flipped += int(flip < 0.5)
    assert 10 < flipped < 30
    again = augment(images[[3]], FACES, Samples(np.array([3]), np.array([3]), 7, 100, 0))
    assert np.array_equal(again[0], inputs[3]), "whatever is beside it"
    assert not np.array_equal(augment(images, FACES, _samples(list(range(40)), epoch=1)), inputs)


def test_crops_are_distributed_as_torchvisions() -> None:
    scale, ratio = recipe.IMAGENET["augmentation"]["scale"], recipe.IMAGENET["augmentation"]["ratio"]
    image = torch.zeros(3, 90, 160)
    torch.manual_seed(0)
    theirs = np.array([RandomResizedCrop.get_params(image, scale, ratio) for _ in range(2000)])  # top, left, tall, wide
    boxes = np.array([crop_box(160, 90, scale, ratio, uniforms(f"box/{number}", 40)) for number in range(2000)])
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2] <= 160).all()
    assert (boxes[:, 3] <= 90).all()
    ours = np.stack([boxes[:, 1], boxes[:, 0], boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0]], axis=1)
    spread = theirs.std(axis=0) / np.sqrt(2000)
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < 5 * spread).all()


def test_without_a_box_that_fits_the_middle_is_taken() -> None:
    assert crop_box(1000, 10, (1.0, 1.0), (3 / 4, 4 / 3), np.zeros(40)) == (493, 0, 506, 10)
    assert crop_box(10, 1000, (1.0, 1.0), (3 / 4, 4 / 3), np.zeros(40)) == (0, 493, 10, 506)


def test_pictures_are_cropped_to_their_size() -> None:
    images = [np.full((70, 50, 3), (255, 0, 0), np.uint8), np.full((40, 90), 9, np.uint8)]
    settings = {"image_size": 32, "augmentation": recipe.IMAGENET["augmentation"]}
    inputs = augment(images, settings, _samples([0, 1]))
    assert inputs.shape == (2, 3, 32, 32)
    assert np.ptp(inputs, axis=(2, 3)).max() == 0
    assert inputs[0, 0, 0, 0] == (np.float32(1) - np.float32(0.485)) / np.float32(0.229)


class _Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 7)
        self.center_loss_fc = nn.Linear(4, 2)

    def logits_and_features(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.fc(inputs), self.center_loss_fc(inputs)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.fc(inputs)


def _trainer(kind: Any, settings: dict[str, Any], model: nn.Module | None = None) -> Any:
    def backward(compute: Any, inputs: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        for parameter in made.parameters():
            parameter.grad = None
        loss, scores = compute(inputs, labels)
        loss.backward()
        return loss.detach(), scores.detach()

    made = kind(model or _Tiny(), settings, backward)
    return made


def _watched(accuracy: float) -> dict[str, dict[str, float]]:
    return {"validation": {"accuracy": 0.0, "accuracy of batches": accuracy, "loss": 0.0}}


def test_the_rate_falls_on_a_plateau_and_training_stops_after_nine_epochs() -> None:
    trainer = _trainer(BenchmarkTrainer, recipe.RECIPE)
    rates, stops = [], []
    for epoch, accuracy in enumerate([0.5, *[0.5] * 9]):
        told = trainer.epoch_ended(epoch, _watched(accuracy))
        rates.append(told["learning rate"])
        stops.append(told["stop"])
    assert rates == pytest.approx([1e-4] * 4 + [1e-5] * 3 + [1e-6] * 3)
    assert [stop is not None for stop in stops] == [False] * 9 + [True]
    better = _trainer(BenchmarkTrainer, recipe.RECIPE)
    better.restore(trainer.state())
    assert better.epoch_ended(10, _watched(0.6))["stop"] is None
    assert better.state()["counted"] == {"best": 0.6, "waited": 0, "epochs": 11}


def test_class_weights_weigh_the_loss() -> None:
    torch.manual_seed(0)
    model, inputs, labels = _Tiny(), torch.randn(5, 4), torch.tensor([0, 1, 1, 3, 6])
    weighted = _trainer(BenchmarkTrainer, {**recipe.RECIPE, "class_weights": recipe.CLASS_WEIGHTS}, model)
    losses = nn.functional.cross_entropy(model(inputs), labels, reduction="none")
    weights = torch.tensor(recipe.CLASS_WEIGHTS)[labels]
    torch.testing.assert_close(weighted.compute(inputs, labels)[0], (losses * weights).sum() / weights.sum())
    plain = _trainer(BenchmarkTrainer, recipe.RECIPE, model).compute(inputs, labels)[0]
    torch.testing.assert_close(plain, losses.mean())


def test_the_centre_loss_counts_from_its_epoch_on_and_moves_its_centres() -> None:
    torch.manual_seed(0)
    settings = {**recipe.CENTRE_LOSS, "centre_loss": {**recipe.CENTRE_LOSS["centre_loss"], "from_epoch": 2}}
    trainer = _trainer(BenchmarkTrainer, settings)
    inputs, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 4, 5])
    (centres,) = trainer.modules["centres"].parameters()
    before, features = centres.detach().clone(), trainer.model.center_loss_fc.weight.detach().clone()
    trainer.step(inputs, labels)
    assert torch.equal(centres, before)
    trainer.epoch_ended(0, _watched(0.5))
    plain = nn.functional.cross_entropy(trainer.model(inputs), labels)
    loss = trainer.step(inputs, labels)["loss"]
    assert loss > plain
    distance = (trainer.model.center_loss_fc(inputs) - before[labels]).square().sum(dim=1).mean()
    assert not torch.equal(centres, before)
    assert torch.equal(centres[6], before[6] * (1 - 1e-6)) or not torch.equal(centres[:6], before[:6])
    assert not torch.equal(trainer.model.center_loss_fc.weight, features)
    assert distance > 0
    other = _trainer(BenchmarkTrainer, settings)
    other.restore(trainer.state())
    assert torch.equal(next(iter(other.modules["centres"].parameters())), centres)
    assert other._pulls


def test_imagenets_rate_is_a_tenth_every_thirty_epochs() -> None:
    trainer = _trainer(ImageNetTrainer, recipe.IMAGENET)
    rates = [trainer.epoch_ended(epoch, {})["learning rate"] for epoch in range(90)]
    assert rates == pytest.approx([0.1] * 30 + [0.01] * 30 + [0.001] * 30)


def _backbone(path: Path, **changes: Any) -> Path:
    """Write a file as torchvision's of 2019: 1000 classes, no batch counts."""
    from torchvision.models import resnet34

    torch.manual_seed(3)
    state = resnet34().state_dict()
    state = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    torch.save({**state, **changes}, path)
    return path


def test_masks_and_head_stay_where_a_backbone_is_loaded(tmp_path: Path) -> None:
    model = resolve(SYSTEM.model("resmasking_dropout1").build)()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    told = start(model, _backbone(tmp_path / "resnet34-333f7ec4.pth"))
    stored, after = torch.load(tmp_path / "resnet34-333f7ec4.pth", weights_only=True), model.state_dict()
    assert told["loaded"] == len(stored) - 2
    assert {name.partition(".")[0] for name in told["left"]} == {"mask1", "mask2", "mask3", "mask4", "fc"}
    for name, value in after.items():
        assert torch.equal(value, stored[name] if name in stored else before[name])
    for changes in ({"layer1.0.conv1.weight": torch.zeros(1)}, {"strange": torch.zeros(1)}):
        with pytest.raises(UnfitCheckpoint, match=r"layer1\.0\.conv1\.weight|strange"):
            start(model, _backbone(tmp_path / "other.pth", **changes))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg19", "googlenet", "inception_v3_299", "densenet121", "resnet50"])
def test_every_kind_of_torchvision_file_can_be_started_from(tmp_path: Path, name: str) -> None:
    from torchvision import models

    built = name.removesuffix("_299")
    torch.save(getattr(models, built)(weights=None).state_dict(), tmp_path / "file.pth")
    told = start(resolve(SYSTEM.model(name).build)(), tmp_path / "file.pth")
    assert 1 <= len(told["left"]) <= 2, "the head alone"


def test_what_is_saved_can_be_evaluated(tmp_path: Path) -> None:
    model = resolve(SYSTEM.model("resnet18").build)()
    path = save(model, tmp_path / "best")
    assert list(torch.load(path, weights_only=True)) == ["net"]
    other = resolve(SYSTEM.model("resnet18").build)()
    load(other, path)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())
    path = save_imagenet(model, tmp_path / "last")
    assert next(iter(torch.load(path, weights_only=True)["state_dict"])) == "module.conv1.weight"
    load(other, path)


def test_every_model_that_can_be_trained_has_its_recipes() -> None:
    without = [model.name for model in SYSTEM.models if not model.recipes]
    assert without == ["inception_v3"], "its auxiliary head cannot be trained at 224 (R-INCEPTION)"
    for model in SYSTEM.models:
        for one in model.recipes:
            for split in (one.train, one.test, *one.watched):
                SYSTEM.split(split)
            for protocol in (one.protocol, *one.test_protocols):
                SYSTEM.protocol_of(model, protocol)


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what a training on FER2013 takes; it is decoded once."""
    return {"data": str(shared / "data" / "fer2013.csv.xz"), "results": tmp_path_factory.mktemp("results")}


def _training(real: dict[str, Any], name: str, *, size: int, images: int, settings: dict[str, Any], **more: Any) -> Any:
    """Return a training of whose three splits only so many images are used."""
    (published, *_) = SYSTEM.model(name).recipes
    declared = small.changed(
        published, test_protocols=("plain",), stages=[{"epochs": 1, "batch": 4, **more.pop("stage", {})}]
    )
    declared = small.changed(declared, settings={**published.settings, "image_size": size, **settings})
    return small.training(model=f"rmn/{name}", declared=declared, images=images, **real, **more)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("name", "size"), [("resnet18", 224), ("resmasking_dropout1", 64)])
def test_twenty_steps_killed_and_resumed_with_any_number_of_workers(
    real: dict[str, Any], tmp_path: Path, name: str, size: int
) -> None:
    def loop_in(folder: str, workers: int) -> Loop:
        one = _training(real, name, size=size, images=40, settings={}, stage={"batch": 2}, workers=workers, every=5)
        return small.loop(one, tmp_path / folder)

    def ended(folder: str, workers: int, stops: tuple[int, ...] = ()) -> dict[str, Any]:
        for stop in stops:  # killed there, the last state saved long before
            loop = loop_in(folder, workers)
            loop._due = 0.0 if loop.standing.step == 0 else float("inf")
            assert not loop.run(until=stop)
        loop = loop_in(folder, workers)
        loop._due = float("inf")
        assert loop.run()
        assert loop.standing.step == 20
        return outcome(tmp_path / folder, loop)

    whole = ended("whole", 0)
    assert ended("killed", 1, (3, 11)) == whole
    assert ended("three workers", 3) == whole


def _memorised(loop: Loop) -> tuple[float, float]:
    rows = loop.standing.rows
    return rows[0]["loss"], rows[-1]["loss"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("name", "size"), [("resnet18", 64), ("resmasking_dropout1", 32)])
def test_64_images_are_memorised(real: dict[str, Any], tmp_path: Path, name: str, size: int) -> None:
    epochs = 30
    settings = {"augmentation": {"flip": 0.0, "degrees": 0.0}, "early_stop": epochs, "learning_rate": 1e-3}
    settings["schedule"] = {**recipe.RECIPE["schedule"], "patience": epochs}
    one = _training(
        real, name, size=size, images=64, settings=settings, stage={"epochs": epochs, "batch": 16}, every=1000
    )
    loop = small.loop(one, tmp_path / "run")
    loop._due = float("inf")
    assert loop.run()
    first, last = _memorised(loop)
    assert first > 1.5
    assert last < 0.1
    assert loop.standing.rows[-1]["accuracy"] == 1.0
