"""What a report says of records and claims, before it is put into any format."""

from __future__ import annotations

from typing import Any

import pytest

from repro.errors import BadInput, SchemaTooNew
from repro.report import Report, build_report
from repro.report.html import html
from repro.report.markdown import markdown
from repro.report.model import Answer, ClaimRow
from repro.schema import BitVerdict, Claim, Record
from tests.report import made


def only_claim(claim: Claim, *records: Record) -> ClaimRow:
    (row,) = build_report(made.named(*records), [claim]).claims
    return row


@pytest.mark.parametrize("verdict", sorted(set(BitVerdict) - {BitVerdict.BLOCKED}))
def test_every_verdict_on_bits_gets_a_row(verdict: str) -> None:
    report = build_report(made.named(made.check_rep(verdict, isa="avx2")))
    (row,) = report.bits
    assert (row.verdict, row.system, row.model, row.stage) == (verdict, "a-system", "a_model", "check-rep")
    assert (row.data, row.what, row.isa, row.profile_class) == ("embedded", "corrected", "avx2", "a-class")
    assert [(one.varied, one.verdict) for one in row.invariance] == [
        ("2 threads", "identical"),
        ("pieces of 1", "different"),
    ]
    assert row.sentence == made.check_rep(verdict).result["bits"]["sentence"]


def test_a_blocked_record_says_what_is_missing_and_what_to_do() -> None:
    report = build_report(made.named(made.blocked()))
    (row,) = report.blocked
    assert (row.kind, row.message, row.next_step) == ("MissingFile", "no checkpoint at model.pt", "get it")
    assert (row.system, row.model, row.what) == ("b-system", "b_model", "test, corrected, model.pt")
    assert (report.bits, report.measurements) == ((), ())


def test_a_measurement_holds_what_the_record_measured() -> None:
    report = build_report(made.named(made.etl(), made.fetch(), made.evaluation(1800, seeds=3)))
    (one,) = report.measurements
    assert (one.correct, one.n, one.accuracy, one.interval) == (1800, 3589, 1800 / 3589, (0.25, 0.75))
    assert one.spread is not None
    assert (one.spread.minimum, one.spread.maximum, one.spread.runs) == (1800, 1802, 3)
    assert one.unseen is not None
    assert (one.unseen.correct, one.unseen.n) == (900, 1794)
    assert (one.keeps, one.mends) == (("A-KEPT",), ("A-BROKEN",))
    assert (one.edition, one.artifacts, one.printed) == ("an edition", (made.ARTIFACT,), ("50", "50", "50"))
    assert one.diagnosis == {"theta_spread": 0.25, "theta_mean": [0.5, 1.0]}


def test_a_protocol_that_is_not_random_has_no_spread() -> None:
    (one,) = build_report(made.named(made.evaluation())).measurements
    assert one.spread is None


@pytest.mark.parametrize(
    ("correct", "verdict"), [(2671, "reproduced"), (2670, "close"), (2650, "close"), (2500, "not reproduced")]
)
def test_the_published_checkpoint_gives_the_claim_its_verdict(correct: int, verdict: str) -> None:
    row = only_claim(made.claim(), made.fetch(), made.evaluation(correct))
    assert (row.verdict, row.correct, row.giving) == (verdict, correct, "2671")
    assert [(one.published, one.verdict) for one in row.measurements] == [(True, verdict)]
    assert f"{correct} of 3589" in row.reason


@pytest.mark.parametrize("correct", [2671, 2500])
def test_another_checkpoint_stands_beside_a_claim_without_a_verdict(correct: int) -> None:
    row = only_claim(made.claim(), made.fetch(digest="e" * 64), made.evaluation(correct))
    assert (row.verdict, row.correct) == ("not run", None)
    assert row.reason == "not measured by protocol as-published on a-system-checkpoint, to which it belongs"
    assert [(one.published, one.verdict, one.correct) for one in row.measurements] == [(False, None, correct)]


def test_protocols_are_shown_side_by_side_and_only_the_claims_own_decides() -> None:
    corrected = made.evaluation(2500, protocol=made.CORRECTED)
    row = only_claim(made.claim(), made.fetch(), corrected, made.evaluation(2671))
    assert row.verdict == "reproduced"
    assert [(one.protocol, one.verdict) for one in row.measurements] == [
        ("as-published", "reproduced"),
        ("corrected", "not reproduced"),
    ]
    alone = only_claim(made.claim(), made.fetch(), corrected)
    assert (alone.verdict, len(alone.measurements)) == ("not run", 1)


