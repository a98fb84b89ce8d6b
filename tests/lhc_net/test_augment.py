"""LHC-Net's training images and how they are changed."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pipelines.common.faces import drawn_faces
from pipelines.lhc_net.augment import Change, augment, change, training_images, transformed
from pipelines.lhc_net.etl import training_jpegs
from pipelines.lhc_net.recipe import STANDALONE
from repro.schema import Samples

FIRST, SECOND, THIRD = (stage["generator"] for stage in STANDALONE["stages"])


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return drawn_faces(11, (6, 0, 0)).images


def samples(rows: list[int], *, seed: int = 0, epoch: int = 0) -> Samples:
    return Samples(np.array(rows), np.array(rows), seed, 6, epoch)


def test_without_a_generator_they_are_the_trees_files(images: np.ndarray) -> None:
    inputs = augment(images, {"generator": THIRD}, samples([*range(6)]))
    files = [np.asarray(Image.open(io.BytesIO(data)), np.float32) for data in training_jpegs(images)]
    assert inputs.dtype == np.float32
    assert np.array_equal(inputs, np.stack(files)), "all three channels"


@pytest.mark.parametrize("generator", [FIRST, SECOND])
def test_an_image_s_change_is_its_own(images: np.ndarray, generator: dict[str, object]) -> None:
    settings = {"generator": generator}
    together = augment(images, settings, samples([*range(6)]))
    apart = [augment(images[row : row + 1], settings, samples([row])) for row in range(6)]
    assert np.array_equal(together, np.concatenate(apart)), "whatever is beside it"
    for others in (samples([*range(6)], seed=1), samples([*range(6)], epoch=1)):
        assert not np.array_equal(together, augment(images, settings, others))


def test_draws_stay_in_their_ranges() -> None:
    drawn = [change(SECOND, (224, 224), f"{number}") for number in range(400)]
    for values, limit in (
        ([one.degrees for one in drawn], 10),
        ([one.down for one in drawn], 22.4),
        ([one.right for one in drawn], 22.4),
        ([side - 1 for one in drawn for side in one.zoom], 0.1),
    ):
        assert 0.9 * limit < max(values) <= limit
        assert -0.9 * limit > min(values) >= -limit
    assert 150 < sum(one.flipped for one in drawn) < 250
    turned = change(FIRST, (224, 224), "one")
    assert (turned.down, turned.right, turned.zoom) == (0, 0, (1, 1))
    assert change(THIRD, (224, 224), "one") == Change()


def test_a_shift_by_whole_pixels_moves_them(images: np.ndarray) -> None:
    (image,) = training_images(images[:1])
    moved = transformed(image, Change(down=5.0))
    assert np.array_equal(moved[:-5], image[5:])
    assert np.array_equal(transformed(image, Change(right=5.0))[:, :-5], image[:, 5:])
    assert np.array_equal(transformed(image, Change(flipped=True)), image[:, ::-1])
