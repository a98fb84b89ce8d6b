"""A process beside the benchmark's own: ``python -m repro.bench.side MAKER ARGUMENTS...``.

MAKER is a function ``module:attribute``; what it returns for the arguments is called with 0, 1, ... once for each line
on standard input, and the peak of the process's memory so far is printed in bytes.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from repro.paths import project_root
from repro.registry import resolve
from repro.stages.times import peak_bytes


class Side(contextlib.AbstractContextManager["Side"]):
    """Such a process, which does its work once for each :meth:`run`.

    Args:
        python: the interpreter of the stack that it runs in.
        arguments: MAKER and its arguments.
        environment: its environment variables; ours by default.
    """

    def __init__(self, python: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        paths = [str(project_root()), os.environ.get("PYTHONPATH", "")]
        variables = {**(os.environ if environment is None else environment), "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(
            [str(python), "-m", "repro.bench.side", *arguments],
            env={**variables, "PYTHONPATH": ":".join(filter(None, paths))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(self) -> int:
        """Do the work once and return the peak of the process's memory so far, in bytes."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def main(maker: str, *arguments: str) -> None:
    """Answer lines until there are no more."""
    work = resolve(maker)(*arguments)
    for number, _ in enumerate(sys.stdin):
        work(number)
        print(peak_bytes(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
