"""What a machine must do right for canonical arithmetic to hold on it; one that does not is refused with the reason.

What can be switched while a process runs is looked at on every entry into the mode, the rest once a process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cache

import torch
from torch import Tensor

from repro.canonical import native, philox
from repro.canonical.functions import FUNCTIONS, Function
from repro.canonical.matrix import matrix_product
from repro.canonical.product import ONE_PASS, Route, integer_product
from repro.canonical.scale import BITS
from repro.errors import UnfitMachine

_ROUTES: tuple[Route, ...] = ("float64", "int8")

FUNCTION_DIGESTS = {
    "exp": "fe4cb277b8e0512e",
    "log": "bcf933319ec99eab",
    "sigmoid": "de073860aaf50fb6",
    "silu": "effc80de59e5caff",
    "tanh": "46f43a2cf610096a",
    "erf": "9a0894ac344dfbd4",
    "gelu": "8542e038dfe8e11e",
    "gelu_derivative": "3f634d0574c64f2a",
    "rsqrt": "d641dc8e1edbcc34",
    "sqrt": "9d9fdb0f08a0708e",
}
"""The first 16 hexadecimal digits of SHA-256 over each function's values, as little-endian float32, of
:func:`arguments`. The tests compute them in multiple precision."""

_ROOM = 8
"""The machine's float64 functions must keep this part of the margin that the fast route trusts."""


def faults() -> list[str]:
    """Return what is wrong with this machine, one sentence each; nothing is, as a rule."""
    return [*_switched(), *_built_in()]


def require_fit_machine() -> None:
    """Check this process's machine: what can be switched each time, the rest once.

    Raises:
        UnfitMachine: with every reason.
    """
    found = faults()
    if found:
        raise UnfitMachine(
            f"canonical arithmetic cannot hold here: {'; '.join(found)}",
            next_step="switch that off (torch.set_flush_denormal, autocast, TF32), or compute with --arithmetic native",
        )


def _switched() -> list[str]:
    return [fault for check in (_denormals, _switches) for fault in check()]


@cache
def _built_in() -> tuple[str, ...]:
    return tuple(fault for check in _CHECKS for fault in check())


def arguments() -> Tensor:
    """Return the fixed vector for the functions: 2048 float32 of any bits and 2048 in [-16, 16)."""
    drawn = philox.words(0, [0], (4096,), ordinal=0, step=0)[0]
    return torch.cat([drawn[:2048].to(torch.int32).view(torch.float32), philox.uniform(drawn[2048:]) * 32 - 16])


def digest(values: Tensor) -> str:
    """Return the first 16 hexadecimal digits of SHA-256 over float32 values."""
    return hashlib.sha256(values.numpy().astype("<f4").tobytes()).hexdigest()[:16]


def _denormals() -> Iterator[str]:
    tiny = torch.tensor([1e-40], dtype=torch.float32)
    small = torch.tensor([2.0**-1030], dtype=torch.float64)
    if float(tiny * 1.0) == 0 or float(tiny.double()) == 0 or float(small * 1.0) == 0:
        yield "denormal numbers are flushed to zero"


def _rounding() -> Iterator[str]:
    one = torch.ones(64, dtype=torch.float64)
    tie, above = one + 2.0**-53, one + (2.0**-53 + 2.0**-80)
    if not (bool((tie == 1).all()) and bool((above == 1 + 2.0**-52).all())):
        yield "float64 additions are not rounded to nearest"
    third = (one / 3 * 3 == 1) & (one / 49 * 49 != 1)
    if not bool(third.all()):
        yield "float64 divisions are not rounded to nearest"


def _products() -> Iterator[str]:
    """Extremes of every sign: a 16-bit sum that saturates, or a sum that loses its last bit, shows here."""
    for sign in (1.0, -1.0):
        a = torch.full((48, ONE_PASS), sign * 2.0**BITS)
        b = torch.full((ONE_PASS, 32), 2.0**BITS)
        a[:, 0], b[0] = 1.0, 1.0
        expected = sign * (ONE_PASS - 1) * 2.0 ** (2 * BITS) + 1
        for route in _ROUTES:
            if not bool((integer_product(a, b, route) == expected).all()):
                yield f"{route} products are not exact"
    # All digits at 64: what an x86 CPU without VNNI saturates if a digit has eight bits.
    full = torch.full((48, 256), 64.0 + 128 * 63 + 128 * 128 * 63)
    whole = torch.full((256, 32), 64.0 + 128 * 63 + 128 * 128 * 63)
    if not torch.equal(integer_product(full, whole, "int8"), integer_product(full, whole, "float64")):
        yield "int8 products saturate"


def _kernels() -> Iterator[str]:
    """The compiled kernels, where there are any: extremes beyond what 32 bits hold at once, of both signs."""
    if native.library() is None:
        return
    for sign in (1.0, -1.0):
        a, b = torch.full((3, 4100), sign), torch.ones(4100, 5)
        a[:, 7] = 2.0**-20
        found = native.matrix_product(a, native.pack_columns(b), None)
        if found is None or not torch.equal(found, matrix_product(a, b)):
            yield "the compiled kernels' products are not exact"


def _functions() -> Iterator[str]:
    x = arguments()
    for name, function in FUNCTIONS.items():
        for route in ("fast", "reference"):
            found = digest(function(x, route=route))
            if found != FUNCTION_DIGESTS[name]:
                yield f"{name} by its {route} route has digest {found}; {FUNCTION_DIGESTS[name]} is right"
        if not _keeps_margin(function, x[2048:].double() / 2):
            yield f"the float64 function behind {name} errs by more than 1/{_ROOM} of the margin that is trusted"


def _keeps_margin(function: Function, x: Tensor) -> bool:
    value = function.reference(x.clone())
    low, high = function.bounds(x.clone(), function.margin / _ROOM)
    inside = (torch.minimum(low, high) <= value) & (value <= torch.maximum(low, high))
    return bool((inside | torch.isnan(value)).all())


def _switches() -> Iterator[str]:
    if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
        yield "autocast is on"
    if torch.cuda.is_available() and torch.backends.cuda.matmul.allow_tf32:
        yield "TF32 is on"
    if torch.get_float32_matmul_precision() != "highest":
        yield f"float32 products may be computed in less ({torch.get_float32_matmul_precision()} precision)"


def _scaling() -> Iterator[str]:
    a, b = torch.full((2, 2), 1e-40), torch.full((2, 2), 1.0)
    if not bool((matrix_product(a, b) == a + a).all()):
        yield "products of denormal numbers are not exact"


_CHECKS: tuple[Callable[[], Iterator[str]], ...] = (_rounding, _products, _kernels, _functions, _scaling)
