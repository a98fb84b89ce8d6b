"""Correctly rounded functions of one variable: y = RN32(f(x)), the float32 value nearest to the real f(x).

There is one such value, so any two right implementations agree. Two stand here:

``fast``: the machine's own float64 function f64, whose bits vary. Its relative error is far below the margin
eps = 2**-44, so f(x) lies within f64(x)(1 +- eps); where both ends round to the same float32, that is RN32(f(x))
(Ziv 1991). The few other elements take the second route.

``reference``: the fixed float64 sequence of :mod:`repro.canonical.functions_reference`, rounded, and where that is
known to round wrongly, the entry of :mod:`repro.canonical.exceptions`. The entries come from a search over all
2**32 inputs: every input whose f(x) lies within 2**-42 of a place halfway between two float32 values is decided in
multiple precision, so no input that a margin of 2**-44 could send here is left out. docs/canonical-functions.md tells
which functions have been searched; sqrt needs no search, as its proof below says.

Special values: NaN (and any argument without a value) gives the one NaN 0x7FC00000, infinities give the limits,
zeros keep the sign that the limit has (gelu(-inf) = silu(-inf) = -0, rsqrt(-0) = -inf), denormal arguments and
results are exact as all others. Functions take any shape and give a new tensor; they record no gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from repro.canonical import functions_reference as reference
from repro.canonical.exceptions import EXCEPTIONS

Route = Literal["fast", "reference"]

MARGIN = 2.0**-44
"""What a float64 function of the machine is trusted to keep, relative to its value."""

TAIL_MARGIN = 2.0**-42
"""The same for what is computed from erfc, whose argument's rounding counts up to 2**7-fold in the tail."""

BLOCK = 2**15
"""Elements that one thread takes at a time, so that the float64 values stay in its cache."""

_NAN_BITS = 0x7FC00000

Bounds = Callable[[Tensor, float], tuple[Tensor, Tensor]]
"""From float64 arguments and a margin to two float64 values between which f lies; may overwrite the arguments."""


@dataclass(frozen=True)
class Function:
    """A correctly rounded function, called with a float32 tensor.

    Attributes:
        name: its name here and in the table of exceptions.
        bounds: the fast route's float64 values.
        reference: the fixed float64 sequence.
        margin: the fast route's, relative.
    """

    name: str
    bounds: Bounds
    reference: Callable[[Tensor], Tensor]
    margin: float = MARGIN

    def __call__(self, x: Tensor, *, route: Route = "fast") -> Tensor:
        """Return RN32(f(x)), contiguous, of the shape of x.

        Args:
            x: float32.
            route: how; the result is the same.

        Raises:
            TypeError: x is not float32.
        """
        if x.dtype != torch.float32:
            raise TypeError(f"{self.name} takes float32, not {x.dtype}")
        flat = x.detach().reshape(-1)
        result = torch.empty_like(flat)
        step = BLOCK * torch.get_num_threads()
        if route == "reference":
            for start in range(0, len(flat), step):
                result[start : start + step] = self._settled(flat[start : start + step])
            return result.reshape(x.shape)
        open_places = []
        for start in range(0, len(flat), step):
            low, high = self.bounds(flat[start : start + step].double(), self.margin)
            rounded, other = result[start : start + step].copy_(low), high.float()
            if not torch.equal(rounded, other):
                open_places.append((rounded != other).nonzero().squeeze(1) + start)
        if open_places:
            places = torch.cat(open_places)
            result[places] = self._settled(flat[places])
        return result.reshape(x.shape)

    def _settled(self, x: Tensor) -> Tensor:
        """Return RN32(f(x)) by the reference and its exceptions."""
        y = self.reference(x.double()).float()
        y = torch.where(torch.isnan(y), _nan(x.device), y)
        keys, values = _exceptions(self.name, x.device)
        if len(keys):
            bits = x.contiguous().view(torch.int32)
            at = torch.searchsorted(keys, bits).clamp_(max=len(keys) - 1)
            y = torch.where(keys[at] == bits, values[at], y)
        return y


def _nan(device: torch.device) -> Tensor:
    return torch.tensor(_NAN_BITS, dtype=torch.int32, device=device).view(torch.float32)


@cache
def _exceptions(name: str, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the arguments' bits as ascending int32, and the float32 results."""
    table = sorted(
        (key - 2**32 if key >= 2**31 else key, value - 2**32 if value >= 2**31 else value)
        for key, value in EXCEPTIONS.get(name, {}).items()
    )
    keys = torch.tensor([key for key, _ in table], dtype=torch.int32, device=device)
    values = torch.tensor([value for _, value in table], dtype=torch.int32, device=device)
    return keys, values.view(torch.float32)


def _relative(function: Callable[[Tensor], Tensor]) -> Bounds:
    """Give bounds around a float64 function, relative to its value."""

    def bounds(x: Tensor, margin: float) -> tuple[Tensor, Tensor]:
        value = function(x)
        return value * (1.0 - margin), value.mul_(1.0 + margin)

    return bounds


def _silu(x: Tensor) -> Tensor:
    x = x.clamp_(min=-700.0)
    return torch.sigmoid(x).mul_(x)


_SQRT_HALF = reference.SQRT_2 / 2


def _tail(x: Tensor) -> Tensor:
    """Return 2 Phi(x)."""
    return torch.erfc(x * -_SQRT_HALF)


def _gelu(x: Tensor) -> Tensor:
    x = x.clamp_(min=-30.0)
    return _tail(x).mul_(x).mul_(0.5)


def _gelu_derivative(x: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """The margin is relative to the terms, which cancel near -0.75."""
    x = x.clamp_(-30.0, 30.0)
    normal = _tail(x).mul_(0.5)
    steep = torch.exp(x * x * -0.5).mul_(x).mul_(reference.ONE_OVER_SQRT_2PI)
    spread = (normal + steep.abs()).mul_(margin)
    value = normal.add_(steep)
    return value - spread, value.add_(spread)


# A float32 midpoint has 25 bits and its square 50, so x is never nearer to that square than 2**-50 of itself: a float64
# root with a relative error below 2**-51, rounded, is RN32(sqrt x), by either route.


def _rsqrt(x: Tensor) -> Tensor:
    return torch.sqrt(x).reciprocal_()


exp = Function("exp", _relative(torch.exp), reference.exp)
log = Function("log", _relative(torch.log), reference.log)
sigmoid = Function("sigmoid", _relative(torch.sigmoid), reference.sigmoid)
silu = Function("silu", _relative(_silu), reference.silu)
tanh = Function("tanh", _relative(torch.tanh), reference.tanh)
erf = Function("erf", _relative(torch.erf), reference.erf)
gelu = Function("gelu", _relative(_gelu), reference.gelu, TAIL_MARGIN)
gelu_derivative = Function("gelu_derivative", _gelu_derivative, reference.gelu_derivative, TAIL_MARGIN)
rsqrt = Function("rsqrt", _relative(_rsqrt), reference.rsqrt)
sqrt = Function("sqrt", _relative(torch.sqrt), reference.sqrt)

FUNCTIONS = {
    function.name: function for function in (exp, log, sigmoid, silu, tanh, erf, gelu, gelu_derivative, rsqrt, sqrt)
}
"""All of them, by name."""

exp64 = reference.exp
log64 = reference.log
"""The literal sequences: a power of two tensors is no function of one variable, so it is defined by them."""
