"""What tracing a forward pass costs: traced minus untraced, against bare BLAKE3 over the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from blake3 import blake3
from torch import nn
from torchvision.models import resnet34

from repro.bench.measure import Benchmark
from repro.digest.array import as_array, value_bytes
from repro.registry import benchmarked_models, resolve
from repro.trace.record_torch import Recorder, observed

AT_MOST = 1.05
_RESNET_BATCH = 8


def benchmarks(folder: Path) -> Iterator[Benchmark]:
    """Give a forward pass of torchvision's ResNet34 and of the systems' benchmarked torch models.

    Args:
        folder: for files; none is needed.
    """
    yield _traced("ResNet34", resnet34(), torch.rand(_RESNET_BATCH, 3, 224, 224))
    for _, model in benchmarked_models("torch"):
        yield _traced(model.title, resolve(model.build)(), torch.rand(model.probe_batch, *model.input_shape))


def _traced(name: str, model: nn.Module, inputs: torch.Tensor) -> Benchmark:
    model.eval()
    outputs: list[torch.Tensor] = []
    with torch.no_grad(), observed(model, lambda _name, output, _kind: outputs.append(output.clone())):
        model(inputs)

    def traced() -> None:
        recorder = Recorder()
        with torch.no_grad(), recorder.layers(model, "forward"):
            model(inputs)
        recorder.trace()

    def untraced() -> None:
        with torch.no_grad():
            model(inputs)

    def bare() -> None:
        for output in outputs:
            blake3(value_bytes(as_array(output)[0]), max_threads=blake3.AUTO).digest()

    num_bytes = sum(output.nbytes for output in outputs)
    return Benchmark(
        subject="traced forward",
        case=f"{name}, batch {len(inputs)}, {len(outputs)} tensors, {num_bytes / 1e6:.0f} MB",
        run=traced,
        without=untraced,
        baseline=bare,
        baseline_name="bare BLAKE3 over the same bytes",
        at_most=AT_MOST,
        num_bytes=num_bytes,
    )
