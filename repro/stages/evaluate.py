"""The eval stage: one checkpoint, one split, one protocol, and the count of right answers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from repro.compare.certificate import Certificate, certify
from repro.compare.divergence import compare_traces
from repro.digest import file_digest, set_digest
from repro.errors import MissingFile, UsageError
from repro.hardware.cpu import ISA_LEVELS, ONEDNN_OFF, own_levels
from repro.registry import resolve
from repro.schema import Arithmetic, Caps, Device, Protocol, Record, Samples, Split, settings_of
from repro.stages.call import REFERENCE_THREADS, SEED, Call
from repro.stages.counting import count_answers, seen_in_training
from repro.stages.etl import EMBEDDED
from repro.stages.judge import Shelf
from repro.stages.labels import check_labels
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
    threads: int = REFERENCE_THREADS,
    batch: int | None = None,
    certified: bool = False,
    after: Sequence[str] = (),
    arithmetic: Arithmetic = "native",
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
        threads: what the libraries may use.
        batch: images per forward pass, if not the protocol's. The published way of counting keeps the protocol's.
        certified: also run it under lesser kernels, with other threads and another batch size, and say whether the
            count depends on them (:mod:`repro.compare.certificate`).
        after: models that the published script evaluated before in the same process, where its draws depend on that.
        isa, arithmetic, device, results, shelf, force: as for :func:`repro.stages.check_rep.check_rep`.

    Returns:
        the record; its result holds ``correct``, ``n``, ``accuracy``, ``interval`` (95 % Wilson),
        ``confusion`` (rows are true classes), ``predictions`` (digest), and where the protocol is random
        one entry a seed in ``runs`` with the spread, the counts of the first seed standing in front; and
        ``certificate`` where one was asked for.

    Raises:
        UnknownName, UsageError: the call is wrong.
        MissingFile, MissingStack, BadInput, BadCheckpoint: what is needed is not there or not sound.
    """
    if not checkpoint.is_file():
        raise MissingFile(f"no checkpoint at {checkpoint}", next_step="give --checkpoint a downloaded file")
    if batch is not None and batch < 1:
        raise UsageError(f"expected a batch of at least 1 image, got {batch}")
    if certified and arithmetic == "canonical":
        raise UsageError("a count in canonical arithmetic needs no certificate", next_step="leave out the certificate")
    call = Call.prepared(
        model, data=data, isa=isa, device=device, results=results, threads=threads, arithmetic=arithmetic
    )
    chosen = call.system.protocol_of(call.model, protocol)
    if after:
        chosen = chosen.changed({"after": [call.system.model(name).name for name in after]})
    labels = check_labels(call.system, call.model, call.data)
    size = batch if batch is not None else chosen.batch
    evaluation = _Evaluation(call, checkpoint, call.system.split(split), chosen, size, certified, labels)
    call.data.labels(call.data.rows(evaluation.split))  # what is empty or lacks labels is told before a child starts
    return call.once("eval", evaluation.parameters, evaluation.inputs, evaluation.measure, shelf=shelf, force=force)


