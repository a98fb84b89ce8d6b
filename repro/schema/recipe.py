"""A published training schedule, as data. ``pipelines/<system>/recipe.py`` declares them; nothing here runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from repro.errors import UnknownName, UsageError
from repro.schema.base import Frozen

Metric = Literal["accuracy", "accuracy of batches", "loss"]
"""``accuracy``: right answers over images. ``accuracy of batches``: the mean of the batches' accuracies, a smaller
last batch counting as much as the others. ``loss``: mean cross-entropy of the scores, lower being better."""


class Selection(Frozen):
    """A rule by which one epoch's weights are the result.

    Attributes:
        name: what the record and files call it.
        split: the split whose metric is watched after every epoch; ``None`` takes the last epoch.
        metric: what must get strictly better.
        scope: ``run`` for the best of all stages, ``stage`` where each stage begins anew and the last one decides.
    """

    name: str
    split: str | None = None
    metric: Metric = "accuracy"
    scope: Literal["run", "stage"] = "run"


class Stage(Frozen):
    """One part of a schedule, with an optimiser of its own.

    Attributes:
        name: for people and files.
        epochs: how many at most; the trainer may stop it earlier.
        batch: images a step.
        settings: what it changes in the recipe's.
        continues: name of the selection whose weights of the stage before it starts from; ``None`` goes on with the
            last ones.
    """

    name: str = "training"
    epochs: int = Field(ge=1)
    batch: int = Field(ge=1)
    settings: dict[str, Any] = {}
    continues: str | None = None


class Recipe(Frozen):
    """One published way to train a model.

    Attributes:
        name: what ``--recipe`` takes.
        keeps, mends: ids of the defects that it keeps or repairs.
        train: name of the split that is trained on.
        protocol: name of the protocol by which training images are prepared (``System.augment`` may do that) and by
            which splits are watched.
        selections: which epoch's weights are results; the first is the published rule.
        test: name of the split that the results are evaluated on at the end.
        test_protocols: names of the protocols of that; claims are judged by the protocol that they name.
        stages: one or more.
        settings: everything else that fixes it, as plain data for the trainer and the augmentation.
        order: ``(labels, name) -> int64 array``: places of an epoch's images among the split's, drawn from the name
            alone (:mod:`repro.digest.draws`); a random permutation by default.
        keeps_last: whether a last, smaller batch is trained on.
        starts_from: the published weights that training starts from, an artifact's id or a description; ``None``
            where it starts from random ones.
    """

    name: str
    description: str
    keeps: tuple[str, ...] = ()
    mends: tuple[str, ...] = ()
    train: str
    protocol: str
    selections: tuple[Selection, ...] = Field(min_length=1)
    test: str
    test_protocols: tuple[str, ...] = Field(min_length=1)
    stages: tuple[Stage, ...] = Field(min_length=1)
    settings: dict[str, Any] = {}
    order: str | None = None
    keeps_last: bool = True
    starts_from: str | None = None

    @model_validator(mode="after")
    def _names_fit(self) -> Recipe:
        names = [one.name for one in self.selections]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name}: selections holds a name twice: {names}")
        wanted = {stage.continues for stage in self.stages} - {None} - set(names)
        if wanted:
            raise ValueError(f"{self.name}: a stage continues from {sorted(map(str, wanted))}, no selection of it")
        return self

    @property
    def watched(self) -> tuple[str, ...]:
        """The splits that are evaluated after every epoch."""
        return tuple(dict.fromkeys(one.split for one in self.selections if one.split is not None))

    def settings_of(self, stage: Stage) -> dict[str, Any]:
        """Return the recipe's settings with a stage's over them."""
        return {**self.settings, **stage.settings}

    def changed(
        self, *, settings: Mapping[str, str] | None = None, epochs: int | None = None, batch: int | None = None
    ) -> tuple[Recipe, tuple[str, ...]]:
        """Return the recipe with overrides, and what differs from what was published, one sentence each.

        Args:
            settings: by name; values are JSON, or plain text where they are none.
            epochs: of every stage.
            batch: of every stage.

        Raises:
            UnknownName: it has no setting of a name.
            UsageError: epochs or batch are below 1.
        """
        differences: list[str] = []
        new, stages = dict(self.settings), list(self.stages)
        for name, text in (settings or {}).items():
            owners = [stage for stage in stages if name in stage.settings]
            if name not in new and not owners:
                raise UnknownName("setting", name, {*new, *(key for stage in stages for key in stage.settings)})
            value = _value(text)
            before = {json.dumps(one.settings[name]) for one in owners} or {json.dumps(new[name])}
            if before != {json.dumps(value)}:
                differences.append(f"{name} {json.dumps(value)} instead of {', '.join(sorted(before))}")
            new[name] = value
            stages = [_with(stage, {name: value}) if name in stage.settings else stage for stage in stages]
        for word, number in (("epochs", epochs), ("batch", batch)):
            if number is None:
                continue
            if number < 1:
                raise UsageError(f"expected {word} of at least 1, got {number}")
            before = {str(getattr(stage, word)) for stage in stages}
            if before != {str(number)}:
                differences.append(f"{word} {number} instead of {', '.join(sorted(before))}")
            stages = [stage.model_copy(update={word: number}) for stage in stages]
        return self.model_copy(update={"settings": new, "stages": tuple(stages)}), tuple(differences)


def _with(stage: Stage, settings: Mapping[str, Any]) -> Stage:
    return stage.model_copy(update={"settings": {**stage.settings, **settings}})


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