def test_the_worst_of_several_measurements_decides() -> None:
    capped = made.evaluation(2500, isa="avx2")
    assert only_claim(made.claim(), made.fetch(), capped, made.evaluation(2671)).verdict == "not reproduced"
    assert only_claim(made.claim(), made.fetch(), made.evaluation(2671), capped).verdict == "not reproduced"


def test_seeds_are_told_with_the_verdict() -> None:
    row = only_claim(made.claim(), made.fetch(), made.evaluation(2671, seeds=10))
    assert row.verdict == "reproduced"
    assert row.reason.endswith("; 2671 to 2680 over 10 seeds")


def test_counts_of_another_n_are_not_compared() -> None:
    row = only_claim(made.claim(), made.fetch(), made.evaluation(521, 700))
    assert row.verdict == "not run"
    assert "521 of 700" in row.reason
    assert "not comparable" in row.reason


@pytest.mark.parametrize(
    "other",
    [
        {"system": "b-system"},
        {"model_name": "b_model"},
        {"model_name": None},
        {"split_name": "validation"},
        {"metric": "recall"},
        {"metric": "top-5 accuracy"},
        {"n": None},
    ],
)
def test_a_measurement_of_something_else_is_not_beside_a_claim(other: dict[str, Any]) -> None:
    row = only_claim(made.claim(**other), made.fetch(), made.evaluation(2671))
    assert (row.verdict, row.measurements) == ("not run", ())


def test_nothing_published_is_measured_on_the_embedded_data() -> None:
    row = only_claim(made.claim(), made.fetch(), made.evaluation(2671, data="embedded"))
    assert (row.verdict, row.measurements) == ("not run", ())


def test_a_number_of_unpublished_code_is_blocked_whatever_was_measured() -> None:
    claim = made.claim(authors_code=False, artifact=None)
    assert only_claim(claim).verdict == "blocked"
    for correct in (2671, 1800):
        row = only_claim(claim, made.evaluation(correct))
        assert (row.verdict, row.correct) == ("blocked", correct)
        assert "not the authors' code" in row.reason
        assert [one.verdict for one in row.measurements] == [None]
    assert only_claim(claim, made.evaluation(500, 700)).correct is None


def test_what_is_known_before_anything_runs() -> None:
    unattainable = only_claim(made.claim("73.65"))
    assert (unattainable.verdict, unattainable.giving) == ("unattainable", "")
    missing = only_claim(made.claim(missing="no checkpoint is published"))
    assert (missing.verdict, missing.reason) == ("blocked", "no checkpoint is published")
    waiting = only_claim(made.claim())
    assert (waiting.verdict, waiting.reason) == ("not run", "protocol as-published was not run")
    cut = only_claim(made.claim("73.16"))
    assert (cut.verdict, str(cut.attainability), cut.giving) == ("not run", "cut only", "2626")


def test_a_measured_claim_may_be_unattainable_all_the_same() -> None:
    row = only_claim(made.claim("73.65"), made.fetch(), made.evaluation(2643))
    assert row.verdict == "unattainable"


def test_a_number_that_is_no_count_names_its_metric() -> None:
    row = only_claim(made.claim("4", metric="hours per epoch", unit="h", n=None, protocol=None))
    assert row.verdict == "not run"
    assert "hours per epoch" in row.reason
    recall = only_claim(made.claim("0.91", metric="recall", unit="fraction", n=879), made.evaluation())
    assert recall.reason == "evaluations here count right answers over all classes, not recall"


def test_claims_are_grouped_by_system_in_the_order_of_the_published_tables() -> None:
    claims = [
        made.claim(id="b-first", system="b-system"),
        made.claim(id="a-first", model_name="other"),
        made.claim(id="a-second", model_name="another"),
        made.claim(id="a-measured"),
    ]
    report = build_report(made.named(made.fetch(), made.evaluation()), claims)
    assert [row.id for row in report.claims] == ["a-first", "a-second", "a-measured", "b-first"]


