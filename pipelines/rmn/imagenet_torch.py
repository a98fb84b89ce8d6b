"""The networks of the ImageNet rows, with 1000 outputs.

Source: phamquiluan/ResidualMaskingNetwork at 9141618. What was trained was never committed: ``ResMasking`` has 7
outputs at every commit (R-HEADS), and no commit has a ``cbam_resnet34`` (R-LINKS). These are the committed networks
with a head of 1000, and pytorchcv's CBAM-ResNet34, whose names are those of the table's other CBAM network.
"""

from __future__ import annotations

import torch
from pytorchcv.model_provider import get_model
from torch import nn
from torchvision import models

from pipelines.rmn.model_torch import ResMaskingNet

NUM_CLASSES = 1000


def imagenet_resnet34() -> nn.Module:
    """Return ResNet34."""
    return models.resnet34(weights=None, num_classes=NUM_CLASSES)


def imagenet_cbam_resnet34() -> nn.Module:
    """Return ResNet34 with convolutional block attention."""
    return get_model("cbam_resnet34", pretrained=False, num_classes=NUM_CLASSES)


def imagenet_resmasking() -> nn.Module:
    """Return the Residual Masking Network with one linear layer."""
    return ResMaskingNet(lambda: nn.Linear(512, NUM_CLASSES))


def predict(model: nn.Module, inputs: torch.Tensor, settings: dict[str, object]) -> torch.Tensor:
    """Return logits, float32 (n, 1000).

    Args:
        model: in evaluation mode.
        inputs: (n, 3, H, W), ImageNet-normalised.
        settings: not asked for.
    """
    with torch.no_grad():
        logits: torch.Tensor = model(inputs)
    return logits
