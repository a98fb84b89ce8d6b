"""Products of real matrices: A with a scale per row, B with a scale per column."""

from __future__ import annotations

from torch import Tensor

from repro.canonical.product import Route, integer_product
from repro.canonical.scale import Quantised, epilogue, quantise


def matrix_product(
    a: Tensor,
    b: Tensor,
    bias: Tensor | None = None,
    *,
    route: Route = "float64",
    quantised_b: Quantised | None = None,
) -> Tensor:
    """Return RN32(RN64(DOT) + bias) for every row of a and column of b.

    Args:
        a: float32 (..., M, K).
        b: float32 (..., K, N).
        bias: float32 that broadcasts to (..., M, N).
        route: how to multiply; the bits are the same.
        quantised_b: ``quantise(b, (-2,))`` where it is at hand.
    """
    if a.shape[-1] == 0:
        zeros = a.new_zeros(*a.shape[:-1], b.shape[-1])
        return zeros if bias is None else zeros + bias
    if a.numel() == 0 or b.numel() == 0:
        return a.new_zeros(*a.shape[:-1], b.shape[-1])
    q_a, q_b = quantise(a, (-1,)), quantised_b or quantise(b, (-2,))
    total = integer_product(q_a.values, q_b.values, route)
    return epilogue(total, q_a.unit * q_b.unit, bias)
