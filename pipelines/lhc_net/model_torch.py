"""ResNet34v2, LHC-Net and LHC-NetC in PyTorch: a port that loads the same weights and computes the same function.

Source: :mod:`pipelines.lhc_net.model_tensorflow`, which has the published names. Names here are those with dots for
slashes and PyTorch's word for each leaf (:func:`pipelines.lhc_net.names.torch_name`); the backbone has LHC-Net's.

Deviations: layout (N, C, H, W). "Same" pooling and padding are spelled out as TensorFlow means them: the average leaves
padding out of its divisor, the maximum pads with minus infinity.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

# Shapes: N batch, H height, W width, C channels, S = H W pixels, h heads, s = S / h pixels of a head.

NUM_CLASSES = 7
STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
PLACES = {
    "conv1": (64, 56, 8, 196),
    "conv2_3": (64, 56, 8, 196),
    "conv3_4": (128, 28, 7, 56),
    "conv4_6": (256, 14, 7, 14),
    "conv5_3": (512, 7, 1, 25),
}
CONTROLLERS = (0.0, 0.0, 0.0, -1.0, -0.5)
_EPSILON, _MOMENTUM = 2e-5, 0.01  # PyTorch's momentum is what TensorFlow's 0.99 leaves
_DROPOUT = 0.4


class LHCModule(nn.Module):
    """Local multi-head channel self-attention (arXiv:2111.07224, section 3): float32 (N, C, H, W) to the same shape.

    Args:
        channels, resolution, heads, embedding, normalisation: as of the TensorFlow module.
    """

    def __init__(self, channels: int, resolution: int, heads: int, embedding: int, normalisation: float = 1.0) -> None:
        super().__init__()
        self.resolution, self.heads, self.embedding, self.normalisation = resolution, heads, embedding, normalisation
        pixels = resolution**2 // heads
        self.Wqk = nn.ModuleList(nn.Linear(pixels, embedding) for _ in range(heads))
        self.Wp = nn.Linear(channels, channels)
        self.Wv = nn.Conv2d(channels, channels, 3, padding=1)
        self.average = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
        self.maximum = nn.MaxPool2d(3, stride=1, padding=1)

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        """Return the attention's output."""
        queries = self._heads(self.average(x_NCHW))
        keys = self._heads(self.maximum(x_NCHW))
        values = self._heads(self.average(self.Wv(x_NCHW)))
        outputs = []
        for head, dense in enumerate(self.Wqk):
            query, key = dense(queries[:, head]), dense(keys[:, head])
            scores_NCC = query @ key.transpose(1, 2)
            exponent_NC = torch.sigmoid(self.Wp(scores_NCC.mean(dim=2))) + self.normalisation
            base = torch.full_like(exponent_NC, float(self.embedding))
            weights_NCC = torch.softmax(scores_NCC / torch.pow(base, exponent_NC)[..., None], dim=2)
            outputs.append(weights_NCC @ values[:, head])
        return torch.cat(outputs, dim=2).view(x_NCHW.shape)

    def _heads(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        """Return (N, h, C, s)."""
        batch, channels = x_NCHW.shape[:2]
        # Unless its input is contiguous, a linear layer rounds before it adds its bias: not for the layout to decide.
        return x_NCHW.contiguous().reshape(batch, channels, self.heads, -1).transpose(1, 2)


class Controller(nn.Module):
    """One trained number that weighs a module's output by ``1 + tanh(w)``."""

    def __init__(self, initial: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(initial))

    def forward(self, output: torch.Tensor) -> torch.Tensor:
        """Return the weighed output."""
        return (1 + torch.tanh(self.w)) * output


class FixedScaleNorm(nn.Module):
    """Batch norm without gamma, as the backbone's first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        """Return the normalised features."""
        mean, variance = self.get_buffer("running_mean"), self.get_buffer("running_var")
        return F.batch_norm(x_NCHW, mean, variance, None, self.bias, self.training, _MOMENTUM, _EPSILON)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_EPSILON, momentum=_MOMENTUM)


class _Attended(nn.Module):
    def __init__(self, place: str, *, attended: bool) -> None:
        super().__init__()
        self.attended = attended and place in PLACES
        if self.attended:
            self.LHC_Module = LHCModule(*PLACES[place])

    def attend(self, x: torch.Tensor, controller: nn.Module | None) -> torch.Tensor:
        """Return the features with the module's output added, weighed by a controller where there is one."""
        if not self.attended:
            return x
        output = self.LHC_Module(x)
        return x + (output if controller is None else controller(output))


class Stem(_Attended):
    """Input to 56 x 56 x 64."""

    def __init__(self, *, attended: bool) -> None:
        super().__init__("conv1", attended=attended)
        self.bn1, self.bn2 = FixedScaleNorm(3), _norm(64)
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)

    def forward(self, x: torch.Tensor, controller: nn.Module | None = None) -> torch.Tensor:
        """Return the features."""
        x = F.relu(self.bn2(self.conv1(self.bn1(x))))
        # Zeros around non-negative values: PyTorch's minus infinity would give the same.
        return self.attend(F.max_pool2d(x, 3, stride=2, padding=1), controller)


