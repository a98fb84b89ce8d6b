"""POSTER V2, ``pyramid_trans_expr2``: landmark and image features fused by cross-attention at three scales.

Source: Talented-Q/POSTER_V2 at 18de559, ``models/PosterV2_7cls.py`` and ``_8cls.py``; the student reproduction
daunnn/Deep-Learning-Reproducibility-Project at d9a635c, ``models/PosterV2_3cls.py``. Paper: arXiv:2301.12149. Names,
order and shapes of the 747 state-dict entries are those of published checkpoints (there with ``module.`` in front).

Deviations: none in what is computed. It is built without the pretrained files that the published constructor
needs (defect P-PATHS); :mod:`pipelines.poster.backbones_torch` loads them for training.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from pipelines.poster.ir50_torch import Ir50
from pipelines.poster.mobilefacenet_torch import MobileFaceNet
from pipelines.poster.vit_torch import CHANNELS, Mlp, PatchEmbedding, VisionTransformer

# Shapes: N batch, S side of the map, T = S * S tokens, C channels, H heads, D = C / H.

_LEVELS = ((64, 2, 28), (128, 4, 14), (256, 8, 7))  # channels, heads, side
_DROP_PATH = (0.0, 0.125, 0.25)  # the first three of linspace(0, 0.5, 5)


class _Window(nn.Module):
    """Normalise over channels. A map is one window, so attention in it is attention over the whole map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, map_NCSS: torch.Tensor) -> torch.Tensor:
        """Return tokens (N, T, C)."""
        return self.norm(map_NCSS.flatten(2).transpose(1, 2))


class _CrossAttention(nn.Module):
    """Queries from the landmark stream, unprojected; keys and values from the image stream."""

    def __init__(self, channels: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * side - 1) ** 2, heads))
        self.relative_position_index: torch.Tensor
        self.register_buffer("relative_position_index", _relative_positions(side))
        self.qkv = nn.Linear(channels, 2 * channels)
        self.softmax = nn.Softmax(dim=-1)  # a layer, as published: the print of FLOPs counts it
        self.proj = nn.Linear(channels, channels)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, tokens_NTC: torch.Tensor, landmarks_NCSS: torch.Tensor) -> torch.Tensor:
        """Return tokens (N, T, C)."""
        count, tokens, channels = tokens_NTC.shape
        depth = channels // self.heads
        split = self.qkv(tokens_NTC).reshape(count, tokens, 2, self.heads, depth).permute(2, 0, 3, 1, 4)
        key_NHTD, value_NHTD = split[0], split[1]
        query = landmarks_NCSS.flatten(2).transpose(1, 2).reshape(count, tokens, self.heads, depth)
        query_NHTD = query.transpose(1, 2) * depth**-0.5
        bias = self.relative_position_bias_table[self.relative_position_index.flatten()]
        bias_HTT = bias.view(tokens, tokens, self.heads).permute(2, 0, 1)
        scores = query_NHTD @ key_NHTD.transpose(-2, -1) + bias_HTT
        mixed = (self.softmax(scores) @ value_NHTD).transpose(1, 2).reshape(count, tokens, channels)
        return self.proj(mixed)


class _DropPath(nn.Module):
    """Leave out a residual branch for each sample with a probability, in training."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, branch_NTC: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.probability:
            return branch_NTC
        keep = 1 - self.probability
        drawn = torch.rand((len(branch_NTC), 1, 1), dtype=branch_NTC.dtype, device=branch_NTC.device)
        return branch_NTC.div(keep) * (keep + drawn).floor()


class _FeedForward(nn.Module):
    """Add the attention to its shortcut, then an MLP to that; both scaled channel by channel."""

    def __init__(self, channels: int, drop_path: float) -> None:
        super().__init__()
        self.gamma1 = nn.Parameter(torch.full((channels,), 1e-5))
        self.gamma2 = nn.Parameter(torch.full((channels,), 1e-5))
        self.drop_path = _DropPath(drop_path)
        self.mlp = Mlp(channels, 4 * channels)
        self.norm = nn.LayerNorm(channels)

    def forward(self, attended_NTC: torch.Tensor, shortcut_NTC: torch.Tensor) -> torch.Tensor:
        """Return a map (N, C, S, S)."""
        tokens = shortcut_NTC + self.drop_path(self.gamma1 * attended_NTC)
        tokens = tokens + self.drop_path(self.gamma2 * self.mlp(self.norm(tokens)))
        side = round(tokens.shape[1] ** 0.5)
        return tokens.transpose(1, 2).unflatten(2, (side, side))


class PosterV2(nn.Module):
    """float32 (N, 3, 224, 224), ImageNet-normalised, to logits (N, outputs).

    Both streams read every second row and column of the input and nothing else (defect P-NEAREST).

    Args:
        outputs: length of the output.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.face_landback = MobileFaceNet().requires_grad_(False)
        self.VIT = VisionTransformer(outputs)
        self.ir_back = Ir50()
        self.attn1, self.attn2, self.attn3 = (_CrossAttention(*level) for level in _LEVELS)
        self.window1, self.window2, self.window3 = (_Window(channels) for channels, _, _ in _LEVELS)
        self.conv1, self.conv2, self.conv3 = (nn.Conv2d(channels, channels, 3, 2, 1) for channels, _, _ in _LEVELS)
        self.ffn1, self.ffn2, self.ffn3 = (
            _FeedForward(channels, drop) for (channels, _, _), drop in zip(_LEVELS, _DROP_PATH, strict=True)
        )
        self.last_face_conv = nn.Conv2d(512, 256, 3, 1, 1)
        self.embed_q = nn.Sequential(nn.Conv2d(64, CHANNELS, 3, 2, 1), nn.Conv2d(CHANNELS, CHANNELS, 3, 2, 1))
        self.embed_k = nn.Sequential(nn.Conv2d(128, CHANNELS, 3, 2, 1))
        self.embed_v = PatchEmbedding()

    def forward(self, image_N3HW: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        small = F.interpolate(image_N3HW, size=112, mode="nearest")
        face1, face2, face3 = self.face_landback(small)
        face3 = self.last_face_conv(face3)
        image1, image2, image3 = self.ir_back(small)
        levels = (
            (self.conv1, self.window1, self.attn1, self.ffn1, image1, face1),
            (self.conv2, self.window2, self.attn2, self.ffn2, image2, face2),
            (self.conv3, self.window3, self.attn3, self.ffn3, image3, face3),
        )
        fused = []
        for conv, window, attention, feed_forward, image, face in levels:
            shortcut_NTC = window(conv(image))
            fused.append(feed_forward(attention(shortcut_NTC, face), shortcut_NTC))
        tokens = (
            self.embed_q(fused[0]).flatten(2).transpose(1, 2),
            self.embed_k(fused[1]).flatten(2).transpose(1, 2),
            self.embed_v(fused[2]),
        )
        return self.VIT(torch.cat(tokens, dim=1))


def build_seven() -> PosterV2:
    """Return the untrained model of 7 classes."""
    return PosterV2(7)


def build_eight() -> PosterV2:
    """Return the untrained model of 8 classes."""
    return PosterV2(8)


def build_three() -> PosterV2:
    """Return the student's untrained model for 3 classes, which has 7 outputs as published (defect P-HEAD)."""
    return PosterV2(7)


def _relative_positions(side: int) -> torch.Tensor:
    """Return which row of the bias table belongs to each pair of places, int64 (T, T)."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    rows, columns = rows.flatten(), columns.flatten()
    down = rows[:, None] - rows[None, :] + side - 1
    right = columns[:, None] - columns[None, :] + side - 1
    return down * (2 * side - 1) + right
