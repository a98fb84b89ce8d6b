"""How the benchmark's models were trained, as data (``main_fer2013.py``, ``trainers/tta_trainer.py`` upstream)."""

from __future__ import annotations

from typing import Any

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
    "early_stop": {"epochs_without_better": 9},
    "selection": "strictly higher validation accuracy, the mean of batch means (R-VALMEAN)",
    "augmentation": {"flip": 0.5, "degrees": 30.0},
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
    "selection": "highest top-1 accuracy on the validation set, which is also reported",
    "augmentation": {"crop": 224, "scale": [0.08, 1.0], "ratio": [3 / 4, 4 / 3], "flip": 0.5},
}
"""``legacy/main_imagenet.py``."""

CENTRE_LOSS: dict[str, Any] = {
    **RECIPE,
    # From epoch 21 on. The published configurations lack these three keys (R-CENTER); the values are ours.
    "centre_loss": {"from_epoch": 21, "weight": 0.5, "learning_rate": 1e-3, "classes": 7, "features": 2},
}
