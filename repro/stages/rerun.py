"""One recorded run of check-rep, computed again on this machine with every operation of one phase recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, ValidationError

from repro.compare.machines import Run
from repro.errors import BadInput, ReproError, UsageError
from repro.hardware.caps import described
from repro.hardware.cpu import ONEDNN_OFF, own_levels
from repro.schema import Caps, Device, Frozen, Record
from repro.stages.call import Call
from repro.stages.progress import say
from repro.trace import Trace

_THREADS = Annotated[int, Field(ge=1, le=1024)]


class Asked(Frozen):
    """What a record says was asked for. It may be a stranger's, so it is bounded."""

    protocol: str
    batch: Annotated[int, Field(ge=1, le=4096)]
    steps: Annotated[int, Field(ge=0, le=100)]
    arithmetic: str
    device: Device
    isa: str | None
    threads: _THREADS

    @property
    def caps(self) -> Caps:
        """What it was allowed to use."""
        return Caps(isa=self.isa, threads=self.threads)

    @classmethod
    def of(cls, record: Record, label: str) -> Asked:
        """Read it from a record.

        Raises:
            BadInput: it is not there, or out of bounds.
        """
        try:
            return cls(**{name: record.parameters.get(name) for name in cls.model_fields})
        except ValidationError as error:
            wrong = ", ".join(str(one["loc"][0]) for one in error.errors())
            raise BadInput(f"{label}: its record does not say what check-rep was asked for: {wrong}") from error


class Rerun:
    """A run and what it gives here.

    Where the recorded bits come out it is *at hand*. A record is run again with its own caps, and if it was made on a
    machine of a lesser level, with a cap at that level. A bare trace does not say how it was made: it is tried with
    the other run's caps and then with every other level of kernels that this machine has.

    Args:
        run: what is to come out.
        record: the run's own record, or the other's where it is a bare trace.
        data, results: as for :func:`repro.stages.localise.localise`.
        folder: an empty folder for the runs.

    Attributes:
        at_hand: whether the bits came out.
        refused: why it cannot be run here at all.
        note: whether, and how or why not.
        trace, seen, reads: what the last run gave: layers, operations, and the shapes that they read.
    """

    def __init__(self, run: Run, record: Record, data: str, results: Path, folder: Path) -> None:
        self.run, self._bare, self._folder, self._calls = run, run.record is None, folder, 0
        self._asked = asked = Asked.of(record, run.label)
        self._caps = asked.caps
        self._levels = list(own_levels()[:-1])
        profile = None if record.profile is None else record.profile.fields()
        self._recorded_level = None if profile is None else profile.get("cpu.isa")
        self.at_hand, self.note = False, ""
        self.refused: ReproError | None = None
        self.trace = self.seen = Trace(entries=())
        self.reads: dict[str, Any] = {}
        try:
            self._call = Call.prepared(
                f"{record.system}/{record.model}",
                data=data,
                isa=asked.isa,
                device=asked.device,
                results=results,
                threads=asked.threads,
                arithmetic="native" if asked.arithmetic == "native" else "canonical",
            )
            if record.inputs.get("data") != self._call.data.content:
                raise UsageError(
                    f"{run.label} was fed other data than {self._call.data.name}",
                    next_step=f"give them with --data; the record calls them {record.parameters.get('data')}",
                )
        except ReproError as error:
            self._refuse(error)

    def search(self, phase: str, name: str) -> None:
        """Run with a phase's operations recorded, until the recorded bits come out up to and with a tensor."""
        if self.refused is not None:
            return
        first: tuple[Trace, Trace, dict[str, Any]] | None = None
        for caps in self._candidates():
            try:
                self._once(caps, phase)
            except ReproError as error:
                self._refuse(error)
                return
            first = first or (self.trace, self.seen, self.reads)
            if self.seen.entries and self._gives(name):
                self._caps, self.at_hand = caps, True
                self.note = "comes out here" + ("" if caps == self._asked.caps else f" with {_shown(caps)}")
                return
        if first is not None:
            self.trace, self.seen, self.reads = first
        self.note = f"does not come out here{self._otherwise()}: its sketches are all there is"

    def values(self, phase: str, entry: str) -> np.ndarray:
        """Run once more and return one operation's result whole."""
        folder = self._once(self._caps, phase, keep=entry)
        kept: np.ndarray = np.load(folder / "kept.npy", allow_pickle=False)
        return kept

    def _candidates(self) -> Iterator[Caps]:
        asked = self._asked
        yield asked.caps
        if asked.device != "cpu":
            return
        highest = own_levels()[-1]
        if self._bare:
            others = [None, *reversed(self._levels), ONEDNN_OFF]
        else:
            others = [str(self._recorded_level)] if self._recorded_level in self._levels and asked.isa is None else []
        for isa in others:
            if (isa or highest) != (asked.isa or highest):
                yield Caps(isa=isa, threads=asked.threads)

    def _once(self, caps: Caps, phase: str, keep: str | None = None) -> Path:
        self._calls += 1
        folder = self._folder / str(self._calls)
        arithmetic = "" if self._asked.arithmetic == "native" else f", {self._asked.arithmetic}"
        say(f"{self._call.name}: again with {_shown(caps)}{arithmetic}")
        task = {
            "task": "probe",
            **{name: getattr(self._asked, name) for name in ("protocol", "batch", "steps")},
            "prepare_all": True,
            "describe": False,
            "pieces": [],
            "threads": [],
            "operations": {"phase": phase, "keep": keep},
        }
        answer = self._call.run(task, folder, caps)
        self.trace, self.seen = Trace.read(folder / "trace.json"), Trace.read(folder / "operations.json")
        self.reads = answer["reads"]
        return folder

    def _gives(self, name: str) -> bool:
        mine, recorded = self.trace.digests(), self.run.trace.digests()
        names = list(recorded)
        upto = names[: names.index(name) + 1]
        return all(mine.get(one) == recorded[one] for one in upto)

    def _otherwise(self) -> str:
        """Return what the recorded run had that this one has not, beside the machine."""
        record = self.run.record
        if record is None:
            return ""
        others = ["code"] if record.inputs.get("code") != self._call.inputs["code"] else []
        others += ["libraries"] if record.stack != self._call.environment.stack else []
        return f" (it was made with other {' and '.join(others)})" if others else ""

    def _refuse(self, error: ReproError) -> None:
        self.refused, self.note = error, f"cannot be run again here: {error.message}"


def _shown(caps: Caps) -> str:
    kernels = "all kernels" if caps.isa is None else f"kernels {described(caps.isa)}"
    if caps.isa == ONEDNN_OFF:
        kernels = f"kernels without oneDNN ({ONEDNN_OFF})"
    return f"{kernels}, {caps.threads} thread{'' if caps.threads == 1 else 's'}"
