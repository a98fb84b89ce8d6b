"""Digests that a model must give everywhere: ``python -m tests.canonical.every_model SYSTEM/MODEL`` on any machine.

Weights and images are keyed, images have the model's own size. The network runs forward in batches of one, three and
all, and with channels last in memory; then the model's own training step is done from the same weights, with the batch
in order, and in another order with channels last. What must not matter is asserted. The rest is printed as ``part
digest``: a line an image, and a line a step, over the loss, the scores, every gradient and every weight and statistic.
So fewer images or steps print some of the same lines.
"""

from __future__ import annotations

import argparse
import resource
import sys

import torch
from torch import Tensor, nn

from repro.canonical import canonical
from repro.registry import one_model, resolve
from repro.schema import Model
from repro.stages.work_torch import _keyed_network
from repro.trace.record_torch import Recorder
from tests.canonical.accuracy import keyed_images, scores_of
from tests.canonical.witness import SEED, digest

IMAGES = 4
BATCHES = (1, 3)
STEPS = 3
LARGE = 1350
"""MB that check-rep's process takes, from which on a model does only as many steps as check-rep's."""

ORDER = (2, 0, 1)
"""Another order of the three images of a training step, in which none keeps its place or its neighbour after it."""


def forward(network: nn.Module, images: Tensor) -> list[str]:
    """Return the digest of each image's scores; neither the batches nor the layout in memory matter."""
    with canonical(), torch.no_grad():
        whole = scores_of(network(images))
        assert torch.equal(whole, scores_of(network(_channels_last(images)))), "the layout matters"
        for size in BATCHES:
            if size < len(images):
                parts = torch.cat([scores_of(network(part)) for part in images.split(size)])
                assert torch.equal(whole, parts), f"batches of {size} give other scores"
    return [digest({"scores": scores}) for scores in whole]


def trained(model: Model, images: Tensor, order: Tensor, steps: int) -> list[str]:
    """Return the digest of all that each step leaves; the batch's ``order`` and layout do not matter."""
    labels, digests = torch.arange(len(images)) % model.num_classes, []
    network = _keyed_network(model, "cpu").train()
    step = resolve(model.training)(network, {**model.training_settings, "steps": steps})
    with canonical(seed=SEED) as mode:
        for number in range(steps):
            mode.begin_step(number, samples=order)
            recorder = Recorder()
            with recorder.gradients(network, "gradient"):
                told = step(images[order].contiguous(memory_format=_layout(images)), labels[order])
            found = {name: value[order.argsort()] if value.ndim else value for name, value in told.items()}
            digests.append(f"{digest(found | network.state_dict())}+{recorder.trace().digest()}")
    return digests


def _channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)


def _layout(images: Tensor) -> torch.memory_format:
    return torch.contiguous_format if images.is_contiguous() else torch.channels_last


def _steps(model: Model) -> int:
    return STEPS if model.probe_steps and model.probe_memory < LARGE else model.probe_steps


def main() -> None:
    """Print every digest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", metavar="SYSTEM/MODEL")
    parser.add_argument("--images", type=int, default=IMAGES, help="of the forward passes")
    parser.add_argument("--steps", type=int, help=f"of training; by default {STEPS}, fewer for large models")
    parser.add_argument("--one-order", action="store_true", help="train in one order only, in half the time")
    told = parser.parse_args()
    _, model = one_model(*told.name.split("/"))
    with canonical():
        images = keyed_images(model, IMAGES)
    for number, found in enumerate(forward(_keyed_network(model, "cpu"), images[: told.images])):
        print(f"image{number} {found}", flush=True)
    batch, order = images[: len(ORDER)], torch.tensor(ORDER)
    steps = _steps(model) if told.steps is None else told.steps
    in_order = trained(model, batch, order.sort().values, steps)
    if not told.one_order:
        assert in_order == trained(model, _channels_last(batch), order, steps), "the batch's order or layout matters"
    for number, found in enumerate(in_order, start=1):
        print(f"step{number} {found}", flush=True)
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
