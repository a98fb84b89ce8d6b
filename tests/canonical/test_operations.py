"""Every operation of the table under the mode, forward and gradients, next to float64 autograd."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from repro.canonical import canonical

Function = Callable[..., torch.Tensor]


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape) + 100 * seed))


def positive(*shape: int) -> torch.Tensor:
    return normal(*shape).abs() + 0.1


def batch_norm(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return F.batch_norm(x, None, None, weight, bias, training=True)


def batch_norm_evaluation(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    mean, variance = torch.arange(3.0).to(x.dtype), torch.arange(1.0, 4.0).to(x.dtype)
    return F.batch_norm(x, mean, variance, weight, bias, training=False)


TARGET = torch.tensor([2, 0, 4])
WEIGHTS = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0])
ROWS = torch.tensor([[0, 2, 2], [1, 0, 2]])


def sampled(x: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def sampled_to_corners(x: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    return F.grid_sample(x, grid, padding_mode="border", align_corners=True)


CASES: dict[str, tuple[Function, tuple[torch.Tensor, ...]]] = {
    "add with a factor": (lambda x, y: torch.add(x, y, alpha=0.3), (normal(4, 5), normal(4, 5, seed=1))),
    "subtract with a factor": (lambda x, y: torch.sub(x, y, alpha=0.3), (normal(4, 5), normal(4, 5, seed=1))),
    "number minus tensor": (lambda x: 1.5 - x, (normal(4, 5),)),
    "multiply and divide": (lambda x, y: x * y / 3.0 + 1.0 / y, (normal(4, 5), positive(4, 5))),
    "addcmul": (lambda a, b, c: torch.addcmul(a, b, c, value=0.3), (normal(7), normal(7, seed=1), normal(7, seed=2))),
    "addcdiv": (lambda a, b, c: torch.addcdiv(a, b, c, value=0.3), (normal(7), normal(7, seed=1), positive(7))),
    "lerp": (lambda a, b: torch.lerp(a, b, 0.3), (normal(7), normal(7, seed=1))),
    "square, cube, roots": (lambda x: x**2 + x**3 + x**0.5 + x**-0.5 + x**-1, (positive(9),)),
    "power": (lambda x, y: x**y + x**1.7, (positive(9), normal(9))),
    "exp, log, sqrt": (lambda x: torch.exp(x) + torch.log(x) + torch.sqrt(x) + torch.rsqrt(x), (positive(9),)),
    "sigmoid, tanh, erf": (lambda x: torch.sigmoid(x) * torch.tanh(x) + torch.erf(x), (normal(9),)),
    "relu, leaky, prelu": (lambda x, w: F.relu(x) + F.leaky_relu(x, 0.1) + F.prelu(x, w), (normal(4, 3), normal(3))),
    "gelu, silu": (lambda x: F.gelu(x) + F.silu(x), (normal(40),)),
    "softmax": (lambda x: torch.softmax(x, 1), (normal(4, 5),)),
    "log softmax of a middle axis": (lambda x: torch.log_softmax(x, 1), (normal(4, 5, 2),)),
    "cross entropy": (lambda x: F.cross_entropy(x, TARGET), (normal(3, 5),)),
    "cross entropy, weighted and smoothed": (
        lambda x: F.cross_entropy(x, TARGET, WEIGHTS.to(x.dtype), label_smoothing=0.1),
        (normal(3, 5),),
    ),
    "cross entropy of an image": (
        lambda x: F.cross_entropy(x, TARGET.reshape(1, 3, 1), ignore_index=0, reduction="sum"),
        (normal(1, 5, 3, 1),),
    ),
    "squared error": (F.mse_loss, (normal(4, 5), normal(4, 5, seed=1))),
    "sums and means": (lambda x: x.sum(1) + x.mean((0, 2)).sum() + x.mean(), (normal(3, 4, 4),)),
    "variance and norms": (lambda x: x.var(1) + x.std(0) + torch.linalg.vector_norm(x) + x.norm(p=1), (normal(4, 4),)),
    "matrix products": (lambda a, b, c: torch.bmm(a, b) @ c, (normal(2, 3, 4), normal(2, 4, 5), normal(5, 3))),
    "linear": (F.linear, (normal(2, 3, 4), normal(5, 4), normal(5))),
    "convolution of one sample": (lambda x, w: F.conv2d(x, w, padding=1), (normal(3, 6, 6), normal(4, 3, 3, 3))),
    "depthwise convolution": (
        lambda x, w, b: F.conv2d(x, w, b, groups=4),
        (normal(2, 4, 5, 5), normal(4, 1, 3, 3), normal(4)),
    ),
    "transposed convolution": (
        lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1, groups=2),
        (normal(2, 4, 5, 5), normal(4, 3, 3, 3), normal(6)),
    ),
    "batch norm in training": (batch_norm, (normal(4, 3, 5), normal(3), normal(3, seed=1))),
    "batch norm in evaluation": (batch_norm_evaluation, (normal(4, 3, 5), normal(3), normal(3, seed=1))),
    "layer norm": (lambda x, w, b: F.layer_norm(x, (5,), w, b), (normal(4, 3, 5), normal(5), normal(5, seed=1))),
    "layer norm of two axes": (lambda x: F.layer_norm(x, (3, 5)), (normal(4, 3, 5),)),
    "average pool": (lambda x: F.avg_pool2d(x, 3, 2, padding=1, ceil_mode=True), (normal(2, 3, 8, 9),)),
    "average pool without padding": (
        lambda x: F.avg_pool2d(x, 3, 2, padding=1, ceil_mode=True, count_include_pad=False),
        (normal(2, 3, 8, 9),),
    ),
    "average pool with a divisor": (lambda x: F.avg_pool2d(x, 2, divisor_override=3), (normal(2, 3, 8, 9),)),
    "adaptive average pool": (lambda x: F.adaptive_avg_pool2d(x, (3, 4)), (normal(2, 3, 7, 9),)),
    "adaptive average pool to one": (lambda x: F.adaptive_avg_pool2d(x, 1), (normal(2, 3, 7, 9),)),
    "maximum pool that overlaps": (lambda x: F.max_pool2d(x, 3, 1, padding=1), (normal(2, 3, 7, 9),)),
    "adaptive maximum pool": (lambda x: F.adaptive_max_pool2d(x, (3, 4)), (normal(2, 3, 7, 9),)),
    "nearest upsampling": (lambda x: F.interpolate(x, scale_factor=2) * 2, (normal(2, 3, 4, 5),)),
    "nearest to a size": (lambda x: F.interpolate(x, size=(7, 3)), (normal(2, 3, 4, 5),)),
    "bilinear upsampling": (
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear") + 1.0,
        (normal(2, 3, 4, 5),),
    ),
    "bilinear to a size, corners aligned": (
        lambda x: F.interpolate(x, size=(9, 3), mode="bilinear", align_corners=True),
        (normal(2, 3, 4, 5),),
    ),
    "bilinear from one place": (lambda x: F.interpolate(x, size=(3, 1), mode="bilinear"), (normal(2, 3, 1, 4),)),
    "affine grid and sampling": (sampled, (normal(2, 3, 6, 7), normal(2, 2, 3))),
    "sampling with aligned corners": (sampled_to_corners, (normal(2, 3, 6, 7), normal(2, 4, 5, 2))),
    "table rows that repeat": (lambda x: x[ROWS], (normal(3, 4),)),
    "embedding": (lambda x: F.embedding(ROWS, x, padding_idx=1), (normal(3, 4),)),
    "places that repeat": (lambda x: x[ROWS[0], ROWS[1]], (normal(3, 4, 2),)),
    "sums by index": (lambda x, y: x.index_add(1, ROWS[0], y), (normal(4, 3), normal(4, 3, seed=1))),
    "sums by scatter": (lambda x, y: x.scatter_add(0, ROWS, y), (normal(3, 3), normal(2, 3, seed=1))),
    "maxima": (lambda x: x.max(1).values + x.amax(1), (normal(4, 5),)),
    "attention": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v),
        tuple(normal(2, 4, 8, seed=s) for s in range(3)),
    ),
}


def run(function: Function, inputs: tuple[torch.Tensor, ...], dy: torch.Tensor) -> list[torch.Tensor]:
    leaves = [x.clone().requires_grad_() for x in inputs]
    y = function(*leaves)
    y.backward(dy)
    return [y.detach(), *(leaf.grad for leaf in leaves if leaf.grad is not None)]


@pytest.mark.parametrize("name", [name for name, (_, inputs) in CASES.items() if any(x.ndim == 4 for x in inputs)])
def test_the_layout_in_memory_does_not_matter(name: str) -> None:
    function, inputs = CASES[name]
    dy = normal(*function(*inputs).shape, seed=9)
    moved = tuple(x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x for x in inputs)
    with canonical():
        expected, found = run(function, inputs, dy), run(function, moved, dy)
    assert all(torch.equal(one, other) for one, other in zip(expected, found, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_float64(name: str) -> None:
    function, inputs = CASES[name]
    dy = normal(*function(*inputs).shape, seed=9)
    expected = run(function, tuple(x.double() for x in inputs), dy.double())
    with canonical():
        found = run(function, inputs, dy)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.float32
        assert one.shape == other.shape
        torch.testing.assert_close(one.double(), other, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", CASES)
def test_inference_mode_gives_the_same_bits(name: str) -> None:
    """There PyTorch hands over composed operations; they are taken apart as autograd takes them apart."""
    function, inputs = CASES[name]
    with canonical():
        one = function(*inputs)
        with torch.inference_mode():
            other = function(*inputs)
    assert torch.equal(one, other)


@pytest.mark.parametrize("name", ["layer norm", "softmax", "linear", "depthwise convolution", "average pool"])
def test_samples_are_computed_alone(name: str) -> None:
    function, (x, *rest) = CASES[name]
    with canonical():
        together = function(x, *rest)
        alone = torch.cat([function(each, *rest) for each in x.split(1)])
    assert torch.equal(together, alone)
