"""Whether a count of right answers depends on the machine: what kernels were measured to do to the scores.

The same evaluation is run with other kernels: lesser instruction sets, more threads, another batch size, another
arithmetic. Let delta be the largest difference of any score between the reference run and any of these. On every
machine whose scores lie within delta of the reference run's, an image is surely right if its label's score is more
than 2 delta above all others, and surely wrong if another score is more than 2 delta above its label's. The rest
is undecided, and gives the interval of counts. A count without undecided images is certified.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from repro.schema import Frozen


class VariedRun(Frozen):
    """The same evaluation with something changed that should not matter.

    Attributes:
        varied: what was changed.
        correct: its count of right answers.
        changed: how many predictions are not those of the reference run.
        largest_difference: of any score.
        sentence: where the bits part first.
    """

    varied: str
    correct: int
    changed: int
    largest_difference: float
    sentence: str = ""


class Certificate(Frozen):
    """What the varied runs say about a count.

    Attributes:
        runs: what was measured; without any, nothing is certified.
        largest_difference: delta, the largest of all.
        smallest_margin: the smallest distance between the two highest scores of an image.
        undecided: how many images a machine within delta may answer either way.
        counts: the least and the greatest count that such a machine can give.
        certified: whether these are one.
    """

    runs: tuple[VariedRun, ...]
    largest_difference: float
    smallest_margin: float
    undecided: int
    counts: tuple[int, int]
    certified: bool

    def sentence(self) -> str:
        """Return the certificate as one sentence."""
        kernels = f"{len(self.runs)} other runs ({', '.join(run.varied for run in self.runs)})"
        if self.certified:
            return (
                f"certified: scores moved by at most {self.largest_difference:.2g} over {kernels}, "
                "which no answer hangs on"
            )
        return (
            f"not certified: scores moved by up to {self.largest_difference:.2g} over {kernels}, and {self.undecided} "
            f"answers hang on less; {self.counts[0]} to {self.counts[1]} are possible"
        )


def certify(scores: np.ndarray, labels: np.ndarray, others: Mapping[str, np.ndarray]) -> Certificate:
    """Return the certificate of a count.

    Args:
        scores: of the reference run, (n, classes), finite.
        labels: (n,), integers.
        others: the scores of each varied run, by what was varied; same shape.

    Raises:
        ValueError: there is no other run, or one has another shape.
    """
    if not others:
        raise ValueError("a certificate needs at least one other run")
    for varied, other in others.items():
        if other.shape != scores.shape:
            raise ValueError(f"{varied}: expected scores of shape {scores.shape}, got {other.shape}")
    reference = scores.astype(np.float64)
    predictions = scores.argmax(axis=1)
    runs = tuple(_run(varied, reference, predictions, other, labels) for varied, other in others.items())
    delta = max(run.largest_difference for run in runs)
    own = np.take_along_axis(reference, labels[:, np.newaxis], axis=1)[:, 0]
    rest = reference.copy()
    np.put_along_axis(rest, labels[:, np.newaxis], -np.inf, axis=1)
    lead = own - rest.max(axis=1)
    right = predictions == labels
    # Without any difference the other machines' scores are these very ones, ties and all.
    undecided = (np.abs(lead) <= 2 * delta) & (delta > 0)
    low, high = int((right & ~undecided).sum()), int((right | undecided).sum())
    two = np.sort(reference, axis=1)[:, -2:]
    return Certificate(
        runs=runs,
        largest_difference=delta,
        smallest_margin=float((two[:, 1] - two[:, 0]).min()),
        undecided=int(undecided.sum()),
        counts=(low, high),
        certified=low == high,
    )


def _run(
    varied: str, reference: np.ndarray, predictions: np.ndarray, other: np.ndarray, labels: np.ndarray
) -> VariedRun:
    answers = other.argmax(axis=1)
    difference = float(np.abs(other.astype(np.float64) - reference).max())
    return VariedRun(
        varied=varied,
        correct=int((answers == labels).sum()),
        changed=int((answers != predictions).sum()),
        # a difference of two float32 values may round down in float64
        largest_difference=math.nextafter(difference, math.inf) if difference else 0.0,
    )
