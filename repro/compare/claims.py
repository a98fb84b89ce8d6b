"""What a measurement says about a published number."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from repro.compare.counts import (
    Attainability,
    Counts,
    accuracy,
    attainability,
    counts_giving,
    share_text,
    wilson_interval,
)
from repro.schema import Claim, ClaimVerdict, Frozen

NOT_THE_AUTHORS_CODE = "not the authors' code"

_QUANTITIES = {"images": 1, "M": 10**6, "G": 10**9}


class Judgement(Frozen):
    """One claim's verdict and what it rests on.

    Attributes:
        claim: the claim's id.
        attainability: how the print can come from a count, or from the measured quantity; ``None`` where
            there is neither.
        giving: the counts that give the print, as text: ``2671``, ``717..720``, or empty.
        count, n: what was measured; ``n`` is ``None`` for a quantity that is not out of anything.
        accuracy: ``count / n``.
        interval: the 95 % Wilson interval around it.
        reason: one sentence: the numbers behind the verdict, or what is missing.
    """

    claim: str
    verdict: ClaimVerdict
    attainability: Attainability | None = None
    giving: str = ""
    count: int | None = None
    n: int | None = None
    accuracy: float | None = None
    interval: tuple[float, float] | None = None
    reason: str


def claim_counts(claim: Claim) -> Counts | None:
    """Return the counts behind a claim's print, or ``None`` where it stands for none or n is unknown."""
    if claim.n is None or claim.unit is None or not claim.is_count:
        return None
    return counts_giving(claim.value, claim.n, claim.unit, print_format=claim.print_format)


def judge_claim(claim: Claim, correct: int, n: int) -> Judgement:
    """Return what ``correct`` right answers out of ``n`` say about a claim.

    Counts of different n are not compared: such a measurement is of something else, and the verdict is
    ``not run``. A number that the authors' own unpublished code printed is at best ``blocked``.

    Raises:
        ValueError: ``correct`` is no count out of ``n``, or the claim is about no count out of a known n.
    """
    share = accuracy(correct, n)
    counts = claim_counts(claim)
    if counts is None:
        raise ValueError(f"{claim.id}: {claim.metric} {claim.printed} stands for no count out of a known n")
    if counts.attainability is Attainability.UNATTAINABLE:
        verdict = ClaimVerdict.UNATTAINABLE
        reason = f"{_unattainable(claim, counts)}; measured {correct} of {n}"
    elif n != counts.n:
        verdict = ClaimVerdict.NOT_RUN
        reason = f"measured {correct} of {n}, but {claim.printed} is about {counts.n}: not comparable as counts"
    else:
        verdict, reason = _compare(claim, counts, correct)
        if not claim.authors_code:
            verdict, reason = ClaimVerdict.BLOCKED, f"{NOT_THE_AUTHORS_CODE}: {reason}"
    return Judgement(
        claim=claim.id,
        verdict=verdict,
        attainability=counts.attainability,
        giving=_ranges(counts.giving),
        count=correct,
        n=n,
        accuracy=share,
        interval=wilson_interval(correct, n),
        reason=reason,
    )


def judge_quantity(claim: Claim, measured: int) -> Judgement:
    """Return what an exact number, such as one of parameters, says about a claim.

    Args:
        claim: a claim in images, M (10⁶) or G (10⁹).
        measured: the number in units of one.

    Raises:
        ValueError: the claim has another unit, or is a share of n.
    """
    if claim.is_count or claim.unit not in _QUANTITIES:
        raise ValueError(f"{claim.id}: {claim.metric} in {claim.unit} is no exact number")
    relation = attainability(claim.value, Fraction(measured, _QUANTITIES[claim.unit]))
    tail = {
        Attainability.ATTAINABLE: "which rounds to it",
        Attainability.TIE: "an exact tie",
        Attainability.CUT_ONLY: "which gives it only cut, not rounded",
        Attainability.UNATTAINABLE: "which does not give it",
    }[relation]
    reproduced = relation is not Attainability.UNATTAINABLE
    verdict = ClaimVerdict.REPRODUCED if reproduced else ClaimVerdict.NOT_REPRODUCED
    reason = f"printed {claim.printed}, measured {measured}, {tail}"
    if not claim.authors_code:
        verdict, reason = ClaimVerdict.BLOCKED, f"{NOT_THE_AUTHORS_CODE}: {reason}"
    return Judgement(claim=claim.id, verdict=verdict, attainability=relation, count=measured, reason=reason)


