"""A trace is the ordered list of its entries, each name once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from repro.digest import set_digest, tensor_digest
from repro.errors import BadInput
from repro.trace import Trace, TraceEntry, trace_tensor


def entries() -> list[TraceEntry]:
    return [trace_tensor(name, np.full(3, number, np.float32), "kind") for number, name in enumerate(["b", "a", "c"])]


def test_entries_keep_their_order() -> None:
    trace = Trace.from_entries(entries())

    assert [entry.name for entry in trace] == ["b", "a", "c"]
    assert list(trace.digests()) == ["b", "a", "c"]
    assert [entry.name for entry in Trace.from_data(trace.to_data(), "trace.json")] == ["b", "a", "c"]


def test_the_digest_is_that_of_the_named_set() -> None:
    trace = Trace.from_entries(entries())
    expected = {name: tensor_digest(np.full(3, number, np.float32)) for number, name in enumerate(["b", "a", "c"])}

    assert trace.digests() == expected
    assert trace.digest() == set_digest(expected)
    assert Trace.from_entries(entries()[::-1]).digest() == trace.digest()


def test_two_entries_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two tensors of one trace are called 'a'"):
        Trace.from_entries([*entries(), entries()[1]])


def test_two_entries_of_one_name_in_a_file_are_refused() -> None:
    data: dict[str, Any] = Trace.from_entries(entries()).to_data()
    data["entries"].append(data["entries"][1])

    with pytest.raises(BadInput, match=r"^trace\.json: .*two tensors of one trace are called 'a'"):
        Trace.from_data(data, "trace.json")


def test_a_name_with_a_line_break_has_no_digest() -> None:
    trace = Trace.from_entries([trace_tensor("a\nb", np.zeros(1), "kind")])

    with pytest.raises(BadInput, match="line break"):
        trace.digest()


def test_an_empty_trace_is_one() -> None:
    trace = Trace.from_entries([])

    assert list(trace) == []
    assert trace.digest() == set_digest({})


def test_nothing_of_a_tensor_is_kept() -> None:
    values = np.zeros(1000, np.float32)
    entry = trace_tensor("name", values, "kind")
    before = entry.model_dump_json()
    values += 1

    assert entry.model_dump_json() == before
    assert trace_tensor("name", values, "kind").digest != entry.digest


def test_what_is_no_dense_tensor_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot digest"):
        trace_tensor("name", np.array(["text"]), "kind")
