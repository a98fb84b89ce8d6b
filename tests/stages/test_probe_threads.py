"""A number of threads that changes within a process computes what a process that starts with it computes."""

from __future__ import annotations

from pathlib import Path

from repro.schema import Caps
from repro.stages.call import Call
from repro.stages.etl import EMBEDDED
from repro.trace import Trace


def test_threads_that_change_are_those_of_a_fresh_process(tmp_path: Path) -> None:
    call = Call.prepared("rmn/resnet18", data=EMBEDDED, isa=None, device="cpu", results=tmp_path / "results")
    task = {
        "task": "probe",
        "protocol": call.system.probe_protocol_of(call.model).name,
        "batch": call.model.probe_batch,
        "steps": call.model.probe_steps,
        "prepare_all": False,
        "pieces": [],
        "describe": False,
    }
    call.run({**task, "threads": [2]}, tmp_path / "changed", Caps(threads=1))
    call.run({**task, "threads": []}, tmp_path / "fresh", Caps(threads=2))
    one, changed = (Trace.read(tmp_path / "changed" / file) for file in ("trace.json", "threads-2.json"))

    assert changed.digests() == Trace.read(tmp_path / "fresh" / "trace.json").digests()
    assert changed.digests().keys() == one.digests().keys()
    assert changed.digest() != one.digest(), "two threads add gradients in another order"
