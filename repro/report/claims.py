"""Which measurement says what about which published number.

A number belongs to a checkpoint and a protocol. Only a measurement of that checkpoint by that protocol gives
the claim its verdict; every other measurement of the same model and split stands beside it, and if it is of
another checkpoint, without a verdict. That a checkpoint is the published one is known from a fetch record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from repro.compare import Judgement, judge_claim, not_run
from repro.report.model import ClaimMeasurement, ClaimRow, Measurement
from repro.report.quantities import EMBEDDED, OPERATIONS, PARAMETERS
from repro.schema import Claim, ClaimVerdict, Defect, System
from repro.schema.claim import COUNT_METRIC

_TOP5 = "top-5 accuracy"
_COUNTED = {"top-1 accuracy", _TOP5, COUNT_METRIC}
"""What an evaluation's counts of right answers measure."""

_RECALL = "recall"
"""What its confusion matrix measures."""

_WORST_FIRST = (
    ClaimVerdict.NOT_REPRODUCED,
    ClaimVerdict.CLOSE,
    ClaimVerdict.REPRODUCED,
    ClaimVerdict.UNATTAINABLE,
    ClaimVerdict.BLOCKED,
)


def claim_rows(
    claims: Iterable[Claim],
    measurements: Sequence[Measurement],
    defects: Sequence[Defect],
    systems: Iterable[System],
    missing: Mapping[str, str] | None = None,
    judged: Mapping[str, Judgement] | None = None,
) -> tuple[ClaimRow, ...]:
    """Return a row for every claim: by system, then in the given order, which is that of the published tables.

    Args:
        measurements: in the order in which they are to be shown.
        systems: declarations, for the defects that a protocol keeps or mends.
        missing: artifacts that could not be fetched, with the reason and the next step.
        judged: of claims that are about no count of right answers, by id.
    """
    declared = {system.name: system for system in systems}
    rows = [
        _row(
            claim,
            measurements,
            defects,
            declared.get(claim.system),
            (judged or {}).get(claim.id) or _judged(claim, _beside_it(claim, measurements), missing or {}),
        )
        for claim in claims
    ]
    return tuple(sorted(rows, key=lambda row: row.system))


def _row(
    claim: Claim,
    measurements: Sequence[Measurement],
    defects: Sequence[Defect],
    system: System | None,
    judgement: Judgement,
) -> ClaimRow:
    beside = _beside_it(claim, measurements)
    return ClaimRow(
        **claim.model_dump(include=_COPIED),
        printed=claim.printed,
        giving=judgement.giving,
        attainability=judgement.attainability,
        verdict=judgement.verdict,
        correct=judgement.count,
        reason=judgement.reason,
        defects=_touching(claim, [one for one, _ in beside], defects, system),
        measurements=tuple(_beside(claim, one, judged) for one, judged in beside),
    )


_COPIED = {
    *("id", "system", "model", "model_name", "dataset", "split", "metric", "n", "protocol", "artifact"),
    *("authors_code", "source", "kind", "note"),
}


def _beside_it(claim: Claim, measurements: Sequence[Measurement]) -> list[tuple[Measurement, Judgement]]:
    """Return the measurements that can stand beside a claim, its own protocol and checkpoint first."""
    beside = [(one, judge_claim(claim, *_share(one, claim))) for one in measurements if _measures(one, claim)]
    return sorted(beside, key=lambda pair: (pair[0].protocol != claim.protocol, not _published(pair[0], claim)))


def _share(one: Measurement, claim: Claim) -> tuple[int, int]:
    """Return the right answers of what a claim counts, and out of how many: all images, or those of its class."""
    if claim.class_index is None:
        return (one.top5_correct or 0) if _metric(claim) == _TOP5 else one.correct, one.n
    row = one.confusion[claim.class_index]
    return row[claim.class_index], sum(row)


def _metric(claim: Claim) -> str:
    return claim.metric.partition(" (")[0]


def _is_counted(claim: Claim) -> bool:
    metric = _metric(claim)
    return claim.is_count and (metric in _COUNTED or (metric == _RECALL and claim.class_index is not None))


