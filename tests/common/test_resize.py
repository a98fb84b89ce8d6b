import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipelines.common.faces import drawn_faces
from pipelines.common.resize import resize_bilinear
from repro.digest import tensor_digest

FACES = "4ac6e2e7b476dc38d9a5753e2ae4233a66e83b39cc394aa1ba385af8f816b6a9"


def straight(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return what the definition says, one value at a time, every step rounded to float32."""
    one, half = np.float32, np.float32(0.5)

    def neighbours(index: int, source: int, target: int) -> tuple[int, int, np.float32]:
        place = (one(index) + half) * (one(source) / one(target)) - half
        below = np.floor(place)
        return max(int(below), 0), min(int(np.ceil(place)), source - 1), place - below

    resized = np.empty((height, width), np.float32)
    for y in range(height):
        top, bottom, down = neighbours(y, image.shape[0], height)
        for x in range(width):
            left, right, across = neighbours(x, image.shape[1], width)
            upper = one(image[top, left]) + (one(image[top, right]) - one(image[top, left])) * across
            lower = one(image[bottom, left]) + (one(image[bottom, right]) - one(image[bottom, left])) * across
            resized[y, x] = upper + (lower - upper) * down
    return resized


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))), st.integers(1, 20), st.integers(1, 20))
def test_every_value_is_the_definition_s(image: np.ndarray, height: int, width: int) -> None:
    (resized,) = resize_bilinear(image[None], (height, width))
    assert resized.dtype == np.float32
    assert resized.tobytes() == straight(image, height, width).tobytes()


def test_drawn_faces_give_the_bits_that_tensorflow_gave() -> None:
    # tests/lhc_net compares with TensorFlow itself; this is what it gave for these faces.
    assert tensor_digest(resize_bilinear(drawn_faces(counts=(50, 0, 0)).images, (224, 224))) == FACES


def test_each_image_is_resized_by_itself() -> None:
    images = np.random.default_rng(3).integers(0, 256, (9, 48, 48), np.uint8)
    together = resize_bilinear(images, (224, 224))
    assert all(
        np.array_equal(resize_bilinear(image[None], (224, 224))[0], one)
        for image, one in zip(images, together, strict=True)
    )
    assert resize_bilinear(images[:0], (224, 224)).shape == (0, 224, 224)


@pytest.mark.parametrize("level", [0, 1, 127, 255])
def test_a_constant_image_stays_constant(level: int) -> None:
    assert (resize_bilinear(np.full((1, 48, 48), level, np.uint8), (224, 224)) == level).all()


def test_the_given_images_are_left_alone() -> None:
    images = np.arange(48 * 48, dtype=np.float32).reshape(1, 48, 48)
    before = images.copy()
    resize_bilinear(images, (224, 224))
    assert np.array_equal(images, before)
