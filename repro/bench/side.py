"""One side of :mod:`repro.bench.prepare`: ``python -m repro.bench.side TARGET ARRAYS FOLDER``.

For each line on standard input it calls TARGET(images, labels, FOLDER/<number>) and prints its peak memory in bytes.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np

from repro.registry import resolve


def main(target: str, arrays: str, folder: str) -> None:
    """Answer lines until there are no more."""
    with np.load(arrays) as loaded:
        images, labels = loaded["images"], loaded["labels"]
    make = resolve(target)
    Path(folder).mkdir()
    for number, _ in enumerate(sys.stdin):
        make(images, labels, Path(folder) / str(number))
        print(peak_bytes(), flush=True)


def peak_bytes() -> int:
    """Return the most memory that this process has had resident."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None, "Linux says it"
    return int(found[1]) * 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
