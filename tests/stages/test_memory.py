"""How much memory a check takes is known before it starts, so that the pipeline starts no more than fit."""

from __future__ import annotations

from repro.registry import chosen_models
from repro.stages.check_rep import MEMORY, memory_needed


def test_the_processes_of_a_check_stay_within_the_bound_unless_one_alone_exceeds_it() -> None:
    for _, model in chosen_models(None, None):
        needed = memory_needed(model, "native")
        assert needed in (model.probe_memory, 2 * model.probe_memory)
        assert needed <= max(MEMORY, model.probe_memory)


def test_canonical_checks_of_large_models_run_one_process_at_a_time() -> None:
    _, model = next(one for one in chosen_models(["rmn"], None) if one[1].name == "vgg19")
    assert memory_needed(model, "canonical") > memory_needed(model, "native") == model.probe_memory
