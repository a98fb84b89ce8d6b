"""A network made to take the decisions that another run of it took: rectifiers, maxima, cells of a sampling grid.

Two arithmetics may find different signs, maxima or cells where values are nearly equal, and each switch changes the
gradient by far more than rounding does. Held to the same decisions, what is left of a difference is rounding.

    with Decisions() as taken:          # records
        loss(network(x)).backward()
    with Decisions(taken):              # takes the same, whatever the values say
        loss(wide(x.double())).backward()
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class Decisions(TorchFunctionMode):
    """Records the decisions of what runs inside or, given others', takes those; raises where they do not fit."""

    def __init__(self, taken: Decisions | None = None) -> None:
        super().__init__()
        self.recorded: list[tuple[Any, tuple[int, ...], Tensor]] = []
        self._left = None if taken is None else deque(taken.recorded)

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        assert error[0] is not None or not self._left, f"{len(self._left or ())} decisions were not taken"

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        forms = _FORMS.get(func)
        if forms is None or (forms is _MAXIMUM and len(args) + len(kwargs) < 2):  # of all values; nothing does that
            return func(*args, **kwargs)
        record, take = forms
        shape = tuple(args[0].shape)
        if self._left is None:
            result, decision = record(func, *args, **kwargs)
            self.recorded.append((func, shape, decision.detach()))
            return result
        kind, of, decision = self._left.popleft()
        assert (kind, of) == (func, shape), f"recorded was {kind} of {of}, now comes {func} of {shape}"
        return take(decision, *args, **kwargs)


def _rectified(func: Any, x: Tensor, **kwargs: Any) -> tuple[Tensor, Tensor]:
    result = func(x, **kwargs)
    return result, result > 0


def _take_rectified(positive: Tensor, x: Tensor, *, inplace: bool = False) -> Tensor:
    return x.mul_(positive) if inplace else x * positive


def _leaky(func: Any, x: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    return func(x, slope), x > 0


def _take_leaky(positive: Tensor, x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(positive, x, slope.reshape(-1, *[1] * (x.ndim - 2)) * x)


def _pooled(func: Any, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    return func(*args, **kwargs | {"return_indices": True})


def _take_pooled(places: Tensor, x: Tensor, *_: Any, **__: Any) -> Tensor:
    return x.flatten(-2).gather(-1, places.flatten(-2)).reshape(places.shape)


def _maximum(func: Any, *args: Any, **kwargs: Any) -> tuple[Any, Tensor]:
    result = func(*args, **kwargs)
    return result, result.indices


def _take_maximum(places: Tensor, x: Tensor, dim: int, keepdim: bool = False) -> Any:
    values = x.gather(dim, places if keepdim else places.unsqueeze(dim))
    return torch.return_types.max((values if keepdim else values.squeeze(dim), places))


def _sampled(func: Any, x: Tensor, grid: Tensor, **kwargs: Any) -> tuple[Tensor, Tensor]:
    return func(x, grid, **kwargs), grid


def _take_sampled(recorded: Tensor, x: Tensor, grid: Tensor, **kwargs: Any) -> Tensor:
    """Sample in the cells in which the recorded grid lies: bilinear, zeros outside, corners not aligned."""
    assert kwargs == {"mode": "bilinear", "padding_mode": "zeros", "align_corners": False}
    sizes = torch.tensor([x.shape[3], x.shape[2]], dtype=torch.float64)
    first = (((recorded.double() + 1) * sizes - 1) / 2).floor()
    share = ((grid + 1) * sizes - 1) / 2 - first
    total: Any = 0
    for corner in torch.cartesian_prod(torch.arange(2), torch.arange(2)):
        place = first + corner
        inside = ((place >= 0) & (place < sizes)).all(-1)
        index = torch.where(inside, place[..., 1] * x.shape[3] + place[..., 0], 0).long().flatten(1)
        seen = x.flatten(2).gather(2, index.unsqueeze(1).expand(-1, x.shape[1], -1))
        weight = torch.where(corner == 1, share, 1 - share).prod(-1) * inside
        total = total + seen.reshape(*x.shape[:2], *weight.shape[1:]) * weight.unsqueeze(1)
    return total


_MAXIMUM = (_maximum, _take_maximum)
_FORMS: dict[Any, tuple[Callable[..., Any], Callable[..., Any]]] = {
    F.relu: (_rectified, _take_rectified),
    F.prelu: (_leaky, _take_leaky),
    F.max_pool2d: (_pooled, _take_pooled),
    F.adaptive_max_pool2d: (_pooled, _take_pooled),
    torch.max: _MAXIMUM,
    Tensor.max: _MAXIMUM,
    F.grid_sample: (_sampled, _take_sampled),
}
