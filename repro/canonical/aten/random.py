"""Random operations, by counters instead of a generator's state."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from repro.canonical.aten.registry import Context, form, refuse, require
from repro.canonical.elementwise import constant, operand

WORD = 2**32


def _kept(context: Context, x: Tensor, p: float) -> Tensor:
    """Return which elements are one with probability p: word < round(p * 2**32)."""
    require(0 <= p <= 1, f"a probability of {p}")
    return context.random_words(tuple(x.shape), x.device) < round(p * WORD)


@form("bernoulli_.float", "bernoulli.p")
def _bernoulli(context: Context, x: Tensor, p: float = 0.5, generator: Any = None) -> Tensor:
    return _kept(context, x, p).to(x.dtype)


@form("bernoulli.default")
def _bernoulli_of(context: Context, p: Tensor, generator: Any = None) -> Tensor:
    limit = torch.round(p.double() * WORD)
    return (context.random_words(tuple(p.shape), p.device).double() < limit).to(p.dtype)


def _uniform(context: Context, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Return multiples of 2**-24 in [0, 1), float32."""
    return (context.random_words(shape, device) >> 8).float() * 2.0**-24


@form("uniform_")
def _uniform_in(context: Context, x: Tensor, low: float = 0, high: float = 1, generator: Any = None) -> Tensor:
    """RN32(low + u * RN32(high - low))."""
    u = _uniform(context, tuple(x.shape), x.device).double()
    return (u * constant(high - low) + constant(low)).float()


@form("rand.default")
def _rand(context: Context, size: list[int], dtype: Any = None, device: Any = None, **_: Any) -> Tensor:
    require(dtype in (None, torch.float32), f"uniform numbers of type {dtype} are not specified")
    return _uniform(context, tuple(size), torch.device(device or "cpu"))


@form("rand_like")
def _rand_like(context: Context, x: Tensor, **_: Any) -> Tensor:
    return _uniform(context, tuple(x.shape), x.device)


@form("native_dropout")
def _dropout(context: Context, x: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """As the CPU decomposes it: the mask divided by RN32(1 - p), times x."""
    if train is False:
        return x.clone(), torch.ones_like(x, dtype=torch.bool)
    kept = _kept(context, x, 1 - p)
    noise = kept.float() if p == 1 else kept.float() / operand(1 - p, x)
    return x * noise, kept


@form("native_dropout_backward")
def _dropout_backward(_: Context, g: Tensor, mask: Tensor, scale: float) -> Tensor:
    return g * (mask.float() if scale in (0, 1) else mask.float() / operand(1 / scale, g))


@form("normal_")
def _normal_in(context: Context, x: Tensor, mean: float = 0, std: float = 1, generator: Any = None) -> Tensor:
    """RN32(mean + std * z), z standard normal."""
    z = context.random_normal(tuple(x.shape), x.device).double()
    return (z * constant(std) + constant(mean)).float()


@form("randn.default")
def _randn(context: Context, size: list[int], dtype: Any = None, device: Any = None, **_: Any) -> Tensor:
    require(dtype in (None, torch.float32), f"normal numbers of type {dtype} are not specified")
    return context.random_normal(tuple(size), torch.device(device or "cpu"))


@form("randn_like")
def _randn_like(context: Context, x: Tensor, **_: Any) -> Tensor:
    return context.random_normal(tuple(x.shape), x.device)


@form("normal", "randint", "randint_like", "random_", "multinomial", "exponential_")
def _refused(_: Context, *args: Any, **kwargs: Any) -> Tensor:
    raise refuse("this distribution is not specified; draw it by repro.canonical.philox")
