"""What a preparation's files cost beside the straight way to make them, each in a process of its own."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from repro.bench.measure import Benchmark
from repro.bench.side import Side
from repro.errors import MissingStack
from repro.registry import preparations, resolve
from repro.schema import FilePreparation
from repro.stages.stacks import find_stack
from repro.stages.tree import write_tree

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


def ours(name: str, arrays: str, folder: str) -> Callable[[int], None]:
    """Return what writes the files of the preparation of that name; all images are training images."""
    preparation = preparations()[name]
    assert isinstance(preparation, FilePreparation)
    images, labels = _loaded(arrays)
    plan = resolve(preparation.plan)(labels, {"Training": np.arange(len(labels))})
    encode = resolve(preparation.encode)

    def work(number: int) -> None:
        write_tree(Path(folder) / str(number), plan, images, encode, "", lambda done, total: None)

    return work


def straight(way: str, arrays: str, folder: str) -> Callable[[int], None]:
    """Return what writes the same files through the function ``way``, (images, labels, folder)."""
    images, labels = _loaded(arrays)
    make = resolve(way)
    return lambda number: make(images, labels, Path(folder) / str(number))


def _beside_the_straight_way(one: FilePreparation, way: str, folder: Path, where: str) -> Iterator[Benchmark]:
    arrays, what = _arrays(one, folder)
    try:
        python = find_stack(one.straight_stack).python
    except MissingStack as error:
        raise ModuleNotFoundError(str(error), name=one.straight_stack) from error
    for name in ("ours", "straight"):
        (folder / name).mkdir()
    with (
        Side(Path(sys.executable), f"{__name__}:ours", one.name, str(arrays), str(folder / "ours")) as own,
        Side(python, f"{__name__}:straight", way, str(arrays), str(folder / "straight")) as other,
    ):
        peaks = [side.run() for side in (own, other)]
        told = f"peaks {peaks[0] / 1e9:.2f} and {peaks[1] / 1e9:.2f} GB"
        yield Benchmark(
            subject="prepare",
            case=f"{one.name}, {NUM_IMAGES} {what}, files {where}; {told}",
            run=own.run,
            baseline=other.run,
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


def _loaded(arrays: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(arrays) as loaded:
        return loaded["images"], loaded["labels"]
