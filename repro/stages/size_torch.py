"""How large a torch model is, in the ways in which papers count it."""

from __future__ import annotations

import math
from contextlib import ExitStack
from fractions import Fraction

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AvgPoolNd
from torch.utils.flop_counter import FlopCounterMode

_DISTINCT, _NAMED, _RAN = (
    "every parameter once",
    "parameters under every name in the state dict",
    "parameters of the layers that one forward pass runs",
)
_MULTIPLY_ADDS, _OPERATIONS, _LAYERS = (
    "the multiply-adds of convolutions and matrix products for one image",
    "the multiplications and additions of convolutions and matrix products for one image",
    "by thop's rules: for one image and layer by layer, multiply-adds of convolutions and linear layers, operations of "
    "normalisations, PReLU, softmax and mean pooling, nothing outside layers",
)


def count_size(network: nn.Module, image: torch.Tensor) -> dict[str, dict[str, int]]:
    """Return numbers by the metric's name and by how they were counted, the plainest first.

    Args:
        network: any model, in evaluation mode.
        image: a batch of one. Layers that its forward pass does not reach, and parameters outside layers (modules
            without children), are what profilers such as thop leave out.

    A layer that two modules share is counted once a call.
    """
    distinct = {id(parameter): parameter.numel() for parameter in network.parameters()}
    named = sum(parameter.numel() for _, parameter in network.named_parameters(remove_duplicate=False))
    ran: dict[int, int] = {}
    by_layers = 0

    def seen(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal by_layers
        ran.update({id(parameter): parameter.numel() for parameter in layer.parameters()})
        by_layers += _layer_operations(layer, inputs[0], output)

    counter = FlopCounterMode(display=False)
    with ExitStack() as hooks, torch.no_grad(), counter:
        for layer in network.modules():
            if next(layer.children(), None) is None:
                hooks.callback(layer.register_forward_hook(seen).remove)
        network(image)
    operations = counter.get_total_flops()
    return {
        "parameters": {_DISTINCT: sum(distinct.values()), _NAMED: named, _RAN: sum(ran.values())},
        "FLOPs": {_MULTIPLY_ADDS: operations // 2, _OPERATIONS: operations, _LAYERS: by_layers},
    }


def _layer_operations(layer: nn.Module, x: torch.Tensor, y: torch.Tensor) -> int:
    """Return what thop 0.1.1 (post2209072238, ``vision/basic_hooks.py``) counts for one call of a layer.

    It mixes units: a multiply-add is one operation of a convolution, an affine normalisation has four a value.
    Written anew, since thop needs a Python that still has distutils. Other layers count nothing there, either.
    """
    match layer:
        case _ConvNd():
            return y.numel() * (layer.in_channels // layer.groups) * math.prod(layer.kernel_size)
        case nn.Linear():
            return y.numel() * layer.in_features
        case _NormBase():
            return x.numel() * (4 if layer.affine else 2)
        case nn.LayerNorm():
            return x.numel() * (4 if layer.elementwise_affine else 2)
        case nn.PReLU():
            return x.numel()
        case nn.Softmax():
            length = x.shape[-1 if layer.dim is None else layer.dim]
            return x.numel() // length * (3 * length - 1)
        case _AvgPoolNd():
            return y.numel()
        case _AdaptiveAvgPoolNd():
            return int((Fraction(math.prod(x.shape[2:]), math.prod(y.shape[2:])) + 1) * y.numel())
    return 0