def blocked(claim: Claim, missing: str) -> Judgement:
    """Return the judgement of a claim that could not be measured, with what is missing.

    A print that no count gives is ``unattainable`` all the same: that needs no measurement.
    """
    return _unmeasured(claim, ClaimVerdict.BLOCKED, missing)


def not_run(claim: Claim) -> Judgement:
    """Return the judgement of a claim that nobody has measured here.

    It is ``unattainable`` or ``blocked`` where the claim itself says so.
    """
    if not claim.authors_code:
        return blocked(claim, f"{NOT_THE_AUTHORS_CODE}: the code that printed {claim.printed} is not published")
    if claim.missing is not None:
        return blocked(claim, claim.missing)
    if claim.protocol is None:
        return _unmeasured(claim, ClaimVerdict.NOT_RUN, "no protocol here measures it")
    return _unmeasured(claim, ClaimVerdict.NOT_RUN, f"protocol {claim.protocol} was not run")


def _unmeasured(claim: Claim, verdict: ClaimVerdict, reason: str) -> Judgement:
    counts = claim_counts(claim)
    if counts is None:
        return Judgement(claim=claim.id, verdict=verdict, reason=reason)
    if counts.attainability is Attainability.UNATTAINABLE:
        verdict, reason = ClaimVerdict.UNATTAINABLE, _unattainable(claim, counts)
    elif how := _how(counts, counts.giving[0]):
        reason += f"; printed {claim.printed} is {_ranges(counts.giving)} of {counts.n}{how}"
    return Judgement(
        claim=claim.id,
        verdict=verdict,
        attainability=counts.attainability,
        giving=_ranges(counts.giving),
        reason=reason,
    )


def _compare(claim: Claim, counts: Counts, correct: int) -> tuple[ClaimVerdict, str]:
    measured = f"{correct} of {counts.n} is {_share(counts, correct)}"
    if correct in counts.giving:
        return ClaimVerdict.REPRODUCED, f"{measured}; printed {claim.printed}{_how(counts, correct)}"
    low, high = wilson_interval(correct, counts.n)
    inside = any(low <= count / counts.n <= high for count in counts.giving)
    away = min(abs(count - correct) for count in counts.giving)
    verdict = ClaimVerdict.CLOSE if inside else ClaimVerdict.NOT_REPRODUCED
    return verdict, (
        f"{measured}; printed {claim.printed} is {_ranges(counts.giving)}{_how(counts, counts.giving[0])}, "
        f"{away} away, {'inside' if inside else 'outside'} "
        f"the 95 % interval {100 * low:.2f} to {100 * high:.2f} %"
    )


def _how(counts: Counts, count: int) -> str:
    if count in counts.tied:
        return f" (an exact tie: only rounded {' or '.join(counts.tie_rules(count))})"
    return " (only cut, not rounded)" if counts.attainability is Attainability.CUT_ONLY else ""


def _unattainable(claim: Claim, counts: Counts) -> str:
    near = ", ".join(f"{count} is {_share(counts, count)}" for count in counts.nearest)
    return f"no count of {counts.n} gives {claim.printed}, rounded or cut: {near}"


def _share(counts: Counts, count: int) -> str:
    unit = "fraction" if counts.unit == "fraction" else "%"
    return share_text(count, counts.n, unit) + (" %" if unit == "%" else "")


def _ranges(counts: Sequence[int]) -> str:
    """Return counts without gaps as ``first..last``."""
    if not counts:
        return ""
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]}..{counts[-1]}"
