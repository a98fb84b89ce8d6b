"""Downloads one URL into a cache, in a process that a test may kill: ``child.py URL CACHE [LARGEST_FILE_BYTES]``."""

from __future__ import annotations

import resource
import sys
from dataclasses import replace
from pathlib import Path

from repro.errors import ReproError
from repro.fetch import Cache, Call, Fetcher
from tests.fetch.conftest import QUICK, artifact


def main(url: str, cache: str, largest: str | None = None) -> int:
    """Return the exit code that the command would end with."""
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(largest), int(largest)))
    one = artifact(url)
    print("ready", flush=True)
    try:
        Fetcher(Cache(Path(cache)), replace(QUICK, read_seconds=5)).fetch(one, one.files[0], Call())
    except ReproError as error:
        print(error, flush=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
