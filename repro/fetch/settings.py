"""How patient a download is, and where it may come from."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """What one run of fetch may do.

    Attributes:
        connect_seconds, read_seconds: how long to wait for a server to answer, and for its next byte.
        tries: how often in a row an address is tried without one more MiB coming in.
        backoff_seconds, longest_wait_seconds: the wait after the first failure, doubled after each, and its bound.
        mirror: a folder or URL that is asked first.
        offline: no network: the cache, a mirror folder and ``file:`` addresses only.
        kaggle: the base address of Kaggle's interface.
        drive: the address of a Google Drive file, with ``{id}``.
    """

    connect_seconds: float = 10
    read_seconds: float = 60
    tries: int = 5
    backoff_seconds: float = 1
    longest_wait_seconds: float = 60
    mirror: str | None = None
    offline: bool = False
    kaggle: str = "https://www.kaggle.com/api/v1"
    drive: str = "https://drive.google.com/uc?id={id}"

    @property
    def mirror_folder(self) -> Path | None:
        """The mirror, if it is a folder."""
        return None if self.mirror is None or self.mirror_url else Path(self.mirror)

    @property
    def mirror_url(self) -> str | None:
        """The mirror, if it is a URL; without a slash at the end."""
        is_url = self.mirror is not None and self.mirror.startswith(("http://", "https://"))
        return self.mirror.rstrip("/") if self.mirror is not None and is_url else None


def _no_progress(done: int, total: int | None) -> None:
    """Tell nobody."""


@dataclass
class Call:
    """One download in progress: how to tell how far it is, and whether to stop."""

    progress: Callable[[int, int | None], None] = _no_progress
    stop: threading.Event = field(default_factory=threading.Event)
