"""Random numbers by counters: Philox4x32-10 in integer arithmetic, on the host.

A draw has no state. The key is the 64-bit seed, and the counter's four words are

    (i // 4, sample, ordinal, step)

with i the element's place within its sample, the sample's number in the data set, the ordinal of the random operation
in its step, and the step's number. Element i takes word i mod 4 of the result. So what is drawn for a sample depends
neither on the batch it stands in nor on threads, devices or how a batch is split.

From a word w: ``w < round(p * 2**32)`` is one with probability p; ``(w >> 8) * 2**-24`` is uniform in [0, 1).

Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC11, 2011).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from repro.canonical import functions

Integers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

ROUNDS = 10
WORD = 2**32
_MASK = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_BLOCK = 2**14  # counters at a time: the words of a round stay in cache


def philox4x32(counter: tuple[Words, Words, Words, Words], key: tuple[int, int]) -> Words:
    """Return Philox4x32-10 of counters under a key.

    Args:
        counter: four arrays of 32-bit words of one shape.
        key: two 32-bit words.

    Returns:
        uint64 words below 2**32: the counters' shape and a last axis of 4.
    """
    c0, c1, c2, c3 = counter
    for number in range(ROUNDS):
        k0, k1 = (np.uint64((word + number * weyl) % WORD) for word, weyl in zip(key, _WEYL, strict=True))
        first, second = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c2 = (second >> _HALF) ^ c1 ^ k0, (first >> _HALF) ^ c3 ^ k1
        c1, c3 = second & _MASK, first & _MASK
    return np.stack((c0, c1, c2, c3), axis=-1)


def words(seed: int, samples: Tensor | Sequence[int], each: Sequence[int], *, ordinal: int, step: int) -> Tensor:
    """Return one word for every element of every sample.

    Args:
        seed: 64 bits.
        samples: int64 (N,), the samples' numbers, each below 2**32.
        each: the shape of a sample.
        ordinal: which random operation of the step.
        step: the step's number.

    Returns:
        int64 (N, *each) in [0, 2**32), on the CPU.

    Raises:
        OverflowError: a number does not fit its counter word, or the seed 64 bits.
    """
    numbers = np.asarray(samples.cpu() if isinstance(samples, Tensor) else samples, dtype=np.int64).reshape(-1)
    elements = math.prod(each)
    blocks = -(-elements // 4)
    place = np.arange(len(numbers) * blocks, dtype=np.int64)
    drawn = _drawn(seed, place % max(blocks, 1), numbers[place // max(blocks, 1)], ordinal, step)
    taken = drawn.reshape(len(numbers), blocks * 4)[:, :elements]
    return torch.from_numpy(taken.astype(np.int64)).reshape(len(numbers), *each)


def _drawn(seed: int, block: Integers, sample: Integers, ordinal: int, step: int) -> Words:
    """Return the four words of every pair of block and sample, (N, 4)."""
    if not 0 <= seed < 2**64:
        raise OverflowError(f"the seed {seed} does not fit 64 bits")
    for what, values in (("block", block), ("sample", sample), ("ordinal", [ordinal]), ("step", [step])):
        for value in (np.min(values, initial=0), np.max(values, initial=0)):
            if not 0 <= value < WORD:
                raise OverflowError(f"the {what} {value} does not fit its 32 bits of the counter")
    key = (seed % WORD, seed // WORD)
    found = np.empty((len(block), 4), dtype=np.uint64)
    for start in range(0, len(block), _BLOCK):
        first = block[start : start + _BLOCK].astype(np.uint64)
        second = sample[start : start + _BLOCK].astype(np.uint64)
        rest = np.full_like(first, ordinal), np.full_like(first, step)
        found[start : start + _BLOCK] = philox4x32((first, second, *rest), key)
    return found


def bernoulli(drawn: Tensor, p: float) -> Tensor:
    """Return which words mean one, with probability p: w < round(p * 2**32); bool."""
    if not 0 <= p <= 1:
        raise ValueError(f"a probability of {p}")
    return drawn < round(p * WORD)


def uniform(drawn: Tensor) -> Tensor:
    """Return multiples of 2**-24 in [0, 1), float32."""
    return (drawn >> 8).float() * 2.0**-24


def normal(
    seed: int, shape: Sequence[int], *, ordinal: int, step: int, low: float = -math.inf, high: float = math.inf
) -> Tensor:
    """Return standard normal numbers by Marsaglia's polar method, drawn again until they lie in [low, high].

    An attempt is a counter (i // 2, attempt, ordinal, step), of which element i takes words 2 (i mod 2) and the next:
    u, v = (w >> 8) * 2**-23 - 1, s = RN32(u*u + v*v); where 0 < s < 1 it gives
    RN32(u * F_sqrt(RN32(-2 F_log(s) / s))).

    Args:
        seed: 64 bits.
        shape: of the result.
        ordinal: which random operation of the step; the step's other operations must have others.
        step: the step's number.
        low: the least number taken.
        high: the greatest number taken.

    Returns:
        float32 of ``shape``, on the CPU.

    Raises:
        ValueError: the interval is empty or so far out that nothing in it is drawn.
    """
    if not low < high or low > 5 or high < -5:
        raise ValueError(f"no normal numbers are drawn from [{low}, {high}]")
    elements = math.prod(shape)
    result = torch.empty(elements)
    left = np.arange(elements)
    attempt = 0
    while len(left):
        drawn = _drawn(seed, left // 2, np.full_like(left, attempt), ordinal, step).reshape(-1, 2, 2)
        pair = torch.from_numpy(drawn[np.arange(len(left)), left % 2].astype(np.int64))
        u, v = ((pair >> 8).double() * 2.0**-23 - 1.0).unbind(1)
        s = (u * u + v * v).float()
        value = u.float() * functions.sqrt((functions.log(s) * -2.0) / s)
        taken = (s > 0) & (s < 1) & (value >= low) & (value <= high)
        result[torch.from_numpy(left)[taken]] = value[taken]
        left = left[~taken.numpy()]
        attempt += 1
    return result.reshape(tuple(shape))


def permutation(seed: int, length: int, *, epoch: int) -> Tensor:
    """Return 0 ... length - 1 in random order: the places sorted by 64 random bits each.

    The bits are words 0 and 1 of block 0 of sample i, with the ordinal 2**32 - 1, which no operation of a step reaches,
    and the epoch as the step.

    Returns:
        int64 (length,), on the CPU.
    """
    pair = words(seed, range(length), (2,), ordinal=WORD - 1, step=epoch).numpy().astype(np.uint64)
    return torch.from_numpy(np.argsort(pair[:, 0] << _HALF | pair[:, 1], kind="stable"))
