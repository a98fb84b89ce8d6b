"""What a machine must do right for canonical arithmetic to hold on it; one that does not is refused with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import torch

from repro.canonical import functions, native
from repro.canonical.matrix import matrix_product
from repro.canonical.product import ONE_PASS, Route, integer_product
from repro.canonical.scale import BITS
from repro.errors import UnfitMachine

_ROUTES: tuple[Route, ...] = ("float64", "int8")

_ROUNDED = {
    "exp": (functions.exp, 0x3FF5C28F, 0x40DA454A),
    "log": (functions.log, 0x3DCCCCCD, 0xC0135D8E),
    "tanh": (functions.tanh, 0x3F000000, 0x3EEC9A9F),
    "sqrt": (functions.sqrt, 0x40000000, 0x3FB504F3),
}
"""Functions with an input's bits and the value's: computed by multiple precision, see the tests."""


def faults() -> list[str]:
    """Return what is wrong with this machine, one sentence each; nothing is, as a rule."""
    return [fault for check in _CHECKS for fault in check()]


def require_fit_machine() -> None:
    """Check this process's machine: all of it once, and every time the switches that a program may turn.

    Raises:
        UnfitMachine: with every reason.
    """
    found = [*_once(), *_denormals(), *_switches()]
    if found:
        raise UnfitMachine(
            f"canonical arithmetic cannot hold here: {'; '.join(found)}",
            next_step="switch that off (torch.set_flush_denormal, autocast, TF32), or compute with --arithmetic native",
        )


@cache
def _once() -> tuple[str, ...]:
    """Return what no later switch can mend."""
    return tuple(fault for check in _CHECKS if check not in (_denormals, _switches) for fault in check())


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
    for name, (function, given, expected) in _ROUNDED.items():
        x = torch.tensor([given], dtype=torch.int64).to(torch.int32).view(torch.float32)
        found = int(function(x).view(torch.int32)) & 0xFFFFFFFF
        if found != expected:
            yield f"{name} gives {found:#x} where {expected:#x} is the nearest"


def _switches() -> Iterator[str]:
    if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
        yield "autocast is on"
    if torch.cuda.is_available() and torch.backends.cuda.matmul.allow_tf32:
        yield "TF32 is on"


def _scaling() -> Iterator[str]:
    a, b = torch.full((2, 2), 1e-40), torch.full((2, 2), 1.0)
    if not bool((matrix_product(a, b) == a + a).all()):
        yield "products of denormal numbers are not exact"


_CHECKS: tuple[Callable[[], Iterator[str]], ...] = (
    _denormals,
    _rounding,
    _products,
    _kernels,
    _functions,
    _switches,
    _scaling,
)
