"""One measurement of one model: what it is made with, where its record lies, and how it is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.determinism.environment import switched
from repro.errors import NoCanonicalForm
from repro.hardware.caps import parse_caps
from repro.hardware.probe import read_profile
from repro.registry import find_model
from repro.schema import Arithmetic, Caps, Device, Model, Profile, Record, System, arithmetic_name
from repro.stages.child import run_child
from repro.stages.code import code_digest
from repro.stages.data import StoredData
from repro.stages.etl import etl
from repro.stages.judge import Shelf
from repro.stages.measured import measured_once
from repro.stages.stacks import StackEnvironment, find_stack
from repro.store.results import Results, address

REFERENCE_THREADS = 1
"""Threads of the runs that are compared with what is stored: one leaves no splitting to the framework."""

SEED = 0


@dataclass(frozen=True)
class Call:
    """What a measurement is made with; the data are decoded already.

    Attributes:
        caps: what the reference run may use.
        parameters: what every stage's parameters begin with.
        inputs: digests of what every stage reads.
    """

    system: System
    model: Model
    environment: StackEnvironment
    caps: Caps
    device: Device
    data: StoredData
    results: Results
    arithmetic: Arithmetic = "native"

    @classmethod
    def prepared(
        cls,
        model: str,
        *,
        data: str,
        isa: str | None,
        device: Device,
        results: Path,
        threads: int = REFERENCE_THREADS,
        arithmetic: Arithmetic = "native",
    ) -> Call:
        """Find the model and its stack, check the caps and decode the data.

        Raises:
            UnknownName, UsageError: the call is wrong.
            MissingFile, MissingStack, BadInput: what is needed is not there.
            NoCanonicalForm: canonical arithmetic was asked of a framework that it does not cover.
        """
        system, found = find_model(model)
        if arithmetic == "canonical" and found.framework != "torch":
            raise NoCanonicalForm(
                f"{model} runs in {found.framework}, and canonical arithmetic computes torch models",
                next_step="choose the system's torch port of it, or --arithmetic native",
            )
        environment = find_stack(found.stack)
        caps = parse_caps(isa, threads)
        store = Results(results)
        _, decoded = etl(system, data, store, model=found)
        return cls(system, found, environment, caps, device, decoded, store, arithmetic)

    @property
    def name(self) -> str:
        """``system/model``."""
        return f"{self.system.name}/{self.model.name}"

    @property
    def parameters(self) -> dict[str, Any]:
        """What every stage's parameters begin with."""
        return {
            "data": self.data.name,
            "arithmetic": arithmetic_name(self.arithmetic),
            "device": self.device,
            "isa": self.caps.isa,
            "threads": self.caps.threads,
            "seed": SEED,
        }

    @property
    def inputs(self) -> dict[str, str]:
        """Digests of what every stage reads."""
        code = code_digest(self.system.package, canonical=self.arithmetic == "canonical")
        return {"data": self.data.content, "code": code}

    def once(
        self,
        stage: str,
        parameters: dict[str, Any],
        inputs: dict[str, str],
        measure: Callable[[], Record],
        *,
        shelf: Shelf | None,
        force: bool,
    ) -> Record:
        """Return the stage's record from where it lies, measuring only where it does not answer; judged anew."""
        machine = read_profile(self.caps, device=self.device)
        where = address(parameters, inputs, machine=machine.to_data(), stack=self.environment.stack.model_dump())
        place = self.results.record_path(stage, self.system.name, self.model.name, where)
        return measured_once(self.results, place, inputs, shelf or Shelf.of(), force, measure)

    def run(self, task: dict[str, Any], folder: Path, caps: Caps | None = None) -> Any:
        """Run a task on this model and these data in a fresh process, under the call's caps or others."""
        common = {
            "framework": self.model.framework,
            "model": self.name,
            "data": self.data.task(),
            "device": self.device,
            "seed": SEED,
            "arithmetic": arithmetic_name(self.arithmetic),
        }
        return run_child(self.environment, {**common, **task}, caps or self.caps, folder, task.get("processes", 1))

    def record(
        self,
        stage: str,
        parameters: dict[str, Any],
        inputs: dict[str, str],
        *,
        answer: dict[str, Any],
        outputs: dict[str, str],
        result: dict[str, Any],
        timing: dict[str, Any],
    ) -> Record:
        """Return the record of what was measured.

        Args:
            stage, parameters, inputs, outputs, result, timing: its fields.
            answer: of the reference run: its profile and switches.
        """
        return Record(
            stage=stage,
            system=self.system.name,
            model=self.model.name,
            parameters=parameters,
            inputs=inputs,
            outputs=outputs,
            profile=Profile.from_data(answer["profile"], "the child's profile"),
            stack=self.environment.stack,
            switches={**answer["switches"], "environment": switched(self.caps, self.environment.python)},
            result=result,
            timing=timing,
        )
