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
from repro.schema import Arithmetic, Caps, Device, Record
from repro.stages.call import Call
from repro.stages.data import StoredData
from repro.stages.etl import EMBEDDED
from repro.stages.judge import Shelf
from repro.stages.measured import REPEAT
from repro.stages.memory import fitting, memory_of_run
from repro.stages.progress import say
from repro.stages.times import timing
from repro.trace import Trace

_OTHER_THREADS = (2, 4)
_CHANGES_THREADS = {"torch"}
"""Frameworks whose number of threads can change in a process; TensorFlow's is fixed with its first operation."""

_SMALL = 650  # MB beside what is shared: a model that takes more is tried with the first of these alone
_PIECES = (1, 16)
AT_ONCE = 2
"""How many runs of a check there are to do at once."""

_CANONICAL_STEPS = 3
_LEAST = "baseline"


def check_rep(
    model: str,
    *,
    data: str = EMBEDDED,
    isa: str | None = None,
    arithmetic: Arithmetic = "native",
    device: Device = "cpu",
    results: Path = Path("results"),
    shelf: Shelf | None = None,
    force: bool = False,
    at_once: int = AT_ONCE,
) -> Record:
    """Check one model on this machine, or answer from the record of an earlier check.

    Args:
        model: ``system/model``.
        data: ``embedded`` or the path of a container.
        isa: cap on the instruction set, see :mod:`repro.hardware.caps`.
        arithmetic: ``native``, compared with what machines like this one computed, or ``canonical``, compared with
            the one digest that holds for all machines.
        device: ``cpu`` or ``cuda``.
        results: the results folder.
        shelf: where expectations and profile classes lie; the project's own by default.
        force: compute even where a record answers.
        at_once: how many of its runs may go on at once, if memory holds them.

    Raises:
        UnknownName, UsageError: the call is wrong.
        MissingFile, MissingStack, BadInput: what is needed is not there.
        NoCanonicalForm: the model has none.
    """
    call = Call.prepared(model, data=data, isa=isa, device=device, results=results, arithmetic=arithmetic)
    probe = {
        "protocol": call.system.probe_protocol_of(call.model).name,
        "batch": call.model.probe_batch,
        "steps": _CANONICAL_STEPS if arithmetic != "native" and call.model.probe_steps else call.model.probe_steps,
    }
    parameters = {**call.parameters, **probe}
    inputs = call.inputs

    def measure() -> Record:
        return _measure(call, probe, parameters, inputs, at_once)

    return call.once("check-rep", parameters, inputs, measure, shelf=shelf, force=force)


def probe_name(probe: dict[str, Any], data: StoredData) -> str:
    """Return how expectations name what check-rep feeds: the data's content, not its container."""
    return f"check-rep 2, {probe['protocol']}, batch {probe['batch']}, steps {probe['steps']}, data {data.content}"


def _measure(
    call: Call, probe: dict[str, Any], parameters: dict[str, Any], inputs: dict[str, str], at_once: int
) -> Record:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="repro-check-rep-") as name:
        folder = Path(name)
        pieces = tuple(size for size in _PIECES if size < probe["batch"])

        def run(name: str, caps: Caps, **asked: Any) -> Callable[[], Any]:
            task = {
                "task": "probe",
                **probe,
                "prepare_all": True,
                "pieces": [],
                "threads": [],
                "describe": False,
                **asked,
            }
            return lambda: call.run(task, folder / name, caps)

        def trace(name: str, file: str = "trace.json") -> Trace:
            return Trace.read(folder / name / file)

        memory = memory_of_run(call.model, call.arithmetic)
        canonical = call.arithmetic == "canonical"
        again = Caps(isa=_LEAST, threads=2) if canonical else call.caps  # there, nothing that is varied may matter
        others = () if canonical else _OTHER_THREADS if memory <= _SMALL else _OTHER_THREADS[:1]
        runs = f"two runs in fresh processes and {len(others)} with more threads"
        if canonical:
            runs = (
                f"canonical arithmetic, two runs in fresh processes, the second with {_LEAST} kernels and two threads"
            )
        say(f"{call.name}: {runs}, {call.data.name}")
        apart = () if call.model.framework in _CHANGES_THREADS else others
        planned = [
            run("first", call.caps, pieces=list(pieces), describe=True),
            run("second", again, threads=() if apart else others),
            *(
                run(f"threads-{threads}", Caps(isa=call.caps.isa, threads=threads), prepare_all=False)
                for threads in apart
            ),
        ]
        # The runs share nothing but the cores; what one computes cannot depend on another.
        with ThreadPoolExecutor(fitting(memory, at_once)) as pool:
            answers = list(pool.map(lambda planned_run: planned_run(), planned))
        answer = answers[0]
        first = trace("first")
        varied = {
            f"{threads} threads": trace(f"threads-{threads}") if apart else trace("second", f"threads-{threads}.json")
            for threads in others
        }
        varied |= {f"batch in pieces of {size}": trace("first", f"pieces-{size}.json") for size in pieces}
        outputs = {
            "trace": call.results.save_document(first),
            REPEAT: call.results.save_document(trace("second")),
        }
    result = {
        "verdict": "unrecorded",
        "probe": probe_name(probe, call.data),
        "trace": first.digest(),
        "counted": answer.get("counted", {}),
        "invariance": [_compared(what, first, other) for what, other in varied.items()],
    }
    return call.record(
        "check-rep", parameters, inputs, answer=answer, outputs=outputs, result=result, timing=timing(started, *answers)
    )


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
