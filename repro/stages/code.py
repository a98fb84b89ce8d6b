"""The digest of the sources that a result depends on: edit one, and a stored record no longer answers."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from repro.digest import file_digest, set_digest
from repro.paths import project_root

_COMPUTING = (
    "determinism",
    "digest",
    "hardware",
    "stages",
    "trace",
)  # of the harness: what can change a result


@cache
def code_digest(package: str | None, *, canonical: bool = False) -> str:
    """Return the digest of the harness's computing parts, the shared pipeline code and one system's package.

    Args:
        package: the system's, or ``None``.
        canonical: whether canonical arithmetic computes, and its sources count too.
    """
    root = project_root()
    folders = {f"repro/{name}": root / "repro" / name for name in _COMPUTING}
    folders["pipelines/common"] = root / "pipelines" / "common"
    if package is not None:
        folders[package] = _package_folder(package)
    if canonical:
        folders["repro/canonical"] = root / "repro" / "canonical"
    digests = {
        f"{name}/{path.relative_to(folder).as_posix()}": file_digest(path)
        for name, folder in folders.items()
        for path in (*folder.rglob("*.py"), *folder.rglob("*.c"))
    }
    return set_digest(digests)


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"a system declares the package {package!r}, which cannot be imported")
    return Path(next(iter(spec.submodule_search_locations)))
