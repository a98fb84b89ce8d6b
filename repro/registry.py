"""Finds systems: every ``pipelines/*/system.py``, and the entry points ``repro.systems`` of other packages.

A module that declares one has it as ``SYSTEM``. It imports no framework, so listing is cheap. Preparations are
found likewise: ``PREPARATIONS`` in every ``pipelines/*/preparations.py`` and the entry points ``repro.preparations``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from repro.determinism.guard import allow_only
from repro.errors import BadInput, UnknownName, UsageError
from repro.paths import project_root
from repro.schema import Model, Preparation, System

ENTRY_POINT_GROUP = "repro.systems"
PREPARATIONS_GROUP = "repro.preparations"


@cache
def systems() -> dict[str, System]:
    """Return every system by name, sorted.

    Raises:
        BadInput: two declare one name, or a declaration holds no ``SYSTEM``.
    """
    found: dict[str, System] = {}
    for name in _modules("system", ENTRY_POINT_GROUP):
        declared = getattr(importlib.import_module(name), "SYSTEM", None)
        if not isinstance(declared, System):
            raise BadInput(f"{name}: expected SYSTEM to be a repro.schema.System, found {declared!r}")
        if declared.name in found:
            raise BadInput(f"{name}: a system called {declared.name!r} exists already")
        found[declared.name] = declared
    return dict(sorted(found.items()))


@cache
def preparations() -> dict[str, Preparation]:
    """Return every preparation by name, sorted.

    Raises:
        BadInput: two declare one name, or a declaration holds no ``PREPARATIONS``.
    """
    found: dict[str, Preparation] = {}
    for module in _modules("preparations", PREPARATIONS_GROUP):
        declared = getattr(importlib.import_module(module), "PREPARATIONS", None)
        if not isinstance(declared, tuple) or not all(isinstance(one, Preparation) for one in declared):
            raise BadInput(f"{module}: expected PREPARATIONS to be a tuple of preparations, found {declared!r}")
        for one in declared:
            if one.name in found:
                raise BadInput(f"{module}: a preparation called {one.name!r} exists already")
            found[one.name] = one
    return dict(sorted(found.items()))


def chosen_preparations(names: list[str]) -> list[Preparation]:
    """Return the preparations of these names; a system's name stands for all that it has.

    Raises:
        UnknownName: there is none of a name.
    """
    known = preparations()
    chosen = []
    for name in names:
        matching = [one for one in known.values() if name in (one.name, one.owner)]
        if not matching:
            raise UnknownName("preparation", name, {*known, *(one.owner for one in known.values())})
        chosen += [one for one in matching if one not in chosen]
    return chosen


def _modules(stem: str, group: str) -> list[str]:
    folders = [path.parent.name for path in (project_root() / "pipelines").glob(f"*/{stem}.py")]
    return sorted(
        {*(f"pipelines.{name}.{stem}" for name in folders), *(one.value for one in entry_points(group=group))}
    )


def system(name: str) -> System:
    """Return one system by name.

    Raises:
        UnknownName: there is none; the nearest name is suggested.
    """
    known = systems()
    if name not in known:
        raise UnknownName("system", name, known)
    return known[name]


def find_model(name: str) -> tuple[System, Model]:
    """Return system and model for ``system/model``."""
    owner, _, model = name.partition("/")
    found = system(owner)
    return found, found.model(model)


def resolve(target: str) -> Callable[..., Any]:
    """Import ``module:attribute`` and return the attribute; call this only where its framework may be loaded.

    Raises:
        BadInput: the declaration names something that is not there.
    """
    module, _, attribute = target.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except AttributeError as error:
        raise BadInput(f"a system declares {target!r}, but {module} has no {attribute!r}") from error


def chosen_systems(names: list[str] | None) -> list[System]:
    """Return the named systems in that order, or all of them.

    Raises:
        UnknownName: there is none of a name.
    """
    return [system(name) for name in names] if names else list(systems().values())


def chosen_models(names: list[str] | None, model: str | None) -> list[tuple[System, Model]]:
    """Return the models of the named systems (all by default), or the one of that name in each.

    Raises:
        UnknownName: there is no such system, or a system has no such model.
    """
    chosen = chosen_systems(names)
    if model is not None:
        return [(one, one.model(model)) for one in chosen]
    return [(one, each) for one in chosen for each in one.models]


def one_model(name: str, model: str | None) -> tuple[System, Model]:
    """Return a system and its model of that name, or the only one that it has.

    Raises:
        UnknownName: there is no such system or model.
        UsageError: none is named and there are several.
    """
    chosen = chosen_models([name], model)
    if len(chosen) != 1:
        names = ", ".join(one.name for _, one in chosen)
        raise UsageError(f"{name} has several models: {names}", next_step="choose one with --model")
    return chosen[0]


def benchmarked_models(framework: str) -> list[tuple[System, Model]]:
    """Return the models of a framework that benchmarks measure, as their systems declare them."""
    chosen = [(one, one.model(name)) for one in systems().values() for name in one.benchmarked]
    return [(one, model) for one, model in chosen if model.framework == framework]


def build(owner: str, model: str) -> Any:
    """Return an untrained model of a system: the framework's own object.

    Imports the model's framework into this process.

    Raises:
        UnknownName: there is no such system or model.
        FrameworkClash: another framework is loaded already.
    """
    found = system(owner).model(model)
    allow_only(found.framework)
    return resolve(found.build)()
