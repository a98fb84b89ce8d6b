"""A small training in this process: Deep-Emotion on a few drawn faces, unless another model or data are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from repro.determinism.switches_torch import make_deterministic
from repro.registry import find_model
from repro.schema import Recipe, Record
from repro.stages.etl import etl
from repro.stages.retrain import planned
from repro.stages.training.backend_torch import TorchBackend
from repro.stages.training.loop import Loop
from repro.stages.training.task import Training
from repro.stages.training.work import train
from repro.store.results import Results

MODEL = "deep-emotion/deep_emotion"


def training(results: Path, *, epochs: int = 2, batch: int = 16, images: int | None = 64, **more: Any) -> Training:
    """Return a training whose data lie decoded in ``results``; ``model`` and ``data`` are as commands take them."""
    system, model = find_model(more.pop("model", MODEL))
    _, data = etl(system, more.pop("data", "embedded"), Results(results), model=model)
    recipe, _ = model.recipe(more.pop("recipe", None)).changed(
        epochs=epochs, batch=batch, settings=more.pop("settings", {})
    )
    usual: dict[str, Any] = {
        "seed": 0,
        "arithmetic": "native",
        "device": "cpu",
        "limit": images,
        "every": 1,
        "workers": 0,
        "keep_every": None,
        "start": None,
        "unit": None,
        "code": "c" * 64,
    }
    return Training(system=system, model=model, recipe=more.pop("declared", recipe), data=data, **{**usual, **more})


def changed(recipe: Recipe, **fields: Any) -> Recipe:
    """Return a recipe with other fields."""
    return Recipe.model_validate({**recipe.model_dump(), **fields})


def loop(
    one: Training, folder: Path, wrap: Callable[[Any], Any] = lambda trainer: trainer, *, writes: bool = True
) -> Loop:
    """Return the loop of a training as a fresh process would make it: whatever drew before does not matter."""
    make_deterministic(12345, 1)
    torch.rand(3)
    return Loop(one, TorchBackend(one, wrap), folder, writes=writes)


def planted(
    results: Path, record: Record, wrap: Callable[[Any], Any], *, seed: int = 0, asked: Mapping[str, Any], **more: Any
) -> None:
    """Train one seed of a call here, in its folder below ``results``, with another trainer than it declares.

    Args:
        record: of the same call elsewhere: its machine is told as this one.
        asked: arguments of :func:`repro.stages.retrain.retrain`.
        more: others, that change no bit.
    """
    caps: dict[str, Any] = {"isa": None, "threads": 1, "arithmetic": "native", "device": "cpu"}
    usual = {**dict.fromkeys(("recipe", "settings", "start", "keep_every")), "workers": 0, **caps, **asked, **more}
    plan = planned(MODEL, results=results, seeds=(seed,), **usual)
    folder = plan.folder / f"seed-{seed}"
    one = Training.from_task({**plan.task(seed, folder), "model": MODEL, "data": plan.call.data.task(), **caps})
    make_deterministic(0, 1)
    assert record.profile is not None
    machine = {"profile": record.profile.to_data(), "switches": record.switches}
    train(one, lambda: TorchBackend(one, wrap), folder, machine)
