"""MobileFaceNet, the landmark stream of POSTER V2: three feature maps of a 112 x 112 face.

Source: Talented-Q/POSTER_V2 at 18de559, ``models/mobilefacenet.py``, after arXiv:1804.07573. Its head computes an
embedding that nothing reads; it is kept because published weights have it and published parameter counts count it.
"""

from __future__ import annotations

import torch
from torch import nn

# Shapes: N batch.


class _Convolution(nn.Module):
    """Convolution without bias, batch norm, and PReLU unless it is linear."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, *, groups: int = 1, linear: bool = False
    ) -> None:
        super().__init__()
        padding = kernel // 2 if kernel < 7 else 0
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        if not linear:
            self.prelu = nn.PReLU(outputs)
        self.linear = linear

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        normed = self.bn(self.conv(features))
        return normed if self.linear else self.prelu(normed)


class _DepthWise(nn.Module):
    """Widen to ``groups`` channels, convolve each alone, narrow linearly; the input is added where it is residual."""

    def __init__(self, inputs: int, outputs: int, groups: int, *, stride: int, residual: bool = False) -> None:
        super().__init__()
        self.conv = _Convolution(inputs, groups, 1, 1)
        self.conv_dw = _Convolution(groups, groups, 3, stride, groups=groups)
        self.project = _Convolution(groups, outputs, 1, 1, linear=True)
        self.residual = residual

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        projected = self.project(self.conv_dw(self.conv(features)))
        return features + projected if self.residual else projected


class _Residual(nn.Module):
    def __init__(self, channels: int, blocks: int, groups: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            *(_DepthWise(channels, channels, groups, stride=1, residual=True) for _ in range(blocks))
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.model(features)


class _Embedding(nn.Module):
    """512 x 7 x 7 features to 136 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_6_dw = _Convolution(512, 512, 7, 1, groups=512, linear=True)
        self.linear = nn.Linear(512, 136, bias=False)
        self.bn = nn.BatchNorm1d(136)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.bn(self.linear(self.conv_6_dw(features).flatten(1)))


class MobileFaceNet(nn.Module):
    """float32 (N, 3, 112, 112) to maps (N, 64, 28, 28), (N, 128, 14, 14) and (N, 512, 7, 7)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _Convolution(3, 64, 3, 2)
        self.conv2_dw = _Convolution(64, 64, 3, 1, groups=64)
        self.conv_23 = _DepthWise(64, 64, 128, stride=2)
        self.conv_3 = _Residual(64, 4, 128)
        self.conv_34 = _DepthWise(64, 128, 256, stride=2)
        self.conv_4 = _Residual(128, 6, 256)
        self.conv_45 = _DepthWise(128, 128, 512, stride=2)
        self.conv_5 = _Residual(128, 2, 256)
        self.conv_6_sep = _Convolution(128, 512, 1, 1)
        self.output_layer = _Embedding()

    def forward(self, image_N3HW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the three maps; the embedding is computed, as published, since it moves its batch norms (P-BN)."""
        large = self.conv_3(self.conv_23(self.conv2_dw(self.conv1(image_N3HW))))
        middle = self.conv_4(self.conv_34(large))
        small = self.conv_6_sep(self.conv_5(self.conv_45(middle)))
        self.output_layer(small)
        return large, middle, small
