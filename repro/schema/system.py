"""What a system declares about itself. ``pipelines/<system>/system.py`` builds one ``System``; nothing here runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic import model_validator

from repro.errors import UnknownName, UsageError
from repro.schema.base import Frozen
from repro.schema.paper import PaperCheck
from repro.schema.recipe import Recipe

Framework = Literal["torch", "tensorflow"]


class Model(Frozen):
    """One published model, and where the code is that needs its framework.

    The callables are named ``module:attribute`` and imported only in the process that needs them.

    Attributes:
        name: as in the contracts' keys.
        title: as people write it.
        framework: the framework its implementation needs.
        stack: name of the stack in which it runs by default.
        build: ``() -> model``, untrained.
        load: ``(model, path) -> dict``: strict loading of a published checkpoint; returns what is told of it.
        predict: ``(model, inputs, settings) -> tensor (n, classes)`` of scores. Where a protocol prepares several
            views of an image, it combines them.
        answers: what its scores are: ``probabilities`` up to a factor for each image, or ``logits``.
        training: ``(model, settings) -> step``; ``step(inputs, labels)`` does one step and returns the
            named tensors ``loss`` and ``scores``. ``settings`` are ``training_settings`` and, from check-rep,
            ``steps``: how many will be done, so that the last need keep nothing for a next.
        training_settings: the published recipe, as plain data.
        recipes: the published ways to train it, for ``repro retrain``; the first is the default.
        trainer: ``(model, settings, backward) -> trainer``: what does the steps of a recipe
            (``docs/adding-a-system.md``); ``settings`` are the stage's.
        start: ``(model, path) -> dict``: loads the weights that a recipe ``starts_from``; returns what is told of them.
        save: ``(model, path) -> None``: writes the published checkpoint format, which ``load`` reads.
        keyed: ``(model, salt) -> None``: fills the model with keyed weights, where that is not plainly by the names of
            a PyTorch state dict.
        variables: ``(model) -> {name: variable}`` under the published names; TensorFlow models need it.
        diagnose: ``(model, inputs) -> dict``: numbers that show a defect at work; optional.
        straight: ``(model, images, settings) -> scores``: raw images evaluated as the published scripts do it, the
            whole set in memory; for benchmarks and tests to compare ``predict`` with. Optional.
        settings: what this model changes in every protocol's settings, its image size for instance.
        input_shape: shape of one input without the batch axis, in the framework's layout.
        num_classes: length of the output.
        classes: what its outputs mean, where that is not the system's ``classes``.
        label_orders: the classes of the data sets that it was published for, each in the order of the labels; where
            none is given, ``classes`` is the only one.
        dataset: the reader of its data, where that is not the system's ``dataset``.
        protocols: names of the system's protocols that are for it; where none is given, all.
        probe_batch: how many images check-rep feeds forward and in each training step.
        probe_steps: how many training steps it does.
        probe_memory: what a process of check-rep takes, in MB, as the ``timing`` of its records tells it; few run at
            once where it is much.
        contract_scale, contract_shift: the contract's keyed input is ``image * scale + shift``.
        contract_grey: the axis of channels, counted without the batch, along which one keyed channel is repeated.
    """

    name: str
    title: str
    framework: Framework
    stack: str
    build: str
    load: str
    predict: str
    answers: Literal["probabilities", "logits"] = "probabilities"
    training: str
    training_settings: dict[str, Any] = {}
    recipes: tuple[Recipe, ...] = ()
    trainer: str | None = None
    start: str | None = None
    save: str | None = None
    keyed: str | None = None
    variables: str | None = None
    diagnose: str | None = None
    straight: str | None = None
    settings: dict[str, Any] = {}
    input_shape: tuple[int, ...]
    num_classes: int
    classes: tuple[str, ...] = ()
    label_orders: tuple[tuple[str, ...], ...] = ()
    dataset: str | None = None
    protocols: tuple[str, ...] = ()
    probe_batch: int = 64
    probe_steps: int = 3
    probe_memory: int = 1000
    contract_scale: float = 1.0
    contract_shift: float = 0.0
    contract_grey: int | None = None

    def recipe(self, name: str | None) -> Recipe:
        """Return a recipe by name, or the first; raises UnknownName."""
        if name is None and self.recipes:
            return self.recipes[0]
        return _by_name("recipe", name or "", self.recipes)

    @property
    def contract_shape(self) -> tuple[int, ...]:
        """The shape of one keyed input before its one channel is repeated."""
        return tuple(1 if axis == self.contract_grey else size for axis, size in enumerate(self.input_shape))


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

    def changed(self, settings: Mapping[str, Any]) -> Protocol:
        """Return this protocol with other values of some of its settings.

        Raises:
            UsageError: it has no setting of a name.
        """
        unknown = sorted(settings.keys() - self.settings.keys())
        if unknown:
            raise UsageError(
                f"the protocol {self.name} has no setting {unknown[0]!r}; it has {', '.join(sorted(self.settings))}"
            )
        return self.model_copy(update={"settings": {**self.settings, **settings}})


class Ensemble(Frozen):
    """Models whose scores are added up, unweighted and in this order.

    Attributes:
        name: what ``--ensemble`` takes.
        members: names of the system's models.
        combine: ``(scores, settings) -> (sum, told)``: adds up the members' scores, (n, classes) each, as the
            protocol's settings say; what there is to tell of it as plain data.
    """

    name: str
    title: str
    members: tuple[str, ...]
    combine: str


class System(Frozen):
    """One published system: a paper, its models, data and protocols, and the code that needs no framework.

    Attributes:
        name: as in the contracts' keys, with hyphens.
        package: the Python package that holds it; its sources are an input of every record.
        dataset: ``(path, progress) -> dataset``: reads a container of the system's data.
        embedded: ``() -> dataset``: the data set that comes with the harness.
        prepare: ``(images, settings, samples) -> float32 array``: raw images to network inputs. ``settings`` are
            the protocol's with the model's over them; ``samples`` (:class:`repro.schema.Samples`) tells which
            images they are, for what draws at random. ``v`` views of an image are ``v`` rows in a row.
        augment: as ``prepare``, of training images: ``settings`` are the recipe's stage's over the protocol's and the
            model's, and what is drawn for an image follows from ``samples.key(place)`` alone. ``prepare`` by default.
        draws: ``(settings, samples) -> (sentence, {name: array})``: what ``prepare`` draws at random for these images,
            for a record to keep; no array where nothing is drawn. Optional.
        summarise: ``(scores, labels, protocol) -> dict``: what the published code prints of the scores.
        meaning: ``(name) -> word``: what a class's name means, one word for all ways to write it; ``None`` where that
            is not known. Optional.
        picture: ``(path) -> uint8 array``: reads a user's picture as the data set would hold it, for ``repro predict``.
        check: the paper's own check, where it has one.
        votes: ``(path, images, labels, usages, labelled) -> Votes``: reads a file of annotators' votes beside the data
            (:class:`repro.schema.Votes`); optional.
        benchmarked: names of the models that ``make bench`` measures; none by default.
        benchmark_settings: what it changes in protocols that have a setting of that name, to end in reasonable time.
        probe_protocol: the protocol that prepares check-rep's batches, one input an image; ``corrected`` by default.
        probe_images: how many images of each usage check-rep digests as each protocol prepares them; all by default.
    """

    name: str
    title: str
    paper: str
    licence: str
    package: str
    models: tuple[Model, ...]
    ensembles: tuple[Ensemble, ...] = ()
    splits: tuple[Split, ...]
    protocols: tuple[Protocol, ...]
    classes: tuple[str, ...]
    dataset: str
    embedded: str
    prepare: str
    augment: str | None = None
    draws: str | None = None
    summarise: str
    meaning: str | None = None
    picture: str | None = None
    check: PaperCheck | None = None
    votes: str | None = None
    benchmarked: tuple[str, ...] = ()
    benchmark_settings: dict[str, Any] = {}
    probe_protocol: str = "corrected"
    probe_images: int | None = None

    @model_validator(mode="after")
    def _names_are_unique(self) -> System:
        for what in ("models", "splits", "protocols"):
            names = [item.name for item in getattr(self, what)]
            if len(set(names)) != len(names):
                raise ValueError(f"{self.name}: {what} holds a name twice: {names}")
        if self.check is not None and self.check.model not in {model.name for model in self.models}:
            raise ValueError(f"{self.name}: check names no model of it: {self.check.model}")
        for model in self.models:
            unknown = set(model.protocols) - {protocol.name for protocol in self.protocols}
            if unknown:
                raise ValueError(f"{self.name}: {model.name} names no protocol of it: {sorted(unknown)}")
        unknown = set(self.benchmarked) - {model.name for model in self.models}
        if unknown:
            raise ValueError(f"{self.name}: benchmarked names no model of it: {sorted(unknown)}")
        return self

    def model(self, name: str) -> Model:
        """Return a model by name; raises UnknownName."""
        return _by_name("model", name, self.models)

    def ensemble(self, name: str) -> Ensemble:
        """Return an ensemble by name; raises UnknownName."""
        return _by_name("ensemble", name, self.ensembles)

    def classes_of(self, model: Model) -> tuple[str, ...]:
        """Return what a model's outputs mean, in order."""
        return model.classes or self.classes

    def label_orders_of(self, model: Model) -> tuple[tuple[str, ...], ...]:
        """Return the classes of the data sets that a model was published for, each in the order of the labels."""
        return model.label_orders or (self.classes_of(model),)

    def dataset_of(self, model: Model) -> str:
        """Return the reader of a model's data."""
        return model.dataset or self.dataset

    def protocols_of(self, model: Model) -> tuple[Protocol, ...]:
        """Return the protocols that are for a model."""
        return tuple(one for one in self.protocols if one.name in model.protocols or not model.protocols)

    def protocol_of(self, model: Model, name: str) -> Protocol:
        """Return one of them by name; raises UnknownName, also where it is for other models."""
        return _by_name(f"protocol of {model.name}", name, self.protocols_of(model))

    def probe_protocol_of(self, model: Model) -> Protocol:
        """Return what prepares check-rep's batches: the system's, or the model's first where that is not for it."""
        known = {one.name: one for one in self.protocols_of(model)}
        return known.get(self.probe_protocol) or next(iter(known.values()))

    def split(self, name: str) -> Split:
        """Return a split by name; raises UnknownName."""
        return _by_name("split", name, self.splits)

    def protocol(self, name: str) -> Protocol:
        """Return a protocol by name; raises UnknownName."""
        return _by_name("protocol", name, self.protocols)


