"""Exact numbers that records hold beside counts of right answers: images of a data set, parameters of a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from repro.compare import Judgement, judge_quantity
from repro.report.reading import EtlResult, ProbeResult, Reading
from repro.schema import Claim, ClaimVerdict, Frozen

EMBEDDED = "embedded"
"""The data set that comes with the harness: no number was ever published on it."""

NUMBER_OF_IMAGES, PARAMETERS, OPERATIONS = "number of images", "parameters", "FLOPs"


class Quantity(Frozen):
    """One number.

    Attributes:
        metric: as claims call it.
        system, model: whose it is; ``None`` of a data set.
        split: the part of the data set.
        how: what was counted.
        per_class: the images of each class, in the order of the labels.
    """

    metric: str
    system: str | None = None
    model: str | None = None
    split: str | None = None
    value: int
    how: str
    per_class: tuple[int, ...] | None = None


def quantities(readings: Iterable[Reading]) -> tuple[Quantity, ...]:
    """Return the numbers that records hold, in the records' order."""
    return tuple(one for reading in readings for one in _of(reading))


def judged_quantity(claim: Claim, found: Sequence[Quantity]) -> Judgement | None:
    """Return what the numbers say about a claim: the first that gives it, else the first; ``None`` where none is its.

    A model's parameters and operations can be counted in several ways. A print that one of them gives is reproduced
    by that one, and the reason says by which.
    """
    own = [one for one in found if _measures(one, claim)]
    judged = [_judged(claim, one) for one in own]
    giving = [one for one in judged if one.verdict is ClaimVerdict.REPRODUCED]
    return next(iter(giving or judged), None)


def _measures(one: Quantity, claim: Claim) -> bool:
    if one.metric != claim.metric:
        return False
    if one.metric == NUMBER_OF_IMAGES:
        return one.split == claim.split
    return (one.system, one.model) == (claim.system, claim.model_name)


def _judged(claim: Claim, one: Quantity) -> Judgement:
    judgement = judge_quantity(claim, one.value)
    reason = f"{judgement.reason} ({one.how})"
    if claim.per_class is None or one.per_class is None:
        return judgement.model_copy(update={"reason": reason})
    if one.per_class == claim.per_class:
        return judgement.model_copy(update={"reason": f"{reason}, and so is each class"})
    listed = " and ".join(", ".join(map(str, counts)) for counts in (claim.per_class, one.per_class))
    told = {"verdict": ClaimVerdict.NOT_REPRODUCED, "reason": f"{reason}; printed and measured per class: {listed}"}
    return judgement.model_copy(update=told)


def _of(one: Reading) -> Iterator[Quantity]:
    if one.result.blocked is not None:
        return
    if one.record.stage == "etl" and one.parameters.data != EMBEDDED:
        told = one.as_result(EtlResult)
        for usage, counts in told.counts.items():
            per_class = tuple(counts.values())
            if sum(per_class):
                yield Quantity(
                    metric=NUMBER_OF_IMAGES,
                    split=usage,
                    value=sum(per_class),
                    how=f"{one.parameters.data}: {told.edition}",
                    per_class=per_class,
                )
    if one.record.stage == "check-rep":
        system, model = one.record.system, one.record.model
        for metric, counted in one.as_result(ProbeResult).counted.items():
            for how, value in counted.items():
                yield Quantity(metric=metric, system=system, model=model, value=value, how=f"counting {how}")
