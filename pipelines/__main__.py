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

from repro.errors import (
    EXIT_CONTRADICTION,
    EXIT_INTERNAL,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_PREREQUISITE,
    EXIT_USAGE,
    NotBuiltYet,
    ReproError,
    UnknownName,
    UsageError,
)
from repro.hardware.caps import parse_caps
from repro.paths import project_root
from repro.registry import chosen_models
from repro.report.text import verdict_table
from repro.schema import Record, read_json
from repro.stages.stacks import find_stack

_STANDARD_ERROR = 2
_TARGETS = ("check-rep", "eval-downloaded", "retrain", "report")
_KEYS = ("systems", "system", "models", "data", "protocol", "isa", "device", "results", "checkpoint")
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
    if target == "retrain":
        raise NotBuiltYet("`make retrain` is not built yet", next_step="use make check-rep, which is")
    if target == "eval-downloaded" and not options["checkpoint"]:
        raise NotBuiltYet(
            "fetching the published checkpoints is not built yet",
            next_step="evaluate a file at hand: make eval-downloaded SYSTEMS=name CHECKPOINT=path DATA=path",
        )
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
        print(f"\nreport: {results / 'report' / 'report.md'} (also .json and .xml)")
    codes = {receipt["exit_code"] for receipt in found if receipt["verb"] != "report" or target == "report"}
    if ended != 0 and codes <= {EXIT_OK}:
        print(f"make: the pipeline ended with exit code {ended}; see above", file=sys.stderr)
        return EXIT_INTERNAL
    return next((code for code in _WORST_FIRST if code in codes), EXIT_OK)


def _configuration(target: str, options: dict[str, str], results: Path) -> dict[str, Any]:
    names = options["systems"].split() or None
    wanted = options["models"].split()
    chosen = [(system, model) for system, model in chosen_models(names, None) if not wanted or model.name in wanted]
    for name in wanted:
        if name not in {model.name for _, model in chosen}:
            raise UnknownName("model", name, {model.name for _, model in chosen_models(names, None)})
    parse_caps(options["isa"] or None, None)  # a wrong cap is told before anything is started
    limits = ["--device", options["device"] or "cpu"]
    if options["isa"]:
        limits += ["--isa", options["isa"]]
    return {
        "target": target,
        "models": [f"{system.name}/{model.name}" for system, model in chosen],
        "stacks": {f"{system.name}/{model.name}": str(find_stack(model.stack).python) for system, model in chosen},
        "python": sys.executable,
        "data": options["data"] or "embedded",
        "protocol": options["protocol"] or "probe",
        "limits": shlex.join(limits),
        "checkpoint": options["checkpoint"],
        "results": str(results),
    }


def _snakemake(config: dict[str, Any]) -> int:
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(config, file)
        file.flush()
        command = [sys.executable, "-m", "snakemake", "report"]
        command += ["--snakefile", str(project_root() / "pipelines" / "Snakefile"), "--configfile", file.name]
        command += ["--cores", str(len(os.sched_getaffinity(0))), "--forceall", "--nolock", "--rerun-incomplete"]
        command += ["--quiet", "all", "--nocolor", "--keep-going"]
        return subprocess.run(command, check=False, stdout=_STANDARD_ERROR).returncode


def _told(receipts: list[dict[str, Any]]) -> str:
    documents = [record for receipt in receipts for record in receipt.get("records", [])]
    records = [Record.from_data(document, "a receipt") for document in documents]
    measured = [record for record in records if record.stage != "etl"]
    return verdict_table(measured) if measured else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
