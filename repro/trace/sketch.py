"""A sketch: what a trace keeps of a tensor's values beside their digest.

It is small enough to exchange and rich enough to say *by how many ulps* two machines part: up to 64 values
at fixed places, the extremes and the number of finite values, all to the bit. Places depend on the size
alone: all of a tensor of up to 64 values, else ``i * (size - 1) // 63`` for i in 0..63 in C order. What is
stored for good keeps every seventh of the 64 (:func:`thinned`).

The extremes of floats are found among their bit patterns as integers. IEEE 754 orders the values of one sign
as it orders their patterns, and puts infinities and NaNs behind the finite ones, so two integer reductions
give both extremes and tell whether anything is not finite. That is as fast as reducing the floats (and far
faster for float16), is the same for bfloat16 and float8, which NumPy cannot reduce, and no rounding mode,
flush-to-zero setting or thread count can change it. A zero extreme is +0.0, whichever zeros there are.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from repro.digest.array import little_endian
from repro.schema import Frozen

SKETCH_PLACES = 64
THIN_STEP = 7  # 63 = 9 * 7: the first and the last place stay

_CHUNK_BYTES = 1 << 20  # the second reduction finds a chunk of this size in the cache
_FIRST = 1024
_least, _greatest = np.minimum.reduce, np.maximum.reduce


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


class Extremes(NamedTuple):
    """The extremes of all values' bit patterns as integers.

    Attributes:
        least, greatest: as unsigned ones.
        lowest, highest: as signed ones.
    """

    least: int
    greatest: int
    lowest: int
    highest: int


class _Format(NamedTuple):
    """A binary float.

    A value's *rank* is its magnitude's bits with its sign: ranks are ordered as the values are, and both zeros
    have rank 0.

    Attributes:
        sign: the sign bit, alone.
        not_finite: the rank from which on nothing is finite.
        unsigned, signed: integers of its size.
        negative_zero_is_nan: whether the pattern of the sign bit alone is the only NaN.
    """

    sign: int
    not_finite: int
    unsigned: np.dtype
    signed: np.dtype
    negative_zero_is_nan: bool

    def rank(self, pattern: int) -> int:
        return pattern if pattern < self.sign else self.sign - pattern

    def ranks(self, greatest: int, least: Callable[[], int], highest: Callable[[], int]) -> tuple[int, int]:
        """Return the ranks of the extremes, NaNs and infinities included, from those of the patterns.

        Args:
            greatest: of the patterns as unsigned numbers.
            least: gives the least of these; asked for where it is needed.
            highest: gives the greatest as signed numbers; likewise.
        """
        # As unsigned numbers all negative values are above all others, the farther from zero the higher.
        if greatest < self.sign:
            return least(), greatest
        # As signed numbers the others are above; where there are none, the least unsigned is nearest to zero.
        high = highest()
        return self.rank(greatest), high if high >= 0 else self.rank(least())

    def encoded(self, rank: int) -> str:
        pattern = rank if rank >= 0 else self.sign - rank
        return _encoded(pattern.to_bytes(self.unsigned.itemsize, "little"))


def _float(size: int, not_finite: int, *, sign: int | None = None, negative_zero_is_nan: bool = False) -> _Format:
    sign = 1 << (8 * size - 1) if sign is None else sign
    return _Format(sign, not_finite, np.dtype(f"<u{size}"), np.dtype(f"<i{size}"), negative_zero_is_nan)


_FORMATS = {
    "float16": _float(2, 0x7C00),
    "bfloat16": _float(2, 0x7F80),
    "float32": _float(4, 0x7F80_0000),
    "float64": _float(8, 0x7FF0_0000_0000_0000),
    "float8_e3m4": _float(1, 0x70),
    "float8_e4m3": _float(1, 0x78),
    "float8_e4m3fn": _float(1, 0x7F),
    "float8_e5m2": _float(1, 0x7C),
    "float8_e4m3fnuz": _float(1, 0x80, negative_zero_is_nan=True),
    "float8_e4m3b11fnuz": _float(1, 0x80, negative_zero_is_nan=True),
    "float8_e5m2fnuz": _float(1, 0x80, negative_zero_is_nan=True),
    "float8_e8m0fnu": _float(1, 0xFF, sign=1 << 8),  # powers of two: without a sign bit, so it is above the eight
}


def sketch_values(values: np.ndarray, dtype: str, extremes: Extremes | None = None) -> Sketch:
    """Return the sketch of an array under the dtype name it is to have; see :func:`repro.digest.as_array`.

    Args:
        values: of any shape.
        dtype: the name.
        extremes: of the patterns of all values, where they are known.
    """
    flat = little_endian(values).reshape(-1)
    sample = flat if flat.size <= SKETCH_PLACES else flat[sampled_places(flat.size)]
    low, high, finite = _extremes(flat, dtype, extremes)
    return Sketch(values=_encoded(sample.tobytes()), minimum=low, maximum=high, finite=finite)


def thinned(sketch: Sketch, size: int) -> Sketch:
    """Return a sketch of a tensor of ``size`` values with every seventh of its 64 places; of fewer places, itself."""
    if size < SKETCH_PLACES:
        return sketch
    data = np.frombuffer(a2b_base64(sketch.values), np.uint8)
    return sketch.model_copy(update={"values": _encoded(data.reshape(SKETCH_PLACES, -1)[::THIN_STEP].tobytes())})


@lru_cache(maxsize=1024)
def sampled_places(size: int) -> np.ndarray:
    """Return the places, in C order, of the values that a sketch keeps of ``size`` values."""
    return np.arange(size) if size <= SKETCH_PLACES else np.arange(SKETCH_PLACES) * (size - 1) // (SKETCH_PLACES - 1)


def _encoded(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii")


def _extremes(flat: np.ndarray, dtype: str, known: Extremes | None) -> tuple[str | None, str | None, int]:
    """Return minimum and maximum as a sketch has them, and the number of finite values."""
    form = _FORMATS.get(dtype)
    if form is not None:
        low, high, finite = _known_extremes(flat.size, form, known) or _float_extremes(flat.view(form.unsigned), form)
        return (form.encoded(low), form.encoded(high), finite) if finite else (None, None, 0)
    if flat.dtype.kind == "c":
        return None, None, int(np.count_nonzero(np.isfinite(flat)))
    if not flat.size:
        return None, None, 0
    signed = flat.dtype.kind == "i"
    if known is None:
        extremes = int(_least(flat)), int(_greatest(flat))
    else:
        extremes = (known.lowest, known.highest) if signed else (known.least, known.greatest)
    least, greatest = (_encoded(one.to_bytes(flat.itemsize, "little", signed=signed)) for one in extremes)
    return least, greatest, flat.size


def _known_extremes(size: int, form: _Format, known: Extremes | None) -> tuple[int, int, int] | None:
    """Return what :func:`_float_extremes` does, from the extremes of the patterns; None where they do not tell."""
    if known is None or form.negative_zero_is_nan:
        return None
    low, high = form.ranks(known.greatest, lambda: known.least, lambda: known.highest)
    return (low, high, size) if max(high, -low) < form.not_finite else None


def _float_extremes(bits: np.ndarray, form: _Format) -> tuple[int, int, int]:
    """Return the least and the greatest rank among the finite values, and their number.

    Args:
        bits: patterns, 1-D, unsigned.
        form: what they stand for.
    """
    low, high, finite = form.not_finite, -form.not_finite, 0
    step = _CHUNK_BYTES // bits.itemsize
    for start in range(0, bits.size, step):
        chunk = bits[start : start + step]
        if form.negative_zero_is_nan:
            chunk = chunk[chunk != form.sign]
        ranks = _ranks(chunk, form)
        if ranks and max(ranks[1], -ranks[0]) >= form.not_finite:
            chunk = chunk[(chunk & form.unsigned.type(form.sign - 1)) < form.not_finite]
            ranks = _ranks(chunk, form)
        finite += chunk.size
        if ranks:
            low, high = min(low, ranks[0]), max(high, ranks[1])
    return low, high, finite


def _ranks(bits: np.ndarray, form: _Format) -> tuple[int, int] | None:
    """Return the ranks of the extremes, NaNs and infinities included; ``None`` of nothing."""
    if not bits.size:
        return None
    return form.ranks(int(_greatest(bits)), lambda: _least_of(bits), lambda: int(_greatest(bits.view(form.signed))))


def _least_of(bits: np.ndarray) -> int:
    # Nothing lies below a zero, and what comes out of a rectifier soon has one.
    found = bits.size > _FIRST and not _least(bits[:_FIRST])
    return 0 if found else int(_least(bits))
