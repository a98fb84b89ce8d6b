"""Philox4x32-10: random numbers that are a function of seed and place (Salmon et al., 2011), in integers.

Counter words: (block of four elements in the sample, sample, ordinal of the random operation in the step, step). Key:
the 64-bit seed. So what is drawn for a sample depends neither on the batch around it nor on threads or devices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

_ROUNDS = 10
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_WORDS = 4


def philox(counter: Sequence[np.ndarray | int], seed: int) -> np.ndarray:
    """Return the four output words of every counter.

    Args:
        counter: four words that broadcast to one shape, each below 2**32.
        seed: 64 bits.

    Returns:
        uint32 (..., 4).

    Raises:
        ValueError: a word or the seed is out of range.
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed {seed} is not within 64 bits")
    words = [np.asarray(word) for word in counter]
    for word in words:
        if word.size and not (int(word.min()) >= 0 and int(word.max()) < 2**32):
            raise ValueError(f"a counter word is not within 32 bits: {int(word.min())} to {int(word.max())}")
    a, b, c, d = np.broadcast_arrays(*(word.astype(np.uint64) for word in words))
    key = [np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)]
    for number in range(_ROUNDS):
        if number:
            key = [(each + step) & _LOW for each, step in zip(key, _WEYL, strict=True)]
        first, second = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = (second >> _HALF) ^ b ^ key[0], second & _LOW, (first >> _HALF) ^ d ^ key[1], first & _LOW
    return np.stack([a, b, c, d], axis=-1).astype(np.uint32)


def words(seed: int, samples: Tensor, shape: Sequence[int], *, ordinal: int, step: int) -> Tensor:
    """Return 32-bit words for the elements of every sample: element i takes word i mod 4 of block i // 4.

    Args:
        seed: the key.
        samples: int64 (N,), each sample's number.
        shape: of one sample.
        ordinal: of the random operation in the step.
        step: of the training.

    Returns:
        int64 (N, *shape), each in [0, 2**32).
    """
    count = math.prod(shape)
    blocks = np.arange(-(-count // _WORDS))
    drawn = philox([blocks, samples.cpu().numpy()[:, None], ordinal, step], seed)
    flat = drawn.reshape(len(samples), -1)[:, :count].astype(np.int64)
    return torch.from_numpy(flat).reshape(len(samples), *shape)


def permutation(count: int, seed: int, *, epoch: int) -> Tensor:
    """Return an order of ``count`` samples: sorted by a 64-bit draw each, ties by number. int64 (count,)."""
    drawn = philox([0, np.arange(count), 0xFFFFFFFF, epoch], seed).astype(np.uint64)
    order = np.argsort((drawn[:, 0] << _HALF) | drawn[:, 1], kind="stable")
    return torch.from_numpy(order.astype(np.int64))
