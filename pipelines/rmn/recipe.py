"""How the benchmark's models were trained, as data (``main_fer2013.py``, ``trainers/tta_trainer.py`` upstream)."""

from __future__ import annotations

from typing import Any

from repro.schema import Recipe, Selection, Stage

CLASS_WEIGHTS = [1.02660468, 9.40661861, 1.00104606, 0.56843877, 0.84912748, 1.29337298, 0.82603942]
"""28,709 / (7 x class count), for ``weighted_loss``."""

RECIPE: dict[str, Any] = {
    "loss": "cross-entropy",
    "class_weights": None,
    "optimizer": "RAdam",
    "learning_rate": 1e-4,
    "betas": [0.9, 0.999],
    "epsilon": 1e-8,
    "weight_decay": 1e-3,
    "batch": 48,
    "epochs": 51,  # the published loop ends after the epoch whose number exceeds 50 (R-EPOCHS)
    "schedule": {
        "kind": "plateau",
        "watches": "100 - validation accuracy",
        "factor": 0.1,
        "patience": 2,
        "threshold": 1e-4,
        "minimum": 1e-6,
    },
    "early_stop": 9,  # epochs in a row without a better validation accuracy
    "augmentation": {"flip": 0.5, "degrees": 30.0},
    "centre_loss": None,
}

IMAGENET: dict[str, Any] = {
    "loss": "cross-entropy",
    "class_weights": None,
    "optimizer": "SGD",
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "batch": 256,
    "epochs": 90,
    "schedule": {"kind": "steps", "every": 30, "factor": 0.1},
    "augmentation": {"scale": [0.08, 1.0], "ratio": [3 / 4, 4 / 3], "flip": 0.5},
}
"""``legacy/main_imagenet.py``."""

CENTRE_LOSS: dict[str, Any] = {
    **RECIPE,
    # From epoch 21 on. The published configurations lack these three keys (R-CENTER); the values are ours.
    "centre_loss": {"from_epoch": 21, "weight": 0.5, "learning_rate": 1e-3, "classes": 7, "features": 2},
}

_MENDED = ("R-CENTER", "R-META", "R-SHARED", "R-SIDE", "R-NONDET", "R-WORKERS", "R-IMGAUG")
_NOT_SETTINGS = ("batch", "epochs")

STARTS: dict[str, tuple[str | None, str | None]] = {
    "vgg19": ("vgg19", None),
    "efficientnet_b2b": ("efficientnet-b2b", None),
    "googlenet": ("googlenet", None),
    "resnet34": ("resnet34", None),
    "inception_v3_299": ("inception-v3", None),
    "bam_resnet50": ("bam-resnet50", "bam-resnet50-2019"),
    "cbam_resnet50": ("cbam-resnet50", "cbam-resnet50-2019"),
    "resmasking": (None, "resnet34"),
    "resmasking_dropout1": (None, "resnet34"),
    "resmasking_dropout2": (None, "resnet34"),
    "resnet18": (None, "resnet18"),
    "resnet18_centerloss": (None, "resnet18"),
    "resnet50": (None, "resnet50"),
    "resnet50_pretrained_vgg": (None, "vggface2-resnet50"),
}
"""Backbones that a model starts from at the commit followed, and in 2019 where that was another one (R-PRETRAIN,
R-BACKBONE). The others start from random weights; what DenseNet121, ResNet101 and ResNet152 started from in 2019 is not
known."""


def recipes(model: str, published: dict[str, Any]) -> tuple[Recipe, ...]:
    """Return a model's recipes: as the repository has it, with class weights, and as when the checkpoints were made."""
    at_head, in_2019 = (name and f"rmn-backbone-{name}" for name in STARTS.get(model, (None, None)))
    weighted = {**published, "class_weights": CLASS_WEIGHTS}
    found = [
        _recipe("as-published", "main_fer2013.py at the commit followed", published, at_head),
        _recipe("class-weights", "the same with weighted_loss = 1", weighted, at_head),
    ]
    if in_2019 is not None:
        told = "from the weights of 2019, when the checkpoints were made"
        found.append(_recipe("as-trained", told, published, in_2019))
    return tuple(found)


def _recipe(name: str, description: str, published: dict[str, Any], starts_from: str | None) -> Recipe:
    mended = ("R-PRETRAIN", "R-BACKBONE") if name == "as-trained" else ()
    return Recipe(
        name=name,
        description=description,
        keeps=("R-EPOCHS", "R-VALMEAN", *(() if mended else ("R-PRETRAIN",))),
        mends=(*_MENDED, *mended),
        train="training",
        protocol="plain",
        selections=(
            Selection(name="best", split="validation", metric="accuracy of batches"),
            Selection(name="last"),
        ),
        test="test",
        test_protocols=("as-published", "as-published-10", "plain"),
        stages=(Stage(epochs=published["epochs"], batch=published["batch"]),),
        settings={key: value for key, value in published.items() if key not in _NOT_SETTINGS},
        starts_from=starts_from,
    )


IMAGENET_RECIPES = (
    Recipe(
        name="as-published",
        description="legacy/main_imagenet.py: the best epoch is chosen on the set that is reported",
        keeps=("R-LINKS",),
        mends=("R-HEADS", "R-IMAGENET", "R-SHARED", "R-NONDET"),
        train="imagenet-training",
        protocol="imagenet",
        selections=(Selection(name="best", split="imagenet-validation"), Selection(name="last")),
        test="imagenet-validation",
        test_protocols=("imagenet",),
        stages=(Stage(epochs=IMAGENET["epochs"], batch=IMAGENET["batch"]),),
        settings={key: value for key, value in IMAGENET.items() if key not in _NOT_SETTINGS},
    ),
)
