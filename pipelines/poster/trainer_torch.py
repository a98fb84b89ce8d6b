"""POSTER V2's training by its published recipes; the backbones that it starts from; the file that it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from pipelines.common.trainer_torch import Backward, Trainer
from pipelines.poster.backbones_torch import load_backbones
from pipelines.poster.model_torch import PosterV2
from pipelines.poster.train_torch import sam_of
from repro.errors import MissingFile

_MOBILEFACENET, _IR50 = "mobilefacenet_model_best.pth*", "ir50.pth"


class PosterTrainer(Trainer):
    """SAM around Adam, on the cross-entropy; the rate decays exponentially, once an epoch.

    Both passes of a step are in training mode: the frozen landmark network's batch norms move twice (P-BN) and the
    passes draw different drop-path masks (P-WD).
    """

    def __init__(self, model: nn.Module, settings: dict[str, Any], backward: Backward) -> None:
        self.sam = sam_of(model, settings)
        decay = torch.optim.lr_scheduler.ExponentialLR(self.sam, settings["schedule"]["gamma"])
        super().__init__(model, backward, {"SAM": self.sam}, {"exponential": decay})

    def compute(self, inputs: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return loss and logits."""
        scores = self.model(inputs)
        return F.cross_entropy(scores, labels), scores

    def step(self, inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Do one step; ``loss`` is the mean over both passes, as the published logs have it, ``scores`` the first's."""
        loss, scores = self.backward(self.compute, inputs, labels)
        self.sam.climb()
        second, _ = self.backward(self.compute, inputs, labels)
        self.sam.step()
        return {"loss": (loss + second) / 2, "scores": scores}

    def state(self) -> dict[str, Any]:
        """Return all that the next step depends on; SAM's copies of the weights matter only within a step."""
        found = super().state()
        found["optimizer"]["SAM"] = {**found["optimizer"]["SAM"], "state": {}}
        return found


def start(model: PosterV2, path: Path) -> dict[str, Any]:
    """Load both backbones from a folder that holds the files that the authors link.

    Raises:
        MissingFile, BadCheckpoint: a file is not there, not sound, or lacks a tensor (P-PATHS, P-SILENT).
    """
    faces = next(iter(sorted(path.glob(_MOBILEFACENET))), None)
    if faces is None or not (path / _IR50).is_file():
        raise MissingFile(
            f"{path}: expected a folder with mobilefacenet_model_best.pth.tar and {_IR50}",
            next_step="fetch both backbones (repro fetch poster) and give the folder that holds them",
        )
    load_backbones(model, faces, path / _IR50)
    return {"landmarks": faces.name, "image": _IR50}


def save(model: nn.Module, path: Path) -> Path:
    """Write ``{"state_dict": state dict}`` with ``module.`` in front of the names, as DataParallel has them."""
    state = {f"module.{name}": value.cpu() for name, value in model.state_dict().items()}
    torch.save({"state_dict": state}, path.with_suffix(".pth"))
    return path.with_suffix(".pth")
