"""The check-rep stage's other protocol: a paper's own check, run as its authors wrote it and traced step by step.

It ends with two sentences: what the authors' program would say, which knows one number, and what the trace says: which
stored profile it agrees with, or from where on and by how much it differs from it.
"""

from __future__ import annotations

import base64
import shutil
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from repro.compare.divergence import compare_traces
from repro.compare.ulps import ulp_distance
from repro.digest import file_digest
from repro.errors import MissingFile, UsageError
from repro.hardware.match import load_classes
from repro.registry import chosen_preparations, chosen_systems
from repro.schema import BitVerdict, Device, Model, PaperCheck, Profile, ProfileClass, Record, System, exact_float
from repro.stages.artifact import local_path
from repro.stages.call import Call
from repro.stages.etl import EMBEDDED
from repro.stages.judge import Shelf
from repro.stages.materialise import materialise
from repro.stages.progress import say
from repro.stages.times import timing
from repro.store.expectations import load_expectations
from repro.store.results import address
from repro.trace import Trace

PAPER = "paper"
"""The protocol's name."""


def checked_models(systems: list[str] | None, model: str | None) -> list[tuple[System, Model]]:
    """Return the models that papers have a check of: of the named systems, or of all.

    Raises:
        UnknownName: there is no such system or model.
        UsageError: a system that was named has no check, or none of that model.
    """
    found = []
    for system in chosen_systems(systems):
        if system.check is not None and model in (None, system.check.model):
            found.append((system, system.model(system.check.model)))
        elif systems:
            of_model = f" of {model}" if model else ""
            raise UsageError(
                f"{system.title}'s paper has no check of its own{of_model} that this version knows",
                next_step="leave out PROTOCOL=paper to run the probe",
            )
    if not found:
        raise UsageError("no paper here has a check of its own", next_step="leave out PROTOCOL=paper to run the probe")
    return found


def paper_check(
    model: str,
    *,
    data: str = EMBEDDED,
    isa: str | None = None,
    device: Device = "cpu",
    steps: int | None = None,
    results: Path = Path("results"),
    shelf: Shelf | None = None,
    force: bool = False,
) -> Record:
    """Run a paper's own check, go on with one that was killed, or answer from its record.

    Args:
        model: ``system/model``, the one that the system's check trains.
        steps: only the first so many steps, without the number at the end.
        data, isa, device, results, shelf, force: as for :func:`repro.stages.check_rep.check_rep`.

    Raises:
        UnknownName, UsageError: the call is wrong, or the paper has no check of this model.
        MissingFile, MissingStack, BadInput: what is needed is not there.
    """
    if steps is not None and steps < 1:
        raise UsageError(f"expected at least 1 step, got {steps}")
    owner, _, name = model.partition("/")
    ((system, _),) = checked_models([owner], name)
    assert system.check is not None, "that is what was asked for"
    call = Call.prepared(model, data=data, isa=isa, device=device, results=results)
    run = _Run(call, system.check, steps, data, shelf or Shelf.of())
    record = call.once("check-rep", run.parameters, run.inputs, run.measure, shelf=shelf, force=force)
    trace = call.results.load_document(Trace, record.outputs["trace"])
    # What is stored elsewhere changes without a run: it is told, and is no part of what was measured.
    paper = {**record.result["paper"], "elsewhere": run.elsewhere(trace)}
    return record.model_copy(update={"result": {**record.result, "paper": paper}})


