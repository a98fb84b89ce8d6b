"""A measurement is computed once and judged each time: what is stored to compare with may have changed since."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from repro.schema import Record
from repro.stages.judge import Shelf, judge
from repro.store.results import Results
from repro.trace import Trace

REPEAT = "trace-repeat"
"""Output that holds the trace of a second run, where a stage makes one."""


def measured_once(
    store: Results,
    place: Path,
    inputs: dict[str, str],
    shelf: Shelf,
    force: bool,
    measure: Callable[[], Record],
) -> Record:
    """Return the record of a measurement with a fresh verdict, measuring only where no record answers.

    A record answers if it was made from these inputs and all that it names is still there. The record is
    written only if it says something new.

    Args:
        store, place: where the record lies.
        inputs: digests of all that the measurement reads.
        shelf: what to judge by.
        force: measure even where a record answers.
        measure: makes the record; its ``result["verdict"]`` is replaced.
    """
    stored = None if force else store.load_record(place)
    answers = stored is not None and _answers(store, stored, inputs)
    measured = stored if stored is not None and answers else measure()
    record = _judged(measured, store, shelf)
    return record if record == stored else store.save_record(place, record)


def _answers(store: Results, record: Record, inputs: dict[str, str]) -> bool:
    made_from_these = all(record.inputs.get(name) == digest for name, digest in inputs.items())
    return made_from_these and all(store.holds(digest) for digest in record.outputs.values())


def _judged(measured: Record, store: Results, shelf: Shelf) -> Record:
    assert measured.profile is not None, "a measured record names its machine"
    assert measured.stack is not None, "a measured record names its stack"
    assert measured.system is not None, "a measured record names its system"
    assert measured.model is not None, "a measured record names its model"
    arithmetic = measured.parameters.get("arithmetic", "native")
    repeat = measured.outputs.get(REPEAT)
    judgement = judge(
        store.load_document(Trace, measured.outputs["trace"]),
        None if repeat is None else store.load_document(Trace, repeat),
        system=measured.system,
        model=measured.model,
        probe=measured.result["probe"],
        profile=measured.profile,
        stack=measured.stack,
        shelf=shelf,
        arithmetic=arithmetic,
    )
    inputs = {name: digest for name, digest in measured.inputs.items() if name != "expectations"}
    if judgement.expectations is not None:
        inputs["expectations"] = judgement.expectations
    result = {**measured.result, "verdict": judgement.verdict.value, "bits": judgement.told}
    return measured.model_copy(update={"inputs": inputs, "result": result})
