"""What a preparation's files cost beside the straight way to make them, each in a process of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from repro.bench.measure import Benchmark
from repro.errors import MissingStack
from repro.paths import project_root
from repro.registry import preparations, resolve
from repro.schema import FilePreparation
from repro.stages.stacks import find_stack

AT_MOST = 1 / 5
"""At least five times faster than the straight way."""

NUM_IMAGES = 2000


_MEMORY = Path("/dev/shm")
"""A file system in memory, where there is one."""


def benchmarks(folder: Path) -> Iterator[Benchmark]:
    """Give each preparation that has a straight way, on 2,000 images; the case names the peaks of memory.

    Once with the files in memory, where that is to be had, and once on disk: a disk may need longer to make a file than
    either side to compute it.

    Args:
        folder: for the images and all files made of them.
    """
    for one in preparations().values():
        if isinstance(one, FilePreparation) and one.straight is not None:
            if os.access(_MEMORY, os.W_OK):
                with tempfile.TemporaryDirectory(prefix="repro-bench-", dir=_MEMORY) as memory:
                    yield from _beside_the_straight_way(one, one.straight, Path(memory), "in memory")
            yield from _beside_the_straight_way(one, one.straight, folder, "on disk")


def _beside_the_straight_way(one: FilePreparation, way: str, folder: Path, where: str) -> Iterator[Benchmark]:
    arrays, what = _arrays(one, folder)
    try:
        python = find_stack(one.straight_stack).python
    except MissingStack as error:
        raise ModuleNotFoundError(str(error), name=one.straight_stack) from error
    with (
        _Side(Path(sys.executable), one.name, arrays, folder / "ours") as ours,
        _Side(python, way, arrays, folder / "straight") as straight,
    ):
        peaks = [side.run() for side in (ours, straight)]
        told = f"peaks {peaks[0] / 1e9:.2f} and {peaks[1] / 1e9:.2f} GB"
        yield Benchmark(
            subject="prepare",
            case=f"{one.name}, {NUM_IMAGES} {what}, files {where}; {told}",
            run=ours.run,
            baseline=straight.run,
            baseline_name="the straight way",
            at_most=AT_MOST,
        )


def _arrays(one: FilePreparation, folder: Path) -> tuple[Path, str]:
    """Write images and labels for both sides: of ``REPRO_BENCH_DATA``, or those that come with the harness."""
    given = os.environ.get("REPRO_BENCH_DATA")
    dataset = resolve(one.dataset)(Path(given)) if given else resolve(one.embedded)()
    rows = np.resize(np.arange(len(dataset.labels)), NUM_IMAGES)
    path = folder / "arrays.npz"
    np.savez(path, images=dataset.images[rows], labels=dataset.labels[rows])
    return path, "real images" if given else "drawn images"


class _Side(contextlib.AbstractContextManager["_Side"]):
    """A process that makes the files once for each line that it is sent, into a folder of its own each time."""

    def __init__(self, python: Path, target: str, arrays: Path, folder: Path) -> None:
        command = [str(python), "-m", "repro.bench.side", target, str(arrays), str(folder)]
        paths = [str(project_root()), os.environ.get("PYTHONPATH", "")]
        variables = {**os.environ, "PYTHONPATH": ":".join(filter(None, paths)), "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(
            command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def run(self) -> int:
        """Make the files and return the peak of the process's memory so far, in bytes."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
