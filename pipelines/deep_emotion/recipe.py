"""How Deep-Emotion was trained, as data (``main.py`` and ``main2.py`` of the upstream repository)."""

from __future__ import annotations

from typing import Any

from repro.schema import Recipe, Selection, Stage

RECIPE: dict[str, Any] = {
    "loss": "cross-entropy",
    "optimizer": "Adam",
    "learning_rate": 0.005,
    "betas": [0.9, 0.999],
    "epsilon": 1e-8,
    "weight_decay": 0.0,
    "batch": 128,
    "epochs": 100,
    "schedule": None,
}

CLASS_WEIGHTS = [1.02660468, 9.40661861, 1.00104606, 0.56843877, 0.84912748, 1.29337298, 0.82603942]
"""28,709 / (7 x class count): inverse frequencies of all Training rows, whatever is trained on (defect D-WEIGHTS)."""

_SETTINGS: dict[str, Any] = {
    **{name: value for name, value in RECIPE.items() if name not in ("batch", "epochs")},
    "class_weights": None,
}
_KEEPS = ("D-DROPOUT", "D-JPEG", "D-LAST", "D-SELECT", "D-STN")
_MENDS = ("D-GRID", "D-NAMES", "D-TEST", "D-CUDA", "D-NOSEED", "D-FLAGS", "D-LOSS")


def _recipe(name: str, description: str, *, train: str, validation: str, **settings: Any) -> Recipe:
    """Return a recipe: the last epoch is the result as published, the best by validation stands beside it."""
    return Recipe(
        name=name,
        description=description,
        keeps=(*_KEEPS, *(["D-WEIGHTS"] if settings.get("class_weights") else [])),
        mends=(*_MENDS, "D-SPLIT"),
        train=train,
        protocol="as-published",
        selections=(Selection(name="last"), Selection(name="best", split=validation)),
        test="test",
        test_protocols=("as-published", "corrected"),
        stages=(Stage(epochs=RECIPE["epochs"], batch=RECIPE["batch"]),),
        settings={**_SETTINGS, **settings},
    )


RECIPES = (
    _recipe(
        "as-published",
        "main.py, trained on all Training rows and validated on PublicTest, as upstream until 2022-05-23",
        train="training",
        validation="validation",
    ),
    _recipe(
        "class-weights",
        "main2.py -w True: the same with class weights",
        train="training",
        validation="validation",
        class_weights=CLASS_WEIGHTS,
    ),
    _recipe(
        "as-published-2022",
        "main.py since 2022-05-23: the first 3,589 Training rows validate, the others train (D-SPLIT)",
        train="training-2022",
        validation="validation-2022",
    ),
    _recipe(
        "class-weights-2022",
        "main2.py -w True since 2022-05-23: the same with class weights",
        train="training-2022",
        validation="validation-2022",
        class_weights=CLASS_WEIGHTS,
    ),
)
"""The published schedules. The first is the one of which third-party checkpoints are known."""
