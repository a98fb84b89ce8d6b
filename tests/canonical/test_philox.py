"""Philox gives the published answers, and what is drawn depends on its counter alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.canonical import philox

# The three lines "philox4x32 10" of Random123's tests/kat_vectors: counter, key, answer.
KNOWN_ANSWERS = """
00000000 00000000 00000000 00000000 00000000 00000000 6627e8d5 e169c58d bc57ac4c 9b00dbd8
ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff 408f276d 41c83b0e a20bc7c6 6d5451fd
243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0 d16cfe09 94fdcceb 5001e420 24126ea1
"""


@pytest.mark.parametrize("line", KNOWN_ANSWERS.strip().splitlines())
def test_known_answers(line: str) -> None:
    given_words = [int(word, 16) for word in line.split()]
    c0, c1, c2, c3 = (np.array([word], dtype=np.uint64) for word in given_words[:4])
    answer = philox.philox4x32((c0, c1, c2, c3), (given_words[4], given_words[5]))
    assert answer.tolist() == [given_words[6:]]


def plain(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10 as the paper writes it, in Python's integers."""
    for _ in range(10):
        first, second = counter[0] * 0xD2511F53, counter[2] * 0xCD9E8D57
        counter = [(second >> 32) ^ counter[1] ^ key[0], second % 2**32, (first >> 32) ^ counter[3] ^ key[1]]
        counter.append(first % 2**32)
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    return counter


@given(
    seed=st.integers(0, 2**64 - 1),
    sample=st.integers(0, 2**32 - 1),
    ordinal=st.integers(0, 2**32 - 1),
    step=st.integers(0, 2**32 - 1),
    place=st.integers(0, 40),
)
@settings(max_examples=50)
def test_each_element_takes_the_word_of_its_counter(
    seed: int, sample: int, ordinal: int, step: int, place: int
) -> None:
    drawn = philox.words(seed, [7, sample], (41,), ordinal=ordinal, step=step)
    expected = plain([place // 4, sample, ordinal, step], [seed % 2**32, seed >> 32])[place % 4]
    assert int(drawn[1, place]) == expected


def test_a_sample_draws_the_same_in_any_batch() -> None:
    whole = philox.words(5, range(40, 50), (3, 7), ordinal=2, step=9)
    order = torch.tensor([47, 41, 49])
    assert torch.equal(philox.words(5, order, (3, 7), ordinal=2, step=9), whole[order - 40])
    assert philox.words(5, range(3), (), ordinal=0, step=0).shape == (3,)
    assert philox.words(5, [], (4,), ordinal=0, step=0).shape == (0, 4)
    assert philox.words(5, [1, 2], (0,), ordinal=0, step=0).shape == (2, 0)


@pytest.mark.parametrize(
    ("seed", "sample", "ordinal", "step", "what"),
    [
        (2**64, 0, 0, 0, "seed"),
        (-1, 0, 0, 0, "seed"),
        (0, 2**32, 0, 0, "sample"),
        (0, -1, 0, 0, "sample"),
        (0, 0, 2**32, 0, "ordinal"),
        (0, 0, 0, -1, "step"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(seed: int, sample: int, ordinal: int, step: int, what: str) -> None:
    with pytest.raises(OverflowError, match=what):
        philox.words(seed, [sample], (2,), ordinal=ordinal, step=step)


def test_bernoulli_and_uniform_take_their_share() -> None:
    drawn = philox.words(1, range(100), (1000,), ordinal=0, step=0)
    share = float(philox.bernoulli(drawn, 0.3).double().mean())
    assert abs(share - 0.3) < 5 * math.sqrt(0.3 * 0.7 / 1e5)
    assert bool(philox.bernoulli(drawn, 1.0).all())
    assert not bool(philox.bernoulli(drawn, 0.0).any())
    u = philox.uniform(drawn)
    assert u.dtype == torch.float32
    assert float(u.min()) >= 0
    assert float(u.max()) < 1
    assert torch.equal(u.double() * 2**24, (drawn >> 8).double())
    with pytest.raises(ValueError, match="probability"):
        philox.bernoulli(drawn, 1.5)


def test_normal_numbers_are_normal_and_keep_their_bounds() -> None:
    n = 100_000
    x = philox.normal(3, (n,), ordinal=0, step=0).double()
    assert abs(float(x.mean())) < 5 / math.sqrt(n)
    assert abs(float((x * x).mean()) - 1) < 5 * math.sqrt(2 / n)
    for limit in (-1.0, 0.0, 0.5, 2.0):
        p = 0.5 * math.erfc(-limit / math.sqrt(2))
        assert abs(float((x <= limit).double().mean()) - p) < 5 * math.sqrt(p * (1 - p) / n)
    cut = philox.normal(3, (n,), ordinal=0, step=0, low=-1, high=2)
    assert float(cut.min()) >= -1
    assert float(cut.max()) <= 2
    kept = (x >= -1) & (x <= 2)
    assert torch.equal(cut[kept].double(), x[kept])  # only the others are drawn again
    for low, high in ((1, 1), (9, 10)):
        with pytest.raises(ValueError, match="no normal numbers"):
            philox.normal(3, (1,), ordinal=0, step=0, low=low, high=high)


def test_a_permutation_holds_every_place_once() -> None:
    order = philox.permutation(8, 5000, epoch=0)
    assert torch.equal(order.sort().values, torch.arange(5000))
    assert not torch.equal(order, philox.permutation(8, 5000, epoch=1))
    first = torch.stack([philox.permutation(3, 4, epoch=epoch) for epoch in range(600)])
    counts = torch.stack([(first == value).sum(0) for value in range(4)])
    assert int(counts.min()) > 96
    assert int(counts.max()) < 204
    assert philox.permutation(1, 0, epoch=0).tolist() == []
