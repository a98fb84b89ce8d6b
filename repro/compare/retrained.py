"""What several trainings with different seeds say about a published number.

A published number is one more draw from what training gives, if the training is the same. So it is held against the
prediction interval for one more draw: mean ± t * s * sqrt(1 + 1/n), with Student's t of n - 1 degrees of freedom.

The rule: inside the 95 % interval ``reproduced``; outside it and inside the 99 % interval ``close``; outside both ``not
reproduced``. Fewer than three seeds, or a training that is not as published, are ``not judged``. A seed whose numbers
ceased to be finite has no count: it is told of, and not among the seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from statistics import fmean, stdev

from repro.compare.claims import NOT_THE_AUTHORS_CODE, claim_counts
from repro.schema import Claim, Frozen, TrainingVerdict

LEAST_SEEDS = 3
LEVEL, CLOSE_LEVEL = 0.95, 0.99


class Spread(Frozen):
    """What several seeds gave.

    Attributes:
        counts: right answers, one a seed; for a random protocol the mean over its own seeds.
        interval: 95 % prediction interval for one more seed's share; ``None`` for fewer than two seeds.
        close: the 99 % one.
    """

    counts: tuple[float, ...]
    n: int
    mean: float
    deviation: float | None = None
    interval: tuple[float, float] | None = None
    close: tuple[float, float] | None = None


class TrainingJudgement(Frozen):
    """One claim's verdict from trainings, and the sentence behind it."""

    claim: str
    verdict: TrainingVerdict
    reason: str


def spread_of(counts: Sequence[float], n: int) -> Spread:
    """Return mean, standard deviation (n - 1) and prediction intervals of the shares ``count / n``."""
    shares = [count / n for count in counts]
    mean = fmean(shares)
    if len(shares) < 2:
        return Spread(counts=tuple(counts), n=n, mean=mean)
    deviation = stdev(shares)
    return Spread(
        counts=tuple(counts),
        n=n,
        mean=mean,
        deviation=deviation,
        interval=_of_shares(prediction_interval(mean, deviation, len(shares), LEVEL)),
        close=_of_shares(prediction_interval(mean, deviation, len(shares), CLOSE_LEVEL)),
    )


def _of_shares(interval: tuple[float, float]) -> tuple[float, float]:
    """Return what of an interval shares can be."""
    return max(0.0, interval[0]), min(1.0, interval[1])


def prediction_interval(mean: float, deviation: float, count: int, level: float) -> tuple[float, float]:
    """Return where one more normal draw lies with the given probability, ``count`` being seen, cut to 0..1."""
    from scipy.special import stdtrit

    half = float(stdtrit(count - 1, (1 + level) / 2)) * deviation * math.sqrt(1 + 1 / count)
    return max(0.0, mean - half), min(1.0, mean + half)


def judge_training(
    claim: Claim, spread: Spread, modified: Sequence[str], failed: Sequence[int] = ()
) -> TrainingJudgement:
    """Judge a claim by the rule of this module.

    Args:
        claim: about a count out of a known n.
        spread: of the published selection, by the claim's protocol and split.
        modified: how the training differs from the published one; nothing where it does not.
        failed: seeds that came to no end.
    """
    verdict, reason = _judged(claim, spread, modified, failed)
    return TrainingJudgement(claim=claim.id, verdict=verdict, reason=reason)


def _judged(
    claim: Claim, spread: Spread, modified: Sequence[str], failed: Sequence[int]
) -> tuple[TrainingVerdict, str]:
    seeds = len(spread.counts)
    told = f"{seeds} seed{'' if seeds == 1 else 's'}: mean {100 * spread.mean:.2f} %"
    if spread.interval is not None:
        low, high = spread.interval
        told += f", 95 % prediction interval {100 * low:.2f} to {100 * high:.2f} %"
    told = f"printed {claim.printed}; {told}" + "".join(f"; seed {seed} failed" for seed in failed)
    if modified:
        return TrainingVerdict.MODIFIED, f"{told}; not the published training: {'; '.join(modified)}"
    if claim_counts(claim) is None:
        return TrainingVerdict.NOT_JUDGED, f"{told}; {claim.metric} {claim.printed} is no count of a known n"
    if claim.n != spread.n:
        return TrainingVerdict.NOT_JUDGED, f"{told}; the claim is about {claim.n} images, these are {spread.n}"
    if not claim.authors_code:
        return TrainingVerdict.NOT_JUDGED, f"{told}; {NOT_THE_AUTHORS_CODE}"
    if seeds < LEAST_SEEDS or spread.interval is None or spread.close is None:
        return TrainingVerdict.NOT_JUDGED, f"{told}; fewer than {LEAST_SEEDS} seeds"
    share = float(Fraction(claim.value) / (100 if claim.unit == "%" else 1))
    if claim.unit == "images":
        share = float(Fraction(claim.value) / spread.n)
    if _inside(share, spread.interval):
        return TrainingVerdict.REPRODUCED, told
    if _inside(share, spread.close):
        return TrainingVerdict.CLOSE, f"{told}, inside the 99 % one"
    return TrainingVerdict.NOT_REPRODUCED, f"{told}, outside the 99 % one too"


def _inside(value: float, interval: tuple[float, float]) -> bool:
    return interval[0] <= value <= interval[1]
