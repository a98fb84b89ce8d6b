"""One side of :mod:`repro.bench.prepare`: ``python -m repro.bench.side TARGET ARRAYS FOLDER``.

TARGET is the name of a preparation, whose files it writes, or a function (images, labels, folder). For each line on
standard input it makes FOLDER/<number> and prints its peak memory in bytes.
"""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path

import numpy as np

from repro.registry import preparations, resolve
from repro.schema import FilePreparation
from repro.stages.tree import write_tree


def main(target: str, arrays: str, folder: str) -> None:
    """Answer lines until there are no more."""
    with np.load(arrays) as loaded:
        images, labels = loaded["images"], loaded["labels"]
    preparation = preparations().get(target)
    make = partial(write_files, preparation) if isinstance(preparation, FilePreparation) else resolve(target)
    Path(folder).mkdir()
    for number, _ in enumerate(sys.stdin):
        make(images, labels, Path(folder) / str(number))
        print(peak_bytes(), flush=True)


def write_files(preparation: FilePreparation, images: np.ndarray, labels: np.ndarray, folder: Path) -> None:
    """Write the files of a preparation, all images being training images."""
    plan = resolve(preparation.plan)(labels, {"Training": np.arange(len(labels))})
    write_tree(folder, plan, images, resolve(preparation.encode), "", lambda done, total: None)


def peak_bytes() -> int:
    """Return the most memory that this process has had resident."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None, "Linux says it"
    return int(found[1]) * 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
