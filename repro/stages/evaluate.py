"""The eval stage: one checkpoint, one split, one protocol, and the count of right answers."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from repro.compare.counts import wilson_interval
from repro.determinism.environment import switched
from repro.digest import file_digest, set_digest, tensor_digest
from repro.errors import BadInput, MissingFile
from repro.hardware.caps import parse_caps
from repro.hardware.probe import read_profile
from repro.registry import find_model, resolve
from repro.schema import Caps, Device, Model, Profile, Protocol, Record, Split, System
from repro.stages.child import run_child
from repro.stages.code import code_digest
from repro.stages.data import StoredData
from repro.stages.etl import EMBEDDED, etl
from repro.stages.judge import Shelf
from repro.stages.measured import measured_once
from repro.stages.stacks import StackEnvironment, find_stack
from repro.stages.times import timing
from repro.store.results import Results, address
from repro.trace import Trace

_SEED = 0
_THREADS = 1


def evaluate(
    model: str,
    *,
    checkpoint: Path,
    data: str = EMBEDDED,
    split: str = "test",
    protocol: str = "corrected",
    isa: str | None = None,
    device: Device = "cpu",
    results: Path = Path("results"),
    shelf: Shelf | None = None,
    force: bool = False,
) -> Record:
    """Evaluate a checkpoint, or answer from the record of an earlier evaluation.

    Args:
        model: ``system/model``.
        checkpoint: a file in the system's published format.
        data: ``embedded`` or the path of a container.
        split, protocol: names that the system declares.
        isa, device, results, shelf, force: as for :func:`repro.stages.check_rep.check_rep`.

    Returns:
        the record; its result holds ``correct``, ``n``, ``accuracy``, ``interval`` (95 % Wilson),
        ``confusion`` (rows are true classes), ``predictions`` (digest), and where the protocol is random
        one entry a seed in ``runs`` with the spread, the counts of the first seed standing in front.

    Raises:
        UnknownName, UsageError: the call is wrong.
        MissingFile, MissingStack, BadInput, BadCheckpoint: what is needed is not there or not sound.
    """
    shelf = shelf or Shelf.of()
    system, found = find_model(model)
    chosen, how = system.split(split), system.protocol(protocol)
    if not checkpoint.is_file():
        raise MissingFile(f"no checkpoint at {checkpoint}", next_step="give --checkpoint a downloaded file")
    environment = find_stack(found.stack)
    caps = parse_caps(isa, _THREADS)
    store = Results(results)
    _, decoded = etl(system, data, store)
    decoded.labels(decoded.rows(chosen))  # an empty split or a missing label is told before a child is started
    parameters: dict[str, Any] = {
        "data": decoded.name,
        "split": chosen.model_dump(mode="json"),
        "protocol": how.model_dump(mode="json"),
        "checkpoint": checkpoint.name,
        "arithmetic": "native",
        "device": device,
        "isa": isa,
        "seed": _SEED,
    }
    inputs = {
        "data": decoded.content,
        "checkpoint": file_digest(checkpoint),
        "code": code_digest(system.package),
    }
    machine = read_profile(caps, device=device)
    place = store.record_path(
        "eval",
        system.name,
        found.name,
        address(parameters, inputs, machine=machine.to_data(), stack=environment.stack.model_dump()),
    )
    call = _Call(system, found, environment, caps, decoded, chosen, how, checkpoint, parameters, inputs)
    return measured_once(store, place, inputs, shelf, force, lambda: call.measure(store))


class _Call:
    """One evaluation with all it needs."""

    def __init__(
        self,
        system: System,
        model: Model,
        environment: StackEnvironment,
        caps: Caps,
        data: StoredData,
        split: Split,
        protocol: Protocol,
        checkpoint: Path,
        parameters: dict[str, Any],
        inputs: dict[str, str],
    ) -> None:
        self.system, self.model, self.environment, self.caps = system, model, environment, caps
        self.data, self.split, self.protocol, self.checkpoint = data, split, protocol, checkpoint
        self.parameters, self.inputs = parameters, inputs

    def measure(self, store: Results) -> Record:
        started = time.monotonic()
        task = {
            "task": "evaluate",
            "framework": self.model.framework,
            "model": f"{self.system.name}/{self.model.name}",
            "data": self.data.task(),
            "split": self.split.name,
            "protocol": self.protocol.name,
            "checkpoint": str(self.checkpoint.resolve()),
            "device": self.parameters["device"],
            "seed": self.parameters["seed"],
        }
        with tempfile.TemporaryDirectory(prefix="repro-eval-") as name:
            folder = Path(name) / "child"
            answer = run_child(self.environment, task, self.caps, folder)
            trace = Trace.read(folder / "trace.json")
            count = len(self.protocol.seeds) or 1
            runs = [np.load(folder / f"scores-{run}.npy", allow_pickle=False) for run in range(count)]
        labels = self.data.labels(self.data.rows(self.split)).astype(np.int64)
        outputs = {"trace": store.save_document(trace), "labels": store.save_array(labels)}
        for run, scores in enumerate(runs):
            outputs[f"scores-{run}"] = store.save_array(scores)
        return Record(
            stage="eval",
            system=self.system.name,
            model=self.model.name,
            parameters=self.parameters,
            inputs=self.inputs,
            outputs=outputs,
            profile=Profile.from_data(answer["profile"], "the child's profile"),
            stack=self.environment.stack,
            switches={**answer["switches"], "environment": switched(self.caps, self.environment.python)},
            result={
                "verdict": "unrecorded",
                "probe": self._probe(),
                "trace": trace.digest(),
                "weights": set_digest(
                    {entry.name.removeprefix("weight/"): entry.digest for entry in trace if entry.operation == "weight"}
                ),
                **self._counts(runs, labels),
                "checkpoint_says": answer["told"],
                "diagnosis": answer["diagnosis"],
            },
            timing=timing(started),
        )

    def _probe(self) -> str:
        return (
            f"eval 1, split {self.split.name}, protocol {self.protocol.name}, "
            f"checkpoint {self.inputs['checkpoint']}, data {self.data.content}"
        )

    def _counts(self, runs: list[np.ndarray], labels: np.ndarray) -> dict[str, Any]:
        summarise = resolve(self.system.summarise)
        seen = self._seen_in_training()
        entries = []
        for run, scores in enumerate(runs):
            if not np.isfinite(scores).all():
                raise BadInput(
                    f"run {run}: {_unusable(scores)} images have scores that are no numbers",
                    next_step="check the checkpoint's weights for NaN",
                )
            predictions = scores.argmax(axis=1)
            right = predictions == labels
            entries.append(
                {
                    "seed": self.protocol.seeds[run] if self.protocol.seeds else None,
                    "correct": int(right.sum()),
                    "unseen_correct": int(right[~seen].sum()),
                    "predictions": tensor_digest(predictions.astype(np.int64)),
                    **summarise(scores, labels, self.protocol),
                }
            )
        first, n = entries[0], len(labels)
        correct = first["correct"]
        low, high = wilson_interval(correct, n)
        counts = sorted(entry["correct"] for entry in entries)
        return {
            "correct": correct,
            "n": n,
            "accuracy": correct / n,
            "interval": [low, high],
            "predictions": first["predictions"],
            "confusion": _confusion(runs[0].argmax(axis=1), labels, len(self.system.classes)),
            "unseen": {"correct": first["unseen_correct"], "n": int((~seen).sum())},
            "runs": entries,
            "spread": {
                "runs": len(entries),
                "minimum": counts[0],
                "maximum": counts[-1],
                "mean": sum(counts) / len(counts),
            },
        }

    def _seen_in_training(self) -> np.ndarray:
        """Return which images of the split occur, to the pixel, among training rows outside it (F-DUP)."""
        images = self.data.images()
        rows = self.data.rows(self.split)
        others = self.data.training_rows_outside(self.split)
        known = {images[row].tobytes() for row in others}
        return np.array([images[row].tobytes() in known for row in rows])


def _confusion(predictions: np.ndarray, labels: np.ndarray, classes: int) -> list[list[int]]:
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (labels, predictions), 1)
    return [[int(value) for value in row] for row in matrix]


def _unusable(scores: np.ndarray) -> int:
    return int((~np.isfinite(scores)).any(axis=1).sum())
