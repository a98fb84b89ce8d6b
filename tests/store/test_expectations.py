from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from repro.errors import BadInput, SchemaTooNew
from repro.store.expectations import Expectation, Expectations, load_expectations, save_expectations
from repro.trace import trace_tensor


def _expectation(model: str = "m", value: float = 1.0) -> Expectation:
    return Expectation(
        model=model,
        probe="probe 1",
        stack={"torch": "2"},
        reason="first",
        trace=(trace_tensor("a", np.float32(value), "input"), trace_tensor("b", np.arange(70.0), "loss")),
    )


def test_round_trip_and_order(tmp_path: Path) -> None:
    stored = Expectations(system="s", profile="p").with_added(_expectation("z")).with_added(_expectation("a"))
    path = save_expectations(tmp_path, stored)
    assert load_expectations(tmp_path, "s", "p") == stored
    assert [one.model for one in stored.expectations] == ["a", "z"]
    assert path.read_text().count('"name"') == 4, "one line a tensor"
    assert all(line.count('"digest"') <= 1 for line in path.read_text().splitlines())


def test_adding_replaces_what_has_the_same_key(tmp_path: Path) -> None:
    stored = Expectations(system="s", profile="p").with_added(_expectation(value=1))
    newer = stored.with_added(_expectation(value=2))
    assert len(newer.expectations) == 1
    found = newer.find("m", "probe 1", {"torch": "2"})
    assert found is not None
    assert found.trace == _expectation(value=2).trace
    assert newer.find("m", "probe 1", {"torch": "3"}) is None


def test_an_absent_file_holds_none(tmp_path: Path) -> None:
    assert load_expectations(tmp_path, "s", "p").expectations == ()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda data: data.update(schema="repro-expectations/2"), SchemaTooNew),
        (lambda data: data.update(system="other"), BadInput),
        (lambda data: data["expectations"][0]["trace"][0].update(digest="xyz"), BadInput),
        (lambda data: data["expectations"][0].update(surprise=1), BadInput),
    ],
)
def test_damage_is_told(tmp_path: Path, change: object, error: type[Exception]) -> None:
    path = save_expectations(tmp_path, Expectations(system="s", profile="p").with_added(_expectation()))
    data = json.loads(path.read_text())
    change(data)  # type: ignore[operator]
    path.write_text(json.dumps(data))
    with pytest.raises(error):
        load_expectations(tmp_path, "s", "p")
