"""Runs of several machines: classes of identical bits, and what can be said of the fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.compare.machines import Role, Run, as_one, group_runs, statements
from repro.errors import BadInput
from repro.report.comparison import comparisons_text
from repro.schema import Record
from repro.trace import Trace, TraceEntry


def run(label: str, bits: str, key: str = "a", names: str = "xy", **fields: str | int) -> Run:
    entries = [
        TraceEntry(name=f"forward/{name}", operation="Conv2d", dtype="float32", shape=(1,), digest=digit * 64)
        for name, digit in zip(names, bits, strict=True)
    ]
    return Run(label=label, key=key, trace=Trace.from_entries(entries), fields=fields)


def test_runs_fall_into_classes_and_the_field_that_goes_with_them_is_named() -> None:
    grouping = group_runs(
        [
            run("one", "ab", isa="avx2", threads=1, host="x"),
            run("two", "ab", isa="avx2", threads=2, host="y"),
            run("three", "ac", isa="avx512", threads=1, host="x"),
            run("four", "ac", isa="avx512", threads=2, host="y"),
        ]
    )
    assert grouping.classes == ((0, 1), (2, 3))
    assert [(one.role, one.fields, one.runs) for one in grouping.statements] == [
        (Role.COINCIDES, ("isa",), 4),
        (Role.NO_PART, ("host", "threads"), 4),
    ]
    assert grouping.statements[0].sentence() == "all differences coincide with isa (avx2, avx512); 4 runs show it"
    parted = {(one.first, one.second): one.comparison.first for one in grouping.pairs}
    assert parted[0, 1] is None
    assert parted[0, 2] is not None
    assert parted[0, 2].name == "forward/y"


def test_a_field_that_is_finer_than_the_classes_separates_them() -> None:
    fields = [{"driver": "1"}, {"driver": "2"}, {"driver": "3"}]
    (found,) = statements(fields, [[0, 1], [2]])
    assert (found.role, found.runs) == (Role.SEPARATES, 3)


def test_two_fields_that_go_with_the_classes_only_together_are_named() -> None:
    runs = [("avx512", 2), ("avx2", 2), ("baseline", 2), ("avx512", 1)]
    (found,) = statements([{"isa": isa, "threads": threads} for isa, threads in runs], [[0], [1], [2], [3]])
    assert (found.role, found.fields, found.runs) == (Role.TOGETHER, ("isa", "threads"), 4)
    assert (
        "isa and threads together (avx512 / 2, avx2 / 2, baseline / 2, avx512 / 1); 4 runs show it" in found.sentence()
    )


def test_without_two_classes_or_fields_nothing_is_said() -> None:
    assert statements([{"isa": "a"}, {"isa": "b"}], [[0, 1]]) == ()
    assert group_runs([run("one", "ab"), run("two", "ac")]).statements == ()


def test_only_common_tensors_make_classes_and_what_is_missing_is_told() -> None:
    grouping = group_runs([run("one", "ab"), run("two", "a", names="x")])
    assert grouping.classes == ((0, 1),)
    assert not grouping.identical
    with pytest.raises(BadInput, match="no tensor in common"):
        group_runs([run("one", "a", names="x"), run("two", "a", names="z")])


def test_two_runs_that_were_asked_for_otherwise_are_compared_and_it_is_told() -> None:
    record = Record(stage="check-rep", parameters={}, inputs={}, result={"verdict": "identical"})
    keys = ("check-rep a/b, native, plain, steps 1", "check-rep a/b, canonical-1, plain, steps 3")
    runs = [run(key, "ab", key=key).model_copy(update={"record": record}) for key in keys]
    wanted = "check-rep a/b, native against canonical-1, plain, steps 1 against steps 3"
    assert {one.key for one in as_one(runs)} == {wanted}
    other = runs[1].model_copy(update={"key": "check-rep a/c, native"})
    for apart in ([runs[0], other], [*runs, other], [runs[0], run("bare", "ab", key="trace")]):
        assert as_one(apart) == apart


def test_of_several_computations_a_table_comes_first_and_only_differences_are_told_at_length() -> None:
    digest = "0123456789ab" * 5 + "cdef"
    key = f"check-rep a/same, data {digest}"
    same = group_runs([run("one", "ab", key=key), run("two", "ab", key=key)])
    other = group_runs([run("one", "ab", key="check-rep a/other"), run("two", "ac", key="check-rep a/other")])
    text = comparisons_text([same, other], [f"check-rep a/m{number}, {digest}" for number in range(40)])
    lines = text.split("\n")
    assert [line.split()[0] for line in lines[2:6:2]] == ["identical", "different"]
    assert "data 0123456789ab\n" in text
    assert digest not in text
    assert text.count("identical bits") == 1
    assert lines[-1].endswith("and 32 more")
    assert max(map(len, lines)) <= 80


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), min_size=2, max_size=8))
def test_classes_part_the_runs_and_every_statement_holds(drawn: list[tuple[str, int]]) -> None:
    grouping = group_runs([run(str(place), bits + "a", value=value) for place, (bits, value) in enumerate(drawn)])
    assert sorted(place for one in grouping.classes for place in one) == list(range(len(drawn)))
    assert all(len({drawn[place][0] for place in one}) == 1 for one in grouping.classes)
    for statement in grouping.statements:
        values_of = {bits: {v for b, v in drawn if b == bits} for bits, _ in drawn}
        bits_of = {value: {b for b, v in drawn if v == value} for _, value in drawn}
        several = any(len(one) > 1 for one in values_of.values())
        mixed = any(len(one) > 1 for one in bits_of.values())
        assert (several, mixed) == {
            Role.COINCIDES: (False, False),
            Role.SEPARATES: (True, False),
            Role.NO_PART: (True, True),
        }[statement.role]