def test_defects_touch_a_claim_by_data_set_protocol_note_or_number() -> None:
    defects = [
        made.defect("A-KEPT"),
        made.defect("A-BROKEN"),
        made.defect("A-NOTED"),
        made.defect("A-NUMBER", summary="74.42 is a maximum."),
        made.defect("A-LONGER", summary="74.421 and 174.42 and 74.42.1 are other numbers."),
        made.defect("A-OTHER"),
        made.defect("F-DATA", system="fer2013"),
        made.defect("B-NUMBER", system="b-system", summary="74.42 too."),
    ]
    expected = ("A-KEPT", "A-BROKEN", "A-NOTED", "A-NUMBER", "F-DATA")
    claim = made.claim(note="it suffers (A-NOTED)")
    report = build_report(made.named(made.evaluation()), [claim], defects)
    assert report.claims[0].defects == expected
    assert tuple(defect.id for defect in report.defects) == expected
    declared = made.system()
    assert build_report({}, [claim], defects, [declared]).claims[0].defects == expected
    assert build_report({}, [claim], defects).claims[0].defects == ("A-NOTED", "A-NUMBER", "F-DATA")


@pytest.mark.parametrize(
    ("records", "answer", "opening"),
    [
        ([], Answer.UNKNOWN, "Not known yet."),
        ([made.check_rep("unrecorded")], Answer.UNKNOWN, "Not known yet."),
        ([made.blocked()], Answer.UNKNOWN, "Not known yet."),
        ([made.check_rep("identical")], Answer.BITS_ONLY, "The bits do, and no published number was measured yet."),
        ([made.check_rep("identical"), made.evaluation(1)], Answer.BITS_ONLY, "The bits do"),
        ([made.fetch(), made.evaluation(2671)], Answer.YES, "Yes, as far as it was run."),
        ([made.fetch(), made.evaluation(2670)], Answer.NEARLY, "Nearly, as far as it was run."),
        ([made.fetch(), made.evaluation(1)], Answer.NO, "No."),
        ([made.check_rep("different"), made.fetch(), made.evaluation(2671)], Answer.NO, "No."),
        ([made.check_rep("unstable")], Answer.NO, "No."),
    ],
)
def test_the_headline_answers_first(records: list[Record], answer: Answer, opening: str) -> None:
    report = build_report(made.named(*records), [made.claim()])
    assert report.answer is answer
    assert report.headline.startswith(opening)


def test_the_headline_counts() -> None:
    records = [made.check_rep("identical"), made.check_rep("unrecorded"), made.blocked(), made.evaluation(7)]
    claims = [made.claim(), made.claim("73.65", id="never"), made.claim(id="gone", missing="it is lost")]
    assert build_report(made.named(*records), claims).headline == (
        "The bits do, and no published number was measured yet. Of 3 checks of bits: 1 identical to what is stored, "
        "2 with nothing stored for this machine and stack. Of 3 published numbers: none measured (1 evaluation, none "
        "of a checkpoint known to be the published one), 1 given by no count, 1 not measurable here. "
        "1 step could not run."
    )


def test_machines_are_told_in_one_line_each() -> None:
    gpu = made.check_rep(profile=made.GPU_PROFILE)
    report = build_report(made.named(made.check_rep(), gpu, made.check_rep(isa="avx2"), made.etl()))
    assert report.machines == (
        "Linux; A Processor (2 logical cores); 2 x A GPU; driver 570.1; "
        "stack torch: Python 3.11.13, numpy 2.4.0, torch 2.14.1",
        "Linux; A Processor (2 logical cores); stack torch: Python 3.11.13, numpy 2.4.0, torch 2.14.1",
    )
    assert sorted(row.machine or 0 for row in report.bits) == [1, 2, 2]


def test_every_record_is_evidence() -> None:
    records = made.named(made.check_rep(), made.etl(), made.evaluation(), made.blocked())
    evidence = build_report(records).evidence
    assert [one.record for one in evidence] == sorted(records)
    changed = {**records, evidence[0].record: made.check_rep("different")}
    digests = [one.digest for one in evidence]
    assert [one.digest for one in build_report(changed).evidence][1:] == digests[1:]
    assert build_report(changed).evidence[0].digest != digests[0]


@pytest.mark.parametrize(
    ("result", "field"),
    [
        ({"correct": 8, "n": 7}, "8 right answers out of 7"),
        ({"correct": -1}, "result.correct"),
        ({"n": 0}, "result.n"),
        ({"interval": [0.1]}, "result.interval"),
        ({"interval": [0.1, float("nan")]}, "result.interval"),
        ({"verdict": "blocked"}, "blocked, but it does not say by what"),
        ({"bits": "\ud800"}, "JSON"),
    ],
)
def test_a_damaged_record_is_refused_by_name(result: dict[str, object], field: str) -> None:
    whole = made.evaluation()
    broken = whole.model_copy(update={"result": {**whole.result, **result}})
    with pytest.raises(BadInput) as caught:
        build_report({"records/eval/x.json": broken})
    assert str(caught.value).startswith("records/eval/x.json")
    assert field in str(caught.value)


