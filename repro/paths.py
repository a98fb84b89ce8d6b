"""Where the project's folders are."""

from __future__ import annotations

import os
from pathlib import Path

_PROJECT = Path(__file__).resolve().parent.parent


def project_root() -> Path:
    """Return the folder that holds ``pipelines/``, ``expected_results/`` and ``hardware_profiles/``."""
    return _PROJECT


def expected_folder(given: Path | None = None) -> Path:
    """Return the folder of stored expectations: the given one, else ``REPRO_EXPECTED``, else the project's."""
    return given or Path(os.environ.get("REPRO_EXPECTED", _PROJECT / "expected_results"))


def profiles_folder(given: Path | None = None) -> Path:
    """Return the folder of profile classes: the given one, else ``REPRO_PROFILES``, else the project's."""
    return given or Path(os.environ.get("REPRO_PROFILES", _PROJECT / "hardware_profiles"))


def cache_folder(given: Path | None = None) -> Path:
    """Return the folder for downloads: the given one, else ``REPRO_CACHE``, else the user's cache folder."""
    if given is not None or "REPRO_CACHE" in os.environ:
        return given or Path(os.environ["REPRO_CACHE"])
    from platformdirs import user_cache_path  # only the process that downloads needs it

    return user_cache_path("repro") / "artifacts"
