"""The table of operations, and what the mode offers to the forms in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from repro.errors import NoCanonicalForm

Form = Callable[..., Any]
_Form = TypeVar("_Form", bound=Form)
_Made = TypeVar("_Made")


class Context(Protocol):
    """What a form may ask of the mode that runs it."""

    def weight(self, tensor: Tensor, kind: str, make: Callable[[Tensor], _Made]) -> _Made:
        """Return ``make(tensor)``, remembered until the tensor changes where it belongs to a parameter."""
        ...

    def random_words(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Return the next random operation's 32-bit words, int64, one an element."""
        ...

    def random_normal(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Return the next random operation's standard normal numbers, float32, counted through the whole tensor."""
        ...


FORMS: dict[Any, Form] = {}
"""Overloads and their forms, ``form(context, *args, **kwargs)``."""

PASSED: set[Any] = set()
"""Overloads that are run as they are: they move, select or compare."""


def overloads(names: Iterable[str]) -> list[Any]:
    """Return the ATen overloads that this PyTorch has of ``name.overload``, or all but ``out`` of ``name``."""
    found = []
    for name in names:
        packet_name, _, overload = name.partition(".")
        packet = getattr(torch.ops.aten, packet_name, None)
        if packet is None:
            continue
        wanted = [overload] if overload else packet.overloads()
        for each in wanted:
            one = getattr(packet, each, None)
            if one is not None and not any(argument.is_out for argument in one._schema.arguments):
                found.append(one)
    return found


def form(*names: str) -> Callable[[_Form], _Form]:
    """Register a form for overloads. An in-place one is the same form, its result copied into the first argument."""

    def register(function: _Form) -> _Form:
        for one in overloads(names):
            first = one._schema.arguments[0] if one._schema.arguments else None
            writes = first is not None and first.alias_info is not None and first.alias_info.is_write
            FORMS[one] = _in_place(function) if writes else function
        return function

    return register


def _in_place(function: Form) -> Form:
    def act(context: Context, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return x.copy_(function(context, x, *args, **kwargs))

    return act


def refuse(reason: str) -> NoCanonicalForm:
    """Return the error for arguments that have no canonical form; the mode adds the operation and the module."""
    return NoCanonicalForm(reason)


def require(condition: bool, reason: str) -> None:
    """Raise NoCanonicalForm with a reason unless the condition holds."""
    if not condition:
        raise refuse(reason)