def test_an_evaluation_without_its_checkpoint_is_refused() -> None:
    broken = made.evaluation().model_copy(update={"inputs": {"data": made.DATA}})
    with pytest.raises(BadInput, match="checkpoint is missing"):
        build_report({"records/eval/x.json": broken})


def test_json_comes_back_and_newer_schemas_are_refused() -> None:
    records = made.named(made.etl(), made.fetch(), made.evaluation(1800, seeds=3), made.check_rep(), made.blocked())
    report = build_report(records, [made.claim()], [made.defect("A-KEPT", measured="much")])
    data = report.to_data()
    assert data["schema"] == "repro-report/1"
    assert Report.from_data(data, "here") == report
    with pytest.raises(SchemaTooNew, match="repro-report/2"):
        Report.from_data({**data, "schema": "repro-report/2"}, "here")
    with pytest.raises(BadInput, match="surprise"):
        Report.from_data({**data, "surprise": 1}, "here")


def test_the_number_of_training_images_is_judged_by_the_data_that_were_read() -> None:
    fields = {"metric": "number of images", "unit": "images", "n": None, "split": "Training", "model_name": None}
    claim = made.claim("30", per_class=(10, 20), **fields)

    def row(counts: dict[str, int], data: str = "fer2013.csv") -> ClaimRow:
        result = {**made.etl().result, "counts": {"Training": counts, "Test": dict.fromkeys(counts, 0)}}
        record = made.etl(data).model_copy(update={"result": result})
        return build_report(made.named(record), [claim]).claims[0]

    same = row({"Angry": 10, "Happy": 20})
    assert (same.verdict, same.correct) == ("reproduced", 30)
    assert same.reason.endswith("(fer2013.csv: an edition), and so is each class")
    assert row({"Angry": 11, "Happy": 19}).verdict == "not reproduced"
    assert "10, 20 and 11, 19" in row({"Angry": 11, "Happy": 19}).reason
    assert row({"Angry": 10, "Happy": 19}).verdict == "not reproduced"
    assert row({"Angry": 10, "Happy": 20}, "embedded").verdict == "not run"
    assert build_report({}, [claim]).claims[0].verdict == "not run"


def test_sizes_of_models_are_judged_by_whichever_count_gives_them() -> None:
    counted = {"parameters": {"once": 137_796_423, "by name": 142_943_431}, "FLOPs": {"multiply-adds": 8_482_266_176}}
    record = made.check_rep()
    record = record.model_copy(update={"result": {**record.result, "counted": counted}})

    def row(value: str, metric: str = "parameters", unit: str = "M") -> ClaimRow:
        claim = made.claim(value, metric=metric, unit=unit, n=None)
        return build_report(made.named(record), [claim]).claims[0]

    assert (row("142.9").verdict, row("142.9").correct) == ("reproduced", 142_943_431)
    assert "(counting by name)" in row("142.9").reason
    assert (row("137.8").verdict, row("137.8").correct) == ("reproduced", 137_796_423)
    assert (row("140.0").verdict, row("140.0").correct) == ("not reproduced", 137_796_423)
    assert row("8.4", "FLOPs", "G").verdict == "reproduced"
    assert "only cut" in row("8.4", "FLOPs", "G").reason
    other = made.claim("142.9", metric="parameters", unit="M", n=None, model_name="another")
    (told,) = build_report(made.named(record), [other]).claims
    assert told.verdict == "not run"
    assert "repro check-rep --system a-system --model another" in told.reason


def test_a_recall_is_counted_in_its_row_of_the_confusion_matrix() -> None:
    claim = made.claim("0.57", metric="recall", unit="fraction", n=7, class_index=1)
    (row,) = build_report(made.named(made.evaluation(), made.fetch()), [claim]).claims
    assert (row.verdict, row.correct) == ("reproduced", 4)
    beyond = claim.model_copy(update={"class_index": 2})
    assert build_report(made.named(made.evaluation(), made.fetch()), [beyond]).claims[0].verdict == "not run"


