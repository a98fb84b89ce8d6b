"""The check-rep stage: does this machine compute the bits that others recorded?

One model is filled with keyed weights and traced: the contract's input, the prepared images, a forward
pass and three training steps, in a fresh process, twice. The two runs must agree, and are then compared
with what is stored. Further runs change one thing that should not matter, the thread count or the split
of the batch, and say whether it does.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from repro.compare.divergence import compare_traces
from repro.determinism.environment import switched
from repro.hardware.caps import parse_caps
from repro.hardware.probe import read_profile
from repro.registry import find_model
from repro.schema import Caps, Device, Model, Profile, Record, System
from repro.stages.child import run_child
from repro.stages.code import code_digest
from repro.stages.data import StoredData
from repro.stages.etl import EMBEDDED, etl
from repro.stages.judge import Shelf
from repro.stages.measured import REPEAT, measured_once
from repro.stages.progress import say
from repro.stages.stacks import StackEnvironment, find_stack
from repro.stages.times import timing
from repro.store.results import Results, address
from repro.trace import Trace

REFERENCE_THREADS = 1
"""Threads of the runs that are compared with what is stored: one leaves no splitting to the framework."""

_OTHER_THREADS = (2, 4)
_PIECES = (1, 16)
_AT_ONCE = 2  # processes; memory for two models of any of the systems is there where one trains
_BATCH = 64
_STEPS = 3
_SEED = 0


def check_rep(
    model: str,
    *,
    data: str = EMBEDDED,
    isa: str | None = None,
    device: Device = "cpu",
    results: Path = Path("results"),
    shelf: Shelf | None = None,
    force: bool = False,
) -> Record:
    """Check one model on this machine, or answer from the record of an earlier check.

    Args:
        model: ``system/model``.
        data: ``embedded`` or the path of a container.
        isa: cap on the instruction set, see :mod:`repro.hardware.caps`.
        device: ``cpu`` or ``cuda``.
        results: the results folder.
        shelf: where expectations and profile classes lie; the project's own by default.
        force: compute even where a record answers.

    Raises:
        UnknownName, UsageError: the call is wrong.
        MissingFile, MissingStack, BadInput: what is needed is not there.
    """
    shelf = shelf or Shelf.of()
    system, found = find_model(model)
    environment = find_stack(found.stack)
    caps = parse_caps(isa, REFERENCE_THREADS)
    store = Results(results)
    _, decoded = etl(system, data, store)
    protocol = _probe_protocol(system)
    parameters: dict[str, Any] = {
        "data": decoded.name,
        "protocol": protocol,
        "arithmetic": "native",
        "device": device,
        "isa": isa,
        "batch": _BATCH,
        "steps": _STEPS,
        "seed": _SEED,
    }
    inputs = {"data": decoded.content, "code": code_digest(system.package)}
    machine = read_profile(caps, device=device)
    place = store.record_path(
        "check-rep",
        system.name,
        found.name,
        address(parameters, inputs, machine=machine.to_data(), stack=environment.stack.model_dump()),
    )
    return measured_once(
        store,
        place,
        inputs,
        shelf,
        force,
        lambda: _measure(system, found, environment, caps, decoded, parameters, inputs, store),
    )


def probe_name(data: StoredData) -> str:
    """Return how expectations name what check-rep feeds: the data's content, not its container."""
    return f"check-rep 1, data {data.content}"


def _probe_protocol(system: System) -> str:
    names = [protocol.name for protocol in system.protocols]
    return "corrected" if "corrected" in names else names[0]


def _measure(
    system: System,
    model: Model,
    environment: StackEnvironment,
    caps: Caps,
    data: StoredData,
    parameters: dict[str, Any],
    inputs: dict[str, str],
    store: Results,
) -> Record:
    started = time.monotonic()
    name = f"{system.name}/{model.name}"
    task = {
        "task": "probe",
        "framework": model.framework,
        "model": name,
        "data": data.task(),
        **{key: parameters[key] for key in ("protocol", "device", "batch", "steps", "seed")},
    }
    with tempfile.TemporaryDirectory(prefix="repro-check-rep-") as folder:
        runs = _Runs(environment, task, Path(folder))
        say(f"{name}: two runs in fresh processes, and {len(_OTHER_THREADS)} with other thread counts, {data.name}")
        wanted = [
            runs.planned("first", caps, prepare_all=True, pieces=_PIECES),
            runs.planned("second", caps, prepare_all=True),
            *(
                runs.planned(f"threads-{threads}", Caps(isa=caps.isa, threads=threads), prepare_all=False)
                for threads in _OTHER_THREADS
            ),
        ]
        # The runs share nothing but the cores; what one computes cannot depend on another.
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answer, *_ = pool.map(lambda run: run(), wanted)
        first = runs.trace("first")
        invariance = [
            _compared(f"{threads} threads", first, runs.trace(f"threads-{threads}")) for threads in _OTHER_THREADS
        ]
        invariance += [
            _compared(f"batch in pieces of {size}", first, runs.trace("first", f"pieces-{size}.json"))
            for size in _PIECES
        ]
        outputs = {"trace": store.save_document(first), REPEAT: store.save_document(runs.trace("second"))}
    return Record(
        stage="check-rep",
        system=system.name,
        model=model.name,
        parameters=parameters,
        inputs=inputs,
        outputs=outputs,
        profile=Profile.from_data(answer["profile"], "the child's profile"),
        stack=environment.stack,
        switches={**answer["switches"], "environment": switched(caps, environment.python)},
        result={
            "verdict": "unrecorded",
            "probe": probe_name(data),
            "trace": first.digest(),
            "invariance": invariance,
        },
        timing=timing(started),
    )


class _Runs:
    """The child processes of one check, each in a folder of its own."""

    def __init__(self, environment: StackEnvironment, task: dict[str, Any], folder: Path) -> None:
        self._environment, self._task, self._folder = environment, task, folder

    def planned(self, name: str, caps: Caps, *, prepare_all: bool, pieces: tuple[int, ...] = ()) -> Callable[[], Any]:
        task = {**self._task, "prepare_all": prepare_all, "pieces": list(pieces)}
        return lambda: run_child(self._environment, task, caps, self._folder / name)

    def trace(self, name: str, file: str = "trace.json") -> Trace:
        return Trace.read(self._folder / name / file)


def _compared(what: str, expected: Trace, actual: Trace) -> dict[str, Any]:
    """Compare the tensors that both traces have; a run with less in it is no divergence."""
    shared = set(expected.digests()) & set(actual.digests())
    kept = [Trace(entries=tuple(entry for entry in trace if entry.name in shared)) for trace in (expected, actual)]
    comparison = compare_traces(*kept)
    return {
        "varied": what,
        "verdict": str(comparison.verdict),
        "sentence": comparison.sentence(),
        "compared": len(shared),
    }
