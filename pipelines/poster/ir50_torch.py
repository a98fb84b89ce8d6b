"""IR-50 up to its third stage, the image stream of POSTER V2.

Source: Talented-Q/POSTER_V2 at 18de559, ``models/ir50.py``, after ArcFace (arXiv:1801.07698). Its embedding head is
never run; it is kept because published weights have it.
"""

from __future__ import annotations

import torch
from torch import nn

_STAGES = ((64, 3), (128, 4), (256, 14))  # channels and units of each stage


class _Unit(nn.Module):
    """Improved residual unit: (N, inputs, H, W) to (N, channels, H / stride, W / stride)."""

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module
        if inputs == channels:
            self.shortcut_layer = nn.MaxPool2d(1, stride)
        else:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, channels, 3, 1, 1, bias=False),
            nn.PReLU(channels),
            nn.Conv2d(channels, channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        shortcut = self.shortcut_layer(features)
        return self.res_layer(features) + shortcut


class Ir50(nn.Module):
    """float32 (N, 3, 112, 112) to maps (N, 64, 56, 56), (N, 128, 28, 28) and (N, 256, 14, 14)."""

    def __init__(self) -> None:
        super().__init__()
        self.input_layer = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(512), nn.Dropout(0.0), nn.Flatten(), nn.Linear(512 * 7 * 7, 512), nn.BatchNorm1d(512)
        )
        inputs, stages = 64, []
        for channels, units in _STAGES:
            first = _Unit(inputs, channels, 2)
            stages.append(nn.Sequential(first, *(_Unit(channels, channels, 1) for _ in range(units - 1))))
            inputs = channels
        self.body1, self.body2, self.body3 = stages

    def forward(self, image_N3HW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the maps of the three stages."""
        large = self.body1(self.input_layer(image_N3HW))
        middle = self.body2(large)
        return large, middle, self.body3(middle)
