"""What one training is: a model, a recipe, data and a seed. Everything that its bits depend on, and how it is run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from repro.digest.draws import permutation
from repro.registry import find_model, resolve
from repro.schema import Model, Recipe, Stage, System, settings_of
from repro.stages.data import Images, StoredData
from repro.trace import Trace


@dataclass(frozen=True)
class Training:
    """One seed of a training.

    Attributes:
        limit: only so many images of each split; ``None`` for all.
        every: steps between two links of the trajectory.
        workers: threads that prepare batches; 0 prepares between the steps. It changes no bit.
        keep_every: steps between two states that are kept for good; ``None`` keeps the last alone.
        start: file of the weights to start from; ``None`` for random ones.
        unit: images of a backward pass, where gradients are added up exactly; ``None`` for the whole batch.
        code: digest of the sources that compute it.
    """

    system: System
    model: Model
    recipe: Recipe
    data: StoredData
    seed: int
    arithmetic: str
    device: str
    limit: int | None
    every: int
    workers: int
    keep_every: int | None
    start: Path | None
    unit: int | None
    code: str

    @classmethod
    def from_task(cls, task: Mapping[str, Any]) -> Training:
        """Build it in the process that computes."""
        system, model = find_model(task["model"])
        return cls(
            system,
            model,
            Recipe.model_validate(task["recipe"]),
            StoredData.from_task(task["data"]),
            **{name: task[name] for name in ("seed", "arithmetic", "device", "limit", "every", "workers")},
            keep_every=task["keep_every"],
            start=None if task["start"] is None else Path(task["start"]),
            unit=task["unit"],
            code=task["code"],
        )

    @cached_property
    def images(self) -> Images:
        """All images of the data set."""
        return self.data.images()

    def rows(self, split: str) -> np.ndarray:
        """Return the rows of a split, as many as are asked for."""
        return self.data.rows(self.system.split(split))[: self.limit]

    def order(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return an epoch's rows in their order, and their labels; they follow from seed and epoch alone."""
        rows = self.rows(self.recipe.train)
        labels = self.data.labels(rows).astype(np.int64)
        name = f"order/{self.seed}/{epoch}"
        places = permutation(name, len(rows)) if self.recipe.order is None else resolve(self.recipe.order)(labels, name)
        return rows[places], labels[places]

    def settings(self, stage: Stage) -> dict[str, Any]:
        """Return a stage's settings over the model's and the protocol's, for the trainer and the preparation."""
        protocol = self.system.protocol(self.recipe.protocol)
        return {**settings_of(protocol, self.model), **self.recipe.settings_of(stage)}

    def steps_of(self, stage: Stage) -> int:
        """Return how many steps an epoch of a stage has.

        A recipe's own order may hold more or fewer images than the split; it is asked for the first epoch's.
        """
        count = len(self.order(0)[0])
        return count // stage.batch if not self.recipe.keeps_last else -(-count // stage.batch)


@dataclass(frozen=True)
class Batch:
    """What one step is fed.

    Attributes:
        inputs: float32 (n, ...).
        labels: int64 (n,).
        rows: their numbers in the data set, int64 (n,).
        whole: those of all images of the step, of which other processes have their portions.
    """

    inputs: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    whole: np.ndarray


class Backend(Protocol):
    """What a framework does for the loop.

    Attributes:
        started: what is told of the weights that it started from.
    """

    started: dict[str, Any]

    def begin_stage(self, settings: dict[str, Any]) -> None:
        """Make a trainer with these settings, its optimiser fresh."""

    def step(self, batch: Batch, number: int) -> tuple[float, int]:
        """Do a step and return its loss, a float32, and how many answers were right.

        Its draws follow from the seed and the step's number alone.
        """

    def traced_step(self, batch: Batch, number: int) -> Trace:
        """Do the same step and record its tensors in the order in which they come to be."""

    def epoch_ended(self, epoch: int, metrics: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
        """Tell the trainer; return what it tells: numbers for the curves, and ``stop``, a reason or ``None``."""

    def weights(self) -> dict[str, Any]:
        """Return the model's tensors by their published names."""

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Put them back."""

    def state(self) -> Any:
        """Return the trainer's state: a tree as :mod:`repro.store.packed` takes it."""

    def restore(self, plain: Any, arrays: Mapping[str, np.ndarray]) -> None:
        """Put it back."""

    def scores(self, inputs: Iterable[np.ndarray], settings: dict[str, Any], seed: int) -> np.ndarray:
        """Return the scores of prepared batches, as the eval stage computes them; ``seed`` is of their draws."""

    def save(self, path: Path) -> Path:
        """Write the weights in the published format; ``path`` lacks the suffix. Return the file's path."""

    def portion(self, count: int) -> np.ndarray:
        """Return the places of a batch of so many images that this process is fed."""

    def shared(self, data: Any) -> Any:
        """Return the first process's plain data in every process; all wait for it."""

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes, where several compute."""
