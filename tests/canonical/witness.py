"""Digests that canonical arithmetic must give everywhere: ``python tests/canonical/witness.py`` on any machine.

It needs torch, NumPy and this project's folders, nothing else, so it runs under an emulator with another PyTorch too
(``emulate.sh`` beside it). Weights and images are drawn by counters. Each network is run forward, in batches of one,
three and all, and trained for three steps, once with its batch in another order; what must not matter is asserted, the
rest is printed as ``name digest`` for ``witness.txt``.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pipelines.deep_emotion.model_torch import DeepEmotion
from repro.canonical import canonical, one_nan, philox

SEED = 20
BATCH = 8
STEPS = 3

Optimiser = Callable[[list[nn.Parameter]], torch.optim.Optimizer]


class Block(nn.Module):
    """Two convolutions around a sum, as in ResNet-18 (He et al., 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.short = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.short(x))


def small_resnet() -> nn.Module:
    """Return a stem, three blocks, dropout and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 12, 7, 2, 3, bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        Block(12, 12, 1),
        Block(12, 24, 2),
        Block(24, 40, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(40, 7),
    )


def uniform(shape: tuple[int, ...], ordinal: int) -> Tensor:
    """Return numbers in [0, 1), multiples of 2**-24."""
    words = philox.words(SEED, torch.arange(1), shape, ordinal=ordinal, step=0)[0]
    return (words >> 8).to(torch.float32) * 2.0**-24


def filled(network: nn.Module) -> nn.Module:
    """Fill every parameter by its place: matrices by their fan-in, scales around one, the rest around zero."""
    for ordinal, (_, parameter) in enumerate(network.named_parameters()):
        drawn = uniform(tuple(parameter.shape), ordinal) - 0.5
        if parameter.ndim > 1:
            fan_in = parameter[0].numel()
            drawn = drawn * 2.0 ** (2 - (fan_in.bit_length() // 2))
        parameter.data = drawn + 1.0 if parameter.ndim == 1 and ordinal % 2 else drawn
    return network


def digest(tensors: dict[str, Tensor]) -> str:
    """Return SHA-256 over names and values, NaNs made one."""
    total = hashlib.sha256()
    for name, tensor in tensors.items():
        values = one_nan(tensor.detach()) if tensor.dtype == torch.float32 else tensor
        total.update(name.encode() + b"\n" + values.contiguous().numpy().tobytes())
    return total.hexdigest()


def forward(network: nn.Module, images: Tensor) -> str:
    """Return the digest of the scores; the batches do not matter."""
    network.eval()
    with canonical(), torch.no_grad():
        scores = [torch.cat([network(part) for part in images.split(size)]) for size in (len(images), 1, 3)]
    assert torch.equal(scores[0], scores[1])
    assert torch.equal(scores[0], scores[2])
    return digest({"scores": scores[0]})


def trained(make: Callable[[], nn.Module], optimiser: Optimiser, images: Tensor, labels: Tensor, order: Tensor) -> str:
    """Return the digest of all that three steps leave; ``order`` is the batch's."""
    network = filled(make()).train()
    with canonical(seed=SEED) as mode:
        chosen = optimiser(list(network.parameters()))
        for step in range(STEPS):
            mode.begin_step(step, samples=order)
            chosen.zero_grad()
            F.cross_entropy(network(images[order]), labels[order]).backward()
            chosen.step()
    gradients = {f"gradient {name}": p.grad for name, p in network.named_parameters() if p.grad is not None}
    return digest(network.state_dict() | gradients)


def main() -> None:
    """Print every digest."""
    images, labels = uniform((BATCH, 1, 48, 48), 1000), torch.arange(BATCH) % 7
    order = philox.words(SEED, torch.arange(1), (BATCH,), ordinal=1001, step=0)[0].argsort()
    optimisers: dict[str, Optimiser] = {
        "SGD": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
        "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01),
    }
    for name, make in {"small-resnet": small_resnet, "deep-emotion": DeepEmotion}.items():
        print(f"{name}/forward {forward(filled(make()), images)}", flush=True)
        for kind, optimiser in optimisers.items():
            found = trained(make, optimiser, images, labels, torch.arange(BATCH))
            assert found == trained(make, optimiser, images, labels, order), f"{name}, {kind}: the order matters"
            print(f"{name}/training-{kind} {found}", flush=True)


if __name__ == "__main__":
    main()
