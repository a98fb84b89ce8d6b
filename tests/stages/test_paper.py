"""What a run of a paper's own check says at its end, and of which models there is one."""

from __future__ import annotations

from typing import Any

import pytest

from repro.errors import UnknownName, UsageError
from repro.schema import BitVerdict, Record
from repro.stages.paper import checked_models, sentences
from tests.report import made


def ended(elsewhere: tuple[dict[str, Any], ...] = (), **told: Any) -> Record:
    record = made.check_rep("unrecorded")
    paper = {
        "theirs": "their check says so",
        "profile": "theirs",
        "profile_differs": ["device is cpu here, cuda there"],
        "software": None,
        "missing": None,
        "elsewhere": list(elsewhere),
        **told,
    }
    return record.model_copy(update={"result": {**record.result, "paper": paper}})


def other(profile: str, verdict: BitVerdict, sentence: str) -> dict[str, Any]:
    return {"profile": profile, "stack": {}, "verdict": verdict.value, "sentence": sentence, "agreeing": 0}


def test_both_sentences_are_told() -> None:
    assert sentences(ended()) == ("their check says so", "nothing is stored")


def test_the_profile_that_matched_is_named() -> None:
    same = other("a-class", BitVerdict.IDENTICAL, "identical: 9 of 9 tensors")
    near = other("b-class", BitVerdict.DIFFERENT, "first difference: step1/loss")
    assert sentences(ended((same, near)))[1] == "the bits are those of a-class: identical: 9 of 9 tensors"


def test_where_none_matched_it_says_from_where_and_by_how_much_the_nearest_differs() -> None:
    near = other(
        "b-class", BitVerdict.DIFFERENT, "first difference: step1/loss (loss), 1 of 1 values, at most 192 ulps"
    )
    told = sentences(ended((near,)))[1]
    assert told.startswith("against b-class: first difference: step1/loss (loss), 1 of 1 values, at most 192 ulps")


def test_what_is_not_the_hardware_s_is_told_as_such() -> None:
    told = sentences(ended(software="framework.version is 2 here, 1 there: it cannot come out (A-DEFECT)"))[1]
    assert "not to be had on this stack, whatever the hardware: framework.version is 2 here, 1 there" in told
    assert "keyed weights: a-file is not in the cache" in sentences(ended(missing="a-file"))[1]
    assert sentences(ended(profile_differs=[]))[1].startswith("this is the profile of their number, theirs; ")


def test_a_system_without_a_check_is_told() -> None:
    with pytest.raises(UsageError, match="Deep-Emotion's paper has no check of its own"):
        checked_models(["deep-emotion"], None)
    with pytest.raises(UnknownName):
        checked_models(["deep-emotoin"], None)