@dataclass(frozen=True)
class _Evaluation:
    """One evaluation with all it needs; ``labels`` is what is told of what the labels mean."""

    call: Call
    checkpoint: Path
    split: Split
    protocol: Protocol
    batch: int
    certified: bool
    labels: str

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            **self.call.parameters,
            "split": self.split.model_dump(mode="json"),
            "protocol": self.protocol.model_dump(mode="json"),
            "checkpoint": self.checkpoint.name,
            "batch": self.batch,
            "certified": self.certified,
        }

    @cached_property
    def inputs(self) -> dict[str, str]:
        return {**self.call.inputs, "checkpoint": file_digest(self.checkpoint)}

    def measure(self) -> Record:
        started = time.monotonic()
        store, data = self.call.results, self.call.data
        labels = data.labels(data.rows(self.split)).astype(np.int64)
        with tempfile.TemporaryDirectory(prefix="repro-eval-") as name:
            folder = Path(name) / "child"
            answer = self.call.run(self._task(self.batch), folder)
            trace = Trace.read(folder / "trace.json")
            count = len(self.protocol.seeds) or 1
            runs = [_scores(folder, run) for run in range(count)]
            counts = count_answers(
                runs,
                labels,
                protocol=self.protocol,
                classes=self.call.data.classes or self.call.system.classes_of(self.call.model),
                seen=seen_in_training(data, self.split),
                summarise=resolve(self.call.system.summarise),
            )
            certificate = self._certificate(runs[0], labels, trace, Path(name)) if self.certified else None
        outputs = {"trace": store.save_document(trace), "labels": store.save_array(labels)}
        sentences, drawn = self._draws()
        outputs |= {name: store.save_array(array) for name, array in drawn.items()}
        for run, scores in enumerate(runs):
            outputs[f"scores-{run}"] = store.save_array(scores)
        weights = {entry.name.removeprefix("weight/"): entry.digest for entry in trace if entry.operation == "weight"}
        result = {
            "verdict": "unrecorded",
            "probe": self._probe(),
            "trace": trace.digest(),
            "weights": set_digest(weights),
            **counts,
            "labels": self.labels,
            "draws": sentences,
            "certificate": None if certificate is None else certificate.model_dump(mode="json"),
            "checkpoint_says": answer["told"],
            "diagnosis": answer["diagnosis"],
        }
        return self.call.record(
            "eval", self.parameters, self.inputs, answer=answer, outputs=outputs, result=result, timing=timing(started)
        )

    def _task(self, batch: int, runs: int | None = None) -> dict[str, Any]:
        return {
            "task": "evaluate",
            "split": self.split.name,
            "protocol": self.protocol.name,
            "checkpoint": str(self.checkpoint.resolve()),
            "batch": batch,
            "runs": runs,
            "settings": {"after": self.protocol.settings["after"]} if "after" in self.protocol.settings else {},
        }

    def _draws(self) -> tuple[list[str], dict[str, np.ndarray]]:
        """Return what each run draws, as a sentence and as arrays under ``draws-<run>-<name>``."""
        if self.call.system.draws is None:
            return [], {}
        draw, rows = resolve(self.call.system.draws), self.call.data.rows(self.split)
        settings = settings_of(self.protocol, self.call.model)
        sentences: list[str] = []
        arrays: dict[str, np.ndarray] = {}
        for run, seed in enumerate(self.protocol.seeds or (SEED,)):
            sentence, drawn = draw(settings, Samples(rows, np.arange(len(rows)), seed, len(rows)))
            sentences.append(sentence)
            arrays |= {f"draws-{run}-{name}": array for name, array in drawn.items()}
        return sentences, arrays

    def _certificate(self, scores: np.ndarray, labels: np.ndarray, trace: Trace, folder: Path) -> Certificate:
        """Run the first seed again with whatever should not matter changed, and compare."""
        others, sentences = {}, {}
        for number, (varied, caps, batch) in enumerate(self._variations()):
            self.call.run(self._task(batch, runs=1), folder / f"varied-{number}", caps)
            others[varied] = _scores(folder / f"varied-{number}", 0)
            other = Trace.read(folder / f"varied-{number}" / "trace.json")
            both = {entry.name for entry in other}
            same = Trace.from_entries([entry for entry in trace if entry.name in both])
            sentences[varied] = compare_traces(same, other).sentence()
        found = certify(scores, labels, others)
        told = tuple(run.model_copy(update={"sentence": sentences[run.varied]}) for run in found.runs)
        return found.model_copy(update={"runs": told})

    def _variations(self) -> Iterator[tuple[str, Caps, int]]:
        """Yield what to vary, the caps and the batch size."""
        caps = self.call.caps
        own = own_levels()[-1] if caps.isa in (None, ONEDNN_OFF) else caps.isa
        other_threads = 2 if caps.threads == 1 else 1
        if self.call.device == "cpu":
            for level in ISA_LEVELS[: ISA_LEVELS.index(own)] if own in ISA_LEVELS else ISA_LEVELS[:1]:
                yield f"{level} kernels", Caps(isa=level, threads=caps.threads), self.batch
            yield f"{other_threads} threads", Caps(isa=caps.isa, threads=other_threads), self.batch
        if not self.protocol.seeds:  # what is drawn in a forward pass follows the batches
            other_batch = max(1, self.batch // 2) if self.batch > 1 else 2
            yield f"batches of {other_batch}", caps, other_batch

    def _probe(self) -> str:
        if self.call.arithmetic == "canonical":  # threads and batches change nothing
            return self._usual_probe()
        varied = [f"threads {self.call.caps.threads}"] if self.call.caps.threads != REFERENCE_THREADS else []
        after = self.protocol.settings.get("after", ())
        varied += [f"after {' '.join(after)}"] if after else []
        varied += [f"batch {self.batch}"] if self.batch != self.protocol.batch else []
        return "".join([self._usual_probe(), *(f", {what}" for what in varied)])

    def _usual_probe(self) -> str:
        return (
            f"eval 1, split {self.split.name}, protocol {self.protocol.name}, "
            f"checkpoint {self.inputs['checkpoint']}, data {self.call.data.content}"
        )


def _scores(folder: Path, run: int) -> np.ndarray:
    scores: np.ndarray = np.load(folder / f"scores-{run}.npy", allow_pickle=False)
    return scores