class Unit(_Attended):
    """A residual unit with pre-activation; the first of a stage has a convolution in its shortcut, ``convId``."""

    def __init__(self, name: str, channels_in: int, channels: int, stride: int, *, first: bool, attended: bool) -> None:
        super().__init__(name, attended=attended)
        self.bn1, self.bn2 = _norm(channels_in), _norm(channels)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.first = first
        if first:
            self.convId = nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False)

    def forward(self, x: torch.Tensor, controller: nn.Module | None = None) -> torch.Tensor:
        """Return the features."""
        active = F.relu(self.bn1(x))
        y = self.conv2(F.relu(self.bn2(self.conv1(active))))
        return self.attend(y + (self.convId(active) if self.first else x), controller)


class LHCNet(nn.Module):
    """float32 (N, 3, 224, 224) in 0..255 to logits (N, 7); TensorFlow's models end in the softmax of these.

    Args:
        attended: with LHC modules; without them it is ResNet34v2.
        controlled: with controllers.
    """

    def __init__(self, *, attended: bool = True, controlled: bool = False) -> None:
        super().__init__()
        self.conv1 = Stem(attended=attended)
        channels_in = 64
        self.unit_names: list[str] = []
        for stage, (channels, units) in enumerate(STAGES, start=2):
            for number in range(1, units + 1):
                name, stride = f"conv{stage}_{number}", 2 if stage > 2 and number == 1 else 1
                unit = Unit(name, channels_in, channels, stride, first=number == 1, attended=attended)
                self.add_module(name, unit)
                self.unit_names.append(name)
                channels_in = channels
        self.bn = _norm(512)
        self.fc1, self.fc2, self.fc3 = nn.Linear(512, 4096), nn.Linear(4096, 1024), nn.Linear(1024, NUM_CLASSES)
        self.dropout1, self.dropout2 = nn.Dropout(_DROPOUT), nn.Dropout(_DROPOUT)
        self.controlled = controlled
        for number, initial in enumerate(CONTROLLERS if controlled else (), start=1):
            self.add_module(f"controller{number}", Controller(initial))
        for layer in (self.fc1, self.fc2, self.fc3):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def controller_of(self, place: str) -> nn.Module | None:
        """Return what weighs the module at a place, if anything does."""
        if not self.controlled or place not in PLACES:
            return None
        return self.get_submodule(f"controller{list(PLACES).index(place) + 1}")

    def forward(self, x_N3HW: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        x = self.conv1(x_N3HW, self.controller_of("conv1"))
        for name in self.unit_names:
            x = self.get_submodule(name)(x, self.controller_of(name))
        x = F.relu(self.bn(x)).mean(dim=(2, 3))
        x = self.dropout1(F.relu(self.fc1(x)))
        return self.fc3(self.dropout2(F.relu(self.fc2(x))))


def resnet34v2() -> LHCNet:
    """Return the backbone with its head."""
    return LHCNet(attended=False)


def lhc_net() -> LHCNet:
    """Return LHC-Net."""
    return LHCNet()


def lhc_net_controller() -> LHCNet:
    """Return LHC-NetC."""
    return LHCNet(controlled=True)
