"""Killed at any moment, or out of disk: nothing wrong under the final name, and the next call ends well."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.fetch.server import CONTENT, Misbehaving

KILLS = 20


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start the child and wait until it is about to download."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fetch.child", *arguments],
        cwd=ROOT,
        env={**os.environ, "no_proxy": "*"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def run(*arguments: str) -> tuple[int, str]:
    process = start(*arguments)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out


@pytest.mark.slow
def test_killed_at_twenty_moments(server: Misbehaving, tmp_path: Path) -> None:
    """A download takes about 0.6 s from ``ready`` on; each of 20 caches loses its process once on the way."""
    moments = random.Random(9)
    resumed = interrupted = 0
    for number in range(KILLS):
        cache = tmp_path / str(number)
        final = cache / "a-model" / "model.bin"
        url = server.url("slow")
        process = start(url, str(cache))
        time.sleep(moments.uniform(0.0, 0.7))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        interrupted += process.returncode == -signal.SIGKILL
        assert not final.exists() or final.read_bytes() == CONTENT
        asked = len(server.asked)

        assert run(url, str(cache)) == (0, "")

        assert final.read_bytes() == CONTENT
        resumed += any("Range" in headers for _, headers in server.asked[asked:])
        assert not [path.name for path in final.parent.iterdir() if "partial" in path.name]
    assert interrupted >= KILLS // 2
    assert resumed >= KILLS // 4


def test_killed_once(server: Misbehaving, tmp_path: Path) -> None:
    final = tmp_path / "a-model" / "model.bin"
    partial = final.with_name("model.bin.partial")
    process = start(server.url("slow"), str(tmp_path))
    while not partial.exists() or partial.stat().st_size < 500_000:
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert not final.exists()
    kept = partial.stat().st_size

    assert run(server.url("slow"), str(tmp_path)) == (0, "")

    assert server.asked[-1][1]["Range"] == f"bytes={kept}-"
    assert final.read_bytes() == CONTENT


@pytest.mark.slow
def test_two_processes_at_once_download_once(server: Misbehaving, tmp_path: Path) -> None:
    both = [start(server.url("slow"), str(tmp_path)) for _ in range(2)]

    assert [(one.communicate(timeout=60)[0], one.returncode) for one in both] == [("", 0), ("", 0)]
    assert (tmp_path / "a-model" / "model.bin").read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_file_that_may_not_grow(server: Misbehaving, tmp_path: Path) -> None:
    code, out = run(server.url("good"), str(tmp_path), "1000000")

    assert code == 3
    assert "model.bin.partial cannot be written: File too large" in out
    assert "Next: make room" in out
    assert not (tmp_path / "a-model" / "model.bin").exists()
    assert run(server.url("good"), str(tmp_path)) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["good", "chunked"])
def test_a_full_disk(way: str, server: Misbehaving, tmp_path: Path) -> None:
    """With the length known it is told before, without it when the disk is full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        code, out = run(server.url(way), str(disk))
        final = disk / "a-model" / "model.bin"
        assert code == 3, out
        assert ("takes 3000001 bytes and the disk" if way == "good" else "No space left on device") in out
        assert "Next: make room" in out
        assert not final.exists()

        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        assert run(server.url(way), str(disk)) == (0, "")
        assert final.read_bytes() == CONTENT
    finally:
        subprocess.run(["umount", str(disk)], check=True)
