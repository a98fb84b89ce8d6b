"""The retrain stage: a model anew by its published recipe, with one or several seeds, and what that says of the claims.

Each seed is trained in a child process of its own, in a folder below ``RESULTS/runs``. A seed that was finished is not
trained again; one that was killed goes on where it stood.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from repro.compare.retrained import Spread, TrainingJudgement, judge_training, spread_of
from repro.digest import file_digest, folder_digest
from repro.errors import MissingFile, UsageError
from repro.hardware.probe import read_profile
from repro.paths import expected_folder
from repro.schema import Arithmetic, Device, Recipe, Record, TrainingVerdict, read_json
from repro.stages.artifact import local_path
from repro.stages.call import REFERENCE_THREADS, Call
from repro.stages.etl import EMBEDDED
from repro.stages.labels import check_labels
from repro.stages.progress import say
from repro.stages.times import timing
from repro.stages.training.saved import FINISHED, TRAJECTORY
from repro.store.claims import load_claims
from repro.store.results import address

RANDOM = "random"
"""``start`` that takes random weights where the recipe starts from published ones."""

UNIT = 32
"""Images of a backward pass in canonical arithmetic."""

_WORST_FIRST = (
    TrainingVerdict.FAILED,
    TrainingVerdict.NOT_REPRODUCED,
    TrainingVerdict.CLOSE,
    TrainingVerdict.REPRODUCED,
    TrainingVerdict.MODIFIED,
    TrainingVerdict.NOT_JUDGED,
)


def retrain(
    model: str,
    *,
    data: str | None = None,
    recipe: str | None = None,
    seeds: Sequence[int] = (0,),
    settings: Mapping[str, str] | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    images: int | None = None,
    start: str | None = None,
    isa: str | None = None,
    threads: int = REFERENCE_THREADS,
    arithmetic: Arithmetic = "native",
    device: Device = "cpu",
    workers: int = 1,
    every: int = 20,
    keep_every: int | None = None,
    processes: int = 1,
    unit: int | None = None,
    results: Path = Path("results"),
    expected: Path | None = None,
    force: bool = False,
) -> Record:
    """Train a model anew, or answer from the record of an earlier training.

    Args:
        model: ``system/model``.
        data: path of a container, or ``embedded``: the drawn faces, with which nothing is judged.
        recipe: name of one of the model's; its first by default.
        seeds: one training each. Three or more are judged.
        settings: overrides by name; values are JSON or plain text.
        epochs, batch: overrides of every stage.
        images: train, watch and test on only the first so many of each split.
        start: file of the weights that the recipe starts from, or ``random``.
        isa, arithmetic, device, results: as for :func:`repro.stages.check_rep.check_rep`.
        threads: what the libraries may use; part of what the bits depend on.
        workers: threads that prepare batches; they change no bit.
        every: steps between two links of the trajectory.
        keep_every: steps between two states that are kept for good.
        processes: data parallel by torchrun. In native arithmetic the bits depend on it, in canonical they do not.
        unit: images of a backward pass in canonical arithmetic, whose gradients are added up exactly; batch norm sees
            one. 32 by default.
        expected: folder of the claims; the project's own by default.
        force: train anew even where a record answers or a training stands unfinished.

    Returns:
        the record; its result holds ``verdict``, ``modified``, ``claims``, ``spread`` by selection and protocol,
        ``runs`` and ``curves``. A run whose numbers ceased to be finite tells it in ``failed``, with step and tensor;
        it is in no spread.

    Raises:
        UnknownName, UsageError: the call is wrong.
        MissingFile, MissingStack, BadInput, NoSpace: what is needed is not there.
    """
    plan = planned(
        model,
        data=data,
        recipe=recipe,
        seeds=seeds,
        settings=settings,
        epochs=epochs,
        batch=batch,
        images=images,
        start=start,
        isa=isa,
        threads=threads,
        arithmetic=arithmetic,
        device=device,
        workers=workers,
        every=every,
        keep_every=keep_every,
        processes=processes,
        unit=unit,
        results=results,
    )
    return plan.record(force=force, expected=expected_folder(expected))


def planned(
    model: str,
    *,
    data: str | None,
    recipe: str | None,
    seeds: Sequence[int],
    settings: Mapping[str, str] | None,
    epochs: int | None,
    batch: int | None,
    images: int | None,
    start: str | None,
    workers: int,
    every: int,
    keep_every: int | None,
    results: Path,
    processes: int = 1,
    unit: int | None = None,
    **prepared: Any,
) -> Plan:
    """Return a training that is checked and not begun; arguments and errors as for :func:`retrain`."""
    if data is None:
        raise MissingFile(
            "no data to train on",
            next_step="give --data (DATA=) path/to/fer2013.csv, or 'embedded' for the drawn faces",
        )
    call = Call.prepared(model, data=data, results=results, **prepared)
    if not call.model.recipes or call.model.trainer is None:
        raise UsageError(f"{model} declares no recipe to train it by", next_step="see docs/adding-a-system.md")
    canonical = call.arithmetic == "canonical"
    if unit is not None and not canonical:
        raise UsageError("--unit is of canonical arithmetic", next_step="add --arithmetic canonical, or leave it out")
    if processes > 1 and call.model.framework != "torch":
        raise UsageError(f"{model} runs in {call.model.framework}, and several processes train torch models")
    unit = (unit or UNIT) if canonical else None
    if not seeds or len(set(seeds)) != len(seeds):
        raise UsageError(f"expected different seeds, got {list(seeds)}")
    more = (("processes", processes, 1), ("unit", unit, 1))
    for word, number, least in (("images", images, 1), ("workers", workers, 0), ("every", every, 1), *more):
        if number is not None and number < least:
            raise UsageError(f"expected {word} of at least {least}, got {number}")
    declared = call.model.recipe(recipe)
    changed, differences = declared.changed(settings=settings, epochs=epochs, batch=batch)
    modified = [*differences]
    modified += [f"{EMBEDDED} data"] if data == EMBEDDED else []
    modified += [f"the first {images} images of each split"] if images is not None else []
    path = _start(call, changed, start)
    modified += [f"random weights instead of {changed.starts_from}"] if path is None and changed.starts_from else []
    modified += [f"gradients of units of {unit} images"] if unit is not None else []
    modified += [f"{processes} processes with a part of each batch"] if processes > 1 and not canonical else []
    check_labels(call.system, call.model, call.data)
    for split in dict.fromkeys([changed.train, *changed.watched, changed.test]):  # told before a child starts
        call.data.labels(call.data.rows(call.system.split(split)))
    return Plan(call, changed, tuple(modified), tuple(seeds), images, path, workers, every, keep_every, processes, unit)


def _start(call: Call, recipe: Recipe, start: str | None) -> Path | None:
    if start == RANDOM or (start is None and recipe.starts_from is None):
        return None
    path = None if start is None else local_path(start)
    if path is None or not path.exists():
        raise MissingFile(
            f"{call.name} starts from {recipe.starts_from}" + ("" if start is None else f", and there is no {start}"),
            next_step="give it with --start PATH or artifact:ID, or --start random for random weights",
        )
    if call.model.start is None:
        raise UsageError(f"{call.name} declares no way to start from a file")
    return path


@dataclass(frozen=True)
class Plan:
    """A training with all it needs."""

    call: Call
    recipe: Recipe
    modified: tuple[str, ...]
    seeds: tuple[int, ...]
    images: int | None
    start: Path | None
    workers: int
    every: int
    keep_every: int | None
    processes: int = 1
    unit: int | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """What the bits depend on, the seeds apart."""
        common = {name: value for name, value in self.call.parameters.items() if name != "seed"}
        return {
            **common,
            "recipe": self.recipe.model_dump(mode="json"),
            "modified": list(self.modified),
            "images": self.images,
            "start": None if self.start is None else self.start.name,
            "every": self.every,
            "processes": self.processes if self.unit is None else None,  # exact sums do not know them
            "unit": self.unit,
        }

    @cached_property
    def inputs(self) -> dict[str, str]:
        """Digests of all that is read."""
        if self.start is None:
            return self.call.inputs
        digest = folder_digest(self.start) if self.start.is_dir() else file_digest(self.start)
        return {**self.call.inputs, "start": digest}

    @cached_property
    def folder(self) -> Path:
        """Where the seeds' folders lie: by what their bits depend on, the sources apart."""
        where = self._address(self.parameters)
        place = self.call.results.record_path("runs", self.call.system.name, self.call.model.name, where)
        return self.call.results.folder / "runs" / self.call.system.name / place.stem

    def _address(self, parameters: dict[str, Any]) -> dict[str, Any]:
        machine = read_profile(self.call.caps, device=self.call.device).to_data()
        return address(parameters, self.inputs, machine=machine, stack=self.call.environment.stack.model_dump())

    def record(self, *, force: bool, expected: Path) -> Record:
        """Train what is not trained yet and return the record, judged anew."""
        parameters = {**self.parameters, "seeds": list(self.seeds)}
        where = self._address(parameters)
        place = self.call.results.record_path("retrain", self.call.system.name, self.call.model.name, where)
        stored = None if force else self.call.results.load_record(place)
        answers = (
            stored is not None
            and all(stored.inputs.get(name) == digest for name, digest in self.inputs.items())
            and all(self.call.results.holds(digest) for digest in stored.outputs.values())
        )
        measured = stored if stored is not None and answers else self._trained(parameters, force)
        record = measured.model_copy(update={"result": self._judged(measured.result, expected)})
        return record if record == stored else self.call.results.save_record(place, record)

    def estimate(self) -> dict[str, Any]:
        """Measure a few steps of the first seed and return what its training would take."""
        with tempfile.TemporaryDirectory(prefix="repro-retrain-") as name:
            answer = self.call.run(
                {**self.task(self.seeds[0], Path(name) / "run"), "dry_run": True}, Path(name) / "child"
            )
        told: dict[str, Any] = answer["told"]
        return {**told, "seeds": len(self.seeds), "all_seconds": told["seconds"] * len(self.seeds)}

    def _trained(self, parameters: dict[str, Any], force: bool) -> Record:
        started = time.monotonic()
        runs, outputs = [], {}
        for seed in self.seeds:
            folder = self.folder / f"seed-{seed}"
            if force:
                shutil.rmtree(folder, ignore_errors=True)
            told = self._stored(folder)
            if told is None:
                say(f"{self.call.name}: recipe {self.recipe.name}, seed {seed}, {self.call.data.name}")
                with tempfile.TemporaryDirectory(prefix="repro-retrain-") as name:
                    told = self.call.run(self.task(seed, folder), Path(name) / "child")["told"]
            runs.append(told)
            outputs[f"trajectory-{seed}"] = self.call.results.save_file(folder / TRAJECTORY)
        return self.call.record(
            "retrain",
            parameters,
            self.inputs,
            answer=runs[0]["machine"],
            outputs=outputs,
            result=self._result(runs),
            timing=timing(started),
        )

    def _stored(self, folder: Path) -> dict[str, Any] | None:
        """Return what came of a finished seed, if it was trained by these sources."""
        if not (folder / FINISHED).is_file():
            return None
        told: dict[str, Any] = read_json(folder / FINISHED)
        if told["code"] == self.inputs["code"]:
            return told
        shutil.rmtree(folder)
        return None

    def task(self, seed: int, folder: Path) -> dict[str, Any]:
        """Return what a child is told of one seed's training in a folder."""
        return {
            "task": "retrain",
            "recipe": self.recipe.model_dump(mode="json"),
            "seed": seed,
            "limit": self.images,
            "every": self.every,
            "keep_every": self.keep_every,
            "workers": self.workers,
            "start": None if self.start is None else str(self.start.resolve()),
            "unit": self.unit,
            "processes": self.processes,
            "code": self.inputs["code"],
            "run": str(folder.resolve()),
            "dry_run": False,
        }

    def _result(self, runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
        ended = [run for run in runs if run["failed"] is None]
        spreads = {
            selection.name: {
                protocol: _spread(ended, selection.name, protocol).model_dump(mode="json")
                for protocol in self.recipe.test_protocols
                if ended
            }
            for selection in self.recipe.selections
        }
        on_test = [one.name for one in self.recipe.selections if one.split == self.recipe.test]
        return {
            "verdict": TrainingVerdict.NOT_JUDGED.value,
            "probe": f"retrain 1, recipe {self.recipe.name}, data {self.call.data.content}",
            "modified": list(self.modified),
            "keeps": list(self.recipe.keeps),
            "mends": list(self.recipe.mends),
            "published_selection": self.recipe.selections[0].name,
            "selected_on_test": on_test,
            "spread": spreads,
            "runs": [
                {name: value for name, value in run.items() if name not in ("rows", "code", "machine")} for run in runs
            ],
            "folder": self.folder.relative_to(self.call.results.folder).as_posix(),
            "curves": [{"seed": run["seed"], "epochs": run["rows"]} for run in runs],
        }

    def _judged(self, result: dict[str, Any], expected: Path) -> dict[str, Any]:
        judged = self._judgements(result, expected)
        found = {one.verdict for one in judged} | {TrainingVerdict.FAILED for run in result["runs"] if run["failed"]}
        verdict = next((each for each in _WORST_FIRST if each in found), None)
        if verdict is None:
            verdict = TrainingVerdict.MODIFIED if self.modified else TrainingVerdict.NOT_JUDGED
        return {**result, "verdict": verdict.value, "claims": [one.model_dump(mode="json") for one in judged]}

    def _judgements(self, result: dict[str, Any], expected: Path) -> list[TrainingJudgement]:
        """Judge the claims of this model, test split and protocols by the published selection."""
        published = result["spread"][result["published_selection"]]
        failed = [run["seed"] for run in result["runs"] if run["failed"]]
        return [
            judge_training(claim, Spread.model_validate(published[claim.protocol]), self.modified, failed)
            for claim in load_claims(expected)
            if (claim.system, claim.model_name, claim.split_name)
            == (self.call.system.name, self.call.model.name, self.recipe.test)
            and claim.protocol in published
            and claim.class_index is None
        ]


def _spread(runs: Sequence[dict[str, Any]], selection: str, protocol: str) -> Spread:
    tests = [run["selections"][selection]["tests"][protocol] for run in runs]
    return spread_of([fmean(test["counts"]) for test in tests], tests[0]["n"])