def _measures(one: Measurement, claim: Claim) -> bool:
    return (
        _is_counted(claim)
        and one.data != EMBEDDED
        and (one.system, one.model, one.split) == (claim.system, claim.model_name, claim.split_name)
        and (claim.class_index is None or claim.class_index < len(one.confusion))
        and (_metric(claim) != _TOP5 or one.top5_correct is not None)
    )


def _published(one: Measurement, claim: Claim) -> bool:
    return claim.artifact is not None and claim.artifact in one.artifacts


def _judged(claim: Claim, beside: Sequence[tuple[Measurement, Judgement]], missing: Mapping[str, str]) -> Judgement:
    """Return the claim's own judgement: the worst among measurements of just what it is about."""
    own = [
        judged.model_copy(update={"reason": judged.reason + _over_seeds(one)})
        for one, judged in beside
        if one.protocol == claim.protocol and (_published(one, claim) or not claim.authors_code)
    ]
    comparable = [judged for judged in own if judged.verdict is not ClaimVerdict.NOT_RUN]
    if comparable:
        return min(comparable, key=lambda judged: _WORST_FIRST.index(judged.verdict))
    unmeasured = not_run(claim)
    if unmeasured.verdict is not ClaimVerdict.NOT_RUN:
        return unmeasured
    if own:
        return own[0]
    if reason := missing.get(claim.artifact or ""):
        return unmeasured.model_copy(update={"verdict": ClaimVerdict.BLOCKED, "reason": reason})
    reason = unmeasured.reason
    if beside and claim.artifact is None:
        reason = "measured on other checkpoints only: it does not say to which one it belongs"
    elif beside:
        reason = f"not measured by protocol {claim.protocol} on {claim.artifact}, to which it belongs"
    elif claim.metric in (PARAMETERS, OPERATIONS) and claim.model_name is not None:
        reason = f"nobody has counted them here: repro check-rep --system {claim.system} --model {claim.model_name}"
    elif not claim.is_count:
        reason = f"no count of right answers, but {claim.metric}: {reason}"
    elif claim.protocol is not None and not _is_counted(claim):
        reason = f"evaluations here count right answers over all classes, not {claim.metric}"
    return unmeasured.model_copy(update={"reason": reason})


def _beside(claim: Claim, one: Measurement, judged: Judgement) -> ClaimMeasurement:
    published = _published(one, claim)
    correct, n = _share(one, claim)
    return ClaimMeasurement(
        protocol=one.protocol,
        checkpoint=one.checkpoint,
        published=published,
        correct=correct,
        n=n,
        verdict=judged.verdict if published else None,
        reason=judged.reason + _over_seeds(one),
        record=one.record,
    )


def _over_seeds(one: Measurement) -> str:
    if one.spread is None:
        return ""
    return f"; {one.spread.minimum} to {one.spread.maximum} over {one.spread.runs} seeds"


def _touching(
    claim: Claim, beside: Sequence[Measurement], defects: Sequence[Defect], system: System | None
) -> tuple[str, ...]:
    """Return ids of defects: of the data set, of the protocol, named by the claim, or naming its number."""
    named = {defect for one in beside if one.protocol == claim.protocol for defect in (*one.keeps, *one.mends)}
    for protocol in system.protocols if system is not None else ():
        if protocol.name == claim.protocol:
            named |= {*protocol.keeps, *protocol.mends}
    named |= set(re.findall(r"\b[A-Z]+-[A-Z0-9]+\b", claim.note))
    dataset = (claim.dataset or "").lower()
    return tuple(
        defect.id
        for defect in defects
        if defect.system == dataset
        or (defect.system == claim.system and (defect.id in named or _names(defect, claim.value)))
    )


def _names(defect: Defect, printed: str) -> bool:
    """Whether a defect's text has the number; one without a decimal point is too common to tell."""
    pattern = rf"(?<![0-9.]){re.escape(printed)}(?!\.?[0-9])"
    return "." in printed and re.search(pattern, f"{defect.title} {defect.summary}") is not None
