"""Sums of gradients that neither micro-batches, nor their order, nor the number of ranks can change.

A float32 gradient rounds, so adding the gradients of two halves of a batch is not the gradient of the batch, and order
matters. Here a unit (one backward pass, of a sample or of a fixed micro-batch) adds its gradient g as integers,

    g = high * 2**-40 + low * 2**-90,    high = round(g * 2**40),    low = round((g - high * 2**-40) * 2**90)

(what lies below 2**-90 is rounded, unit by unit). Integer addition is associative and commutative, so units may come in
any order, be added by any rank, and ranks may be summed as integers in any order; one rounding to float32 is last.

Budget. |low| <= 2**49, so 2**13 additions stay within 2**62; then the low limbs carry: low is brought back into
[-2**49, 2**49) and the rest, a multiple of 2**50, goes to high. That form is unique. |high| stays below 2**63 while the
sum of the units' largest |g| is below 2**23, which is checked.

Batch normalisation in training mode depends on its batch: it must be frozen, or the unit fixed.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

HIGH_BITS = 40
"""The high limb counts units of 2**-40."""

LOW_BITS = 90
"""The low limb counts units of 2**-90."""

RANGE = 2**23
"""The units' largest magnitudes must add up to less."""

ADDITIONS = 2**13
"""So many low limbs are added before they carry."""

_STEP = LOW_BITS - HIGH_BITS
_BOUND_BITS = 20  # magnitudes are added up as integers too, rounded up to multiples of 2**-20


class LimbSum:
    """The exact sum of float32 tensors of one shape.

    Attributes:
        high: int64, units of 2**-40.
        low: int64, units of 2**-90; within [-2**49, 2**49) after :meth:`carry`.
        units: how many tensors were added.
    """

    def __init__(self, like: Tensor) -> None:
        self.high = torch.zeros_like(like, dtype=torch.int64)
        self.low = torch.zeros_like(like, dtype=torch.int64)
        self.units = 0
        self._bound = 0
        self._pending = 1  # low limbs since the last carry; a carried one counts as an addition

    def add(self, x: Tensor) -> None:
        """Add a tensor.

        Raises:
            TypeError: x is not float32.
            OverflowError: x holds NaN or an infinity, or the magnitudes so far reach 2**23; nothing was added.
        """
        if x.dtype != torch.float32:
            raise TypeError(f"limbs add float32, not {x.dtype}")
        if x.shape != self.high.shape:
            raise ValueError(f"limbs of shape {tuple(self.high.shape)} cannot add {tuple(x.shape)}")
        with _disable_current_modes(), torch.no_grad():
            largest = float(x.abs().max()) if x.numel() else 0.0
            if not largest < RANGE:  # NaN included
                raise OverflowError(f"a gradient of magnitude {largest} is not below 2**23")
            bound = self._bound + _rounded_up(largest)
            _require_range(bound)
            if self._pending == ADDITIONS:
                self.carry()
            scaled = x.double() * 2.0**HIGH_BITS
            whole = scaled.round()
            self.high += whole.to(torch.int64)
            self.low += ((scaled - whole) * 2.0**_STEP).round_().to(torch.int64)
            self._bound, self._pending, self.units = bound, self._pending + 1, self.units + 1

    def carry(self) -> None:
        """Bring the limbs into their unique form."""
        over = (self.low + (1 << _STEP - 1)) >> _STEP
        self.high += over
        self.low -= over << _STEP
        self._pending = 1

    def value(self) -> Tensor:
        """Return the float32 nearest to the sum, ties to even."""
        with _disable_current_modes(), torch.no_grad():
            self.carry()
            return _rounded(self.high, self.low)

    def packed(self) -> Tensor:
        """Return everything as one int64 vector whose sum over ranks is that of the sum over ranks."""
        self.carry()
        counts = torch.tensor([self.units, self._bound], dtype=torch.int64, device=self.high.device)
        return torch.cat([self.high.reshape(-1), self.low.reshape(-1), counts])

    def unpack(self, total: Tensor) -> None:
        """Take over a sum of at most 2**13 packed vectors.

        Raises:
            OverflowError: the magnitudes reach 2**23; nothing was changed.
        """
        count = self.high.numel()
        units, bound = total[2 * count :].tolist()
        _require_range(bound)
        self.units, self._bound = units, bound
        self.high = total[:count].reshape(self.high.shape).clone()
        self.low = total[count : 2 * count].reshape(self.low.shape).clone()
        self.carry()


