"""Near duplicates against every pair compared the plain way."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.stages.duplicates import NEAR_BOXES, near_pairs, thumbnail


def plain(images, levels):
    """Return the pairs as the definition reads, box after box."""
    count, height, width = images.shape
    rows = [range(i * height // NEAR_BOXES, (i + 1) * height // NEAR_BOXES) for i in range(NEAR_BOXES)]
    columns = [range(i * width // NEAR_BOXES, (i + 1) * width // NEAR_BOXES) for i in range(NEAR_BOXES)]
    sums = [[int(image[np.ix_(row, column)].sum()) for row in rows for column in columns] for image in images]
    found = []
    for one, other in combinations(range(count), 2):
        distance = sum(abs(a - b) for a, b in zip(sums[one], sums[other], strict=True))
        if distance <= levels * height * width:
            found.append((one, other, distance))
    return found


@given(st.integers(0, 2**32), st.sampled_from([(48, 48), (12, 12), (30, 17)]), st.integers(0, 12))
@settings(max_examples=25, deadline=None)
def test_the_pairs_are_those_of_the_definition(seed, shape, levels):
    generator = np.random.default_rng(seed)
    base = generator.integers(0, 256, (3, *shape))
    noise = generator.integers(-20, 21, (12, *shape)) * generator.integers(0, 3, (12, 1, 1))
    images = np.clip(base[generator.integers(0, 3, 12)] + noise, 0, 255).astype(np.uint8)
    assert [tuple(pair) for pair in near_pairs(images, levels)] == plain(images, levels)


def test_the_bound_is_part_of_what_is_near():
    images = np.zeros((3, 48, 48), np.uint8)
    images[1] += 8
    images[2] += 9
    images[2, 0, 0] = 8
    assert [pair[:2] for pair in near_pairs(images[:2], 8)] == [(0, 1)]
    assert [pair[:2] for pair in near_pairs(images[[0, 2]], 8)] == []
    assert [pair[:2] for pair in near_pairs(images[[0, 2]], 9)] == [(0, 1)]


def test_more_images_than_are_compared_at_once():
    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (600, 48, 48), dtype=np.uint8)
    images[599] = images[0]
    images[400, 0, 0] = 255 - images[400, 0, 0]
    images[10] = images[400]
    images[10, 5, 5] ^= 1
    assert [pair[:2] for pair in near_pairs(images, 1)] == [(0, 599), (10, 400)]


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_compare(count):
    assert near_pairs(np.zeros((count, 48, 48), np.uint8)) == []


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_a_thumbnail_is_the_mean_of_each_box(seed, height, width):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    small = thumbnail(image)
    assert small.shape == (NEAR_BOXES, NEAR_BOXES)
    grey = np.array([[(299 * r + 587 * g + 114 * b) // 1000 for r, g, b in row] for row in image.tolist()])
    tall, wide = (np.arange(side * -(-NEAR_BOXES // side)) // -(-NEAR_BOXES // side) for side in (height, width))
    grown = grey[np.ix_(tall, wide)]
    rows = [i * len(tall) // NEAR_BOXES for i in range(NEAR_BOXES + 1)]
    columns = [i * len(wide) // NEAR_BOXES for i in range(NEAR_BOXES + 1)]
    for i in range(NEAR_BOXES):
        for j in range(NEAR_BOXES):
            box = grown[rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
            assert small[i, j] == box.sum() // box.size
    assert (thumbnail(np.full((height, width), 7, np.uint8)) == 7).all()
