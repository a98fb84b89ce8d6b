"""What a system declares about itself. ``pipelines/<system>/system.py`` builds one ``System``; nothing here runs."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import model_validator

from repro.errors import UnknownName
from repro.schema.base import Frozen

Framework = Literal["torch", "tensorflow"]


class Model(Frozen):
    """One published model.

    Attributes:
        name: as in the contracts' keys.
        title: as people write it.
        framework: the framework its implementation needs.
        stack: name of the stack in which it runs by default.
        build: ``module:function``; called without arguments it returns the untrained framework model.
        input_shape: shape of one input without the batch axis, in the framework's layout.
        num_classes: length of the output.
        contract_scale, contract_shift: the contract's keyed input is ``image * scale + shift``.
    """

    name: str
    title: str
    framework: Framework
    stack: str
    build: str
    input_shape: tuple[int, ...]
    num_classes: int
    contract_scale: float = 1.0
    contract_shift: float = 0.0


class Split(Frozen):
    """A named set of a dataset's rows.

    Attributes:
        name: what ``--split`` takes.
        usages: the container's usage values that it is cut from, in order.
        start, stop: the half-open row range inside those rows, in file order; ``None`` is the end.
        description: one sentence for people.
    """

    name: str
    usages: tuple[str, ...]
    start: int = 0
    stop: int | None = None
    description: str


class Protocol(Frozen):
    """A way to evaluate: what is prepared, what is switched, how it is counted.

    Attributes:
        name: ``as-published`` or ``corrected``, or a named variant.
        keeps, mends: ids of the defects (``repro claims --defects``) that it keeps or repairs.
        batch: images per forward pass.
        seeds: one run per seed where the protocol is random; empty where it is not.
        settings: everything else that fixes it, as plain data; part of every record.
    """

    name: str
    description: str
    keeps: tuple[str, ...] = ()
    mends: tuple[str, ...] = ()
    batch: int
    seeds: tuple[int, ...] = ()
    settings: dict[str, Any] = {}


class System(Frozen):
    """One published system: a paper, its models, its protocols, and where the code for each step is.

    The callables are named ``module:attribute`` and imported only in the process that needs them.

    Attributes:
        name: as in the contracts' keys, with hyphens.
        package: the Python package that holds it; its sources are an input of every record.
        dataset: ``(path, progress) -> dataset``: reads a container of the system's data.
        embedded: ``() -> dataset``: the data set that comes with the harness.
        prepare: ``(images, settings) -> float32 array``: raw images to network inputs, without a framework.
        predict: ``(model, inputs, settings) -> tensor (n, classes)`` of scores, in the framework.
        diagnose: ``(model, inputs) -> dict``: numbers that show a defect at work; optional.
        summarise: ``(scores, labels, protocol) -> dict``: what the published code prints of the scores.
        training: ``(model, settings) -> step``; ``step(inputs, labels)`` does one step and returns the
            named tensors ``loss`` and ``scores``.
        training_settings: the published recipe, as plain data.
        load: ``(model, path) -> dict``: strict loading of a published checkpoint; returns what is told of it.
    """

    name: str
    title: str
    paper: str
    licence: str
    package: str
    models: tuple[Model, ...]
    splits: tuple[Split, ...]
    protocols: tuple[Protocol, ...]
    classes: tuple[str, ...]
    dataset: str
    embedded: str
    prepare: str
    predict: str
    diagnose: str | None = None
    summarise: str
    training: str
    training_settings: dict[str, Any] = {}
    load: str

    @model_validator(mode="after")
    def _names_are_unique(self) -> System:
        for what in ("models", "splits", "protocols"):
            names = [item.name for item in getattr(self, what)]
            if len(set(names)) != len(names):
                raise ValueError(f"{self.name}: {what} holds a name twice: {names}")
        return self

    def model(self, name: str) -> Model:
        """Return a model by name; raises UnknownName."""
        return _by_name("model", name, self.models)

    def split(self, name: str) -> Split:
        """Return a split by name; raises UnknownName."""
        return _by_name("split", name, self.splits)

    def protocol(self, name: str) -> Protocol:
        """Return a protocol by name; raises UnknownName."""
        return _by_name("protocol", name, self.protocols)


_Named = TypeVar("_Named", Model, Split, Protocol)


def _by_name(what: str, name: str, items: tuple[_Named, ...]) -> _Named:
    for item in items:
        if item.name == name:
            return item
    raise UnknownName(what, name, [item.name for item in items])
