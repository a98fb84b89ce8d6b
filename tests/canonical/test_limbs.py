"""The integer limbs give the rounded exact sum, whatever the order, the split and the ranks."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.canonical import canonical, limbs
from repro.canonical.limbs import GradientAccumulator, LimbSum
from tests.canonical.multiple_precision import SIGN, nearest

GRID = Fraction(1, 2**90)
floats = st.floats(-(2.0**20), 2.0**20, width=32)


def exact(values: list[float]) -> float:
    """The float32 nearest to the sum of the values, each rounded to a multiple of 2**-90 as the limbs do."""
    total = sum((round(Fraction(value) / GRID) * GRID for value in values), Fraction(0))
    bits = nearest(abs(total)) | (SIGN if total < 0 else 0)
    return float(struct.unpack("<f", struct.pack("<I", bits))[0])


def added(values: list[float]) -> LimbSum:
    total = LimbSum(torch.zeros(1))
    for value in values:
        total.add(torch.tensor([value]))
    return total


@given(values=st.lists(floats, max_size=7))
def test_the_value_is_the_rounded_exact_sum(values: list[float]) -> None:
    assert float(added(values).value()) == exact(values)


@pytest.mark.parametrize("exponent", range(-95, 23))
def test_rounding_is_right_next_to_every_halfway_place(exponent: int) -> None:
    """1.5 units in the last place decide at 24 bits; a part 2**-90 below or above tells the side."""
    whole = 2.0**exponent * (1 + 2.0**-23)
    half = 2.0**exponent * 2.0**-24
    for sign in (1, -1):
        for rest in ([], [2.0**-90], [-(2.0**-90)], [2.0**-60], [-(2.0**-41)]):
            values = [sign * whole, sign * half, *rest]
            assert float(added(values).value()) == exact(values)


@given(values=st.lists(st.lists(floats, min_size=3, max_size=3), min_size=2, max_size=7), seed=st.integers(0, 99))
@settings(max_examples=50)
def test_neither_order_nor_split_changes_the_limbs(values: list[list[float]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = LimbSum(torch.zeros(3))
    for value in values:
        whole.add(torch.tensor(value))
    parts = [LimbSum(torch.zeros(3)) for _ in range(3)]
    for number in rng.permutation(len(values)):
        parts[int(rng.integers(3))].add(torch.tensor(values[number]))
    together = LimbSum(torch.zeros(3))
    together.unpack(torch.stack([part.packed() for part in parts]).sum(0))
    assert torch.equal(together.packed(), whole.packed())
    assert torch.equal(together.value(), whole.value())


def test_the_low_limb_carries_before_it_can_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    extreme = 2.0**-41 - 2.0**-65  # the largest low limb that float32 gives
    monkeypatch.setattr(limbs, "ADDITIONS", 4)
    values = [extreme] * 30
    total = added(values)
    assert int(total.low.abs().max()) <= 4 * 2**49
    assert float(total.value()) == exact(values)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 2.0**23])
def test_what_is_out_of_range_is_refused_and_changes_nothing(bad: float) -> None:
    total = added([1.0])
    before = total.packed()
    with pytest.raises(OverflowError, match="not below"):
        total.add(torch.tensor([bad]))
    assert torch.equal(total.packed(), before)


def test_a_sum_that_could_leave_the_range_is_refused_in_any_order() -> None:
    for values in ([2.0**22, 2.0**22], [2.0**22, -(2.0**22)]):
        total = added(values[:1])
        with pytest.raises(OverflowError, match="can leave"):
            total.add(torch.tensor(values[1:]))
    one, other = added([2.0**22]), added([2.0**22])
    with pytest.raises(OverflowError, match="can leave"):
        one.unpack(one.packed() + other.packed())


def test_other_types_and_shapes_are_refused() -> None:
    with pytest.raises(TypeError, match="float64"):
        LimbSum(torch.zeros(2)).add(torch.zeros(2, dtype=torch.float64))
    with pytest.raises(ValueError, match="shape"):
        LimbSum(torch.zeros(2)).add(torch.zeros(3))


def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))


def unit_gradients(rows: list[int], net: torch.nn.Module, accumulator: GradientAccumulator) -> None:
    for row in rows:
        x = torch.tensor(np.random.default_rng(row).normal(size=(1, 5)), dtype=torch.float32)
        net(x).square().sum().backward()
        accumulator.add()


def gradients(net: torch.nn.Module) -> list[torch.Tensor]:
    return [parameter.grad.clone() for parameter in net.parameters() if parameter.grad is not None]


def one_process(rows: list[int]) -> list[torch.Tensor]:
    net = model()
    accumulator = GradientAccumulator(net.parameters())
    unit_gradients(rows, net, accumulator)
    accumulator.deliver()
    return gradients(net)


def test_order_of_units_leaves_gradients_as_they_are() -> None:
    forward, backward = one_process([0, 1, 2, 3, 4]), one_process([4, 2, 0, 3, 1])
    assert len(forward) == 4
    assert all(torch.equal(a, b) for a, b in zip(forward, backward, strict=True))


def test_a_parameter_without_gradient_gets_none() -> None:
    used, unused = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    accumulator = GradientAccumulator([used, unused])
    used.sum().backward()
    accumulator.add()
    accumulator.deliver()
    assert used.grad is not None
    assert unused.grad is None
    accumulator.deliver()  # it started anew
    assert used.grad is None
    unused.grad = torch.full((2,), torch.nan)
    with pytest.raises(OverflowError, match=r"parameter 1 of shape \(2,\)"):
        accumulator.add()


def rank(number: int, ranks: int, folder: str, shares: list[list[int]]) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=number, world_size=ranks)
    net = model()
    accumulator = GradientAccumulator(net.parameters())
    unit_gradients(shares[number], net, accumulator)
    accumulator.all_reduce()
    accumulator.deliver()
    torch.save(gradients(net), f"{folder}/{number}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this PyTorch has no torch.distributed")
def test_two_ranks_give_the_bits_of_one(tmp_path: Path) -> None:
    shares = [[5, 1, 3, 0], [4, 2, 6]]
    torch.multiprocessing.spawn(rank, args=(2, str(tmp_path), shares), nprocs=2)
    alone = one_process([0, 1, 2, 3, 4, 5, 6])
    for number in range(2):
        given_bits = torch.load(tmp_path / f"{number}.pt", weights_only=True)
        assert all(torch.equal(a, b) for a, b in zip(given_bits, alone, strict=True))


def test_units_in_canonical_arithmetic_add_up_in_any_order_within_the_mode() -> None:
    """Dropout follows the sample, batch normalisation is frozen: order and place of a unit change nothing."""

    def run(rows: list[int]) -> list[torch.Tensor]:
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Dropout(),
            torch.nn.Linear(64, 3),
        )  # fmt: skip
        net.train()
        net[1].eval()
        accumulator = GradientAccumulator(net.parameters())
        with canonical(seed=4) as mode:
            for row in rows:
                mode.begin_step(0, samples=[row])
                x = torch.tensor(np.random.default_rng(row).normal(size=(1, 1, 6, 6)), dtype=torch.float32)
                torch.nn.functional.cross_entropy(net(x), torch.tensor([row % 3])).backward()
                accumulator.add()
            accumulator.deliver()
        return gradients(net)

    assert all(torch.equal(a, b) for a, b in zip(run([0, 1, 2, 3]), run([3, 1, 0, 2]), strict=True))
