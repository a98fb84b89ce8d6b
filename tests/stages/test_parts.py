"""The parts of the stages: children, stacks, judging, the registry, the doctor."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from repro import registry
from repro.errors import BadInput, MissingFile, MissingStack, UnknownName
from repro.hardware.match import describe, load_classes, write_class
from repro.hardware.probe import read_profile
from repro.schema import BitVerdict, Caps, Stack, System
from repro.stages import stacks
from repro.stages.child import ChildFailed, run_child
from repro.stages.data import StoredData
from repro.stages.doctor import State, examine
from repro.stages.judge import Judgement, Shelf, judge
from repro.stages.stacks import StackEnvironment, find_stack
from repro.store.claims import load_claims
from repro.store.expectations import Expectation, Expectations, save_expectations
from repro.trace import Trace, trace_tensor

STACK = Stack(name="torch", python="3.11.7", packages={"torch": "2.14.1"})


def _trace(value: float) -> Trace:
    entries = [trace_tensor("a", np.float32(1), "input"), trace_tensor("b", np.float32(value), "loss")]
    return Trace.from_entries(entries)


def _judged(shelf: Shelf, first: Trace, second: Trace | None = None) -> Judgement:
    profile = read_profile(Caps())
    return judge(first, second, system="s", model="m", probe="p", profile=profile, stack=STACK, shelf=shelf)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    found = Shelf(tmp_path / "expected", tmp_path / "profiles")
    found.expected.mkdir()
    found.profiles.mkdir()
    return found


def _store(shelf: Shelf, trace: Trace) -> None:
    mine = describe(read_profile(Caps()))
    if mine.name not in {one.name for one in load_classes(shelf.profiles)}:
        write_class(shelf.profiles, mine)
    expectation = Expectation(model="m", probe="p", stack=STACK.packages, reason="r", trace=trace.entries)
    save_expectations(shelf.expected, Expectations(system="s", profile=mine.name).with_added(expectation))


def test_every_verdict_on_bits(shelf: Shelf) -> None:
    assert _judged(shelf, _trace(1)).verdict is BitVerdict.UNRECORDED
    _store(shelf, _trace(1))
    assert _judged(shelf, _trace(1), _trace(1)).verdict is BitVerdict.IDENTICAL
    different = _judged(shelf, _trace(np.nextafter(np.float32(1), np.float32(2))))
    assert different.verdict is BitVerdict.DIFFERENT
    assert different.told["comparison"]["first"]["name"] == "b"
    assert "1 ulp" in different.told["sentence"]
    unstable = _judged(shelf, _trace(1), _trace(2))
    assert unstable.verdict is BitVerdict.UNSTABLE, "also where the first run agrees with what is stored"
    assert "two runs on this machine differ" in unstable.told["sentence"]


def test_a_child_answers_in_its_own_environment(tmp_path: Path) -> None:
    environment = find_stack("torch")
    answer = run_child(environment, {"task": "profile", "framework": "torch"}, Caps(threads=1), tmp_path / "child")
    assert answer["profile"]["framework"]["threads"]["intra"] == 1
    assert answer["profile"]["caps"] == {"isa": None, "threads": 1}


def test_a_childs_error_comes_back_as_itself(tmp_path: Path) -> None:
    task = {"task": "evaluate", "framework": "torch", "model": "no-such/model", "seed": 0}
    with pytest.raises(UnknownName, match="unknown system 'no-such'"):
        run_child(find_stack("torch"), task, Caps(), tmp_path / "child")


def test_a_child_that_dies_is_told(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nkill -9 $$\n")
    python.chmod(0o755)
    dying = StackEnvironment(python=python, stack=STACK, site=tuple(sys.path))
    with pytest.raises(ChildFailed, match="signal 9"):
        run_child(dying, {"task": "profile", "framework": "torch"}, Caps(), tmp_path / "child")


def test_a_missing_stack_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find_stack.cache_clear()
    monkeypatch.setenv("REPRO_STACK_TENSORFLOW", str(tmp_path))
    try:
        with pytest.raises(MissingStack, match="make setup"):
            find_stack("tensorflow")
        with pytest.raises(UnknownName, match="Did you mean tensorflow"):
            find_stack("tensorflows")
    finally:
        find_stack.cache_clear()


def test_the_doctor_tells_a_lock_that_is_not_met(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    for source in (root / "expected_results").glob("*/*.toml"):
        (shelf.expected / source.parent.name).mkdir(exist_ok=True)
        shutil.copy(source, shelf.expected / source.parent.name)
    findings = {one.subject: one for one in examine(shelf)}
    assert findings["stack torch"].state is State.OK, findings["stack torch"].told
    assert findings["claims"].told == f"{len(load_claims(shelf.expected))} published numbers"
    monkeypatch.setattr(stacks, "_packages", lambda site: {"torch": "1.0", "numpy": "2.4"})
    find_stack.cache_clear()
    try:
        told = {one.subject: one for one in examine(shelf)}["stack torch"]
    finally:
        find_stack.cache_clear()
    assert told.state is State.FAULT
    assert "differ from the lock" in told.told
    (shelf.profiles / "broken.toml").write_text("name = 3")
    assert {one.subject: one for one in examine(shelf)}["profile classes"].state is State.FAULT


def test_the_doctor_says_what_a_missing_download_blocks(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path))
    findings = {one.subject: one for one in examine(Shelf.of(root / "expected_results", root / "hardware_profiles"))}
    found = findings["checkpoint lhc-net-checkpoint-lhcnet"]
    assert (found.state, found.next_step) == (State.MISSING, "repro fetch lhc-net-checkpoint-lhcnet")
    assert found.blocks == ("lhc-net-fer2013-lhc-net",)


def test_rows_of_splits(tmp_path: Path) -> None:
    np.save(tmp_path / "usages.npy", np.array([0, 1, 0, 2, 1, 0], dtype=np.uint8))
    data = StoredData(tmp_path, "d", ("Training", "PublicTest", "PrivateTest"), "0" * 64)
    system = registry.system("deep-emotion")
    both = system.split("test-both")
    assert data.rows(both).tolist() == [1, 4, 3]
    assert data.rows(both.model_copy(update={"start": 1, "stop": 2})).tolist() == [4]
    assert data.rows(system.split("training")).tolist() == [0, 2, 5]
    assert data.training_rows_outside(system.split("training").model_copy(update={"stop": 2})).tolist() == [5]
    with pytest.raises(BadInput, match="training-2022"):
        data.rows(system.split("training-2022"))


def test_two_systems_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "pipelines"
    for name in ("one", "two"):
        (package / name).mkdir(parents=True)
        (package / name / "system.py").write_text("from pipelines.deep_emotion.system import SYSTEM\n")
    monkeypatch.setattr(registry, "project_root", lambda: tmp_path)
    import pipelines

    monkeypatch.setattr(pipelines, "__path__", [*pipelines.__path__, str(package)])
    registry.systems.cache_clear()
    try:
        with pytest.raises(BadInput, match="a system called 'deep-emotion' exists already"):
            registry.systems()
    finally:
        registry.systems.cache_clear()


def test_what_systems_declare_is_there() -> None:
    for system in registry.systems().values():
        assert isinstance(system, System)
        targets = (system.dataset, system.embedded, system.prepare, system.summarise)
        assert all(callable(registry.resolve(target)) for target in targets), system.name
    with pytest.raises(BadInput, match="has no 'nothing'"):
        registry.resolve("pipelines.common.faces:nothing")


def test_etl_reads_no_missing_file(tmp_path: Path) -> None:
    from repro.stages.etl import etl
    from repro.store.results import Results

    with pytest.raises(MissingFile, match="no data at"):
        etl(registry.system("deep-emotion"), str(tmp_path / "none.csv"), Results(tmp_path / "results"))
    assert not (tmp_path / "results").exists()
