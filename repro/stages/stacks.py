"""Finds the stacks: virtual environments with one framework each, made by ``make setup``."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from repro.errors import MissingStack, UnknownName
from repro.paths import project_root
from repro.schema import Stack

_ENVIRONMENTS = {"torch": ".venv", "tensorflow": ".venv-tensorflow"}

_BIT_PACKAGES = (
    "torch",
    "torchvision",
    "tensorflow",
    "tensorflow-addons",
    "keras",
    "numpy",
    "pillow",
    "opencv-python-headless",
)
"""Packages whose version can change bits. They are part of every key; the rest of the lock is not."""


@dataclass(frozen=True)
class StackEnvironment:
    """A stack that is installed: where its interpreter is, and what is in it."""

    python: Path
    stack: Stack
    site: tuple[str, ...]


def stack_names() -> tuple[str, ...]:
    """Return the names of the stacks that this version knows."""
    return tuple(_ENVIRONMENTS)


@cache
def find_stack(name: str) -> StackEnvironment:
    """Return an installed stack, without starting its interpreter.

    ``REPRO_STACK_<NAME>`` names the environment's folder; else it is the project's own.

    Raises:
        UnknownName: there is no stack of this name.
        MissingStack: it is not installed, or its framework is not.
    """
    if name not in _ENVIRONMENTS:
        raise UnknownName("stack", name, _ENVIRONMENTS)
    folder = Path(os.environ.get(f"REPRO_STACK_{name.upper()}", project_root() / _ENVIRONMENTS[name]))
    python = folder / "bin" / "python"
    if python.exists():
        site = tuple(str(path) for path in sorted(folder.glob("lib/python3*/site-packages")))
    elif name in _packages(sys.path):  # installed as a library, in an environment of the user's own
        python, site = Path(sys.executable), tuple(sys.path)
    else:
        raise MissingStack(f"the {name} stack is not installed: no {python}", next_step="make setup")
    packages = _packages(site)
    if name not in packages:
        raise MissingStack(f"{folder} is there, but {name} is not in it", next_step="make setup")
    kept = {package: packages[package] for package in _BIT_PACKAGES if package in packages}
    version = _version(folder) if site != tuple(sys.path) else platform.python_version()
    return StackEnvironment(python=python, stack=Stack(name=name, python=version, packages=kept), site=site)


def installed_packages(environment: StackEnvironment) -> dict[str, str]:
    """Return every installed package's version by its name in lower case with hyphens."""
    return _packages(environment.site)


def _version(folder: Path) -> str:
    """Return the Python version that an environment was made with, as its own configuration says."""
    for line in (folder / "pyvenv.cfg").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition("=")
        if key.strip() in ("version", "version_info"):
            return value.strip()
    raise MissingStack(f"{folder}/pyvenv.cfg names no version", next_step="make setup")


def _packages(site: Iterable[str]) -> dict[str, str]:
    found = {}
    for distribution in distributions(path=list(site)):
        name = distribution.metadata["Name"]
        if name:
            found[name.lower().replace("_", "-")] = distribution.version
    return found
