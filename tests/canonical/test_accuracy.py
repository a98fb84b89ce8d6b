"""Canonical scores and gradients of every torch model lie near those of float64."""

from __future__ import annotations

import pytest

from tests.canonical.accuracy import measure, torch_models

SCORES = 2.0**-13
"""Sixteen times a rounding to 20 bits, which one outlier in a scale group may cost."""

FACTOR = 128
"""What a score may cost beside native where the network itself magnifies errors: 23 bits become 20, and outliers."""

GRADIENT = 0.03
"""Rectifiers and maxima switch where two values are nearly equal, natively too; a wrong gradient is off by its size."""


@pytest.mark.slow
@pytest.mark.parametrize("name", torch_models())
def test_scores_and_gradients_are_those_of_float64(name: str) -> None:
    errors = measure(name)
    assert errors.canonical_scores < max(SCORES, FACTOR * errors.native_scores)
    assert errors.canonical_gradient < max(GRADIENT, 2 * errors.native_gradient)


def test_deep_emotion_is_near_float64() -> None:
    errors = measure("deep-emotion/deep_emotion")
    assert errors.native_scores < errors.canonical_scores < SCORES
    assert errors.canonical_gradient < GRADIENT
