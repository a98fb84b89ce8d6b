"""How far canonical arithmetic is from float64, next to native float32: scores and gradients of the systems' models.

``python -m tests.canonical.accuracy [SYSTEM/MODEL ...]`` prints one row of the table in docs/canonical-accuracy.md a
model (all torch models by default; minutes each on one core). Weights and images are keyed, batches are of two.

* scores: the largest error of a score against float64, divided by the largest score;
* gradient: the norm of the whole gradient's error against float64 autograd, divided by the gradient's norm. Loss:
  cross-entropy. Batch normalisation uses the batch; dropout and stochastic depth are off, so that all compute alike.
"""

from __future__ import annotations

import argparse
import copy
import sys
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from repro.canonical import canonical
from repro.registry import chosen_models, one_model
from repro.schema import Model
from repro.stages.work_torch import _keyed_network
from repro.trace.keyed import keyed_image

BATCH = 2
SALT = "accuracy"


@dataclass(frozen=True)
class Errors:
    """Relative errors against float64."""

    native_scores: float
    canonical_scores: float
    native_gradient: float
    canonical_gradient: float


def torch_models() -> list[str]:
    """Return every model that torch computes, as ``system/model``."""
    return [f"{one.name}/{model.name}" for one, model in chosen_models(None, None) if model.framework == "torch"]


def measure(name: str) -> Errors:
    """Measure one model, named ``system/model``."""
    _, model = one_model(*name.split("/"))
    network = _keyed_network(model, "cpu")
    wide = copy.deepcopy(network).double()
    x = _images(model)
    with torch.no_grad():
        right, native = _scores(wide(x.double())), _scores(network(x))
        with canonical():
            ours = _scores(network(x))
    true_gradient = _gradient(wide, x.double())
    native_gradient = _gradient(network, x)
    with canonical():
        our_gradient = _gradient(network, x)
    return Errors(
        float((native - right).abs().max() / right.abs().max()),
        float((ours - right).abs().max() / right.abs().max()),
        float((native_gradient - true_gradient).norm() / true_gradient.norm()),
        float((our_gradient - true_gradient).norm() / true_gradient.norm()),
    )


def _images(model: Model) -> Tensor:
    """Return keyed images as smooth as faces: noise of an eighth of the size, interpolated."""
    channels, *size = model.contract_shape
    noise = torch.from_numpy(keyed_image((BATCH, channels, *(side // 8 for side in size)), SALT))
    image = F.interpolate(noise, size=size, mode="bilinear") * model.contract_scale + model.contract_shift
    return image.expand(BATCH, *model.input_shape).contiguous()


def _scores(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    return (output if isinstance(output, Tensor) else output[0]).double()


def _gradient(network: nn.Module, x: Tensor) -> Tensor:
    """Return the gradient by all parameters as one float64 vector; the network is left as it was."""
    state = copy.deepcopy(network.state_dict())
    network.train()
    for module in network.modules():
        if "drop" in type(module).__name__.lower():
            module.eval()
    network.zero_grad()
    output = network(x)
    F.cross_entropy(output if isinstance(output, Tensor) else output[0], torch.arange(BATCH) % 2).backward()
    network.eval()
    network.load_state_dict(state)
    found = [torch.zeros_like(p) if p.grad is None else p.grad for p in network.parameters()]
    return torch.cat([gradient.detach().double().reshape(-1) for gradient in found])


def row(name: str, errors: Errors) -> str:
    """Return the model's row of the table."""
    values = (errors.native_scores, errors.canonical_scores, errors.native_gradient, errors.canonical_gradient)
    return f"| {name} | " + " | ".join(f"{value:.1e}" for value in values) + " |"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    print("| model | scores, native | scores, canonical | gradient, native | gradient, canonical |")
    print("|---|---|---|---|---|")
    for name in parser.parse_args().names or torch_models():
        print(row(name, measure(name)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
