from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repro.errors import Contradiction, MissingFile, SchemaTooNew
from repro.schema import Record
from repro.store.results import Results, address
from repro.trace import Trace, trace_tensor


def _record(**changes: object) -> Record:
    fields = {"stage": "eval", "parameters": {"a": 1}, "inputs": {"data": "0" * 64}, "result": {"verdict": "identical"}}
    return Record.model_validate({**fields, **changes})


def test_a_record_comes_back_equal(tmp_path: Path) -> None:
    store = Results(tmp_path)
    path = store.record_path("eval", "a", "b", {"x": 1})
    store.save_record(path, _record())
    assert store.load_record(path) == _record()


def test_a_damaged_record_does_not_answer(tmp_path: Path) -> None:
    store = Results(tmp_path)
    path = store.record_path("eval", "a", "b", {"x": 1})
    store.save_record(path, _record())
    path.write_bytes(path.read_bytes()[:-20])
    assert store.load_record(path) is None


def test_a_newer_record_is_refused(tmp_path: Path) -> None:
    store = Results(tmp_path)
    path = store.record_path("eval", "a", "b", {"x": 1})
    store.save_record(path, _record())
    path.write_text(path.read_text().replace("repro-record/1", "repro-record/2"))
    with pytest.raises(SchemaTooNew, match="schema repro-record/2"):
        store.load_record(path)


def test_documents_and_arrays_are_verified(tmp_path: Path) -> None:
    store = Results(tmp_path)
    trace = Trace.from_entries([trace_tensor("a", np.arange(3.0), "input")])
    digest = store.save_document(trace)
    assert store.load_document(Trace, digest) == trace
    array = store.save_array(np.arange(5))
    np.testing.assert_array_equal(store.load_array(array), np.arange(5))
    place = tmp_path / "objects" / f"{array}.npy"
    place.write_bytes(place.read_bytes()[:-1] + b"\x01")
    assert not store.holds(array)
    with pytest.raises(Contradiction, match=array):
        store.load_array(array)
    place.unlink()
    with pytest.raises(MissingFile):
        store.load_array(array)


def test_saving_again_mends_a_damaged_object(tmp_path: Path) -> None:
    store = Results(tmp_path)
    digest = store.save_array(np.arange(5))
    (tmp_path / "objects" / f"{digest}.npy").write_bytes(b"")
    assert store.save_array(np.arange(5)) == digest
    assert store.holds(digest)


def test_the_address_leaves_out_code_and_expectations() -> None:
    one = address({"a": 1}, {"data": "d", "code": "x", "expectations": "y"}, machine={"m": 1})
    two = address({"a": 1}, {"data": "d", "code": "z"}, machine={"m": 1})
    assert one == two
    assert one != address({"a": 2}, {"data": "d"}, machine={"m": 1})
    assert one != address({"a": 1}, {"data": "e"}, machine={"m": 1})
    assert one != address({"a": 1}, {"data": "d"}, machine={"m": 2})
