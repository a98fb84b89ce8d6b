"""How large a torch model is, in the ways in which papers count it."""

from __future__ import annotations

from contextlib import ExitStack

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

_DISTINCT, _NAMED, _RAN = (
    "every parameter once",
    "parameters under every name in the state dict",
    "parameters of the layers that one forward pass runs",
)
_MULTIPLY_ADDS, _OPERATIONS = (
    "the multiply-adds of convolutions and matrix products for one image",
    "the multiplications and additions of convolutions and matrix products for one image",
)


def count_size(network: nn.Module, image: torch.Tensor) -> dict[str, dict[str, int]]:
    """Return numbers by the metric's name and by how they were counted, the plainest first.

    Args:
        network: any model, in evaluation mode.
        image: a batch of one. Layers that its forward pass does not reach, and parameters outside layers (modules
            without children), are what profilers such as thop leave out.
    """
    distinct = {id(parameter): parameter.numel() for parameter in network.parameters()}
    named = sum(parameter.numel() for _, parameter in network.named_parameters(remove_duplicate=False))
    ran: dict[int, int] = {}

    def seen(layer: nn.Module, *_: object) -> None:
        ran.update({id(parameter): parameter.numel() for parameter in layer.parameters()})

    counter = FlopCounterMode(display=False)
    with ExitStack() as hooks, torch.no_grad(), counter:
        for layer in network.modules():
            if next(layer.children(), None) is None:
                hooks.callback(layer.register_forward_hook(seen).remove)
        network(image)
    operations = counter.get_total_flops()
    return {
        "parameters": {_DISTINCT: sum(distinct.values()), _NAMED: named, _RAN: sum(ran.values())},
        "FLOPs": {_MULTIPLY_ADDS: operations // 2, _OPERATIONS: operations},
    }
