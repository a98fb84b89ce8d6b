"""What runs of papers' own checks say about the number that such a check compares with."""

from __future__ import annotations

from collections.abc import Iterable

from repro.compare import Judgement
from repro.report.quantities import EMBEDDED
from repro.report.reading import PaperResult, PaperTold, Reading
from repro.schema import Claim, ClaimVerdict

_PAPER = "paper"
_WORST_FIRST = (
    ClaimVerdict.NOT_REPRODUCED,
    ClaimVerdict.REPRODUCED,
    ClaimVerdict.BLOCKED,
    ClaimVerdict.NOT_RUN,
)


def judged_paper(claim: Claim, readings: Iterable[Reading]) -> Judgement | None:
    """Return what the runs of a claim's check say about it, the worst of several; ``None`` where there is none."""
    if claim.protocol != _PAPER:
        return None
    judged = []
    for one in readings:
        protocol = one.parameters.protocol
        names = (one.record.system, one.record.model, protocol and protocol.name)
        if one.parameters.data == EMBEDDED or one.result.blocked is not None:
            continue
        if names == (claim.system, claim.model_name, _PAPER):
            judged.append(_judged(claim, one.as_result(PaperResult).paper))
    return min(judged, key=lambda judgement: _WORST_FIRST.index(judgement.verdict), default=None)


def _judged(claim: Claim, told: PaperTold) -> Judgement:
    if told.value is None:
        verdict, reason = ClaimVerdict.NOT_RUN, f"only {told.steps} of {told.of} steps were run, without STEPS= all are"
    elif told.ulps == 0:
        verdict, reason = ClaimVerdict.REPRODUCED, f"measured {told.value.text}, the same bits"
    else:
        reason = f"measured {told.value.text}, printed {claim.printed}: {told.ulps} ulps apart"
        verdict = ClaimVerdict.NOT_REPRODUCED
        if told.software is not None:
            verdict, reason = ClaimVerdict.BLOCKED, f"{told.software}; {reason}"
        elif told.missing is not None:
            verdict, reason = ClaimVerdict.BLOCKED, f"{told.missing} is not here and weights were keyed; {reason}"
        elif told.profile_differs:
            where = "; ".join(told.profile_differs)
            verdict, reason = ClaimVerdict.BLOCKED, f"the number is that of one machine: {where}; {reason}"
    return Judgement(claim=claim.id, verdict=verdict, reason=reason)
