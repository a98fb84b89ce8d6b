"""How much memory a check takes is known before it starts, so that the pipeline starts no more than fit."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.registry import chosen_models
from repro.stages.check_rep import AT_ONCE, check_rep
from repro.stages.memory import MEMORY, SHARED, memory_budget, memory_of_check
from repro.stages.times import timing
from tests.conftest import ROOT

MODELS = [(system.name, model) for system, model in chosen_models(None, None)]


def test_the_processes_of_a_check_stay_within_the_bound() -> None:
    for _, model in MODELS:
        alone, needed = memory_of_check(model, "native", 1), memory_of_check(model, "native", AT_ONCE)
        assert alone == model.probe_memory - SHARED
        assert needed in (alone, 2 * alone)
        assert needed + SHARED <= MEMORY


def test_canonical_checks_of_large_models_run_one_process_at_a_time() -> None:
    model = next(model for name, model in MODELS if (name, model.name) == ("rmn", "vgg19"))
    assert (
        memory_of_check(model, "canonical", AT_ONCE)
        > memory_of_check(model, "native", AT_ONCE)
        == model.probe_memory - SHARED
    )


@given(st.integers(1, 256), st.integers(0, 10**6))
def test_two_cores_have_one_bound_and_more_have_more_where_memory_holds_it(cores: int, available: int) -> None:
    budget = memory_budget("native", cores, available)
    assert memory_budget("native", 2, available) == MEMORY - SHARED <= budget
    assert budget <= max(MEMORY - SHARED, available * 3 / 4)
    growing = [memory_budget("native", count, 10**6) for count in range(1, cores + 1)]
    assert all(one <= other for one, other in pairwise(growing))


def test_canonical_checks_have_more_where_memory_holds_it() -> None:
    assert memory_budget("canonical", 2, 10**6) > memory_budget("native", 2, 10**6)
    assert memory_budget("canonical", 2, 0) == memory_budget("native", 2, 10**6)


def test_a_process_tells_the_most_that_it_has_held() -> None:
    program = (
        "from repro.stages.times import peak_bytes\n"
        "print(peak_bytes()); held = b'x' * 10**8; print(peak_bytes()); del held; print(peak_bytes())"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    before, while_held, after = (int(line) for line in ended.stdout.split())
    assert 0.9 * 10**8 < while_held - before < 1.2 * 10**8
    assert after > 0.99 * while_held, "the kernel counts in batches"


def test_of_several_processes_the_largest_peak_is_told() -> None:
    assert timing(0.0, {"peak_bytes": 5}, {"peak_bytes": None}, {"peak_bytes": 7})["peak_bytes"] == 7
    assert "peak_bytes" not in timing(0.0, {"peak_bytes": None})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rmn/resmasking_dropout1", "rmn/vgg19", "rmn/resnet18", "poster/poster_v2_7cls"])
def test_a_check_takes_what_its_model_declares(name: str, tmp_path: Path) -> None:
    record = check_rep(name, results=tmp_path, at_once=1)
    declared = next(model.probe_memory for system, model in MODELS if f"{system}/{model.name}" == name)
    assert 0.7 * declared < record.timing["peak_bytes"] / 10**6 < 1.2 * declared