def test_top_5_is_counted_among_the_first_five() -> None:
    claim = made.claim("77.82", metric="top-5 accuracy")
    measured = made.evaluation()
    (row,) = build_report(made.named(measured, made.fetch()), [claim]).claims
    assert (row.verdict, row.measurements) == ("not run", ()), "an older record does not have it"
    measured.result["top5_correct"] = 2793
    (row,) = build_report(made.named(measured, made.fetch()), [claim]).claims
    assert (row.verdict, row.correct) == ("reproduced", 2793)


def test_means_over_the_classes_are_in_every_format() -> None:
    measured = made.evaluation()
    measured.result["classes"] = [
        {"name": "one", "correct": 1, "images": 3, "answers": 4},
        {"name": "two", "correct": 4, "images": 7, "answers": 6},
        {"name": "none", "correct": 0, "images": 0, "answers": 0},
    ]
    report = build_report(made.named(measured))
    (one,) = report.measurements
    assert one.means is not None
    assert one.means.recall == pytest.approx((1 / 3 + 4 / 7) / 2)
    assert one.classes == ("one", "two", "none")
    assert one.class_scores[1].f1 == pytest.approx(8 / 13)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in markdown(report).split("\n") if "|" in line]
    assert ["one", "3", "4", "1", "25.00 %", "33.33 %", "28.57 %"] in cells
    assert ["0", "1", "2"] in cells, "three names, two rows: the matrix tells classes by number"
    for text in (markdown(report), html(report)):
        assert "45.24 %" in text
        assert "precision 45.83 %" in text


def test_preparations_are_in_the_report() -> None:
    records = [
        Record(
            stage="prepare",
            system="a-system",
            model=name,
            parameters={"data": "fer2013.csv", "libraries": {"pillow": "1.2"}},
            inputs={},
            outputs=outputs,
            result={"verdict": "complete", "title": name, **told},
        )
        for name, outputs, told in (
            ("images", {"tree": made.DATA}, {"files": 28709, "bytes": 500_000_000, "folder": "x"}),
            ("tensors", {"PublicTest": made.CODE}, {"tensors": {"PublicTest": {"dtype": "float32", "shape": [9, 2]}}}),
        )
    ]
    report = build_report(made.named(*records))
    assert [(row.preparation, row.what) for row in report.prepared] == [
        ("a-system/images", "28709 files, 500 MB"),
        ("a-system/tensors", "PublicTest float32 (9, 2)"),
    ]
    assert made.DATA in markdown(report)
    assert "pillow 1.2" in markdown(report)


def test_the_number_of_a_paper_s_own_check_is_judged_by_its_bits_and_by_what_may_differ() -> None:
    claim = made.claim("1.08", metric="validation loss", unit="nat", protocol="paper", artifact=None)
    told = {"steps": 599, "of": 599, "value": {"hex": "0x1.1p+0", "text": "1.0625"}, "ulps": 3}

    def row(data: str = "fer2013.csv", **more: Any) -> ClaimRow:
        record = made.check_rep()
        protocol = {"name": "paper", "keeps": [], "mends": []}
        parameters = {**record.parameters, "data": data, "protocol": protocol}
        result = {**record.result, "paper": {**told, "theirs": "they say so", **more}}
        record = record.model_copy(update={"parameters": parameters, "result": result})
        return build_report(made.named(record), [claim]).claims[0]

    assert (row(ulps=0).verdict, row(ulps=0).reason) == ("reproduced", "measured 1.0625, the same bits")
    assert row().verdict == "not reproduced"
    assert row("embedded").verdict == "not run"
    assert "3 ulps apart" in row().reason
    other = row(software="framework.version is 2 here, 1 there")
    assert (other.verdict, other.reason.partition(";")[0]) == ("blocked", "framework.version is 2 here, 1 there")
    assert row(missing="weights-of-theirs").verdict == "blocked"
    assert row(profile_differs=("device is cpu here, cuda there",)).verdict == "blocked"
    assert "device is cpu here" in row(profile_differs=("device is cpu here, cuda there",)).reason
    assert row(profile_differs=("device is cpu here, cuda there",), ulps=0).verdict == "reproduced"
    assert (row(value=None, steps=5).verdict, row(value=None, steps=5).reason.partition(",")[0]) == (
        "not run",
        "only 5 of 599 steps were run",
    )
    assert build_report(made.named(made.check_rep()), [claim]).claims[0].verdict == "not run"
