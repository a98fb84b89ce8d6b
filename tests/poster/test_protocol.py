"""POSTER's preparations against torchvision's, its draws, and what its evaluation prints."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from pipelines.poster.protocol import prepare, summarise
from pipelines.poster.system import SYSTEM
from repro.errors import BadInput
from repro.schema import Samples

PUBLISHED, CORRECTED = SYSTEM.protocol("as-published"), SYSTEM.protocol("corrected")
STUDENT, STILL = SYSTEM.protocol("student-as-published"), SYSTEM.protocol("student-corrected")
NORMALIZE = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def _samples(count: int, seed: int = 0, first: int = 0) -> Samples:
    return Samples(np.arange(count), np.arange(first, first + count), seed)


def _picture(height: int, width: int, *, grey: bool = False) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width) if grey else (height, width, 3), np.uint8)


def _same_bits(ours: np.ndarray, theirs: np.ndarray) -> None:
    np.testing.assert_array_equal(ours.view(np.uint32), theirs.view(np.uint32))


@pytest.mark.parametrize("image", [_picture(100, 100), _picture(300, 180), _picture(48, 48, grey=True)])
def test_evaluation_is_what_torchvision_does(image: np.ndarray) -> None:
    published = transforms.Compose([transforms.Resize((224, 224)), transforms.ToTensor(), NORMALIZE])
    expected = published(Image.fromarray(image).convert("RGB")).numpy()
    _same_bits(prepare([image], PUBLISHED.settings, _samples(1))[0], expected)


@pytest.mark.parametrize(("height", "width"), [(100, 100), (181, 300), (300, 181), (500, 224)])
def test_the_students_images_keep_their_aspect(height: int, width: int) -> None:
    image = _picture(height, width)
    published = transforms.Compose([transforms.Resize(224), transforms.ToTensor(), NORMALIZE])
    _same_bits(prepare([image], STILL.settings, _samples(1))[0], published(Image.fromarray(image)).numpy())


def test_images_of_several_aspects_are_no_batch() -> None:
    with pytest.raises(BadInput, match=r"row 2: the image is 224 x 448 .* others of its batch are 448 x 224"):
        prepare([_picture(50, 100), _picture(100, 50)], STILL.settings, _samples(2))
    assert prepare([_picture(50, 100), _picture(100, 50)], CORRECTED.settings, _samples(2)).shape == (2, 3, 224, 224)


def test_draws_depend_on_seed_and_position_alone() -> None:
    images = [_picture(64, 64)] * 12
    whole = prepare(images, STUDENT.settings, _samples(12))
    parts = [
        prepare(images[:5], STUDENT.settings, _samples(5)),
        prepare(images[5:], STUDENT.settings, _samples(7, 0, 5)),
    ]
    _same_bits(whole, np.concatenate(parts))
    assert not np.array_equal(whole, prepare(images, STUDENT.settings, _samples(12, seed=1)))
    assert len({one.tobytes() for one in whole}) > 6, "images differ from one another in what is drawn"


def test_what_is_drawn_is_what_the_student_draws() -> None:
    """Half are flipped, half have a box of 2 to 10 % set to 0; without erasing nothing else changes."""
    images = [_picture(64, 64)] * 200
    still = prepare(images[:1], STILL.settings, _samples(1))[0]
    flips = boxes = 0
    for drawn in prepare(images, STUDENT.settings, _samples(200)):
        zeros = (drawn == 0).all(axis=0)
        flipped = np.array_equal(drawn[:, ~zeros], still[:, :, ::-1][:, ~zeros])
        assert flipped or np.array_equal(drawn[:, ~zeros], still[:, ~zeros])
        flips += flipped
        boxes += zeros.any()
        if zeros.any():
            rows, columns = np.flatnonzero(zeros.any(axis=1)), np.flatnonzero(zeros.any(axis=0))
            box = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
            assert zeros.sum() == box, "one box"
            assert 0.018 < box / zeros.size < 0.105
            assert 0.28 < (rows[-1] - rows[0] + 1) / (columns[-1] - columns[0] + 1) < 3.6
    assert 70 < flips < 130
    assert 70 < boxes < 130
    erased_only = SYSTEM.protocol("student-no-augmentation").settings
    for drawn in prepare(images[:20], erased_only, _samples(20)):
        kept = ~(drawn == 0).all(axis=0)
        assert np.array_equal(drawn[:, kept], still[:, kept])


@pytest.mark.parametrize(("correct", "n", "printed"), [(717, 720, 99.58333587646484), (1077, 1323, 81.40589904785156)])
def test_the_printed_mean_is_single_precision(correct: int, n: int, printed: float) -> None:
    """The student's logs print these; with the right answers in front, the running mean comes to the same."""
    scores, labels = np.zeros((n, 7), np.float32), np.zeros(n, np.int64)
    scores[correct:, 1] = 1
    assert summarise(scores, labels, CORRECTED) == {}
    told = summarise(scores, labels, STUDENT)
    assert told["printed"] == f"{100 * correct / n:.3f}"
    assert told["published_mean"] == pytest.approx(printed, rel=2e-7)
    assert told["published_mean"] == float(np.float32(told["published_mean"]))


def test_the_running_mean_is_torchs() -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.standard_normal((500, 7)).astype(np.float32), rng.integers(0, 7, 500)
    total, count = torch.tensor(0.0), 0
    for start in range(0, 500, PUBLISHED.batch):
        part = torch.from_numpy(scores[start : start + PUBLISHED.batch]).argmax(1)
        right = (part == torch.from_numpy(labels[start : start + PUBLISHED.batch])).float().sum(0, keepdim=True)
        total = total + right.mul_(100.0 / len(part))[0] * len(part)
        count += len(part)
    assert summarise(scores, labels, PUBLISHED)["published_mean"] == float(total / count)
