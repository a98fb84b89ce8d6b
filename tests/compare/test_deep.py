"""``repro compare --deep``: against another cap, another arithmetic, another machine's trace, and by sketches alone."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.deep_emotion.model_torch import build
from repro.compare.element import first_sampled_difference
from repro.compare.machines import Run
from repro.errors import BadInput, UsageError
from repro.hardware.cpu import own_levels
from repro.schema import Record
from repro.stages.localise import chosen
from repro.stages.rerun import Asked
from repro.store.results import Results
from repro.trace import Trace, TraceEntry, thin, trace_tensor
from repro.trace.keyed import keyed_tensor
from tests.command import Ended, Place

MODEL = ("--system", "deep-emotion", "--model", "deep_emotion")  # the smallest
PLANTED = "forward/fc1"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    if own_levels()[-1] == "baseline":
        pytest.skip("this machine has one level of kernels")
    return Place(tmp_path_factory.mktemp("deep"))


def _checked(place: Place, *more: str) -> Path:
    """Return the record of check-rep with more options; the first call makes it."""
    ended = place.run("check-rep", *MODEL, *more, "--json")
    assert ended.data()["records"], ended.err
    asked = ended.data()["records"][0]["parameters"]
    for path in sorted((place.results / "records" / "check-rep").rglob("*.json")):
        if Record.read(path).parameters == asked:
            return path
    raise AssertionError(f"no record of {asked}")


def _deep(place: Place, *sources: Path, code: int = 1) -> dict[str, Any]:
    ended: Ended = place.run("compare", "--deep", "--json", *map(str, sources), "--results", str(place.results))
    assert ended.code == code, ended.err
    return ended.data()["localised"]  # type: ignore[no-any-return]


def _names_the_convolution(localised: dict[str, Any]) -> None:
    assert localised["first"]["name"] == "contract/localization.0"
    assert localised["operation"] == "aten.convolution.default"
    assert localised["reads"] == [[2, 1, 48, 48], [8, 1, 7, 7], [8]]
    assert localised["shape"] == [2, 8, 42, 42]
    assert localised["element"]["differing"] > 0
    assert localised["element"]["ulps"] > 0
    assert not localised["sampled"]


@pytest.mark.slow
@pytest.mark.parametrize("other", [("--isa", "baseline"), ("--arithmetic", "canonical")])
def test_against_another_cap_or_arithmetic(place: Place, other: tuple[str, str]) -> None:
    localised = _deep(place, _checked(place), _checked(place, *other))
    assert localised["notes"] == ["comes out here", "comes out here"]
    _names_the_convolution(localised)


@pytest.mark.slow
def test_a_bare_trace_is_tried_with_the_other_kernels_of_this_machine(place: Place, tmp_path: Path) -> None:
    mine = _checked(place)
    digest = Record.read(_checked(place, "--isa", "baseline")).outputs["trace"]
    bare = tmp_path / "sent.json"
    bare.write_text(Results(place.results).load_document(Trace, digest).to_json(), encoding="utf-8")
    localised = _deep(place, mine, bare)
    assert localised["notes"] == ["comes out here", "comes out here with kernels up to baseline, 1 thread"]
    _names_the_convolution(localised)


@pytest.mark.slow
def test_a_record_of_a_lesser_machine_is_run_with_its_kernels(place: Place, tmp_path: Path) -> None:
    mine = _checked(place)
    record = Record.read(_checked(place, "--isa", "baseline"))
    trace = Results(place.results).load_document(Trace, record.outputs["trace"])
    lesser = _sent(tmp_path, record.model_copy(update={"parameters": {**record.parameters, "isa": None}}), trace)
    localised = _deep(place, lesser, mine)
    assert localised["notes"] == ["comes out here with kernels up to baseline, 1 thread", "comes out here"]
    _names_the_convolution(localised)


@pytest.mark.slow
def test_sketches_are_enough_when_the_other_machine_is_away(place: Place, tmp_path: Path) -> None:
    mine = _checked(place)
    record = Record.read(mine)
    trace = _planted(Results(place.results).load_document(Trace, record.outputs["trace"]))
    _sent(tmp_path, record, trace)
    bundle = tmp_path / "theirs.zip"
    written = place.run("report", "--results", str(tmp_path), "--output", str(tmp_path / "r"), "--bundle", str(bundle))
    assert bundle.is_file(), written.err
    found = [_deep(place, mine, bundle), _deep(place, bundle, _sent(tmp_path / "again", record, _planted(trace)))]
    away = [[note.startswith("does not come out here") for note in one["notes"]] for one in found]
    assert away == [[False, True], [True, True]]
    for one in found:
        assert one["first"]["name"] == PLANTED
        assert one["operation"] == "aten.addmm.default"
        assert one["reads"] == [[50], [64, 810], [810, 50]]
        assert one["sampled"]
        assert one["element"]["differing"] == 1
        assert one["element"]["ulps"] == 1


@pytest.mark.slow
def test_a_planted_ulp_in_a_weight_is_found_at_its_own_tensor(place: Place, tmp_path: Path) -> None:
    results = []
    for planted in (False, True):
        model = build()
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.from_numpy(keyed_tensor(name, tuple(value.shape), "a checkpoint", "oihw")))
            if planted and name == "conv3.weight":
                flat = value.view(-1)
                flat[0] = torch.nextafter(flat[0], torch.tensor(np.inf))
        file, folder = tmp_path / f"{planted}.pt", tmp_path / str(planted)
        torch.save(model.state_dict(), file)
        asked = ("--split", "validation", "--protocol", "corrected", "--results", str(folder))
        ended = place.run("eval", "--system", "deep-emotion", "--checkpoint", str(file), *asked)
        assert ended.code == 0, ended.err
        results.append(next((folder / "records" / "eval").rglob("*.json")))
    shallow = place.run("compare", *map(str, results))
    assert "conv3.weight (weight)" in shallow.out, shallow.err
    localised = _deep(place, *results)
    assert localised["first"]["name"] == "weight/conv3.weight"
    assert localised["operation"] == "weight"
    assert localised["element"]["index"] == [0, 0, 0, 0]
    assert localised["element"]["ulps"] == 1
    assert "in 1 of " in localised["remark"]


@pytest.mark.slow
def test_operations_of_tensorflow_are_named(place: Place) -> None:
    asked = ("--system", "mini-xception", "--model", "mini_xception")
    for more in ((), ("--isa", "baseline")):
        place.run("check-rep", *asked, *more)
    ended = place.run(
        *("compare", "--deep", "--json", "--model", "mini_xception", str(place.results)),
        *("--results", str(place.results)),
    )
    assert ended.code == 1, ended.err
    localised = ended.data()["localised"]
    assert localised["notes"] == ["comes out here", "comes out here"]
    assert localised["operation"] == "Conv2D"
    assert localised["element"]["differing"] > 0


def test_the_two_that_are_meant_are_chosen() -> None:
    bare = Trace.from_entries([trace_tensor("forward/a", np.zeros(1, np.float32), "a")])

    def run(model: str | None, stage: str = "check-rep") -> Run:
        asked: dict[str, Any] = {"stage": stage, "system": "s", "model": model, "parameters": {}, "inputs": {}}
        record = None if model is None else Record(**asked, result={"verdict": "identical"})
        return Run(label=str(model), key="check-rep", trace=bare, record=record)

    for models, wanted in (("ab", "ab"), (("a", None), ("a", None)), ("aba", "aa"), ("abcb", "bb")):
        assert [one.label for one in chosen([run(model) for model in models])] == [str(one) for one in wanted]
    both = [run("a"), run("a"), *(run("a", "eval") for _ in range(3))]
    assert [one.record.stage for one in chosen(both) if one.record] == ["check-rep", "check-rep"]
    for models, told in (
        ((None, None), "a trace alone"),
        ("abab", "check-rep s/a: 2; check-rep s/b: 2"),
        ("aaa", "check-rep s/a: 3"),
        ("abc", "no two of one model"),
        (("a", "b", None), "2 with a record and 1 without"),
    ):
        with pytest.raises(UsageError, match=told):
            chosen([run(model) for model in models])


def test_a_strangers_record_asks_for_nothing_without_bounds() -> None:
    asked = {"protocol": "corrected", "batch": 64, "steps": 3, "arithmetic": "native", "device": "cpu", "threads": 1}
    record = Record(stage="check-rep", parameters={**asked, "isa": None}, inputs={}, result={"verdict": "identical"})
    assert Asked.of(record, "here").batch == 64
    for wrong in ({"batch": 10**9}, {"steps": -1}, {"threads": None}, {"device": "tpu"}, {"protocol": 3}):
        hostile = record.model_copy(update={"parameters": {**asked, "isa": None, **wrong}})
        with pytest.raises(BadInput, match=f"asked for: {next(iter(wrong))}"):
            Asked.of(hostile, "a stranger's")


@pytest.mark.parametrize("thinned", [False, True])
def test_the_first_sampled_element_is_at_its_place_of_the_whole(thinned: bool) -> None:
    values = np.linspace(1, 2, 3 * 100, dtype=np.float32).reshape(3, 100)
    other = values.copy()
    other.reshape(-1)[[0, 299]] = np.nextafter(other.reshape(-1)[[0, 299]], np.float32(9))
    other[0, 0] = values[0, 0]
    a, b = (Trace.from_entries([trace_tensor("a", one, "a")]) for one in (values, other))
    b = thin(b) if thinned else b
    found = first_sampled_difference(a.entries[0], b.entries[0])
    assert found is not None
    assert (found.index, found.ulps, found.differing, found.size) == ((2, 99), 1, 1, 10 if thinned else 64)
    assert first_sampled_difference(a.entries[0], a.entries[0]) is None


def _sent(folder: Path, record: Record, trace: Trace) -> Path:
    """Write a results folder with one record, as another machine would send it, and return the record's file."""
    digest = Results(folder).save_document(trace)
    path = folder / "records" / "check-rep" / "deep-emotion" / "deep_emotion-sent.json"
    path.parent.mkdir(parents=True)
    outputs = {"trace": digest, "trace-repeat": digest}
    path.write_text(record.model_copy(update={"outputs": outputs}).to_json(), encoding="utf-8")
    return path


def _planted(trace: Trace) -> Trace:
    """Return a trace in which one sampled value of one tensor is the next number, as a machine far away has it."""

    def changed(entry: TraceEntry) -> TraceEntry:
        assert entry.sketch is not None
        values = np.frombuffer(base64.b64decode(entry.sketch.values), "<u4").copy()
        values[5] += 1
        sketch = entry.sketch.model_copy(update={"values": base64.b64encode(values.tobytes()).decode()})
        digest = f"{int(entry.digest, 16) ^ 1 << int(values[5]) % 256:064x}"  # another, and the next time a third
        return entry.model_copy(update={"sketch": sketch, "digest": digest})

    return Trace(entries=tuple(changed(entry) if entry.name == PLANTED else entry for entry in trace))
