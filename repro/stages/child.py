"""Runs a task as a child process in a stack: fresh interpreter, fixed environment, one framework.

Parent and child exchange one folder: ``task.json`` goes in; ``answer.json`` or ``error.json`` and any
files the task made come out. What the child prints goes to standard error, so progress is seen.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from repro.determinism.environment import child_environment
from repro.errors import ReproError
from repro.paths import project_root
from repro.schema import Caps, pretty_json, read_json
from repro.stages.stacks import StackEnvironment

_STANDARD_ERROR = 2  # the descriptor itself: sys.stderr may be a notebook or a test


class ChildFailed(ReproError):
    """The child ended without an answer."""


def run_child(environment: StackEnvironment, task: dict[str, Any], caps: Caps, folder: Path, processes: int = 1) -> Any:
    """Run one task and return its answer.

    Args:
        environment: the stack to run in.
        task: plain data with the key ``task``; paths in it absolute.
        caps: what the child may use.
        folder: an empty folder for the exchange; the task's files are there afterwards.
        processes: how many torchrun starts of it, on this machine.

    Raises:
        ReproError: the child's own error, with its exit code.
        ChildFailed: it died; the message says of what.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.json").write_text(pretty_json({**task, "caps": caps.model_dump()}), encoding="utf-8")
    variables = child_environment(caps, environment.python)
    paths = [str(project_root()), *variables.get("PYTHONPATH", "").split(":")]
    variables["PYTHONPATH"] = ":".join(path for path in paths if path)
    command = [str(environment.python), *_several(processes), "-m", "repro.stages.worker", str(folder)]
    ended = subprocess.run(command, env=variables, stdout=_STANDARD_ERROR, check=False)
    if (folder / "error.json").is_file():
        raise _rebuilt(read_json(folder / "error.json"))
    if ended.returncode != 0 or not (folder / "answer.json").is_file():
        how = f"signal {-ended.returncode}" if ended.returncode < 0 else f"exit code {ended.returncode}"
        raise ChildFailed(
            f"{task['task']} in the {environment.stack.name} stack ended with {how} and no answer",
            next_step="see its output above; signal 9 usually means that memory ran out",
        )
    return read_json(folder / "answer.json")


def _several(processes: int) -> list[str]:
    if processes == 1:
        return []
    return ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]


def _rebuilt(data: dict[str, Any]) -> ReproError:
    kinds: dict[str, type[ReproError]] = {}
    todo = [ReproError]
    while todo:
        kind = todo.pop()
        kinds[kind.__name__] = kind
        todo.extend(kind.__subclasses__())
    error = ReproError(data["message"], next_step=data["next_step"])
    error.__class__ = kinds.get(data["kind"], ReproError)  # constructors differ; the content is complete
    return error


def write_answer(folder: Path, name: str, data: Any) -> None:
    """Write the child's answer; the parent reads it only after the child has ended."""
    (folder / name).write_text(json.dumps(data, allow_nan=False), encoding="utf-8")
