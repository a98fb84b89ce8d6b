"""The ResNet50 in VGGFace2's layout that the ensemble calls ``resnet50_pretrained_vgg``.

Source: phamquiluan/ResidualMaskingNetwork at 9141618, ``models/resnet50_scratch_dims_2048.py``, itself converted from
Caffe: the stride of a stage is in its first 1x1 convolution, the stem's max-pool has no padding and rounds up, and the
classifier is a 1x1 convolution.

Deviations: none.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn

NUM_CLASSES = 7
_UNITS = {2: 3, 3: 4, 4: 6, 5: 3}
_FEATURES = 2048


def _convolution(name: str, channels_in: int, channels_out: int, size: int, stride: int = 1) -> dict[str, nn.Module]:
    padding = size // 2
    return {
        name: nn.Conv2d(channels_in, channels_out, size, stride=stride, padding=padding, bias=False),
        f"{name}_bn": nn.BatchNorm2d(channels_out),
    }


class VggFaceResNet50(nn.Module):
    """float32 (N, 3, 224, 224) in [0, 1] to logits (N, 7)."""

    def __init__(self) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict(_convolution("conv1_7x7_s2", 3, 64, 7, 2))
        channels = 64
        for stage, units in _UNITS.items():
            inner, outer = 64 * 2 ** (stage - 2), 256 * 2 ** (stage - 2)
            for unit in range(1, units + 1):
                prefix, stride = f"conv{stage}_{unit}", 2 if stage > 2 and unit == 1 else 1
                layers |= _convolution(f"{prefix}_1x1_reduce", channels, inner, 1, stride)
                layers |= _convolution(f"{prefix}_3x3", inner, inner, 3)
                layers |= _convolution(f"{prefix}_1x1_increase", inner, outer, 1)
                if unit == 1:
                    layers |= _convolution(f"{prefix}_1x1_proj", channels, outer, 1, stride)
                channels = outer
        layers["classifier"] = nn.Conv2d(_FEATURES, NUM_CLASSES, 1)
        for name, layer in layers.items():
            self.add_module(name, layer)

    def _run(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return self.get_submodule(f"{name}_bn")(self.get_submodule(name)(x))

    def forward(self, image_N3HW: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        x = F.max_pool2d(F.relu(self._run("conv1_7x7_s2", image_N3HW)), 3, stride=2, padding=0, ceil_mode=True)
        for stage, units in _UNITS.items():
            for unit in range(1, units + 1):
                prefix = f"conv{stage}_{unit}"
                y = F.relu(self._run(f"{prefix}_1x1_reduce", x))
                y = F.relu(self._run(f"{prefix}_3x3", y))
                shortcut = self._run(f"{prefix}_1x1_proj", x) if unit == 1 else x
                x = F.relu(shortcut + self._run(f"{prefix}_1x1_increase", y))
        return self.get_submodule("classifier")(F.avg_pool2d(x, 7)).flatten(1)


def build() -> VggFaceResNet50:
    """Return the network, untrained."""
    return VggFaceResNet50()
