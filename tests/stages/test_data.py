"""Decoded data on disk: labels are asked for by row, and a missing one is an error."""

from __future__ import annotations

import numpy as np
import pytest

from repro.errors import BadInput
from repro.stages.data import StoredData


def test_a_missing_label_is_no_class(tmp_path):
    np.save(tmp_path / "labels.npy", np.array([3, 0, 5, 0], np.uint8))
    np.save(tmp_path / "labelled.npy", np.array([True, False, True, True]))
    data = StoredData(tmp_path, "test.csv", ("Training",), "0" * 64)
    assert data.labels(np.array([2, 0, 3])).tolist() == [5, 3, 0]
    with pytest.raises(BadInput, match="1 of 2 rows have no label, the first is row 2"):
        data.labels(np.array([0, 1]))
