"""The tensor digest, written down a second time from its description: value by value, without NumPy's layouts."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from typing import Any

from blake3 import blake3

Encode = Callable[[Any], bytes]


def packed(code: str) -> Encode:
    """Return what writes one value little-endian, by its code in the ``struct`` module."""
    return lambda value: struct.pack(f"<{code}", value)


def bfloat16(value: Any) -> bytes:
    """Write a value that bfloat16 holds exactly: the upper half of its float32."""
    low, high = struct.unpack("<HH", struct.pack("<f", value))
    assert low == 0
    return struct.pack("<H", high)


def complex_of(code: str) -> Encode:
    return lambda value: struct.pack(f"<{code}{code}", value.real, value.imag)


ENCODERS: dict[str, Encode] = {
    "bool": packed("?"),
    "int8": packed("b"),
    "int16": packed("h"),
    "int32": packed("i"),
    "int64": packed("q"),
    "uint8": packed("B"),
    "uint16": packed("H"),
    "uint32": packed("I"),
    "uint64": packed("Q"),
    "float16": packed("e"),
    "float32": packed("f"),
    "float64": packed("d"),
    "complex64": complex_of("f"),
    "complex128": complex_of("d"),
    "bfloat16": bfloat16,
}


def reference_digest(dtype: str, shape: tuple[int, ...], value_at: Callable[[tuple[int, ...]], Any]) -> str:
    """Return the digest of a tensor whose value at an index is ``value_at(index)``."""
    encode = ENCODERS[dtype]
    values = b"".join(encode(value_at(index)) for index in itertools.product(*map(range, shape)))
    return reference_digest_of_bytes(dtype, shape, values)


def reference_digest_of_bytes(dtype: str, shape: tuple[int, ...], values: bytes) -> str:
    """Return the digest of a tensor whose values in C order are these little-endian bytes."""
    header = "repro-tensor/1\n" + dtype + "\n" + ",".join(str(extent) for extent in shape) + "\n"
    return blake3(header.encode("ascii") + values).hexdigest()
