"""The child's side of :mod:`repro.stages.child`: ``python -m repro.stages.worker FOLDER``."""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import signal
import sys
import traceback
from pathlib import Path
from types import ModuleType

from repro.determinism.guard import allow_only
from repro.errors import EXIT_INTERNAL, ReproError, error_data
from repro.schema import read_json
from repro.stages.child import write_answer
from repro.stages.times import peak_bytes

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


def die_with_parent() -> None:
    """End this process when its parent ends, however that does: nobody else reads the answer.

    torchrun starts its processes in sessions of their own, so a kill of the group does not reach them.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)


def main(folder: Path) -> int:
    """Run the task in the folder and return the exit code."""
    task = read_json(folder / "task.json")
    framework = task["framework"]
    allow_only(framework)
    first = os.environ.get("RANK", "0") == "0"  # torchrun starts several, and one answers
    try:
        work = _imported(f"repro.stages.work_{framework}")
        answer = work.TASKS[task["task"]](task, folder)
    except ReproError as error:
        if first:
            write_answer(folder, "error.json", error_data(error))
        return error.exit_code
    except Exception:
        traceback.print_exc()
        return EXIT_INTERNAL
    if first:
        write_answer(folder, "answer.json", {**answer, "peak_bytes": peak_bytes()})
    return 0


def _imported(name: str) -> ModuleType:
    """Import a module that imports a framework.

    That makes a million objects, none of them rubbish: to look for some meanwhile takes a fifth of the time.
    """
    gc.disable()
    module = importlib.import_module(name)
    gc.freeze()
    gc.enable()
    return module


if __name__ == "__main__":
    die_with_parent()
    code = main(Path(sys.argv[1]))
    gc.freeze()  # what is left need not be searched for rubbish: that takes half a second
    sys.exit(code)
