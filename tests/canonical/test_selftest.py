"""The self-test passes here, and each of its checks sees the fault that it is for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from repro.canonical import canonical, functions, selftest
from repro.canonical.functions import FUNCTIONS, Function
from repro.errors import UnfitMachine
from tests.canonical.multiple_precision import rounded


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    selftest._built_in.cache_clear()
    yield
    selftest._built_in.cache_clear()


def test_this_machine_is_fit() -> None:
    assert selftest.faults() == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_digests_are_those_of_multiple_precision(name: str) -> None:
    bits = [value & 0xFFFFFFFF for value in selftest.arguments().view(torch.int32).tolist()]
    right = np.array([rounded(name, one) for one in bits], dtype=np.uint32).view(np.float32)
    assert selftest.digest(torch.from_numpy(right)) == selftest.FUNCTION_DIGESTS[name]


def require_refused(reason: str) -> None:
    with pytest.raises(UnfitMachine, match=reason), canonical():
        pass


def test_lower_precision_is_refused_on_entry() -> None:
    torch.set_float32_matmul_precision("medium")
    try:
        require_refused("medium precision")
    finally:
        torch.set_float32_matmul_precision("highest")


def test_a_route_that_is_not_exact_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = selftest.integer_product

    def saturating(a: torch.Tensor, b: torch.Tensor, route: str) -> torch.Tensor:
        return exact(a, b, "float64") - float(route == "int8")

    monkeypatch.setattr(selftest, "integer_product", saturating)
    require_refused("int8 products are not exact; int8 products are not exact; int8 products saturate")


def test_compiled_kernels_that_are_not_exact_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    if selftest.native.library() is None:
        pytest.skip("no compiled kernels here")
    monkeypatch.setattr(selftest.native, "matrix_product", lambda a, b, bias: torch.zeros(3, 5))
    require_refused("the compiled kernels' products are not exact")


@pytest.mark.parametrize("error", [2.0**-46, 2.0**-30])
def test_a_float64_function_that_errs_is_refused(monkeypatch: pytest.MonkeyPatch, error: float) -> None:
    """An error of a quarter of the margin changes no digest here, and is refused; a large one changes digests too."""
    loose = Function("exp", functions._relative(lambda x: torch.exp(x) * (1 + error)), functions.reference.exp)
    monkeypatch.setitem(FUNCTIONS, "exp", loose)
    reason = "behind exp errs" if error == 2.0**-46 else "exp by its fast route has digest"
    require_refused(reason)
