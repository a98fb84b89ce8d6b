"""How LHC-Net was trained, as data: upstream's four ``*_Train.py`` scripts."""

from __future__ import annotations

from typing import Any

ADAM: dict[str, Any] = {"optimizer": "Adam", "learning_rate": 1e-4, "betas": [0.9, 0.999], "epsilon": 1e-7}
SGD: dict[str, Any] = {"optimizer": "SGD", "learning_rate": 0.01}
_FIRST = {"rotation_range": 30, "horizontal_flip": True}
_SECOND = {
    "rotation_range": 10,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "zoom_range": 0.1,
    "horizontal_flip": True,
}


def _stage(
    settings: dict[str, Any], generator: dict[str, Any], batch: int, patience: int, seed: Any = None
) -> dict[str, Any]:
    return {**settings, "generator": generator, "batch": batch, "patience": patience, "generator_seed": seed}


BACKBONE: dict[str, Any] = {
    **ADAM,
    "loss": "categorical cross-entropy",
    "batch": 48,
    "epochs": 300,
    "starts_from": "ImageNet",
    "selection": "best validation accuracy of the last stage (defect L-CKPT)",
    "stages": [
        {**_stage(ADAM, _FIRST, 48, 30), "seeds": {"tensorflow": 5678, "python": 9101112, "numpy": 131415}},
        {**_stage(SGD, _SECOND, 64, 10), "seeds": None},
        {**_stage(SGD, {}, 64, 5), "seeds": {"tensorflow": 1115, "python": 1115, "numpy": 1115}},
    ],
}

MODULAR: dict[str, Any] = {
    **SGD,
    "loss": "categorical cross-entropy",
    "batch": 64,
    "epochs": 300,
    "starts_from": "resnet34v2",
    "selection": "best validation accuracy",
    "stages": [{**_stage(SGD, {}, 64, 3), "seeds": {"tensorflow": 0, "python": 0, "numpy": 0}}],
}

CONTROLLER: dict[str, Any] = {
    **ADAM,
    "loss": "categorical cross-entropy",
    "batch": 32,
    "epochs": 300,
    "starts_from": "lhc_net",
    "trained": "controller",  # everything else is frozen; dropout stays on
    "selection": "best validation accuracy",
    "stages": [{**_stage(ADAM, {}, 32, 1), "seeds": {"tensorflow": 0, "python": 0, "numpy": 0}}],
}

STANDALONE: dict[str, Any] = {
    **BACKBONE,
    "stages": [
        {**_stage(ADAM, _FIRST, 48, 8, 2), "seeds": {"tensorflow": 1, "python": 1, "numpy": 1}},
        {**_stage(SGD, _SECOND, 64, 8, 2), "seeds": None},
        {**_stage(SGD, {}, 64, 8, 3), "seeds": None},
    ],
}
