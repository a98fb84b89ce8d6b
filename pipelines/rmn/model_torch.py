"""The Residual Masking Network: a ResNet34 with a masking block after each stage.

Source: phamquiluan/ResidualMaskingNetwork at 9141618, ``models/resmasking.py``. Names and shapes are those of the
published checkpoints: 740 entries of the state dict stand for 137,796,423 parameters (defect R-SHARED).

Deviations: none in what is computed. Nothing is downloaded when a model is built (R-PRETRAIN).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

from pipelines.rmn.masking_torch import MaskingBlock

NUM_CLASSES = 7
_FEATURES = 512
_BLOCKS = [3, 4, 6, 3]


class ResMaskingNet(ResNet):
    """float32 (N, 3, H, W) in [0, 1], H and W divisible by 32, to logits (N, classes).

    After stage i the features x become ``x * (1 + mask_i(x))``.

    Args:
        head: makes the last layers; the published variants differ in them alone.
    """

    def __init__(self, head: Callable[[], nn.Module]) -> None:
        super().__init__(BasicBlock, _BLOCKS, num_classes=1)
        self.fc = head()
        self.mask1 = MaskingBlock(64, 4)
        self.mask2 = MaskingBlock(128, 3)
        self.mask3 = MaskingBlock(256, 2)
        self.mask4 = MaskingBlock(512, 1)

    def forward(self, image_N3HW: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(image_N3HW))))
        stages = (self.layer1, self.layer2, self.layer3, self.layer4)
        masks = (self.mask1, self.mask2, self.mask3, self.mask4)
        for stage, mask in zip(stages, masks, strict=True):
            x = stage(x)
            x = x * (1 + mask(x))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def resmasking() -> ResMaskingNet:
    """Return the network with one linear layer behind the features."""
    return ResMaskingNet(lambda: nn.Linear(_FEATURES, NUM_CLASSES))


def resmasking_dropout1() -> ResMaskingNet:
    """Return the network of the table: dropout 0.4 before the linear layer."""
    return ResMaskingNet(lambda: nn.Sequential(nn.Dropout(0.4), nn.Linear(_FEATURES, NUM_CLASSES)))


def resmasking_dropout2() -> ResMaskingNet:
    """Return the network with two linear layers and dropout 0.5 between them."""
    return ResMaskingNet(
        lambda: nn.Sequential(nn.Linear(_FEATURES, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, NUM_CLASSES))
    )
