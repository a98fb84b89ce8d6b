"""The compiled route: exact products by 16-bit multiplications, built from ``kernels.c`` where a C compiler is.

It is one more route to the same bits. Where there is no compiler, or the processor is no x86-64, the others are taken.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from repro.canonical.convolution import Geometry, weight_by_input, weight_by_output
from repro.canonical.scale import BITS, exponent, power_of_two

_SOURCE = Path(__file__).with_name("kernels.c")
_FLAGS = (
    "-O3 -fopenmp -ffp-contract=off -fno-math-errno -fno-trapping-math -fwrapv -fno-strict-aliasing -shared -fPIC"
).split()
_MACHINES = {"default": "x86-64", "avx2": "x86-64-v3"}
"""What ``ATEN_CPU_CAPABILITY`` caps the kernels to; all that the processor has by default."""

_PLANES = 6  # int16 values of a channel pair
_FLOAT32_FACTORS = BITS - 127
"""Groups whose exponent is below are quantised in float64, by another route."""


def _built() -> Path:
    """Return the library, compiled once for this source, compiler and processor."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise OSError("no C compiler")
    machine = _MACHINES.get(os.environ.get("ATEN_CPU_CAPABILITY", "").lower(), "native")
    told = subprocess.run([compiler, "--version"], capture_output=True, check=True).stdout
    processor = Path("/proc/cpuinfo").read_text().split("\n\n")[0] if Path("/proc/cpuinfo").exists() else ""
    flags = next((line for line in processor.splitlines() if line.startswith("flags")), "")
    content = _SOURCE.read_bytes() + told + machine.encode() + flags.encode() + " ".join(_FLAGS).encode()
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "repro" / "kernels"
    target = folder / f"{hashlib.sha256(content).hexdigest()[:32]}.so"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as name:
            made = Path(name) / "kernels.so"
            command = [compiler, *_FLAGS, f"-march={machine}", "-o", str(made), str(_SOURCE), "-lm"]
            subprocess.run(command, capture_output=True, check=True)
            made.replace(target)
    return target


@cache
def library() -> ctypes.CDLL | None:
    """Return the compiled kernels, or None where they cannot be had; another route gives the same bits then."""
    if platform.machine() != "x86_64" or os.environ.get("REPRO_CANONICAL_KERNELS") == "off":
        return None
    try:
        found = ctypes.CDLL(str(_built()))
    except (OSError, subprocess.CalledProcessError):
        return None
    for name in ("largest", "pack_activations", "pack_weights", "convolve", "affine"):
        getattr(found, name).restype = None
    return found


@dataclass(frozen=True)
class PackedWeight:
    """A convolution's weight as the kernels read it.

    Attributes:
        values: int16 planes.
        unit: float64 (outputs,).
        outputs, channels: counts.
    """

    values: Tensor
    unit: Tensor
    outputs: int
    channels: int


def serves(x: Tensor, geometry: Geometry) -> bool:
    """Tell whether the kernels compute this: images, one group, on a CPU."""
    return x.ndim == 4 and geometry.groups == 1 and not x.is_cuda and x.numel() > 0 and library() is not None


def pack_weight(weight: Tensor) -> PackedWeight:
    """Pack (O, I, *kernel) for the forward convolution, a scale per output channel."""
    return _packed(weight, by_output=True)


def pack_weight_back(weight: Tensor) -> PackedWeight:
    """Pack (O, I, *kernel) for the input gradient: outputs are I, taps run backwards, a scale per input channel."""
    return _packed(weight, by_output=False)


