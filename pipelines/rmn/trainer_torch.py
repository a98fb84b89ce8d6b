"""Training of the benchmark's models by their published recipes; which weights they start from.

Source: phamquiluan/ResidualMaskingNetwork at 9141618, ``trainers/tta_trainer.py``, ``trainers/centerloss_trainer.py``,
``legacy/main_imagenet.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from pipelines.common.checkpoint_torch import load_strictly, read_checkpoint
from pipelines.common.trainer_torch import Backward, Trainer
from pipelines.rmn.train_torch import CentreLoss, optimizer_of
from repro.errors import UnfitCheckpoint

_OWN = re.compile(r"mask[1-4]\..*|fc\..*|center_loss_fc\..*|(classifier|output)\.([16]\.)?(weight|bias)")
"""What a model has of its own beside a backbone's tensors: masking blocks and heads."""

_HEAD = re.compile(r"(fc|classifier|output|aux1|aux2)\..*")
"""What a backbone's file may hold beyond them: its own head, with other classes, and heads that are not built."""


class BenchmarkTrainer(Trainer):
    """RAdam on the cross-entropy; the rate falls when validation accuracy stays, and training ends when it stays long.

    Of Inception-v3 the auxiliary head runs and is thrown away, so that its batch norms move, as published.

    Args:
        model: changed in place.
        settings: the recipe's (:mod:`pipelines.rmn.recipe`).
        backward: leaves the gradients.
    """

    def __init__(self, model: nn.Module, settings: dict[str, Any], backward: Backward) -> None:
        optimizer, schedule = optimizer_of(model.parameters(), settings), settings["schedule"]
        super().__init__(model, backward, {"RAdam": optimizer})
        self._plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer,
            factor=schedule["factor"],
            patience=schedule["patience"],
            threshold=schedule["threshold"],
            min_lr=schedule["minimum"],
        )
        self._patience: int = settings["early_stop"]
        weights = settings["class_weights"]
        self._weights = None if weights is None else torch.tensor(weights, device=next(model.parameters()).device)
        self._best: float | None = None
        self._waited = 0
        self._epochs = 0
        self._centre: dict[str, Any] | None = settings["centre_loss"]
        if self._centre is not None:
            centres = CentreLoss(self._centre["classes"], self._centre["features"])
            self.modules["centres"] = centres.to(next(model.parameters()).device)
            rate = {**settings, "learning_rate": self._centre["learning_rate"]}
            self.optimizers["RAdam of the centres"] = optimizer_of(centres.parameters(), rate)

    def compute(self, inputs: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return loss and logits."""
        if self._pulls:
            assert self._centre is not None
            scores, features = self.model.logits_and_features(inputs)  # type: ignore[operator]
            loss = F.cross_entropy(scores, labels, self._weights)
            return loss + self._centre["weight"] * self.modules["centres"](features, labels), scores
        output = self.model(inputs)
        scores = output if isinstance(output, torch.Tensor) else output.logits
        return F.cross_entropy(scores, labels, self._weights), scores

    @property
    def _pulls(self) -> bool:
        """Whether the centre loss counts already; epochs are counted from 1."""
        return self._centre is not None and self._epochs + 1 >= self._centre["from_epoch"]

    def step(self, inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Do one step. The centres' gradients lose the weight of their loss, as published."""
        loss, scores = self.backward(self.compute, inputs, labels)
        if self._pulls:
            assert self._centre is not None
            for centres in self.modules["centres"].parameters():
                assert centres.grad is not None
                centres.grad /= self._centre["weight"]
        for optimizer in self.optimizers.values():
            optimizer.step()
        return {"loss": loss, "scores": scores}

    def epoch_ended(self, epoch: int, metrics: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
        """Watch the validation accuracy, the mean of the batches' (R-VALMEAN)."""
        accuracy = metrics["validation"]["accuracy of batches"]
        told = super().epoch_ended(epoch, metrics)
        self._plateau.step(100 - 100 * accuracy)
        self._epochs += 1
        if self._best is None or accuracy > self._best:
            self._best, self._waited = accuracy, 0
        else:
            self._waited += 1
        waited = self._waited >= self._patience
        return {**told, "stop": f"no better validation accuracy for {self._waited} epochs" if waited else None}

    def state(self) -> dict[str, Any]:
        """Return all that the next step depends on beside the model's weights."""
        counted = {"best": self._best, "waited": self._waited, "epochs": self._epochs}
        return {**super().state(), "plateau": self._plateau.state_dict(), "counted": counted}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put it back."""
        super().restore(state)
        self._plateau.load_state_dict(state["plateau"])
        counted = state["counted"]
        self._best, self._waited, self._epochs = counted["best"], counted["waited"], counted["epochs"]


class ImageNetTrainer(Trainer):
    """SGD on the cross-entropy, the rate a tenth every so many epochs."""

    def __init__(self, model: nn.Module, settings: dict[str, Any], backward: Backward) -> None:
        optimizer, schedule = optimizer_of(model.parameters(), settings), settings["schedule"]
        steps = torch.optim.lr_scheduler.StepLR(optimizer, schedule["every"], schedule["factor"])
        super().__init__(model, backward, {"SGD": optimizer}, {"steps": steps})

    def compute(self, inputs: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return loss and logits."""
        scores = self.model(inputs)
        return F.cross_entropy(scores, labels), scores


def start(model: nn.Module, path: Path) -> dict[str, Any]:
    """Load a backbone's weights; masking blocks and head stay as they were built. All or nothing.

    Args:
        model: changed in place.
        path: a file of torchvision, pytorchcv or VGGFace2 with the backbone's own names.

    Returns:
        how many tensors were loaded, and which were left.

    Raises:
        MissingFile, BadCheckpoint: it cannot be read, lacks a tensor of the backbone or holds a strange one.
    """
    checkpoint = read_checkpoint(path)
    own = model.state_dict()
    fits = {name for name, value in checkpoint.state.items() if name in own and own[name].shape == value.shape}
    left = [name for name in own if name not in fits]
    lacking = [name for name in left if not _OWN.fullmatch(name) and not name.endswith(".num_batches_tracked")]
    strange = [name for name in checkpoint.state if name not in fits and not _HEAD.fullmatch(name)]
    if lacking or strange or not fits:
        raise UnfitCheckpoint(
            f"{checkpoint.source}: no weights to start from: {len(lacking)} tensors of the backbone are missing or of "
            f"another shape ({', '.join(lacking[:5])}), {len(strange)} are strange ({', '.join(strange[:5])})",
            shapes={name: tuple(value.shape) for name, value in checkpoint.state.items()},
            next_step="give the file that the recipe names",
        )
    load_strictly(model, {**own, **{name: checkpoint.state[name] for name in fits}}, checkpoint.source)
    return {"loaded": len(fits), "left": [name for name in left if not name.endswith(".num_batches_tracked")]}


def save(model: nn.Module, path: Path) -> Path:
    """Write ``{"net": state dict}``, as the published trainer does."""
    return _saved({"net": _plain(model)}, path.with_suffix(".pt"))


def save_imagenet(model: nn.Module, path: Path) -> Path:
    """Write ``{"state_dict": state dict}``, its names with ``module.`` in front, as the ImageNet script does."""
    state = {f"module.{name}": value for name, value in _plain(model).items()}
    return _saved({"state_dict": state}, path.with_suffix(".pth"))


def _plain(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.cpu() for name, value in model.state_dict().items()}


def _saved(content: dict[str, Any], path: Path) -> Path:
    torch.save(content, path)
    return path
