"""Precision, recall, F1 and their means, next to scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, precision_recall_fscore_support

from repro.compare.class_scores import ClassMeans, class_scores
from repro.stages.counting import among_first, confusion_matrix

ANSWERS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


@given(ANSWERS)
def test_scores_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    labels, answers = np.array(pairs).T
    scores = class_scores(confusion_matrix(answers, labels, 5), ("a", "b", "c", "d"))
    assert [score.name for score in scores] == ["a", "b", "c", "d", "output 4"]
    theirs = precision_recall_fscore_support(labels, answers, labels=range(5), zero_division=math.nan)
    for name, values in zip(("precision", "recall", "f1"), theirs, strict=False):
        ours = [getattr(score, name) for score in scores]
        np.testing.assert_allclose([math.nan if value is None else value for value in ours], values, rtol=1e-12)
    present = np.unique(labels)
    expected = precision_recall_fscore_support(labels, answers, labels=present, average="macro", zero_division=0)
    means = ClassMeans.of(scores)
    assert (means.precision, means.recall, means.f1) == pytest.approx(expected[:3], rel=1e-12)
    assert means.classes == len(present)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_mean_recall_is_the_mean_class_accuracy() -> None:
    labels, answers = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 0, 1, 1, 3, 2])
    scores = class_scores(confusion_matrix(answers, labels, 4), "abcd")
    assert ClassMeans.of(scores).recall == pytest.approx(balanced_accuracy_score(labels, answers))


def test_an_image_is_among_the_first_places_where_fewer_classes_score_higher() -> None:
    scores = np.array([[5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5], [1, 1, 1, 1, 1, 1]], np.float32)
    assert among_first(scores, np.array([4, 0, 5]), 5).tolist() == [True, False, True]
    assert among_first(scores, np.array([0, 5, 3]), 1).tolist() == [True, True, True]