def _packed(weight: Tensor, *, by_output: bool) -> PackedWeight:
    kernels = library()
    assert kernels is not None
    quantised = weight_by_output(weight) if by_output else weight_by_input(weight, 1)
    q = quantised.values.float().reshape(*weight.shape[:2], -1).contiguous()
    outputs, channels, taps = q.shape
    step_output, step_channel, step_tap = q.stride()
    if not by_output:
        outputs, channels, step_output, step_channel = channels, outputs, step_channel, step_output
    block = kernels.block_size()
    packed = torch.empty(-(-outputs // block) * block * taps * -(-channels // 2) * _PLANES, dtype=torch.int16)
    numbers = (outputs, channels, taps, step_output, step_channel, step_tap)
    kernels.pack_weights(
        _pointer(q), *map(ctypes.c_int64, numbers), ctypes.c_int(not by_output), _pointer(packed)
    )
    return PackedWeight(packed, quantised.unit.reshape(-1).contiguous(), outputs, channels)


def convolved(
    x: Tensor,
    weight: PackedWeight,
    bias: Tensor | None,
    geometry: Geometry,
    outputs: tuple[int, int],
    *,
    edges: tuple[int, int],
    spread: int = 1,
    per_column: bool = False,
) -> Tensor | None:
    """Return a convolution of x (N, C, H, W) by packed weights, float32 (N, O, *outputs).

    Args:
        x: float32 of any strides.
        weight: packed.
        bias: float32 (O,) or None.
        geometry: its kernel, stride and dilation.
        outputs: rows and columns of the result.
        edges: zeros before the first row and column.
        spread: how far apart input places lie; what is between is zero.
        per_column: the scale is per column of one row, not per sample.

    Returns:
        None where a group lies so low that float32 cannot scale it.
    """
    kernels = library()
    assert kernels is not None
    samples, channels, height, width = x.shape
    magnitude = _largest(kernels, x, per_column=per_column)
    finite = torch.isfinite(magnitude)
    e = torch.where(finite, exponent(magnitude), 0)
    if int(e.min()) < _FLOAT32_FACTORS:
        return None
    factor = torch.where(finite, power_of_two(BITS - e), 0.0).float()
    unit = torch.where(finite, power_of_two(e - BITS), torch.nan)
    (high, wide), (down, right), (apart, aside) = geometry.kernel, geometry.stride, geometry.dilation
    rows = max((outputs[0] - 1) * down + (high - 1) * apart + 1, edges[0] + (height - 1) * spread + 1)
    columns = max((outputs[1] - 1) * right + (wide - 1) * aside + 1, edges[1] + (width - 1) * spread + 1)
    place = -(-channels // 2) * _PLANES
    beyond = kernels.positions_at_once() * right * place  # the last tile reads past the end
    packed = torch.empty(samples * rows * columns * place + beyond, dtype=torch.int16)
    kernels.pack_activations(
        _pointer(x),
        *map(ctypes.c_int64, (samples, channels, height, width, *x.stride())),
        _pointer(factor),
        ctypes.c_int(per_column),
        *map(ctypes.c_int64, (*edges, rows, columns, spread)),
        _pointer(packed),
    )
    offsets = torch.tensor(
        [(i * apart * columns + j * aside) * place for i in range(high) for j in range(wide)], dtype=torch.int64
    )
    y = torch.empty(samples, weight.outputs, *outputs, memory_format=_format(x))
    kernels.convolve(
        _pointer(packed),
        *map(ctypes.c_int64, (samples, rows, columns, channels)),
        _pointer(weight.values),
        ctypes.c_int64(weight.outputs),
        _pointer(offsets),
        *map(ctypes.c_int64, (len(offsets), *outputs, down, right)),
        _pointer(unit),
        ctypes.c_int(per_column),
        _pointer(weight.unit),
        None if bias is None else _pointer(bias.contiguous()),
        _pointer(y),
        *map(ctypes.c_int64, y.stride()),
    )
    return y


def _format(x: Tensor) -> torch.memory_format:
    """Return the layout that PyTorch's own convolution would give."""
    if x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():
        return torch.channels_last
    return torch.contiguous_format


def _largest(kernels: ctypes.CDLL, x: Tensor, *, per_column: bool) -> Tensor:
    if per_column:
        return x.abs().amax((0, 1, 2)).double()
    samples = x.shape[0]
    if x.is_contiguous() or x.is_contiguous(memory_format=torch.channels_last):
        found = torch.empty(samples)
        kernels.largest(_pointer(x), ctypes.c_int64(samples), ctypes.c_int64(x.numel() // samples), _pointer(found))
        return found.double()
    return x.abs().amax((1, 2, 3)).double()


def affine(x: Tensor, factor: Tensor, shift: Tensor) -> Tensor:
    """Return RN32(RN64(x*a + c)) by channel. x: contiguous float32 (N, C, ...); factor, shift: float32 (C,)."""
    kernels = library()
    assert kernels is not None
    y = torch.empty_like(x)
    outer, channels = x.shape[:2]
    inner = x.numel() // max(1, outer * channels)
    numbers = map(ctypes.c_int64, (outer, channels, inner))
    kernels.affine(_pointer(x), _pointer(factor.contiguous()), _pointer(shift.contiguous()), *numbers, _pointer(y))
    return y


def _pointer(tensor: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())
