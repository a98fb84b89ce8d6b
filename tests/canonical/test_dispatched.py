"""What canonical arithmetic itself dispatches: nothing whose bits could differ between processors.

The forms may call only what is named here, with the types named here. A float32 product, sum or function of a library
in a form would show, and so would a float64 convolution, for which a vendor may choose Winograd or Fourier.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from repro.canonical import canonical
from repro.canonical.aten import PASSED
from repro.canonical.aten.movement import INTEGER_ONLY
from tests.canonical.test_operations import CASES, normal, run

IEEE = {
    "add",
    "add_",
    "sub",
    "mul",
    "mul_",
    "div",
    "rsub",
    "__rshift__",
    "__lshift__",
    "bitwise_and",
    "reciprocal",
    "reciprocal_",
}
"""One operation an element, in any type; factors other than 1 are looked for below."""

INTEGERS_IN_FLOAT64 = {"mm", "bmm", "sum", "scatter_add_", "index_add_", "matmul", "dot"}
"""Exact, since their operands are integers within 2**53; this is asserted."""

BRACKETED = {"exp", "log", "tanh", "erf", "erfc", "sigmoid", "sqrt", "rsqrt", "expm1"}
"""A vendor's float64 functions, whose error Ziv's test covers."""

INTEGER_TYPES = {torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool}
MOVED = {
    "nan_to_num",
    "index_put_",
    "index_put",
    "remainder",
    "_int_mm",
    "arange",
    "index",
    "nonzero",
    "scatter_",
    "sum",
}


class Watch(TorchDispatchMode):
    """Collects what is dispatched that no rule allows."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[str] = set()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        with self:  # autograd's part is over, so composed operations arrive whole
            parts = func.decompose(*args, **(kwargs or {}))
        if parts is not NotImplemented:
            return parts
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        self.seen.add(name)
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if not self._allowed(func, name, tensors, kwargs or {}):
            self.refused.add(f"{func} of {sorted({str(tensor.dtype) for tensor in tensors})}")
        return result

    def _allowed(self, func: Any, name: str, tensors: list[torch.Tensor], kwargs: dict[str, Any]) -> bool:
        if func in PASSED or name in MOVED:
            return True
        if not any(tensor.is_floating_point() for tensor in tensors):
            return func in INTEGER_ONLY or name in IEEE
        if name in IEEE:
            return kwargs.get("alpha", 1) == 1
        kinds = {tensor.dtype for tensor in tensors}
        if name in INTEGERS_IN_FLOAT64:
            values = [tensor for tensor in tensors if tensor.is_floating_point()]
            kept = {torch.float32} if kwargs.get("dtype") == torch.float64 else set()
            return kinds <= INTEGER_TYPES | {torch.float64} | kept and all(_whole(tensor) for tensor in values)
        return name in BRACKETED and kinds == {torch.float64}


def _whole(tensor: torch.Tensor) -> bool:
    return bool((tensor == tensor.round()).all()) and bool((tensor.abs() <= 2.0**53).all())


@pytest.mark.parametrize("name", CASES)
def test_only_what_is_listed_is_dispatched(name: str) -> None:
    function, inputs = CASES[name]
    dy = normal(*function(*inputs).shape, seed=9)
    with canonical():
        pass  # the self-test, which the first entry does, tries more than the forms do
    with Watch() as watch, canonical():
        run(function, inputs, dy)
    assert watch.seen
    assert not watch.refused


def test_the_watch_sees_what_is_not_listed() -> None:
    with Watch() as watch:
        torch.rand(3, 3) @ torch.rand(3, 3)
        torch.exp(torch.rand(3))
        torch.add(torch.rand(3), torch.rand(3), alpha=0.5)
        torch.rand(3, 3).double() @ torch.rand(3, 3).double()
    assert {text.split(" ")[0] for text in watch.refused} >= {"aten.mm.default", "aten.exp.default", "aten.add.Tensor"}
