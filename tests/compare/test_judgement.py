"""Verdicts on single claims."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.compare.claims import Judgement, blocked, claim_counts, judge_claim, judge_quantity, not_run
from repro.compare.counts import Attainability, wilson_interval
from repro.schema import Claim, ClaimVerdict


def claim(value: str = "74.42", n: int | None = 3589, **fields: Any) -> Claim:
    defaults: dict[str, Any] = {
        "id": "a-claim",
        "system": "a-system",
        "metric": "top-1 accuracy",
        "unit": "%",
        "tta": "false",
        "kind": "upstream",
        "source": "a table",
        "protocol": "as-published",
    }
    return Claim(value=value, n=n, **{**defaults, **fields})


@pytest.mark.parametrize(
    ("value", "n", "correct", "verdict", "reason"),
    [
        (
            "74.42",
            3589,
            2671,
            ClaimVerdict.REPRODUCED,
            "2671 of 3589 is 74.42184 %; printed 74.42 %",
        ),
        (
            "74.42",
            3589,
            2668,
            ClaimVerdict.CLOSE,
            "2668 of 3589 is 74.33826 %; printed 74.42 % is 2671, 3 away, inside the 95 % interval 72.88 to 75.74 %",
        ),
        (
            "74.42",
            3589,
            2300,
            ClaimVerdict.NOT_REPRODUCED,
            "2300 of 3589 is 64.08470 %; printed 74.42 % is 2671, 371 away, outside the 95 % interval 62.50 to 65.64 %",
        ),
        (
            "73.65",
            3589,
            2643,
            ClaimVerdict.UNATTAINABLE,
            "no count of 3589 gives 73.65 %, rounded or cut: 2643 is 73.64168 %, 2644 is 73.66955 %; "
            "measured 2643 of 3589",
        ),
        (
            "73.16",
            3589,
            2626,
            ClaimVerdict.REPRODUCED,
            "2626 of 3589 is 73.16801 %; printed 73.16 % (only cut, not rounded)",
        ),
        (
            "73.16",
            3589,
            2625,
            ClaimVerdict.CLOSE,
            "2625 of 3589 is 73.14015 %; printed 73.16 % is 2626 (only cut, not rounded), 1 away, "
            "inside the 95 % interval 71.67 to 74.56 %",
        ),
        (
            "63.77",
            4000,
            2551,
            ClaimVerdict.REPRODUCED,
            "2551 of 4000 is 63.77500 %; printed 63.77 % (an exact tie: only rounded half down)",
        ),
    ],
)
def test_verdicts(value: str, n: int, correct: int, verdict: ClaimVerdict, reason: str) -> None:
    judgement = judge_claim(claim(value, n), correct, n)
    assert judgement.verdict is verdict
    assert judgement.reason == reason
    assert (judgement.count, judgement.n, judgement.accuracy) == (correct, n, correct / n)
    assert judgement.interval == wilson_interval(correct, n)


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 2))
def test_every_verdict_follows_from_the_counts(correct: int, shown: int, decimals: int) -> None:
    n = 500
    printed = claim(f"{100 * shown / n:.{decimals}f}", n)
    counts = claim_counts(printed)
    assert counts is not None
    judgement = judge_claim(printed, correct, n)
    low, high = wilson_interval(correct, n)
    if not counts.giving:
        expected = ClaimVerdict.UNATTAINABLE
    elif correct in counts.giving:
        expected = ClaimVerdict.REPRODUCED
    elif any(low <= count / n <= high for count in counts.giving):
        expected = ClaimVerdict.CLOSE
    else:
        expected = ClaimVerdict.NOT_REPRODUCED
    assert judgement.verdict is expected
    assert judgement.attainability is counts.attainability
    assert Judgement.model_validate_json(judgement.model_dump_json()) == judgement


def test_counts_of_another_n_are_not_compared() -> None:
    judgement = judge_claim(claim(), 521, 700)
    assert judgement.verdict is ClaimVerdict.NOT_RUN
    assert judgement.reason == ("measured 521 of 700, but 74.42 % is about 3589: not comparable as counts")
    assert judge_claim(claim("73.65"), 521, 700).verdict is ClaimVerdict.UNATTAINABLE


@pytest.mark.parametrize("correct", [2671, 2668, 1000])
def test_other_code_never_reproduces(correct: int) -> None:
    judgement = judge_claim(claim(authors_code=False), correct, 3589)
    assert judgement.verdict is ClaimVerdict.BLOCKED
    assert judgement.reason.startswith(f"not the authors' code: {correct} of 3589 is ")
    assert not_run(claim(authors_code=False)).verdict is ClaimVerdict.BLOCKED


def test_a_count_printed_as_itself() -> None:
    printed = claim("2829", 3068, metric="correctly classified images", unit="images")
    assert judge_claim(printed, 2829, 3068).verdict is ClaimVerdict.REPRODUCED
    close = judge_claim(printed, 2828, 3068)
    assert close.verdict is ClaimVerdict.CLOSE
    assert close.reason.startswith("2828 of 3068 is 92.17731 %; printed 2829 images is 2829, 1 away")


def test_a_recall_is_a_fraction() -> None:
    judgement = judge_claim(claim("0.76", 55, metric="recall", unit="fraction"), 42, 55)
    assert judgement.verdict is ClaimVerdict.REPRODUCED
    assert judgement.reason == "42 of 55 is 0.76364; printed 0.76"


@pytest.mark.parametrize(
    "printed", [claim(n=None), claim("4", None, metric="hours per epoch", unit="h"), claim(metric="loss")]
)
def test_no_count_to_judge(printed: Claim) -> None:
    with pytest.raises(ValueError, match="stands for no count out of a known n"):
        judge_claim(printed, 1, 3589)


def test_unmeasured_claims() -> None:
    assert not_run(claim()).verdict is ClaimVerdict.NOT_RUN
    assert not_run(claim()).reason == "protocol as-published was not run"
    assert not_run(claim(protocol=None)).reason == "no protocol here measures it"
    lost = not_run(claim(missing="the checkpoint is lost"))
    assert (lost.verdict, lost.reason) == (ClaimVerdict.BLOCKED, "the checkpoint is lost")
    missing = blocked(claim(), "no GPU")
    assert (missing.verdict, missing.reason, missing.giving) == (ClaimVerdict.BLOCKED, "no GPU", "2671")
    assert missing.count is None
    assert blocked(claim("73.65"), "no GPU").verdict is ClaimVerdict.UNATTAINABLE


def test_an_unmeasured_print_that_is_only_cut_says_so() -> None:
    judgement = not_run(claim("73.16"))
    assert judgement.attainability is Attainability.CUT_ONLY
    assert judgement.reason.endswith("printed 73.16 % is 2626 of 3589 (only cut, not rounded)")


@pytest.mark.parametrize(
    ("value", "unit", "measured", "verdict", "attainability"),
    [
        ("139.5", "M", 139_598_919, ClaimVerdict.REPRODUCED, Attainability.CUT_ONLY),
        ("58.2", "M", 58_158_151, ClaimVerdict.REPRODUCED, Attainability.ATTAINABLE),
        ("29.0", "M", 29_776_071, ClaimVerdict.NOT_REPRODUCED, Attainability.UNATTAINABLE),
        ("8.4", "G", 8_482_266_176, ClaimVerdict.REPRODUCED, Attainability.CUT_ONLY),
        ("28709", "images", 28_709, ClaimVerdict.REPRODUCED, Attainability.ATTAINABLE),
        ("28709", "images", 28_708, ClaimVerdict.NOT_REPRODUCED, Attainability.UNATTAINABLE),
    ],
)
def test_quantities(value: str, unit: str, measured: int, verdict: ClaimVerdict, attainability: Attainability) -> None:
    judgement = judge_quantity(claim(value, None, metric="parameters", unit=unit), measured)
    assert (judgement.verdict, judgement.attainability) == (verdict, attainability)
    assert str(measured) in judgement.reason


def test_no_quantity() -> None:
    for printed in (claim(), claim("4", None, metric="hours per epoch", unit="h")):
        with pytest.raises(ValueError, match="is no exact number"):
            judge_quantity(printed, 4)
