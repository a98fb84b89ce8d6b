"""Runs the DAG for ``make``: ``python -m pipelines TARGET key=value ...``.

It turns make's variables into Snakemake's configuration, runs Snakemake quietly, and ends with a table of
what the stages' receipts say and the exit code that follows from them.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

from repro.errors import (
    EXIT_CONTRADICTION,
    EXIT_INTERNAL,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_PREREQUISITE,
    EXIT_USAGE,
    MissingFile,
    ReproError,
    UnknownName,
    UsageError,
)
from repro.hardware.caps import parse_caps
from repro.paths import expected_folder, project_root
from repro.registry import chosen_models, one_model, systems
from repro.report.text import verdict_table
from repro.report.training_text import training_text
from repro.schema import Arithmetic, Artifact, BitVerdict, Model, Record, System, read_json
from repro.stages.check_rep import AT_ONCE
from repro.stages.fetch import declared
from repro.stages.memory import memory_budget, memory_of_check
from repro.stages.paper import PAPER, checked_models, sentences
from repro.stages.stacks import find_stack
from repro.store.claims import load_claims

_STANDARD_ERROR = 2
_PUBLISHED_DATA = "fer2013-fer2013"  # what eval-downloaded fetches where no DATA= is given
_TARGETS = ("check-rep", "eval-downloaded", "retrain", "report")
_KEYS = (
    "systems",
    "system",
    "models",
    "data",
    "protocol",
    "steps",
    "isa",
    "device",
    "results",
    "checkpoint",
    "certify",
    "arithmetic",
    "model",
    "recipe",
    "epochs",
    "batch",
    "seeds",
    "set",
    "images",
    "start",
    "processes",
)
_OF_RETRAIN = ("recipe", "epochs", "batch", "seeds", "images", "start", "processes")
_USUAL = ("as-published/test", "corrected/test")

_WORST_FIRST = (EXIT_INTERNAL, EXIT_USAGE, EXIT_CONTRADICTION, EXIT_PREREQUISITE)


def main(arguments: list[str]) -> int:
    """Run one target and return the exit code."""
    try:
        target, options = _parsed(arguments)
        return _run(target, options)
    except ReproError as error:
        print(f"make: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("make: interrupted; what was finished is kept, the same call goes on", file=sys.stderr)
        return EXIT_INTERRUPTED


def _parsed(arguments: list[str]) -> tuple[str, dict[str, str]]:
    target, *pairs = arguments or [""]
    if target not in _TARGETS:
        raise UnknownName("target", target, _TARGETS)
    options = dict.fromkeys(_KEYS, "")
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key not in options:
            raise UsageError(f"expected key=value with a key of {', '.join(_KEYS)}; got {pair!r}")
        options[key] = value
    return target, options


def _run(target: str, options: dict[str, str]) -> int:
    results = Path(options["results"] or "results")
    config = _configuration(target, options, results)
    receipts = results / "pipeline"
    shutil.rmtree(receipts, ignore_errors=True)  # receipts of this run only; records are elsewhere and stay
    ended = _snakemake(config)
    found = [read_json(path) for path in sorted(receipts.rglob("*.json"), key=Path.as_posix)]
    told = _told(found)
    if told:
        print(told)
    if (results / "report" / "report.md").is_file():
        print(f"\nreport: {results / 'report' / 'report.html'} (also report.md, .json and .xml)")
    codes = {receipt["exit_code"] for receipt in found if receipt["verb"] != "report" or target == "report"}
    if ended != 0 and codes <= {EXIT_OK}:
        print(f"make: the pipeline ended with exit code {ended}; see above", file=sys.stderr)
        return EXIT_INTERNAL
    return next((code for code in _WORST_FIRST if code in codes), EXIT_OK)


def _configuration(target: str, options: dict[str, str], results: Path) -> dict[str, Any]:
    names = options["systems"].split()
    if target == "retrain":
        owner, model = _trained(options)
        names, options = [owner.name], {**options, "models": model.name}
    downloads = _claimed() if target == "eval-downloaded" else []
    if options["protocol"] == PAPER:
        chosen = checked_models(names or None, options["models"] or None)
    else:
        chosen = _chosen_models(names, options["models"].split(), {one.system for one in downloads})
    parse_caps(options["isa"] or None, None)  # a wrong cap is told before anything is started
    limits = ["--device", options["device"] or "cpu"]
    if options["arithmetic"]:
        limits += ["--arithmetic", options["arithmetic"]]
    if options["isa"]:
        limits += ["--isa", options["isa"]]
    dearest: Arithmetic = "native" if options["arithmetic"] in ("", "native") else "canonical"
    stacks = {f"{system.name}/{model.name}": str(find_stack(model.stack).python) for system, model in chosen}
    cores = len(os.sched_getaffinity(0))
    at_once = max(1, min(AT_ONCE, cores // max(1, len(chosen))))  # the cores are for other models first
    config: dict[str, Any] = {
        "target": target,
        "models": list(stacks),
        "stacks": stacks,
        "python": sys.executable,
        "data": options["data"] or "embedded",
        "protocol": options["protocol"] or "probe",
        "steps": f"--steps {shlex.quote(options['steps'])}" if options["steps"] else "",
        "limits": shlex.join(limits),
        "cores": cores,
        "at_once": at_once,
        "memory": {f"{system.name}/{model.name}": memory_of_check(model, dearest, at_once) for system, model in chosen},
        "memory_budget": memory_budget(dearest, cores, psutil.virtual_memory().available // 10**6),
        "certify": "--certify" if _switched_on("certify", options["certify"]) else "",
        "results": str(results),
        "fetch": "",
        "checkpoints": {},
        "evaluations": [],
        "ensembles": [],
        "retrain": "",
    }
    if target == "retrain":
        return config | {"retrain": _training(options), "models": list(stacks)}
    if target != "eval-downloaded":
        return config
    if options["checkpoint"]:
        if len(chosen) != 1:
            raise UsageError("CHECKPOINT= is of one model", next_step="name it with SYSTEMS= and MODELS=")
        return config | {
            "checkpoints": {"given": options["checkpoint"]},
            "evaluations": [f"{config['models'][0]}/given/{way}" for way in _USUAL],
        }
    wanted = [one for one in downloads if not names or one.system in names]
    checkpoints = [one for one in wanted if one.kind == "checkpoint"]
    return config | {
        "data": options["data"] or f"artifact:{_PUBLISHED_DATA}",
        "fetch": shlex.join([*(one.id for one in wanted), *([] if options["data"] else [_PUBLISHED_DATA])]),
        "checkpoints": {one.id: f"artifact:{one.id}" for one in checkpoints},
        "evaluations": [
            f"{system.name}/{model.name}/{one.id}/{way}"
            for system, model in chosen
            for one in _of_model(system, model, checkpoints)
            for way in _ways(model, one)
        ],
        "ensembles": sorted({f"{system.name}/{one.name}" for system, _ in chosen for one in system.ensembles}),
    }


def _trained(options: dict[str, str]) -> tuple[System, Model]:
    """Return the one model that is trained: SYSTEM= and, where it has several, MODEL=."""
    name = options["system"] or options["systems"]
    if not name:
        raise UsageError("make retrain needs SYSTEM=", next_step=f"SYSTEM= one of {', '.join(systems())}")
    return one_model(name, options["model"] or options["models"] or None)


def _training(options: dict[str, str]) -> str:
    """Return the options of ``repro retrain``.

    Raises:
        MissingFile: there is no DATA=; nothing is begun for that.
    """
    if not options["data"]:
        raise MissingFile(
            "no data to train on",
            next_step="give DATA=path/to/fer2013.csv, or DATA=embedded for the drawn faces (nothing is judged)",
        )
    arguments = [word for name in _OF_RETRAIN if options[name] for word in (f"--{name}", options[name])]
    arguments += [word for change in options["set"].split() for word in ("--set", change)]
    return shlex.join([*arguments, "--data", options["data"]])


def _claimed() -> list[Artifact]:
    """Return the published checkpoints, and whatever else of a system a published number needs."""
    needed = {claim.artifact for claim in load_claims(expected_folder())}
    return [one for one in declared() if one.kind == "checkpoint" or (one.id in needed and one.id != _PUBLISHED_DATA)]


def _switched_on(name: str, value: str) -> bool:
    if value not in ("", "yes", "no"):
        raise UsageError(f"{name.upper()}={value}: expected yes or no")
    return value == "yes"


def _chosen_models(names: list[str], wanted: list[str], owners: set[str]) -> list[tuple[System, Model]]:
    """Return the models to run.

    Args:
        names: systems, all by default.
        wanted: models of theirs, all by default.
        owners: systems that may be named although only their artifacts are known.
    """
    for name in names:
        if name not in systems() and name not in owners:
            raise UnknownName("system", name, {*systems(), *owners})
    here = [name for name in names if name in systems()]
    chosen = chosen_models(here, None) if here or not names else []
    for name in wanted:
        if name not in {model.name for _, model in chosen}:
            raise UnknownName("model", name, {model.name for _, model in chosen})
    return [(system, model) for system, model in chosen if not wanted or model.name in wanted]


def _of_model(system: System, model: Model, checkpoints: list[Artifact]) -> list[Artifact]:
    """Return the checkpoints of a model: those of its published numbers, or all of a system that has one model."""
    own = [one for one in checkpoints if one.system == system.name]
    if len(system.models) == 1:
        return own
    claimed = {claim.artifact for claim in load_claims(expected_folder()) if claim.model_name == model.name}
    return [one for one in own if one.id in claimed]


def _ways(model: Model, checkpoint: Artifact) -> list[str]:
    """Return how a checkpoint is evaluated, ``protocol/split``: the usual ways, and those of its published numbers."""
    claimed = {
        f"{claim.protocol}/{claim.split_name}"
        for claim in load_claims(expected_folder())
        if (claim.model_name, claim.artifact) == (model.name, checkpoint.id)
        and claim.protocol not in (None, PAPER)
        and claim.split_name is not None
    }
    usual = {way for way in _USUAL if not model.protocols or way.partition("/")[0] in model.protocols}
    return sorted({*usual, *claimed})


def _snakemake(config: dict[str, Any]) -> int:
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(config, file)
        file.flush()
        command = [sys.executable, "-m", "snakemake", "report"]
        command += ["--snakefile", str(project_root() / "pipelines" / "Snakefile"), "--configfile", file.name]
        command += ["--cores", str(config["cores"]), "--forceall", "--nolock", "--rerun-incomplete"]
        command += ["--resources", f"mem_mb={config['memory_budget']}"]
        command += ["--quiet", "all", "--nocolor", "--keep-going"]
        return subprocess.run(command, check=False, stdout=_STANDARD_ERROR).returncode


def _told(receipts: list[dict[str, Any]]) -> str:
    documents = [record for receipt in receipts for record in receipt.get("records", [])]
    records = [Record.from_data(document, "a receipt") for document in documents]
    measured = [record for record in records if record.stage in ("check-rep", "eval")]
    lines = [verdict_table(measured)] if measured else []
    lines += [f"\n{line}" for record in measured if "paper" in record.result for line in sentences(record)]
    trained = [record for record in records if record.stage == "retrain" and record.verdict != BitVerdict.BLOCKED]
    lines += [training_text(record) for record in trained]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
