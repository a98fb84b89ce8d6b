"""What canonical arithmetic costs: forward passes and training steps, against native kernels beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models import resnet34

from repro.bench.measure import Benchmark
from repro.canonical import canonical
from repro.registry import benchmarked_models, resolve

FORWARD_AT_MOST = 3.0
REFERENCE_FORWARD_AT_MOST = 2.0
TRAINING_AT_MOST = 4.0
_REFERENCE_BATCH = 8
_NATIVE = "native kernels"


def benchmarks(folder: Path) -> Iterator[Benchmark]:
    """Give torchvision's ResNet34 and the systems' benchmarked torch models, forward and one training step.

    Args:
        folder: for files; none is needed.
    """
    reference, images = resnet34(), torch.rand(_REFERENCE_BATCH, 3, 224, 224)
    yield _forward("ResNet34", reference, images, REFERENCE_FORWARD_AT_MOST)
    optimiser = torch.optim.SGD(reference.parameters(), lr=0.01, momentum=0.9)

    def step(inputs: torch.Tensor, labels: torch.Tensor) -> None:
        optimiser.zero_grad()
        F.cross_entropy(reference(inputs), labels).backward()
        optimiser.step()

    yield _training("ResNet34", reference, step, images)
    for _, model in benchmarked_models("torch"):
        network, images = resolve(model.build)(), torch.rand(model.probe_batch, *model.input_shape)
        yield _forward(model.title, network, images, FORWARD_AT_MOST)
        yield _training(model.title, network, resolve(model.training)(network, model.training_settings), images)


def _forward(name: str, model: nn.Module, images: torch.Tensor, at_most: float) -> Benchmark:
    mode = canonical()

    def native() -> None:
        with torch.no_grad():
            model.eval()(images)

    def within() -> None:
        with mode:
            native()

    return Benchmark(
        subject="canonical",
        case=f"{name}, forward, batch {len(images)}",
        run=within,
        baseline=native,
        baseline_name=_NATIVE,
        at_most=at_most,
    )


def _training(name: str, model: nn.Module, step: Callable[..., object], images: torch.Tensor) -> Benchmark:
    labels, mode = torch.arange(len(images)) % 7, canonical()

    def native() -> None:
        model.train()
        step(images, labels)

    def within() -> None:
        with mode:
            native()

    return Benchmark(
        subject="canonical",
        case=f"{name}, training step, batch {len(images)}",
        run=within,
        baseline=native,
        baseline_name=_NATIVE,
        at_most=TRAINING_AT_MOST,
    )
