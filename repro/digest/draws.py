"""Random draws that follow from a name alone: no generator's state, no library's version, no order of calls.

The name says what is drawn for which run, epoch and image, e.g. ``order/7/epoch 3``. Its BLAKE3 output stream is
read as little-endian 64-bit words; a uniform number is a word's upper 53 bits.
"""

from __future__ import annotations

import numpy as np
from blake3 import blake3

_CONTEXT = b"repro-draws/1\n"


def words(name: str, count: int) -> np.ndarray:
    """Return ``count`` random words, uint64."""
    return np.frombuffer(blake3(_CONTEXT + name.encode()).digest(8 * count), "<u8")


def uniforms(name: str, count: int) -> np.ndarray:
    """Return ``count`` uniform numbers in [0, 1), float64, multiples of 2**-53."""
    drawn: np.ndarray = (words(name, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return drawn


def permutation(name: str, count: int) -> np.ndarray:
    """Return a random order of 0 .. count-1, int64: the places of ``count`` words in ascending order."""
    return np.argsort(words(name, count), kind="stable").astype(np.int64)


def seed_of(name: str) -> int:
    """Return a seed below 2**63, for a framework's own generator."""
    return int(words(name, 1)[0] >> np.uint64(1))
