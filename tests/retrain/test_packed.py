"""Nested state comes back as it was."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from repro.digest.draws import permutation, seed_of, uniforms, words
from repro.errors import BadInput
from repro.store.packed import load_packed, pack, save_packed, unpack

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.integers(0, 9) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(_TREES)
def test_plain_trees_come_back(tree: object) -> None:
    arrays, plain = pack(tree)
    assert arrays == {}
    assert repr(unpack(plain, {})) == repr(tree)


def test_an_optimisers_state_comes_back(tmp_path: Path) -> None:
    parameter = torch.nn.Parameter(torch.arange(3.0))
    optimizer = torch.optim.Adam([parameter], lr=0.1)
    parameter.grad = torch.ones(3)
    optimizer.step()
    arrays, plain = pack(optimizer.state_dict())
    save_packed(tmp_path / "state", arrays, {"plain": plain})
    stored, head = load_packed(tmp_path / "state")
    back = unpack(head["plain"], stored, torch.from_numpy)
    assert back["param_groups"] == optimizer.state_dict()["param_groups"]
    assert torch.equal(back["state"][0]["exp_avg"], optimizer.state_dict()["state"][0]["exp_avg"])
    assert float(back["state"][0]["step"]) == 1


def test_what_is_no_data_is_refused() -> None:
    with pytest.raises(TypeError):
        pack({"a": object()})
    with pytest.raises(TypeError, match="bfloat16"):
        pack({"a": torch.ones(1, dtype=torch.bfloat16)})


def test_a_file_cut_off_is_told(tmp_path: Path) -> None:
    save_packed(tmp_path / "state", {"a": np.arange(1000)}, {})
    (tmp_path / "state").write_bytes((tmp_path / "state").read_bytes()[:-30])
    with pytest.raises(BadInput):
        load_packed(tmp_path / "state")


@given(st.text(max_size=10), st.integers(0, 200))
def test_draws_follow_from_their_names(name: str, count: int) -> None:
    assert words(name, count).tolist() == words(name, count + 3)[:count].tolist()
    assert sorted(permutation(name, count).tolist()) == list(range(count))
    assert all(0 <= value < 1 for value in uniforms(name, count))
    assert 0 <= seed_of(name) < 2**63


def test_draws_are_what_they_were() -> None:
    assert permutation("order/0/0", 8).tolist() == permutation("order/0/0", 8).tolist()
    assert permutation("order/0/0", 64).tolist() != permutation("order/0/1", 64).tolist()
    assert math.isclose(float(uniforms("mean", 10000).mean()), 0.5, abs_tol=0.02)
