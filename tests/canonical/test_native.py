"""The compiled kernels: a third route to the bits of the plain one, under every instruction set that they know."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from repro.canonical import convolution, elementwise, functions, native
from repro.canonical.convolution import Geometry
from repro.canonical.matrix import matrix_product
from repro.canonical.normalise import batch_norm_evaluation, batch_norm_gradient, batch_norm_training
from repro.canonical.product import ONE_PASS

SHAPES = [
    # samples, inputs, outputs, kernel, stride, padding, dilation, size
    (2, 6, 8, 3, 1, 1, 1, 9),
    (2, 7, 33, 3, 2, 1, 1, 9),
    (2, 7, 33, 3, 2, 1, 1, 10),
    (3, 8, 8, 3, 1, 2, 2, 11),
    (2, 4, 4, 1, 2, 0, 1, 5),
    (2, 3, 5, 7, 2, 3, 1, 20),
    (1, 30, 40, 3, 1, 0, 1, 6),
    (1, 700, 5, 3, 1, 1, 1, 4),
    (1, 2051, 3, 1, 1, 0, 1, 3),
]


@pytest.fixture(autouse=True)
def _compiled() -> Iterator[None]:
    if native.library() is None:
        pytest.skip("no compiled kernels here: no x86-64, or no C compiler")
    return


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    spread = torch.randint(-12, 12, shape, generator=generator)
    return torch.randn(shape, generator=generator) * 2.0**spread


def check(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, stride: int, padding: int, dilation: int) -> None:
    geometry = Geometry.of(weight, [stride], [padding], [dilation], 1)
    sizes = (x.shape[2], x.shape[3])
    outputs = geometry.outputs(sizes)
    y = convolution.convolve(x, weight, bias, geometry)
    found = native.convolved(
        x, native.pack_weight(weight), bias, geometry, (outputs[0], outputs[1]), edges=(padding, padding)
    )
    assert found is not None
    assert torch.equal(y, found)
    dy = drawn(*y.shape, seed=3)
    turned = geometry.turned()
    assert turned is not None
    back = native.convolved(
        dy,
        native.pack_weight_back(weight),
        None,
        turned,
        sizes,
        edges=(turned.padding[0], turned.padding[1]),
        spread=stride,
    )
    assert back is not None
    assert torch.equal(convolution.convolve_back(dy, weight, None, geometry, sizes), back)
    gradient = native.weight_gradient(x, dy, weight.shape, geometry)
    assert gradient is not None
    assert torch.equal(convolution.weight_gradient(x, dy, weight.shape, geometry), gradient)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_convolutions_and_gradients(shape: tuple[int, ...], layout: torch.memory_format) -> None:
    samples, inputs, outputs, kernel, stride, padding, dilation, size = shape
    x = drawn(samples, inputs, size, size + 1).to(memory_format=layout)
    check(x, drawn(outputs, inputs, kernel, kernel), drawn(outputs), stride, padding, dilation)


@pytest.mark.parametrize("channels", [ONE_PASS // 9, ONE_PASS // 9 + 1, 2**14 // 9 + 1])
def test_extremes_at_and_beyond_the_budget(channels: int) -> None:
    """Every operand at 2**20, of both signs: 32-bit sums would overflow were they not cut in time."""
    for sign in (1.0, -1.0):
        check(torch.full((1, channels, 3, 3), sign), torch.ones(2, channels, 3, 3), torch.ones(2), 1, 1, 1)


@pytest.mark.parametrize("sizes", [(1, 5, 7), (3, 20, 33), (130, 1100, 50), (9, 1, 1), (20, 9000, 3)])
@pytest.mark.parametrize("turned", [True, False])
def test_matrix_products(sizes: tuple[int, int, int], turned: bool) -> None:
    rows, inner, columns = sizes
    a = drawn(inner, rows).t() if turned else drawn(rows, inner)
    b = drawn(columns, inner).t() if turned else drawn(inner, columns)
    bias = drawn(columns)
    found = native.matrix_product(a, native.pack_columns(b), bias)
    assert found is not None
    assert torch.equal(matrix_product(a, b, bias), found)


def test_samples_with_nan_are_nan_alone() -> None:
    x, weight = drawn(3, 4, 5, 5), drawn(6, 4, 3, 3)
    x[1, 0, 0, 0], geometry = torch.inf, Geometry.of(weight, [1], [1], [1], 1)
    y = convolution.convolve(x, weight, None, geometry)
    found = native.convolved(x, native.pack_weight(weight), None, geometry, (5, 5), edges=(1, 1))
    assert found is not None
    assert found[1].isnan().all()
    assert torch.equal(torch.nan_to_num(y, nan=7.0), torch.nan_to_num(found, nan=7.0))


def test_values_too_low_for_float32_factors_go_another_way() -> None:
    x, weight = torch.full((1, 1, 2, 2), 1e-38), torch.ones(1, 1, 1, 1)
    geometry = Geometry.of(weight, [1], [0], [1], 1)
    assert native.convolved(x, native.pack_weight(weight), None, geometry, (2, 2), edges=(0, 0)) is None


def test_batch_norm_without_the_kernels_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x, c = drawn(3, 4, 5, 5), [drawn(4, seed=s) for s in range(4)]
    one = batch_norm_evaluation(x, c[0], c[1], c[2], c[3].abs(), 1e-5)
    monkeypatch.setattr(native, "library", lambda: None)
    assert torch.equal(one, batch_norm_evaluation(x, c[0], c[1], c[2], c[3].abs(), 1e-5))


@pytest.mark.slow
@pytest.mark.parametrize("capability", ["default", "avx2"])
def test_under_lesser_instruction_sets(capability: str, root: Path) -> None:
    environment = {**os.environ, "ATEN_CPU_CAPABILITY": capability, "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-m", "pytest", "-q", __file__, "-k", "not lesser", "-p", "no:cacheprovider"]
    answer = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout[-2000:]


EXTREMES = [0.0, -0.0, 1.0, -1.5, 1e-45, -1e-40, 1.2e-38, 3.4e38, -3.4e38, float("inf"), float("-inf"), float("nan")]


@pytest.mark.parametrize("value", [0.1, -1.0, 1e-30, 3e38, float("inf")])
@pytest.mark.parametrize("chain", ["add", "multiply_add", "divide_add", "interpolate"])
def test_chains_are_the_plain_ones_also_of_extremes(chain: str, value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    corners = torch.cartesian_prod(*[torch.tensor(EXTREMES)] * 3)
    numbers = [torch.cat([corner, drawn(70_000, seed=place)]) for place, corner in enumerate(corners.T)]
    work = getattr(elementwise, chain)
    operands = numbers[: 3 if chain in ("multiply_add", "divide_add") else 2]
    found = work(*operands, value)
    monkeypatch.setattr(native, "chains", lambda *_tensors: False)
    plain = work(*operands, value)
    assert torch.equal(torch.isnan(found), torch.isnan(plain))
    kept = ~torch.isnan(plain)
    assert torch.equal(found[kept].view(torch.int32), plain[kept].view(torch.int32))


def test_a_chain_keeps_the_layout_and_leaves_what_lies_otherwise_to_the_plain_route() -> None:
    last = drawn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    found = elementwise.add(last, last, 0.3)
    assert found.stride() == last.stride()
    assert not native.chains(last, last.contiguous())
    assert not native.chains(last[:, :2], last[:, :2])
    assert not native.chains(last, last.double())
    assert torch.equal(found, elementwise.add(last.contiguous(), last, 0.3))


@pytest.mark.parametrize(
    "shape", [(2, 3, 7, 7), (4, 5, 1, 1), (3, 4), (2, 6, 33), (1, 1, 64, 65), (8, 3, 16, 16)], ids=str
)
@pytest.mark.parametrize("corner", [None, *EXTREMES], ids=str)
def test_a_training_batch_is_normalised_as_by_the_plain_route(
    shape: tuple[int, ...], corner: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, dy = drawn(*shape), drawn(*shape, seed=1)
    if corner is not None:  # in one channel of several, or in all there is
        x[0, -1] = corner
        dy[-1, -1] = corner
    weight, bias = drawn(shape[1], seed=2), drawn(shape[1], seed=3)

    def computed() -> list[torch.Tensor]:
        found: list[torch.Tensor] = []
        for scale, shift in ((weight, bias), (None, bias), (weight, None)):
            y, mean, inverse, squares = batch_norm_training(x, scale, shift, 1e-5)
            back = batch_norm_gradient(dy, x, scale, mean, inverse, training=True, needs=(True, True, True))
            found += [y, mean, inverse, squares, *(one for one in back if one is not None)]
        return found

    assert native.by_channel(x, dy)
    kernels = computed()
    monkeypatch.setattr(native, "by_channel", lambda *_tensors: False)
    for found, plain in zip(kernels, computed(), strict=True):
        assert torch.equal(torch.isnan(found), torch.isnan(plain))
        kept = ~torch.isnan(plain)
        integers = torch.int64 if plain.dtype == torch.float64 else torch.int32
        assert torch.equal(found[kept].view(integers), plain[kept].view(integers))


def test_what_goes_by_channel_is_contiguous_float32_of_one_shape() -> None:
    x = drawn(2, 3, 4, 5)
    assert native.by_channel(x, x.clone())
    assert not native.by_channel(x, x[:1])
    assert not native.by_channel(x.contiguous(memory_format=torch.channels_last))
    assert not native.by_channel(x.double())
    assert not native.by_channel(x[:0])


def test_roots_are_those_of_the_function() -> None:
    generator = torch.Generator().manual_seed(0)
    patterns = torch.randint(-(2**31), 2**31, (300_000,), generator=generator).to(torch.int32)
    x = torch.cat([torch.tensor(EXTREMES), patterns.view(torch.float32)])
    assert torch.equal(elementwise.square_root(x).view(torch.int32), functions.sqrt(x).view(torch.int32))
