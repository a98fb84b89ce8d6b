"""The stated rule for claims about trainings."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.compare.retrained import judge_training, prediction_interval, spread_of
from repro.schema import TrainingVerdict
from tests.report import made

N = 3589
CLOSE_TO = [2660, 2671, 2682]  # mean 2671, s 11


def _verdict(value: str, counts: list[int], *modified: str, **fields: object) -> TrainingVerdict:
    return judge_training(made.claim(value, **fields), spread_of(counts, N), modified).verdict


def test_the_interval_is_students() -> None:
    # Table of t: 4.303 (2 degrees of freedom, 95 %), 9.925 (99 %).
    for level, quantile in ((0.95, 4.30265), (0.99, 9.92484)):
        low, high = prediction_interval(0.5, 0.01, 3, level)
        assert math.isclose(high - 0.5, quantile * 0.01 * math.sqrt(4 / 3), rel_tol=1e-5)
        assert math.isclose(low + high, 1.0)
    assert prediction_interval(0.5, 0.1, 3, 0.99) == (0.0, 1.0)  # it would reach beyond what a share can be


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ("74.42", TrainingVerdict.REPRODUCED),
        ("75.91", TrainingVerdict.REPRODUCED),  # the 95 % interval ends at 75.95
        ("75.97", TrainingVerdict.CLOSE),
        ("77.93", TrainingVerdict.CLOSE),  # the 99 % one at 77.93...
        ("78.00", TrainingVerdict.NOT_REPRODUCED),
        ("70.00", TrainingVerdict.NOT_REPRODUCED),
    ],
)
def test_a_claim_is_held_against_the_prediction_interval(value: str, verdict: TrainingVerdict) -> None:
    assert _verdict(value, CLOSE_TO) is verdict


def test_too_few_seeds_and_other_trainings_are_not_judged() -> None:
    assert _verdict("74.42", CLOSE_TO[:2]) is TrainingVerdict.NOT_JUDGED
    assert _verdict("74.42", CLOSE_TO, "epochs 3 instead of 100") is TrainingVerdict.MODIFIED
    assert _verdict("74.42", CLOSE_TO, n=1000) is TrainingVerdict.NOT_JUDGED
    assert _verdict("74.42", CLOSE_TO, authors_code=False) is TrainingVerdict.NOT_JUDGED


def test_the_sentence_says_what_the_verdict_rests_on() -> None:
    judged = judge_training(made.claim(), spread_of(CLOSE_TO, N), ("batch 3 instead of 4",))
    assert "3 seeds: mean 74.42 %, 95 % prediction interval" in judged.reason
    assert "batch 3 instead of 4" in judged.reason


@given(st.lists(st.integers(0, N), min_size=3, max_size=9))
def test_the_mean_is_always_reproduced(counts: list[int]) -> None:
    spread = spread_of(counts, N)
    assert spread.interval is not None
    assert spread.close is not None
    assert spread.close[0] <= spread.interval[0] <= spread.mean <= spread.interval[1] <= spread.close[1]
