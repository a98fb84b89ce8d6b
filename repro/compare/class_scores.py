"""Precision, recall and F1 of each class, and their means over the classes: all from counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from repro.schema import Frozen


class ClassScore(Frozen):
    """What an evaluation comes to for one class.

    Attributes:
        name: the class.
        correct: its images that were answered right.
        images: how many images of it there are.
        answers: how many images were said to be of it.
        precision: ``correct / answers``; ``None`` where it was never answered.
        recall: ``correct / images``; ``None`` where there are no images of it.
        f1: their harmonic mean; ``None`` where there are neither images nor answers.
    """

    name: str
    correct: int
    images: int
    answers: int
    precision: float | None
    recall: float | None
    f1: float | None

    @classmethod
    def of(cls, name: str, correct: int, images: int, answers: int) -> ClassScore:
        """Return the scores that these counts give."""
        return cls(
            name=name,
            correct=correct,
            images=images,
            answers=answers,
            precision=_share(correct, answers),
            recall=_share(correct, images),
            f1=_share(2 * correct, images + answers),
        )


class ClassMeans(Frozen):
    """Unweighted means over the classes that have images; what a class lacks counts as 0, as in scikit-learn.

    Attributes:
        classes: how many have images.
        precision, recall, f1: the means. That of recall is the mean class accuracy.
    """

    classes: int
    precision: float
    recall: float
    f1: float

    @classmethod
    def of(cls, scores: Sequence[ClassScore]) -> ClassMeans:
        """Return the means of some classes' scores; at least one has images."""
        present = [score for score in scores if score.images]

        def mean(value: Callable[[ClassScore], float | None]) -> float:
            return sum(value(score) or 0.0 for score in present) / len(present)

        return cls(
            classes=len(present),
            precision=mean(lambda score: score.precision),
            recall=mean(lambda score: score.recall),
            f1=mean(lambda score: score.f1),
        )


def class_scores(confusion: np.ndarray, classes: Sequence[str]) -> tuple[ClassScore, ...]:
    """Return the scores of each class.

    Args:
        confusion: counts; rows are true classes, columns answers.
        classes: their names; an output without a name is told by its number.
    """
    names = [*classes, *(f"output {number}" for number in range(len(classes), len(confusion)))]
    counts = zip(np.diagonal(confusion).tolist(), confusion.sum(1).tolist(), confusion.sum(0).tolist(), strict=True)
    return tuple(ClassScore.of(name, *row) for name, row in zip(names, counts, strict=True))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
