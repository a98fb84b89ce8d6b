"""A certificate holds for every machine within the measured difference, and for no count outside its interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.compare.certificate import certify

LABELS = np.array([0, 1, 2])
SCORES = np.array([[0.9, 0.05, 0.05], [0.2, 0.5, 0.3], [0.4, 0.1, 0.39]], np.float32)


def moved(by: float) -> np.ndarray:
    return SCORES + np.float32(by) * np.array([[1, -1, 1]], np.float32)


def test_a_count_that_no_answer_hangs_on_is_certified() -> None:
    certificate = certify(SCORES, LABELS, {"two threads": moved(0.001)})
    assert certificate.certified
    assert certificate.counts == (2, 2)
    assert certificate.undecided == 0
    assert certificate.largest_difference == pytest.approx(0.001, rel=1e-4)
    assert certificate.smallest_margin == pytest.approx(0.01, rel=1e-4)
    assert certificate.sentence().startswith("certified")


def test_an_answer_within_twice_the_difference_is_undecided() -> None:
    certificate = certify(SCORES, LABELS, {"two threads": moved(0.001), "baseline": moved(0.006)})
    assert not certificate.certified
    assert (certificate.undecided, certificate.counts) == (1, (2, 3))
    assert "2 to 3 are possible" in certificate.sentence()


def test_equal_scores_certify_even_a_tie() -> None:
    tied = np.array([[0.5, 0.5]], np.float32)
    assert certify(tied, np.array([0]), {"again": tied.copy()}).counts == (1, 1)
    assert certify(tied, np.array([1]), {"again": tied.copy()}).counts == (0, 0)
    assert certify(tied, np.array([0]), {"moved": tied + np.float32(1e-7)}).counts == (0, 1)


def test_changed_answers_are_counted() -> None:
    other = SCORES.copy()
    other[2] = [0.1, 0.1, 0.8]
    run = certify(SCORES, LABELS, {"other": other}).runs[0]
    assert (run.correct, run.changed) == (3, 1)


def test_what_cannot_be_certified_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one other run"):
        certify(SCORES, LABELS, {})
    with pytest.raises(ValueError, match="shape"):
        certify(SCORES, LABELS, {"other": SCORES[:2]})


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.floats(1e-6, 0.3))
def test_no_machine_within_the_difference_leaves_the_interval(seed: int, n: int, delta: float) -> None:
    random = np.random.default_rng(seed)
    scores = random.random((n, 4), np.float32)
    labels = random.integers(0, 4, n)
    noise = random.uniform(-delta, delta, scores.shape)
    other = (scores + noise).astype(np.float32)
    certificate = certify(scores, labels, {"other": other})
    low, high = certificate.counts
    assert low <= certificate.runs[0].correct <= high
    for _ in range(20):
        machine = scores + random.uniform(-1, 1, scores.shape) * certificate.largest_difference
        assert low <= int((machine.argmax(axis=1) == labels).sum()) <= high
