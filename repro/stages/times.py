"""The part of a record that no comparison reads."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")


def timing(started: float, *answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the duration in seconds since ``started`` (``time.monotonic``) and the time of writing in UTC.

    Args:
        started: see above.
        answers: of the child processes; the most memory that one of them took is told in bytes.
    """
    peaks = [answer["peak_bytes"] for answer in answers if answer["peak_bytes"] is not None]
    return {
        "seconds": round(time.monotonic() - started, 3),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        **({"peak_bytes": max(peaks)} if peaks else {}),
    }


def peak_bytes() -> int | None:
    """Return the most memory that this process has had resident, where the kernel says it as Linux does."""
    found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text(encoding="ascii")) if _STATUS.is_file() else None
    return None if found is None else int(found[1]) * 1024
