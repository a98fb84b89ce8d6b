"""The part of a record that no comparison reads."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any


def timing(started: float) -> dict[str, Any]:
    """Return the duration in seconds since ``started`` (``time.monotonic``) and the time of writing in UTC."""
    return {
        "seconds": round(time.monotonic() - started, 3),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }
