"""The small vision transformer that reads the fused tokens of POSTER V2.

Source: Talented-Q/POSTER_V2 at 18de559, ``models/vit_model.py``. Modules marked unused have weights in published
checkpoints and are never run.
"""

from __future__ import annotations

import torch
from torch import nn

# Shapes: N batch, T tokens (1 for the class, then 147), C = 768 channels, H heads, D = C / H.

CHANNELS = 768
NUM_TOKENS = 147
_HEADS, _DEPTH, _EPSILON = 8, 2, 1e-6


class Mlp(nn.Module):
    """Linear, exact GELU, linear."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return features of the same shape."""
        return self.fc2(self.act(self.fc1(features)))


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(CHANNELS, 3 * CHANNELS)
        self.proj = nn.Linear(CHANNELS, CHANNELS)

    def forward(self, tokens_NTC: torch.Tensor) -> torch.Tensor:
        count, tokens, channels = tokens_NTC.shape
        split = self.qkv(tokens_NTC).reshape(count, tokens, 3, _HEADS, channels // _HEADS).permute(2, 0, 3, 1, 4)
        query_NHTD, key_NHTD, value_NHTD = split[0], split[1], split[2]
        scores = (query_NHTD @ key_NHTD.transpose(-2, -1)) * (channels // _HEADS) ** -0.5
        mixed = (scores.softmax(dim=-1) @ value_NHTD).transpose(1, 2).reshape(count, tokens, channels)
        return self.proj(mixed)


class _Block(nn.Module):
    """Pre-norm transformer block, without drop path."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(CHANNELS, _EPSILON)
        self.conv = nn.Conv1d(NUM_TOKENS + 1, NUM_TOKENS + 1, 1)  # unused
        self.attn = _Attention()
        self.norm2 = nn.LayerNorm(CHANNELS, _EPSILON)
        self.mlp = Mlp(CHANNELS, 4 * CHANNELS)

    def forward(self, tokens_NTC: torch.Tensor) -> torch.Tensor:
        tokens_NTC = tokens_NTC + self.attn(self.norm1(tokens_NTC))
        return tokens_NTC + self.mlp(self.norm2(tokens_NTC))


class _SqueezeExcitation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear1 = nn.Linear(CHANNELS, CHANNELS)
        self.relu = nn.ReLU()
        self.linear2 = nn.Linear(CHANNELS, CHANNELS)
        self.sigmoid = nn.Sigmoid()

    def forward(self, token_NC: torch.Tensor) -> torch.Tensor:
        return token_NC * self.sigmoid(self.linear2(self.relu(self.linear1(token_NC))))


class PatchEmbedding(nn.Module):
    """1 x 1 convolution of 256 channels to tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv2d(256, CHANNELS, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return tokens (N, H W, C)."""
        return self.proj(features).flatten(2).transpose(1, 2)


class _Head(nn.Module):
    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(CHANNELS, outputs)

    def forward(self, token_NC: torch.Tensor) -> torch.Tensor:
        return self.linear(token_NC)


class _ChannelAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 5, padding=2, bias=False)  # unused


class VisionTransformer(nn.Module):
    """Tokens (N, 147, 768) to logits (N, outputs)."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, CHANNELS))
        self.pos_embed = nn.Parameter(torch.zeros(1, NUM_TOKENS + 1, CHANNELS))
        self.se_block = _SqueezeExcitation()
        self.patch_embed = PatchEmbedding()  # unused
        self.head = _Head(outputs)
        self.eca_block = _ChannelAttention()  # unused
        self.CON1 = nn.Conv2d(256, CHANNELS, 1, bias=False)  # unused
        self.IRLinear1 = nn.Linear(1024, CHANNELS)  # unused
        self.IRLinear2 = nn.Linear(CHANNELS, 512)  # unused
        self.blocks = nn.Sequential(*(_Block() for _ in range(_DEPTH)))
        self.norm = nn.LayerNorm(CHANNELS, _EPSILON)
        self._initialise()

    def _initialise(self) -> None:
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, tokens_NTC: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        with_class = torch.cat([self.cls_token.expand(len(tokens_NTC), -1, -1), tokens_NTC], dim=1) + self.pos_embed
        token_NC = self.norm(self.blocks(with_class))[:, 0]
        return self.head(self.se_block(token_NC))
