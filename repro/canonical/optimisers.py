"""What stock optimisers do beside dispatching: lists of tensors at once, and powers of Python numbers.

Adam's bias corrections 1 - beta**t are Python floats, by the C library's ``pow``. Its bits are the library's own, so
the step count is handed out as a number whose powers are repeated products and whose square roots are IEEE's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.optim import adam, adamw, nadam, radam


class _Root(float):
    """A float64 whose power 0.5 is the IEEE square root."""

    def __pow__(self, exponent: Any, modulo: Any = None) -> Any:
        return math.sqrt(self) if exponent == 0.5 and self >= 0 else float(self) ** exponent


class _Power(float):
    """A float64 that, taken from a number, leaves a :class:`_Root`."""

    def __rsub__(self, other: Any) -> _Root:
        return _Root(other - float(self))


class StepCount(float):
    """A whole number of steps. ``beta ** count`` multiplies count times in float64."""

    def __rpow__(self, base: Any, modulo: Any = None) -> _Power:
        product = 1.0
        for _ in range(int(self)):
            product *= base
        return _Power(product)


_PATCHED: tuple[ModuleType, ...] = (adam, adamw, nadam, radam)


def _value(original: Any) -> Any:
    def value(x: Any) -> Any:
        found = original(x)
        return StepCount(found) if isinstance(found, (int, float)) and found == int(found) and found >= 0 else found

    return value


@contextmanager
def exact_bias_corrections() -> Iterator[None]:
    """Let torch's own Adam family see its step counts as :class:`StepCount`."""
    kept = [(module, module._get_value) for module in _PATCHED if hasattr(module, "_get_value")]
    for module, original in kept:
        module._get_value = _value(original)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module, original in kept:
            module._get_value = original  # type: ignore[attr-defined]


def expand_foreach(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[tuple[Any, tuple[Any, ...], dict[str, Any]]] | None:
    """Return the single operations that a ``_foreach`` operation stands for, or None if it is none.

    Lists of tensors or numbers are taken element by element, everything else for all of them.
    """
    name = func.name().removeprefix("aten::")
    if not name.startswith("_foreach_"):
        return None
    packet = getattr(torch.ops.aten, name.split(".")[0].removeprefix("_foreach_"), None)
    if packet is None or not args:
        return None
    calls = []
    for place in range(len(args[0])):
        own = tuple(_element(value, place) for value in args)
        own_kwargs = {key: _element(value, place) for key, value in kwargs.items()}
        overload = _overload(packet, own)
        if overload is None:
            return None
        calls.append((overload, own, own_kwargs))
    return calls


def _element(value: Any, place: int) -> Any:
    return value[place] if isinstance(value, (list, tuple)) else value


def _overload(packet: Any, args: tuple[Any, ...]) -> Any:
    """Return the overload for these arguments: a tensor as second operand asks for one that takes tensors."""
    tensors = len(args) > 1 and isinstance(args[1], Tensor)
    order: tuple[str, ...] = (
        ("Tensor", "default", "Tensor_Tensor") if tensors else ("default", "Scalar", "Tensor_Scalar", "Tensor")
    )
    if packet.__name__.startswith("lerp"):
        order = ("Tensor",) if isinstance(args[2], Tensor) else ("Scalar",)
    return next((getattr(packet, each) for each in order if each in packet.overloads()), None)
