"""Digest and extremes of a tensor in one pass, on the threads that computed it.

Between two layers a tensor lies in the cache, PyTorch's threads are awake and those of another pool are not: BLAKE3's
own threads cost more than they save there. Where a C compiler and AVX-512 are, ``scan.c`` hashes on PyTorch's threads
and finds the extremes on the way. Elsewhere, and for small tensors, the ``blake3`` package and NumPy give the same.
"""

from __future__ import annotations

import ctypes
import os
import struct
from functools import cache
from pathlib import Path

import numpy as np
from blake3 import blake3

from repro.digest.array import tensor_header
from repro.trace.sketch import Extremes
from repro.trace.trace import digest_alone

_SOURCE = Path(__file__).with_name("scan.c")
_FLAGS = ("-mprefer-vector-width=512", "-fno-tree-reassoc", "-fno-schedule-insns2")
"""Whole registers; and operations in the order of the source, which keeps four independent chains going."""

_ARGUMENTS = (
    *(ctypes.c_char_p, ctypes.c_int64),  # header
    *(ctypes.c_void_p, ctypes.c_int64, ctypes.c_int),  # values, bytes, bytes of one
    *(ctypes.c_char_p, ctypes.c_char_p),  # digest, extremes
)
_LEAST_BYTES = 1 << 17
_DIGEST_BYTES = 32
_EXTREMES = struct.Struct("=QQqq")
_COMPARED_BYTES = (1, 2, 4, 8)
_KNOWN = np.arange(100_003, dtype=np.uint32) * np.uint32(2_654_435_761)


def scanned(values: np.ndarray, dtype: str) -> tuple[str, Extremes | None]:
    """Return the digest of an array, and the extremes of its bit patterns where they were found on the way.

    Args:
        values: contiguous, as :func:`repro.digest.array.little_endian` gives them.
        dtype: the name that it is to have.

    Raises:
        MemoryError: there is none for a large tensor's tree of digests.
        RuntimeError: the compiled kernel computes other digests than BLAKE3.
    """
    kernel = _kernel() if values.nbytes >= _LEAST_BYTES else None
    return digest_alone(values, dtype) if kernel is None else _scanned(kernel, values, dtype)


def _scanned(kernel: ctypes.CDLL, values: np.ndarray, dtype: str) -> tuple[str, Extremes | None]:
    header = tensor_header(dtype, values.shape)
    digest, extremes = ctypes.create_string_buffer(_DIGEST_BYTES), ctypes.create_string_buffer(_EXTREMES.size)
    compared = values.itemsize if values.itemsize in _COMPARED_BYTES else 0
    if kernel.scan(header, len(header), values.ctypes.data, values.nbytes, compared, digest, extremes):
        raise MemoryError(f"no memory to digest a tensor of {values.nbytes} bytes")
    return digest.raw.hex(), Extremes(*_EXTREMES.unpack(extremes.raw)) if compared else None


@cache
def _kernel() -> ctypes.CDLL | None:
    from repro.canonical.compiled import compiled, instruction_set  # all of canonical comes with it: not at the start

    if os.environ.get("REPRO_TRACE_KERNEL") == "off" or instruction_set() != "AVX512":
        return None
    kernel = compiled(_SOURCE, _FLAGS)
    if kernel is not None:
        kernel.scan.argtypes = _ARGUMENTS
        digest, _ = _scanned(kernel, _KNOWN, "uint32")
        expected = blake3(tensor_header("uint32", _KNOWN.shape) + _KNOWN.tobytes()).hexdigest()
        if digest != expected:
            raise RuntimeError(
                f"{_SOURCE.name}, as this machine's C compiler compiles it, does not compute BLAKE3: of {len(_KNOWN)} "
                f"known values it should be {expected}, but is {digest}. "
                "Set CC to another compiler, or REPRO_TRACE_KERNEL=off."
            )
    return kernel
