"""How LHC-Net was trained, as data: upstream's four ``*_Train.py`` scripts."""

from __future__ import annotations

from typing import Any

from repro.schema import Recipe, Selection, Stage

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

_KEEPS = ("L-CKPT", "L-SKEW")
_MENDS = ("L-DET", "L-IMPORT", "L-MEM", "L-ORDER", "L-PARTIAL", "L-RNG", "L-STATE")
_NOT_THE_STAGES = ("batch", "seeds", "generator_seed")  # draws are named here; no published seed would give the same


def _recipe(name: str, description: str, published: dict[str, Any], starts_from: str) -> Recipe:
    """Return a schedule for ``repro retrain``: each stage starts from the best epoch of the one before it."""
    stages = tuple(
        Stage(
            name=f"stage {number}",
            epochs=published["epochs"],
            batch=stage["batch"],
            settings={key: value for key, value in stage.items() if key not in _NOT_THE_STAGES},
            continues="best" if number > 1 else None,
        )
        for number, stage in enumerate(published["stages"], start=1)
    )
    best = Selection(name="best", split="validation", scope="stage")
    several = (Selection(name="best-of-all-stages", split="validation"),) if len(stages) > 1 else ()
    return Recipe(
        name=name,
        description=description,
        keeps=_KEEPS if several else _KEEPS[1:],
        mends=_MENDS,
        train="training",
        protocol="plain",
        selections=(best, *several),
        test="test",
        test_protocols=("as-published", "plain"),
        stages=stages,
        settings={"loss": published["loss"], "trained": published.get("trained", "")},
        starts_from=starts_from,
    )


_IMAGENET = "lhc-net-backbone-resnet34-no-top"

BACKBONE_RECIPES = (
    _recipe(
        "as-published", "ResNet34_Train: three stages, Adam and then SGD, from ImageNet weights", BACKBONE, _IMAGENET
    ),
)
LHC_RECIPES = (
    _recipe("modular", "LHC_Train: everything trained, from a trained ResNet34v2", MODULAR, "a trained resnet34v2"),
    _recipe("standalone", "LHC_Net_Train: ResNet34v2's three stages on LHC-Net itself", STANDALONE, _IMAGENET),
)
CONTROLLER_RECIPES = (
    _recipe(
        "modular",
        "Controller_Train: the five controllers alone, from a trained LHC-Net",
        CONTROLLER,
        "a trained lhc_net",
    ),
)
"""The published schedules; the first of each is the one whose numbers the paper prints."""
