"""A sketch: what a trace keeps of a tensor's values beside their digest.

It is small enough to exchange and rich enough to say *by how many ulps* two machines part: up to 64 values
at fixed places, the extremes and the number of finite values, all to the bit. Places depend on the size
alone: all of a tensor of up to 64 values, else ``i * (size - 1) // 63`` for i in 0..63 in C order.

The extremes of floats are found among their bit patterns as integers. IEEE 754 orders the values of one sign
as it orders their patterns, and puts infinities and NaNs behind the finite ones, so two integer reductions
give both extremes and tell whether anything is not finite. That is as fast as reducing the floats (and far
faster for float16), is the same for bfloat16 and float8, which NumPy cannot reduce, and no rounding mode,
flush-to-zero setting or thread count can change it. A zero extreme is +0.0, whichever zeros there are.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from repro.digest.array import little_endian
from repro.schema import Frozen

SKETCH_PLACES = 64

_CHUNK_BYTES = 1 << 21  # the second reduction finds a chunk of this size in the cache
_REDUCTIONS = (np.minimum.reduce, np.maximum.reduce)


class Sketch(Frozen):
    """What is kept of a tensor's values.

    Attributes:
        values: the sampled values' little-endian bytes in base64.
        minimum, maximum: the extremes among the finite values, likewise; ``None`` where there is none and for
            complex numbers, which have no order.
        finite: how many values are finite.
    """

    values: str
    minimum: str | None
    maximum: str | None
    finite: int


class _Format(NamedTuple):
    """A binary float: its sign bit, and the magnitude's bits from which on nothing is finite.

    A value's *rank* is its magnitude's bits with its sign: ranks are ordered as the values are, and both zeros
    have rank 0.
    """

    sign: int
    not_finite: int
    negative_zero_is_nan: bool = False

    def rank(self, pattern: int) -> int:
        return pattern if pattern < self.sign else self.sign - pattern

    def pattern(self, rank: int) -> int:
        return rank if rank >= 0 else self.sign - rank


_FORMATS = {
    "float16": _Format(1 << 15, 0x7C00),
    "bfloat16": _Format(1 << 15, 0x7F80),
    "float32": _Format(1 << 31, 0x7F80_0000),
    "float64": _Format(1 << 63, 0x7FF0_0000_0000_0000),
    "float8_e3m4": _Format(1 << 7, 0x70),
    "float8_e4m3": _Format(1 << 7, 0x78),
    "float8_e4m3fn": _Format(1 << 7, 0x7F),
    "float8_e5m2": _Format(1 << 7, 0x7C),
    "float8_e4m3fnuz": _Format(1 << 7, 0x80, negative_zero_is_nan=True),
    "float8_e4m3b11fnuz": _Format(1 << 7, 0x80, negative_zero_is_nan=True),
    "float8_e5m2fnuz": _Format(1 << 7, 0x80, negative_zero_is_nan=True),
    "float8_e8m0fnu": _Format(1 << 8, 0xFF),  # powers of two without a sign: the sign bit is above the eight
}


def sketch_values(values: np.ndarray, dtype: str) -> Sketch:
    """Return the sketch of an array under the dtype name it is to have; see :func:`repro.digest.as_array`."""
    flat = little_endian(values).reshape(-1)
    sample = flat if flat.size <= SKETCH_PLACES else flat[_places(flat.size)]
    low, high, finite = _extremes(flat, dtype)
    return Sketch(values=_encode(sample.tobytes()), minimum=low, maximum=high, finite=finite)


@lru_cache(maxsize=1024)
def _places(size: int) -> np.ndarray:
    return np.arange(SKETCH_PLACES) * (size - 1) // (SKETCH_PLACES - 1)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _extremes(flat: np.ndarray, dtype: str) -> tuple[str | None, str | None, int]:
    """Return minimum and maximum as a sketch has them, and the number of finite values."""
    if flat.dtype.kind == "c":
        return None, None, int(np.count_nonzero(np.isfinite(flat)))
    if not flat.size:
        return None, None, 0
    if dtype not in _FORMATS:
        signed = flat.dtype.kind == "i"
        low, high = (int(reduce(flat)).to_bytes(flat.itemsize, "little", signed=signed) for reduce in _REDUCTIONS)
        return _encode(low), _encode(high), flat.size
    form, bits = _FORMATS[dtype], flat.view(f"<u{flat.itemsize}")
    step = _CHUNK_BYTES // flat.itemsize
    chunks = [_float_extremes(bits[start : start + step], form) for start in range(0, flat.size, step)]
    ranked = [rank for chunk in chunks for rank in chunk.ranks]
    if not ranked:
        return None, None, 0
    low, high = (form.pattern(rank).to_bytes(flat.itemsize, "little") for rank in (min(ranked), max(ranked)))
    return _encode(low), _encode(high), sum(chunk.finite for chunk in chunks)


class _Chunk(NamedTuple):
    """The least and the greatest rank among a chunk's finite values, none if there is none, and their number."""

    ranks: tuple[int, ...]
    finite: int


def _float_extremes(bits: np.ndarray, form: _Format) -> _Chunk:
    """Return the extremes of floats.

    Args:
        bits: their patterns, 1-D, unsigned.
        form: what the patterns stand for.
    """
    if form.negative_zero_is_nan:
        bits = bits[bits != form.sign]
    if not bits.size:
        return _Chunk((), 0)
    # As unsigned numbers all negative values are above all others, the farther from zero the higher.
    highest = int(np.maximum.reduce(bits))
    if highest < form.sign:
        low, high = int(np.minimum.reduce(bits)), highest
    else:
        # As signed numbers the others are above; where there are none, the least unsigned is nearest to zero.
        low, high = highest, int(np.maximum.reduce(bits.view(f"<i{bits.itemsize}")))
        if high < 0:
            high = int(np.minimum.reduce(bits))
    ranks = form.rank(low), form.rank(high)
    if max(map(abs, ranks)) < form.not_finite:
        return _Chunk(ranks, bits.size)
    magnitudes = bits & bits.dtype.type(form.sign - 1)
    return _float_extremes(bits[magnitudes < form.not_finite], form)
