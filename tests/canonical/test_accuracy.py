"""Canonical scores and gradients of every torch model lie near those of float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from repro.registry import find_model
from repro.trace.keyed import keyed_image
from tests.canonical.accuracy import BATCH, measure, torch_models

SCORES = 2.0**-13
"""Sixteen times a rounding to 20 bits, which one outlier in a scale group may cost."""

FACTOR = 128
"""What an error may be beside native's where the network itself magnifies errors: 23 bits become 20, and outliers.

Gradients are compared with float64 ones of the same decisions. Without, one switched maximum or rectifier costs
percents, natively too, so that there a bound would be one on the network and not on the arithmetic."""


@pytest.mark.slow
@pytest.mark.parametrize("name", torch_models())
def test_scores_and_gradients_are_those_of_float64(name: str) -> None:
    errors = measure(name)
    assert errors.canonical_scores < max(SCORES, FACTOR * errors.native_scores)
    assert errors.canonical_decided < max(SCORES, FACTOR * errors.native_decided)


def test_deep_emotion_is_near_float64() -> None:
    errors = measure("deep-emotion/deep_emotion")
    assert errors.native_scores < errors.canonical_scores < SCORES
    assert errors.canonical_gradient < SCORES  # nothing switches


@pytest.mark.parametrize("draw", ["decisions 1", "decisions 2", "decisions 4"])
def test_with_the_same_decisions_a_gradient_is_near_float64_under_noise_too(draw: str) -> None:
    """Somewhere in these images float64 takes another maximum, rectifier or cell, and its gradient is percents away."""
    _, model = find_model("deep-emotion/deep_emotion")
    noise = keyed_image((BATCH, *model.input_shape), draw)
    images = noise * np.float32(model.contract_scale) + np.float32(model.contract_shift)
    errors = measure("deep-emotion/deep_emotion", torch.from_numpy(images))
    assert errors.canonical_gradient > 0.01
    assert errors.canonical_decided < 1e-3
