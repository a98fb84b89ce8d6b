"""Runs the command as a user does: a process of its own, in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import ROOT


@dataclass(frozen=True)
class Ended:
    """How a call ended."""

    code: int
    out: str
    err: str

    def data(self) -> dict[str, Any]:
        """Return the one JSON document on standard output."""
        return json.loads(self.out)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Place:
    """A folder with results, expectations and profiles of its own."""

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def expected(self) -> Path:
        return self.folder / "expected"

    @property
    def profiles(self) -> Path:
        return self.folder / "profiles"

    def environment(self, **variables: str) -> dict[str, str]:
        """Return an environment in which the command reads and writes only here."""
        self.profiles.mkdir(parents=True, exist_ok=True)
        for source in (ROOT / "expected_results").glob("*/*.toml"):  # claims and defects, but no digests
            target = self.expected / source.parent.name / source.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "REPRO_RESULTS": str(self.results),
            "REPRO_EXPECTED": str(self.expected),
            "REPRO_PROFILES": str(self.profiles),
            **variables,
        }

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start ``repro`` in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "repro", *arguments],
            cwd=self.folder,
            env=self.environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **variables: str) -> Ended:
        """Run ``repro`` and wait for it."""
        process = self.start(*arguments, **variables)
        out, err = process.communicate()
        return Ended(process.returncode, out, err)

    def records(self) -> dict[str, dict[str, Any]]:
        """Return every record without its timing, under its relative path."""
        found = {}
        for path in sorted((self.results / "records").glob("*/*/*.json")):
            data = json.loads(path.read_text(encoding="utf-8"))
            del data["timing"]
            found[path.relative_to(self.results).as_posix()] = data
        return found
