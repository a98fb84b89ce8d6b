"""Files that a user names: by their path, or by the artifact that was fetched."""

from __future__ import annotations

from pathlib import Path

_PREFIX = "artifact:"


def local_path(text: str) -> Path:
    """Return the path that a user means: a path as it is, ``artifact:ID`` as that artifact's file in the cache.

    Raises:
        UnknownName, MissingFile: see :func:`repro.stages.fetch.cached_path`.
    """
    if not text.startswith(_PREFIX):
        return Path(text)
    from repro.stages.fetch import cached_path  # the transports are loaded only where one may be needed

    return cached_path(text.removeprefix(_PREFIX))
