"""Views, counts, the recipe's optimiser and the loading of published files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipelines.rmn.predict_torch import predict
from pipelines.rmn.protocol import prepare, summarise
from pipelines.rmn.radam_torch import RAdam
from pipelines.rmn.system import SYSTEM
from pipelines.rmn.train_torch import CentreLoss
from pipelines.rmn.views import draws, view
from pipelines.rmn.weights_torch import load
from repro.errors import BadCheckpoint, UsageError
from repro.registry import resolve
from repro.schema import Samples, settings_of

MODEL = SYSTEM.model("resnet18")
COUNT = 6
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 48, 48), dtype=np.uint8)


def samples(*positions: int, seed: int = 1234) -> Samples:
    where = np.array(positions)
    return Samples(where + 100, where, seed, COUNT)


def settings(protocol: str, **changed: object) -> dict[str, object]:
    return settings_of(SYSTEM.protocol(protocol).changed(changed), MODEL)


def test_the_image_itself_is_resized_as_opencv_does_and_not_normalised() -> None:
    inputs = prepare(IMAGES[:2], settings("plain"), samples(0, 1))
    assert inputs.shape == (2, 3, 224, 224)
    expected = cv2.resize(IMAGES[1], (224, 224)).astype(np.float32) / np.float32(255)
    for channel in inputs[1]:
        np.testing.assert_array_equal(channel, expected)


@pytest.mark.parametrize("protocol", ["as-published", "corrected", "as-published-10", "as-published-48"])
def test_views_depend_on_the_image_and_not_on_its_batch(protocol: str) -> None:
    views = SYSTEM.protocol(protocol).settings["views"]
    whole = prepare(IMAGES[:3], settings(protocol), samples(0, 1, 2))
    assert len(whole) == 3 * views
    alone = prepare(IMAGES[2:3], settings(protocol), samples(2))
    np.testing.assert_array_equal(whole[2 * views :], alone)


def test_one_stream_goes_on_behind_the_models_before() -> None:
    sentence, first = draws(settings("as-published"), samples(*range(COUNT)))
    later, behind = draws(settings("as-published", after=["resnet34"]), samples(*range(COUNT)))
    assert "behind those of no model" in sentence
    assert "from view 48 on: behind those of resnet34" in later
    both = np.random.Generator(np.random.SFC64(1234)).random((2 * COUNT * 8, 2))
    np.testing.assert_array_equal(first["flips"].ravel(), both[: COUNT * 8, 0] < 0.5)
    np.testing.assert_array_equal(behind["degrees"].ravel(), (2 * both[COUNT * 8 :, 1] - 1) * 30)
    assert (np.abs(first["degrees"]) <= 30).all()


def test_a_stream_of_each_image_and_model() -> None:
    _, here = draws(settings("corrected"), samples(3, seed=0))
    other_model = {**settings("corrected"), "model": "resnet34"}
    for _, there in (
        draws(settings("corrected"), samples(4, seed=0)),
        draws(settings("corrected"), samples(3, seed=1)),
        draws(other_model, samples(3, seed=0)),
    ):
        assert not np.array_equal(here["degrees"], there["degrees"])
    with pytest.raises(UsageError, match="no setting 'before'"):
        SYSTEM.protocol("corrected").changed({"before": []})


@given(st.integers(0, 2**32 - 1))
def test_a_turn_by_nothing_is_the_image(seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (9, 9), dtype=np.uint8)
    np.testing.assert_array_equal(view(image, False, 0.0), image)
    np.testing.assert_array_equal(view(image, True, 0.0), image[:, ::-1])
    np.testing.assert_array_equal(view(image, False, 90.0), np.rot90(image, -1))


def test_corners_are_black_and_all_channels_turn_alike() -> None:
    white = np.full((224, 224), 255, np.uint8)
    turned = view(white, False, 20.0)
    assert turned[0, 0] == turned[-1, -1] == 0
    matrix = cv2.getRotationMatrix2D((111.5, 111.5), -20, 1)
    np.testing.assert_array_equal(turned, cv2.warpAffine(white, matrix, (224, 224)))
    three = cv2.warpAffine(np.dstack([white] * 3), matrix, (224, 224))
    np.testing.assert_array_equal(three[..., 1], turned)


def test_scores_are_summed_over_the_views() -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 7)).eval()
    inputs = torch.rand(16, 3, 4, 4)
    summed = predict(network, inputs, {"views": 8})
    with torch.no_grad():
        each = torch.softmax(network(inputs), dim=1)
    torch.testing.assert_close(summed, torch.stack([each[:8].sum(0), each[8:].sum(0)]))


def test_rounding_makes_ties_which_go_to_the_lower_class() -> None:
    scores = np.array([[3.00001, 3.00004, 1.99], [1.0, 2.0, 3.0]], np.float32)
    told = summarise(scores, np.array([0, 2]), SYSTEM.protocol("as-published"))
    assert told == {"rounded_correct": 2, "rounding_changes": 1, "ties": 1, "printed": "100.000"}
    assert summarise(scores, np.array([0, 2]), SYSTEM.protocol("corrected")) == {}


def test_radam_is_the_papers() -> None:
    """Against the algorithm written out for one number in double precision."""
    rate, first, second, epsilon, decay = 1e-2, 0.9, 0.999, 1e-8, 1e-3
    weight = torch.nn.Parameter(torch.tensor([0.5], dtype=torch.float64))
    optimizer = RAdam([weight], rate, (first, second), epsilon, decay)
    value, mean, square = 0.5, 0.0, 0.0
    longest = 2 / (1 - second) - 1
    for step in range(1, 12):
        gradient = float(np.sin(step))
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        mean = first * mean + (1 - first) * gradient
        square = second * square + (1 - second) * gradient**2
        value -= decay * rate * value
        length = longest - 2 * step * second**step / (1 - second**step)
        corrected = mean / (1 - first**step)
        if length >= 5:
            adaptive = ((1 - second**step) / square) ** 0.5
            top = (length - 4) * (length - 2) * longest
            value -= rate * (top / ((longest - 4) * (longest - 2) * length)) ** 0.5 * corrected * adaptive
        else:
            value -= rate * corrected
        assert weight.item() == pytest.approx(value, rel=1e-6)


def test_the_centre_loss_is_the_distance_to_the_own_centre() -> None:
    torch.manual_seed(0)
    loss = CentreLoss(7, 2)
    features, labels = torch.randn(5, 2), torch.tensor([0, 3, 3, 6, 1])
    centers = loss.centers.detach()
    direct = sum(float((one - centers[label]).square().sum()) for one, label in zip(features, labels, strict=True))
    assert loss(features, labels).item() == pytest.approx(direct / 5 + 6e-12, rel=1e-6)


def test_a_published_file_is_loaded_and_its_numbers_are_told(tmp_path: Path) -> None:
    network = resolve(MODEL.build)()
    path = tmp_path / "resnet18_rot30_2019Nov05_17.44"
    torch.save({"arch": "resnet18", "net": network.state_dict(), "best_val_acc": 71.2, "test_acc": 0}, path)
    other = resolve(MODEL.build)()
    told = load(other, path)
    assert told["beside"] == {"arch": "resnet18", "best_val_acc": 71.2, "test_acc": 0}
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in network.state_dict().items())


@pytest.mark.slow
def test_twins_that_differ_are_refused(tmp_path: Path) -> None:
    network = resolve(SYSTEM.model("resmasking").build)()
    state = dict(network.state_dict())
    state["mask1.downsample1.0.weight"] = state["mask1.downsample1.0.weight"] + 1
    torch.save({"net": state}, tmp_path / "resmasking")
    with pytest.raises(BadCheckpoint, match=r"mask1.downsample1.0.weight and mask1.conv1.downsample.0.weight are one"):
        load(network, tmp_path / "resmasking")
