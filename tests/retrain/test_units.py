"""How a batch is split into units, and units among processes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from repro.stages.training.gradients_torch import Units


@given(st.integers(1, 300), st.integers(2, 64), st.integers(1, 5))
def test_every_image_is_in_one_unit_and_none_is_alone(count: int, unit: int, processes: int) -> None:
    model = nn.Linear(1, 1)
    fed, sizes = [], []
    for rank in range(processes):
        units = Units(model, model.parameters, unit)
        units.rank, units.size = rank, processes
        fed += units.portion(count).tolist()
        sizes += [len(one) for one in units._units(count)]
    assert sorted(fed) == list(range(count))
    assert sum(sizes) == count
    assert max(sizes) <= unit
    assert min(sizes) >= min(2, count) or unit == 2
    assert len(sizes) == len(np.unique(np.arange(count) // unit)), "no more units than it takes"
