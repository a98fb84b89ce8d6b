"""Documents come back as they were written; what is newer, older, unknown or damaged is refused by name."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from repro.errors import BadInput, MissingFile, SchemaTooNew
from repro.schema import (
    Caps,
    Cpu,
    Cuda,
    Document,
    FrameworkState,
    Frozen,
    Gpu,
    Hex32,
    PlainData,
    Profile,
    Record,
    Stack,
    ThreadPool,
    read_json,
)
from repro.trace import Trace, trace_tensor

DIGEST = "0123456789abcdef" * 4

PROFILE = Profile(
    device="cuda",
    operating_system="Linux 6.1",
    libc="glibc 2.36",
    python="3.11.7",
    cpu=Cpu(
        architecture="x86_64",
        vendor="AuthenticAMD",
        name="AMD EPYC",
        family=25,
        logical_cores=2,
        instruction_sets=("avx", "avx2"),
        isa="avx2",
        l1d_kib=32,
    ),
    gpus=(Gpu(name="GTX 1080 Ti", compute_capability="6.1", memory_mib=11264),),
    cuda=Cuda(driver="457.51", runtime="11.1", cudnn="8005"),
    framework=FrameworkState(
        name="torch",
        version="2.14.1",
        kernels={"aten": "AVX2", "mkl": True, "level": 2, "nothing": None},
        precision={"tf32": False},
        threads={"intra": 2},
        pools=(ThreadPool(user_api="openmp", internal_api="openmp", version=None, threads=2),),
    ),
    caps=Caps(isa="avx2", threads=2),
)
RECORD = Record(
    stage="check-rep",
    system="a-system",
    model="a_model",
    parameters={"data": "embedded", "nested": {"list": [1, 2.5, None, True, "é"]}},
    inputs={"data": DIGEST},
    outputs={"trace": DIGEST},
    profile=PROFILE,
    stack=Stack(name="torch", python="3.11.7", packages={"torch": "2.14.1"}),
    switches={"seed": 0},
    result={"verdict": "identical"},
    timing={"seconds": 1.25},
)
TRACE = Trace.from_entries([trace_tensor("input", [1.5, math.nan], "input"), trace_tensor("loss", 2.5, "loss")])

DOCUMENTS = [PROFILE, RECORD, Record(stage="etl", parameters={}, inputs={}, result={"verdict": "done"}), TRACE]
by_kind = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.kind)


@by_kind
def test_a_document_comes_back_from_its_text(document: Document, tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    path.write_text(document.to_json(), encoding="utf-8")
    read = type(document).read(path)

    assert read == document
    assert read.to_json() == document.to_json()


@by_kind
def test_the_schema_line_comes_first(document: Document) -> None:
    assert document.to_json().splitlines()[1] == f'  "schema": "{document.kind}/{document.version}",'


@by_kind
def test_a_newer_document_is_refused_with_file_and_versions(document: Document, tmp_path: Path) -> None:
    path = tmp_path / "newer.json"
    path.write_text(json.dumps({**document.to_data(), "schema": f"{document.kind}/4", "new field": 1}))

    with pytest.raises(SchemaTooNew) as caught:
        type(document).read(path)

    assert str(caught.value) == (
        f"{path} is schema {document.kind}/4; this repro reads up to {document.version}\n  Next: upgrade repro"
    )
    assert caught.value.exit_code == 3


@by_kind
@pytest.mark.parametrize("schema", [None, 1, "", "{kind}", "{kind}/", "{kind}/0", "{kind}/01", "{kind}/x", "{kind}/١",
                                    "{kind}/1/1", "another-kind/1", "another-kind/9"])  # fmt: skip
def test_what_is_no_document_of_the_kind_is_refused(document: Document, schema: object) -> None:
    if isinstance(schema, str):
        schema = schema.format(kind=document.kind)

    with pytest.raises(BadInput, match=rf"^some\.json: expected (a {document.kind} document|schema {document.kind}/1)"):
        type(document).from_data({**document.to_data(), "schema": schema}, "some.json")


@by_kind
@pytest.mark.parametrize("data", [None, [], "text", 1, {}])
def test_what_has_no_schema_line_is_refused(document: Document, data: object) -> None:
    with pytest.raises(BadInput, match=f"expected a {document.kind} document, found no schema line"):
        type(document).from_data(data, "some.json")


@by_kind
def test_an_unknown_field_is_refused(document: Document) -> None:
    with pytest.raises(BadInput, match=r"some\.json: extra_field: Extra inputs are not permitted"):
        type(document).from_data({**document.to_data(), "extra_field": 1}, "some.json")


@by_kind
def test_a_document_is_frozen(document: Document) -> None:
    field = next(iter(type(document).model_fields))

    with pytest.raises(ValidationError, match="frozen"):
        setattr(document, field, getattr(document, field))


def places(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of every value in JSON data."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def changed(data: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    copy = list(data) if isinstance(data, list) else dict(data)
    copy[path[0]] = changed(data[path[0]], path[1:], value)  # type: ignore[index]
    return copy


@given(st.sampled_from(DOCUMENTS), st.data())
def test_damage_is_refused_or_gives_another_document(document: Document, data: st.DataObject) -> None:
    good = document.to_data()
    path = data.draw(st.sampled_from(places(good)[1:]))
    value = data.draw(st.sampled_from([None, True, -7, 0.5, "x", "", [], {}, ["x"], {"x": "y"}]))
    damaged = changed(good, path, value)

    try:
        read, refusal = type(document).from_data(damaged, "some.json"), None
    except BadInput as error:
        read, refusal = None, str(error)

    assert refusal.startswith("some.json: ") if refusal else read != document or damaged == good


def test_a_version_of_its_own_is_written_and_read() -> None:
    class Later(Document):
        kind: ClassVar[str] = "later"
        version: ClassVar[int] = 3
        field: int

    assert Later(field=1).to_data() == {"schema": "later/3", "field": 1}
    assert Later.from_data({"schema": "later/2", "field": 1}, "x") == Later(field=1)
    with pytest.raises(SchemaTooNew, match="x is schema later/4; this repro reads up to 3"):
        Later.from_data({"schema": "later/4"}, "x")


@pytest.mark.parametrize("digest", ["", DIGEST[1:], DIGEST + "0", DIGEST.upper(), DIGEST[1:] + "\n", f"{DIGEST}\n"])
def test_a_digest_is_64_lower_case_hexadecimal_digits(digest: str) -> None:
    class Holder(Frozen):
        digest: Hex32

    assert Holder(digest=DIGEST).digest == DIGEST
    with pytest.raises(ValidationError):
        Holder(digest=digest)


def test_numbers_that_json_has_not_are_refused() -> None:
    class Holder(Frozen):
        number: float

    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValidationError):
            Holder(number=value)


class Plain(Frozen):
    data: PlainData


def test_plain_data_are_what_json_gives_back_and_no_longer_the_callers() -> None:
    inner = [1, 2]
    plain = Plain(data={"tuple": (1, 2), "inner": inner})
    inner.append(3)

    assert plain.data == {"tuple": [1, 2], "inner": [1, 2]}


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"x": -math.inf}, {1, 2}, b"bytes", Path("x"), 1j, object()])
def test_what_json_cannot_say_is_no_plain_data(value: object) -> None:
    with pytest.raises(ValidationError, match="data"):
        Plain(data={"value": value})


@pytest.mark.parametrize("result", [{}, {"verdict": None}, {"verdict": 1}])
def test_a_record_has_a_verdict(result: dict[str, object]) -> None:
    assert RECORD.verdict == "identical"
    with pytest.raises(ValidationError, match="expected a verdict"):
        Record(stage="etl", parameters={}, inputs={}, result=result)


def test_no_comparison_sees_the_timing() -> None:
    slower = RECORD.model_copy(update={"timing": {"seconds": 99}})

    assert "timing" not in RECORD.compared()
    assert slower.compared() == RECORD.compared()
    assert RECORD.compared() | {"timing": RECORD.timing} == RECORD.to_data()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1, column 1"),
        (b'{"a": 1,\n "b": }', "line 2, column 7"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b"[Infinity, -Infinity]", "Infinity is no JSON number"),
        (b'{"a": {"b": 1, "c": 2, "b": 3}}', "an object has the key 'b' twice"),
        (b"\xef\xbb\xbf{}", "line 1, column 1"),
        (b"[" * 100_000, "recursion"),
        (b"1" * 10_000, "digits"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)

    with pytest.raises(BadInput) as caught:
        read_json(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no such file"):
        read_json(tmp_path / "absent.json")
    with pytest.raises(BadInput, match="cannot be read: Is a directory"):
        read_json(tmp_path)


def test_the_fields_of_a_profile_are_its_leaves() -> None:
    fields = PROFILE.fields()

    assert fields["cpu.isa"] == "avx2"
    assert fields["cpu.model"] is None
    assert fields["cpu.instruction_sets"] == "avx avx2"
    assert fields["gpus.0.name"] == "GTX 1080 Ti"
    assert fields["gpus.0.memory_mib"] == 11264
    assert fields["framework.kernels.mkl"] is True
    assert fields["framework.pools.0.version"] is None
    assert fields["caps.threads"] == 2
    assert not [name for name, value in fields.items() if isinstance(value, (dict, list, tuple))]


def other_profiles(name: str) -> Iterator[Profile]:
    """Give the profiles that differ from the example in one field, for every value that the field takes."""
    path = tuple(int(part) if part.isdecimal() else part for part in name.split("."))
    for value in ("x", 12345, "cpu", ["sse"]):
        with suppress(BadInput):
            yield Profile.from_data(changed(PROFILE.to_data(), path, value), "changed")


@pytest.mark.parametrize("name", PROFILE.fields())
def test_profiles_differ_in_the_fields_in_which_they_differ(name: str) -> None:
    fields = PROFILE.fields()
    others = [other.fields() for other in other_profiles(name)]

    assert others
    for other in others:
        assert {key for key in fields if fields[key] != other[key]} == {name}
