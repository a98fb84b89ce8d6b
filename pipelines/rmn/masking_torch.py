"""The masking block: a U-Net of residual blocks whose softmax over channels weighs a feature map.

Source: phamquiluan/ResidualMaskingNetwork at 9141618, ``models/masking.py``; the paper's Figure 3.

Deviations: none. The shortcut of each residual block is registered under two names there, as ``downsample{k}`` of the
block and as ``conv{k}.downsample``, so published state dicts hold its weights twice (defect R-SHARED). It is here, too.
"""

from __future__ import annotations

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock

# Shapes: N batch, C channels, H height, W width.


class MaskingBlock(nn.Module):
    """float32 (N, C, H, W) to a mask of the same shape whose channels add up to 1 at each place.

    Args:
        channels: C.
        depth: levels of the U-Net; H and W must be divisible by ``2 ** (depth - 1)``.
    """

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.depth = depth
        width = channels
        for number in range(1, depth + 1):
            self._add_residual(number, width, 2 * width)
            width *= 2
        for number in range(depth + 1, 2 * depth):
            half = width // 2
            self.add_module(
                f"up_pool{number}",
                nn.Sequential(
                    nn.ConvTranspose2d(width, half, 2, stride=2), nn.BatchNorm2d(half), nn.ReLU(inplace=True)
                ),
            )
            self._add_residual(number, width, half)
            width = half
        self._add_residual(2 * depth, width, channels)
        self.pool = nn.MaxPool2d(2)
        self._initialise()

    def _add_residual(self, number: int, channels_in: int, channels_out: int) -> None:
        shortcut = nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out))
        self.add_module(f"downsample{number}", shortcut)  # first, so that a loader's last word is the block's own
        self.add_module(f"conv{number}", BasicBlock(channels_in, channels_out, downsample=shortcut))

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, BasicBlock):
                nn.init.zeros_(module.bn2.weight)

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        """Return the mask."""
        kept = []
        for number in range(1, self.depth + 1):
            x_NCHW = self.get_submodule(f"conv{number}")(x_NCHW)
            if number < self.depth:
                kept.append(x_NCHW)
                x_NCHW = self.pool(x_NCHW)
        for number in range(self.depth + 1, 2 * self.depth):
            x_NCHW = self.get_submodule(f"up_pool{number}")(x_NCHW)
            x_NCHW = self.get_submodule(f"conv{number}")(torch.cat([x_NCHW, kept.pop()], dim=1))
        return torch.softmax(self.get_submodule(f"conv{2 * self.depth}")(x_NCHW), dim=1)
