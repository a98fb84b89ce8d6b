"""The eval stage: one checkpoint, one split, one protocol, and the count of right answers."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from repro.compare.counts import wilson_interval
from repro.digest import file_digest, set_digest, tensor_digest
from repro.errors import BadInput, MissingFile
from repro.registry import resolve
from repro.schema import Device, Protocol, Record, Split
from repro.stages.call import Call
from repro.stages.etl import EMBEDDED
from repro.stages.judge import Shelf
from repro.stages.times import timing
from repro.trace import Trace


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
    if not checkpoint.is_file():
        raise MissingFile(f"no checkpoint at {checkpoint}", next_step="give --checkpoint a downloaded file")
    call = Call.prepared(model, data=data, isa=isa, device=device, results=results)
    evaluation = _Evaluation(call, checkpoint, call.system.split(split), call.system.protocol(protocol))
    call.data.labels(call.data.rows(evaluation.split))  # what is empty or lacks labels is told before a child starts
    return call.once("eval", evaluation.parameters, evaluation.inputs, evaluation.measure, shelf=shelf, force=force)


@dataclass(frozen=True)
class _Evaluation:
    """One evaluation with all it needs."""

    call: Call
    checkpoint: Path
    split: Split
    protocol: Protocol

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            **self.call.parameters,
            "split": self.split.model_dump(mode="json"),
            "protocol": self.protocol.model_dump(mode="json"),
            "checkpoint": self.checkpoint.name,
        }

    @cached_property
    def inputs(self) -> dict[str, str]:
        return {**self.call.inputs, "checkpoint": file_digest(self.checkpoint)}

    def measure(self) -> Record:
        started = time.monotonic()
        task = {
            "task": "evaluate",
            "split": self.split.name,
            "protocol": self.protocol.name,
            "checkpoint": str(self.checkpoint.resolve()),
        }
        with tempfile.TemporaryDirectory(prefix="repro-eval-") as name:
            folder = Path(name) / "child"
            answer = self.call.run(task, folder)
            trace = Trace.read(folder / "trace.json")
            count = len(self.protocol.seeds) or 1
            runs = [np.load(folder / f"scores-{run}.npy", allow_pickle=False) for run in range(count)]
        store, data = self.call.results, self.call.data
        labels = data.labels(data.rows(self.split)).astype(np.int64)
        counts = self._counts(runs, labels)
        outputs = {"trace": store.save_document(trace), "labels": store.save_array(labels)}
        for run, scores in enumerate(runs):
            outputs[f"scores-{run}"] = store.save_array(scores)
        weights = {entry.name.removeprefix("weight/"): entry.digest for entry in trace if entry.operation == "weight"}
        result = {
            "verdict": "unrecorded",
            "probe": self._probe(),
            "trace": trace.digest(),
            "weights": set_digest(weights),
            **counts,
            "checkpoint_says": answer["told"],
            "diagnosis": answer["diagnosis"],
        }
        return self.call.record(
            "eval", self.parameters, self.inputs, answer=answer, outputs=outputs, result=result, timing=timing(started)
        )

    def _probe(self) -> str:
        return (
            f"eval 1, split {self.split.name}, protocol {self.protocol.name}, "
            f"checkpoint {self.inputs['checkpoint']}, data {self.call.data.content}"
        )

    def _counts(self, runs: list[np.ndarray], labels: np.ndarray) -> dict[str, Any]:
        summarise = resolve(self.call.system.summarise)
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
            "confusion": _confusion(runs[0].argmax(axis=1), labels, len(self.call.system.classes)),
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
        data = self.call.data
        images, rows, others = data.images(), data.rows(self.split), data.training_rows_outside(self.split)
        known = {images[row].tobytes() for row in others}
        return np.array([images[row].tobytes() in known for row in rows])


def _confusion(predictions: np.ndarray, labels: np.ndarray, classes: int) -> list[list[int]]:
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (labels, predictions), 1)
    return [[int(value) for value in row] for row in matrix]


def _unusable(scores: np.ndarray) -> int:
    return int((~np.isfinite(scores)).any(axis=1).sum())