class GradientAccumulator:
    """Adds up the gradients of parameters over units and ranks.

    Call :meth:`add` after each unit's backward pass, :meth:`all_reduce` where there are ranks, then :meth:`deliver`
    before the optimiser's step. A mean is made by dividing each unit's loss, or what was delivered, not the limbs.

    Args:
        parameters: the tensors whose ``.grad`` is meant, in the same order on every rank.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self._parameters = list(parameters)
        self._sums = [LimbSum(parameter) for parameter in self._parameters]

    def add(self) -> None:
        """Add every parameter's ``.grad`` and clear it; a parameter without one adds nothing.

        Raises:
            OverflowError: a gradient is out of range; the message tells the parameter's number and shape.
        """
        for number, (parameter, total) in enumerate(zip(self._parameters, self._sums, strict=True)):
            if parameter.grad is None:
                continue
            try:
                total.add(parameter.grad)
            except OverflowError as error:
                raise OverflowError(f"parameter {number} of shape {tuple(parameter.shape)}: {error}") from None
            parameter.grad = None

    def all_reduce(self, group: dist.ProcessGroup | None = None) -> None:
        """Make every rank hold the sum of all ranks; call it once. At most 2**13 ranks."""
        ranks = dist.get_world_size(group)
        if ranks > ADDITIONS:
            raise OverflowError(f"{ranks} ranks are more than the low limb takes, {ADDITIONS}")
        with _disable_current_modes(), torch.no_grad():
            parts = [total.packed() for total in self._sums]
            together = torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int64)
            dist.all_reduce(together, op=dist.ReduceOp.SUM, group=group)
            for total, part in zip(self._sums, together.split([len(part) for part in parts]), strict=True):
                total.unpack(part)

    def deliver(self) -> None:
        """Set every parameter's ``.grad`` to the rounded sum, ``None`` where no unit had one, and start anew."""
        for number, (parameter, total) in enumerate(zip(self._parameters, self._sums, strict=True)):
            parameter.grad = total.value() if total.units else None
            self._sums[number] = LimbSum(parameter)


def _rounded_up(magnitude: float) -> int:
    """Return ceil(magnitude * 2**20), exactly."""
    numerator, denominator = magnitude.as_integer_ratio()
    return -(-(numerator << _BOUND_BITS) // denominator)


def _require_range(bound: int) -> None:
    if bound >= RANGE << _BOUND_BITS:
        raise OverflowError(f"gradients whose largest magnitudes add up to {bound / 2**_BOUND_BITS} can leave 2**23")


def _rounded(high: Tensor, low: Tensor) -> Tensor:
    """Return RN32(high * 2**-40 + low * 2**-90), for carried limbs.

    T = high * 2**50 + low has up to 114 bits. Cut to an integer v of 27 to 53 bits whose last bit is set if any lower
    bit was (rounding to odd), it rounds to 24 bits as T does. Where |high| <= 1, T itself is below 2**53.
    """
    small = high.clamp(-1, 1) * 2**_STEP + low
    exact = small.double() * 2.0**-LOW_BITS
    middle = _odd((high.clamp(-(2**26), 2**26) << 26) + (low >> 24), (low & (2**24 - 1)) != 0)
    floor = high - (low < 0).to(torch.int64)
    large = _odd(floor.clamp(-(2**51), 2**51), low != 0)
    largest = _odd(floor >> 12, ((floor & (2**12 - 1)) != 0) | (low != 0))
    value = torch.where(high.abs() < 2**51, large * 2.0**-41, largest * 2.0**-29)
    value = torch.where(high.abs() < 2**26, middle * 2.0**-67, value)
    return torch.where(high.abs() <= 1, exact, value).float()


def _odd(whole: Tensor, more: Tensor) -> Tensor:
    return ((whole << 1) | more.to(torch.int64)).double()
