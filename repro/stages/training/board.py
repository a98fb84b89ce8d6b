"""Logs for TensorBoard: scalars of steps and epochs, written without a framework."""

from __future__ import annotations

import time
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any


class Board:
    """A folder of event files; one is opened when there is something to log.

    Args:
        folder: for them; ``None`` writes nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._writer: Any = None

    def add(self, step: int, values: Mapping[str, Any]) -> None:
        """Log the values that are numbers, under their names."""
        if self._folder is None:
            return
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        logged = [
            Summary.Value(tag=name, simple_value=float(value))
            for name, value in values.items()
            if isinstance(value, Real)
        ]
        self._opened().add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=logged)))

    def close(self) -> None:
        """Write what waits."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _opened(self) -> Any:
        if self._writer is None:
            from tensorboard.summary.writer.event_file_writer import EventFileWriter

            self._writer = EventFileWriter(str(self._folder))
        return self._writer
