"""POSTER V2 evaluated on a folder of real images: twice, in fresh processes, to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.common.containers import read_container
from pipelines.poster.model_torch import PosterV2
from repro.stages.evaluate import evaluate

EACH = 1
RAF_DB_OF_FER2013 = (5, 2, 1, 3, 4, 0, 6)  # surprise, fear, disgust, happiness, sadness, anger, neutral


@pytest.fixture(scope="module")
def faces(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder laid out as RAF-DB, with photographs of FER2013's PrivateTest in the classes that they are of."""
    data = read_container(shared / "data" / "fer2013.csv.xz")
    root = tmp_path_factory.mktemp("faces") / "raf"
    for number, label in enumerate(RAF_DB_OF_FER2013, 1):
        rows = np.flatnonzero((data.labels == label) & (data.usages == 2))[:EACH]
        assert len(rows) == EACH
        for row in rows:
            path = root / "valid" / str(number) / f"test_{row:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(data.images[row]).save(path)
    return root


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "runs"), [("as-published", 1), ("student-as-published", 10)])
def test_twice_the_same(faces: Path, tmp_path: Path, protocol: str, runs: int) -> None:
    torch.manual_seed(0)
    checkpoint = tmp_path / "model.pth"
    state = {f"module.{name}": value for name, value in PosterV2(7).state_dict().items()}
    torch.save({"epoch": 1, "state_dict": state, "best_acc": torch.tensor(10.0)}, checkpoint)

    def run(name: str) -> dict[str, object]:
        record = evaluate(
            "poster/poster_v2_7cls",
            checkpoint=checkpoint,
            data=str(faces),
            split="validation",
            protocol=protocol,
            results=tmp_path / name,
        )
        return record.compared()

    first, second = run("first"), run("second")
    assert first == second
    result = first["result"]
    assert isinstance(result, dict)
    assert (result["n"], len(result["runs"])) == (7 * EACH, runs)
    assert "taken by their places" in result["labels"]
    assert [one["images"] for one in result["classes"]] == [EACH] * 7
    assert result["diagnosis"]["change_without_odd_rows_and_columns"] == 0.0
