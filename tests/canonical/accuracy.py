"""How far canonical arithmetic is from float64, next to native float32: scores and gradients of the systems' models.

``python -m tests.canonical.accuracy [SYSTEM/MODEL ...]`` prints one row of the table in docs/canonical-accuracy.md a
model (all torch models by default; minutes each on one core). Weights and images are keyed, batches are of two.

* scores: the largest error of a score against float64, divided by the largest score;
* gradient: the norm of the whole gradient's error against float64 autograd, divided by the gradient's norm. Loss:
  cross-entropy. Batch normalisation uses the batch, but in a model that cannot be trained; dropout and stochastic
  depth are off, so that all compute alike;
* same decisions: the same against a float64 network made to take the decisions of the other (``decisions.py``).
"""

from __future__ import annotations

import argparse
import copy
import sys
from dataclasses import astuple, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from repro.canonical import canonical
from repro.registry import chosen_models, one_model
from repro.schema import Model
from repro.stages.work_torch import _keyed_network
from repro.trace.keyed import keyed_image
from tests.canonical.decisions import Decisions

BATCH = 2
SALT = "accuracy"


@dataclass(frozen=True)
class Errors:
    """Relative errors against float64."""

    native_scores: float
    canonical_scores: float
    native_gradient: float
    canonical_gradient: float
    native_decided: float
    canonical_decided: float


def torch_models() -> list[str]:
    """Return every model that torch computes, as ``system/model``."""
    return [f"{one.name}/{model.name}" for one, model in chosen_models(None, None) if model.framework == "torch"]


def measure(name: str, x: Tensor | None = None) -> Errors:
    """Measure one model, named ``system/model``, on images ``x`` (keyed ones by default)."""
    _, model = one_model(*name.split("/"))
    network = _keyed_network(model, "cpu")
    wide = copy.deepcopy(network).double()
    x = keyed_images(model, BATCH) if x is None else x
    with torch.no_grad():
        right, native = scores_of(wide(x.double())), scores_of(network(x))
        with canonical():
            ours = scores_of(network(x))
    trained = model.probe_steps > 0
    true_gradient = _gradient(wide, x.double(), trained=trained)
    with Decisions() as natively:
        native_gradient = _gradient(network, x, trained=trained)
    with canonical(), Decisions() as canonically:
        our_gradient = _gradient(network, x, trained=trained)
    errors = [_distance(found, true_gradient) for found in (native_gradient, our_gradient)]
    del true_gradient  # a gigabyte each, for some
    for found, taken in ((native_gradient, natively), (our_gradient, canonically)):
        with Decisions(taken):
            errors.append(_distance(found, _gradient(wide, x.double(), trained=trained)))
    return Errors(
        float((native - right).abs().max() / right.abs().max()),
        float((ours - right).abs().max() / right.abs().max()),
        *errors,
    )


def _distance(found: Tensor, right: Tensor) -> float:
    return float((found - right).norm() / right.norm())


def keyed_images(model: Model, count: int) -> Tensor:
    """Return keyed images as smooth as faces: noise of an eighth of the size, interpolated."""
    channels, *size = model.contract_shape
    noise = torch.from_numpy(keyed_image((count, channels, *(side // 8 for side in size)), SALT))
    image = F.interpolate(noise, size=size, mode="bilinear") * model.contract_scale + model.contract_shift
    return image.expand(count, *model.input_shape).contiguous()


def scores_of(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Return what a network says of images, without what it says beside it in training."""
    return output if isinstance(output, Tensor) else output[0]


def _gradient(network: nn.Module, x: Tensor, *, trained: bool) -> Tensor:
    """Return the gradient by all parameters as one float64 vector; the network is left as it was."""
    statistics = {name: value.clone() for name, value in network.named_buffers()}
    network.train(trained)
    for module in network.modules():
        if "drop" in type(module).__name__.lower():
            module.eval()
    network.zero_grad()
    F.cross_entropy(scores_of(network(x)), torch.arange(len(x)) % 2).backward()
    network.eval()
    network.load_state_dict(statistics, strict=False)
    found = [torch.zeros_like(p) if p.grad is None else p.grad for p in network.parameters()]
    return torch.cat([gradient.detach().double().reshape(-1) for gradient in found])


def row(name: str, errors: Errors) -> str:
    """Return the model's row of the table."""
    return f"| {name} | " + " | ".join(f"{value:.1e}" for value in astuple(errors)) + " |"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    print(f"| model | {' | '.join(name.replace('_', ' ') for name in Errors.__annotations__)} |")
    print("|---" * (1 + len(Errors.__annotations__)) + "|")
    for name in parser.parse_args().names or torch_models():
        print(row(name, measure(name)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
