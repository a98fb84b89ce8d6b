"""Progress on standard error, with the time left: a bar on a terminal, at most one line in five seconds elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

_PLAIN_SECONDS = 5.0


class Progress:
    """Progress of one long step; use as a context.

    Args:
        label: what is being done.
        unit: what is counted, for the plain lines.
    """

    def __init__(self, label: str, unit: str) -> None:
        self._label, self._unit = label, unit
        self._last = time.monotonic()
        self._first: tuple[float, int] | None = None
        self._bar: Bar | None = None
        if sys.stderr.isatty():
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TimeRemainingColumn(),
            )
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(label, total=None)

    def update(self, done: int, total: int) -> None:
        """Say how far it is, and from the second line on how long it will take at the pace since the first call."""
        now = time.monotonic()
        self._first = self._first or (now, done)
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)
        elif now - self._last >= _PLAIN_SECONDS:
            self._last = now
            since, before = self._first
            left = f", {duration((now - since) / (done - before) * (total - done))} left" if done > before else ""
            print(f"{self._label}: {done} of {total} {self._unit}{left}", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def say(text: str) -> None:
    """Print one line for people on standard error."""
    print(text, file=sys.stderr, flush=True)
