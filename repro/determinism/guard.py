"""One process imports one framework: torch and TensorFlow carry native libraries that disturb each other's bits."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from repro.errors import FrameworkClash

FRAMEWORKS = ("torch", "tensorflow")


class _Refusal(MetaPathFinder):
    def __init__(self, allowed: str | None) -> None:
        self.allowed = allowed

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        # Libraries ask for frameworks that they could use; one that is not installed is no clash.
        if fullname in FRAMEWORKS and fullname != self.allowed and self._is_there(fullname):
            raise FrameworkClash(
                f"{fullname} was about to be imported into a process that is kept for {self.allowed or 'none'}",
                next_step="run that part in the stack of its own framework",
            )
        return None

    def _is_there(self, name: str) -> bool:
        others = [finder for finder in sys.meta_path if finder is not self]
        return any(finder.find_spec(name, None) is not None for finder in others)


def allow_only(framework: str | None) -> None:
    """Refuse every other framework that is installed here, from now on in this process.

    Raises:
        FrameworkClash: another framework is loaded already.
    """
    loaded = [name for name in FRAMEWORKS if name in sys.modules and name != framework]
    if loaded:
        raise FrameworkClash(
            f"{loaded[0]} is loaded, {framework or 'a process without framework'} refused",
            next_step="start a fresh process",
        )
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Refusal)]
    sys.meta_path.insert(0, _Refusal(framework))