@dataclass(frozen=True)
class _Run:
    """One run of a check with all it needs."""

    call: Call
    check: PaperCheck
    steps: int | None
    data: str
    shelf: Shelf

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            **self.call.parameters,
            "protocol": {"name": PAPER, "keeps": list(self.check.keeps), "mends": list(self.check.mends)},
            "settings": self.check.settings,
            "steps": self.steps,
            "weights": "keyed" if self._weights is None else self.check.weights,
        }

    @cached_property
    def inputs(self) -> dict[str, str]:
        found = {} if self._weights is None else {"weights": file_digest(self._weights)}
        return {**self.call.inputs, "tree": self._tree.outputs["tree"], **found}

    @cached_property
    def _weights(self) -> Path | None:
        try:
            return local_path(f"artifact:{self.check.weights}")
        except MissingFile:
            return None

    @cached_property
    def _tree(self) -> Record:
        (preparation,) = chosen_preparations([self.check.preparation])
        return materialise(preparation, self.data, self.call.results)

    def measure(self) -> Record:
        started = time.monotonic()
        store = self.call.results
        split = self.call.system.split(self.check.split)
        where = store.record_path("unfinished", None, None, address(self.parameters, self.inputs)).stem
        folder = store.folder / "unfinished" / where
        begun = "one that was begun goes on" if folder.exists() else f"from {self.parameters['weights']} weights"
        say(f"{self.call.name}: {self.check.title}, {begun}")
        for name in ("answer.json", "error.json"):
            (folder / name).unlink(missing_ok=True)
        task = {
            "task": PAPER,
            "tree": str((store.folder / self._tree.result["folder"]).resolve()),
            "weights": None if self._weights is None else str(self._weights.resolve()),
            "split": split.name,
            "steps": self.steps,
        }
        answer = self.call.run(task, folder)
        trace = Trace.read(folder / "trace.json")
        profile = Profile.from_data(answer["profile"], "the child's profile")
        result = {
            "verdict": "unrecorded",
            "probe": self._probe(),
            "trace": trace.digest(),
            "paper": {
                **answer["told"],
                "missing": self.check.weights if self._weights is None else None,
                **self._number(trace, profile),
            },
        }
        record = self.call.record(
            "check-rep",
            self.parameters,
            self.inputs,
            answer=answer,
            outputs={"trace": store.save_document(trace)},
            result=result,
            timing=timing(started),
        )
        shutil.rmtree(folder)
        return record

    def _probe(self) -> str:
        steps = "all" if self.steps is None else f"the first {self.steps}"
        weights = self.inputs.get("weights", "keyed")
        return f"paper 1, {steps} steps, weights {weights}, tree {self.inputs['tree']}, data {self.call.data.content}"

    def _number(self, trace: Trace, profile: Profile) -> dict[str, Any]:
        """Return the number that the authors' program compares, and both sentences about it."""
        published = self.check.published
        entry = {one.name: one for one in trace}.get(published.tensor)
        known = {one.name: one for one in load_classes(self.shelf.profiles)}
        different = _different(profile, known.get(published.profile))
        software = [told for name, told in different.items() if name in published.software]
        told: dict[str, Any] = {
            "profile": published.profile,
            "profile_differs": list(different.values()),
            "software": f"{'; '.join(software)}: {published.otherwise} ({published.defect})" if software else None,
        }
        if entry is None or entry.sketch is None:
            theirs = "their check needs the whole epoch: it compares the loss at its end and nothing before"
            return {**told, "value": None, "theirs": theirs}
        value = np.frombuffer(base64.b64decode(entry.sketch.values), "<f4")[0]
        wanted = np.array(int(published.bits, 16), np.uint32).view(np.float32)
        ulps = int(ulp_distance(value[None], wanted[None])[0])
        theirs = published.passes if ulps == 0 else published.fails
        return {
            **told,
            "value": exact_float(float(value), bits=32),
            "published": published.printed,
            "ulps": ulps,
            "theirs": f"{theirs} ({value!s} against {published.printed}, {ulps} ulps apart)",
        }

    def elsewhere(self, trace: Trace) -> list[dict[str, Any]]:
        """Compare with what is stored for this probe on any profile and stack, agreement first."""
        found = []
        for one in load_classes(self.shelf.profiles):
            for stored in load_expectations(self.shelf.expected, self.call.system.name, one.name).expectations:
                if (stored.model, stored.probe) == (self.call.model.name, self._probe()):
                    comparison = compare_traces(Trace(entries=stored.trace), trace)
                    told = {"profile": one.name, "stack": stored.stack, "sentence": comparison.sentence()}
                    found.append({**told, "verdict": str(comparison.verdict), "agreeing": comparison.agreeing})
        return sorted(found, key=lambda told: (-told["agreeing"], told["profile"]))


def _different(profile: Profile, wanted: ProfileClass | None) -> dict[str, str]:
    """Return where this process is not the authors' machine, by field; all of it where nobody knows what that is."""
    if wanted is None:
        return {"": "the authors' profile is not known here"}
    fields = profile.fields()
    return {
        name: f"{name} is {fields.get(name)} here, {value} there"
        for name, value in wanted.match.items()
        if fields.get(name) != value
    }


def sentences(record: Record) -> tuple[str, str]:
    """Return the authors' sentence and ours, of a record that has been judged."""
    told, bits = record.result["paper"], record.result["bits"]
    same = [one for one in told["elsewhere"] if one["verdict"] == BitVerdict.IDENTICAL]
    ours = bits["sentence"]
    if same:
        ours = f"the bits are those of {', '.join(one['profile'] for one in same)}: {same[0]['sentence']}"
    elif told["elsewhere"]:
        ours = f"against {told['elsewhere'][0]['profile']}: {told['elsewhere'][0]['sentence']}; {ours}"
    if not told["profile_differs"]:
        ours = f"this is the profile of their number, {told['profile']}; {ours}"
    elif told["software"]:
        ours += f". Their number is not to be had on this stack, whatever the hardware: {told['software']}"
    if told["missing"]:
        ours += f". It started from keyed weights: {told['missing']} is not in the cache"
    return told["theirs"], ours