@dataclass(frozen=True)
class Samples:
    """Which images a preparation is given. What it draws for an image may depend on nothing else.

    Attributes:
        rows: row numbers in the data set, int64 (n,).
        positions: places in the split that is evaluated, or in the epoch, int64 (n,).
        seed: of this run.
        count: how many images the whole split or epoch has; 0 where that is not known.
        epoch: of a training, counted from 0 over all its stages.
    """

    rows: np.ndarray
    positions: np.ndarray
    seed: int
    count: int = 0
    epoch: int = 0

    def key(self, place: int) -> str:
        """Return what names the draws for one of these images: seed, epoch, row and place, whatever is beside it."""
        return f"{self.seed}/{self.epoch}/{self.rows[place]}/{self.positions[place]}"


@dataclass(frozen=True)
class Votes:
    """What several annotators chose for each image of a data set.

    Attributes:
        choices: what they could choose.
        counts: how many chose it, uint8 (n, choices).
        classes: index in ``choices`` of each of the data set's classes, in the order of its labels.
    """

    choices: tuple[str, ...]
    counts: np.ndarray
    classes: tuple[int, ...]


def settings_of(protocol: Protocol, model: Model) -> dict[str, Any]:
    """Return a protocol's settings with the model's own over them."""
    return {**protocol.settings, **model.settings}


_Named = TypeVar("_Named", Model, Ensemble, Split, Protocol, Recipe)


def _by_name(what: str, name: str, items: tuple[_Named, ...]) -> _Named:
    for item in items:
        if item.name == name:
            return item
    raise UnknownName(what, name, [item.name for item in items])
