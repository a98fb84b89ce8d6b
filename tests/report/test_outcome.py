"""Exit codes: 1 for a contradiction, 3 for what could not run, 0 otherwise."""

from __future__ import annotations

import pytest

from repro.report import build_report, exit_code
from repro.schema import Claim, Record
from tests.report import made


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([], 0),
        ([made.check_rep("identical"), made.etl()], 0),
        ([made.check_rep("unrecorded")], 0),
        ([made.check_rep("different")], 1),
        ([made.check_rep("unstable")], 1),
        ([made.blocked()], 3),
        ([made.blocked(), made.check_rep("identical")], 3),
        ([made.blocked(), made.check_rep("different")], 1),
    ],
)
def test_bits_decide(records: list[Record], code: int) -> None:
    assert exit_code(records) == code
    assert exit_code(reversed(records)) == code


@pytest.mark.parametrize(
    ("claim", "records", "code"),
    [
        (made.claim(), [made.fetch(), made.evaluation(2671)], 0),
        (made.claim(), [made.fetch(), made.evaluation(2660)], 0),
        (made.claim(), [made.fetch(), made.evaluation(1800)], 1),
        (made.claim(), [made.evaluation(1800)], 0),
        (made.claim(), [made.fetch("another"), made.evaluation(1800)], 0),
        (made.claim(artifact=None), [made.fetch(), made.evaluation(1800)], 0),
        (made.claim(authors_code=False), [made.fetch(), made.evaluation(1800)], 0),
        (made.claim(), [made.fetch(), made.evaluation(1800, protocol=made.CORRECTED)], 0),
        (made.claim("73.65"), [made.fetch(), made.evaluation(1800)], 0),
        (made.claim(missing="it is lost"), [], 0),
    ],
)
def test_a_claim_contradicts_only_where_its_own_checkpoint_was_measured(
    claim: Claim, records: list[Record], code: int
) -> None:
    report = build_report(made.named(*records), [claim])
    assert exit_code(records, report.claims) == code
