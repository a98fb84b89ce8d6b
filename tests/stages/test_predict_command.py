"""Pictures are classified as the same images are in a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.common.faces import embedded
from tests.command import Place
from tests.stages.test_evaluate_command import checkpoint  # noqa: F401  # a fixture

CALL = ("predict", "--system", "deep-emotion", "--json")


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    paths = []
    for number, face in enumerate(embedded().images[:2]):
        paths.append(str(tmp_path / f"face{number}.png"))
        Image.fromarray(face).save(paths[-1])
    large = tmp_path / "large.png"
    Image.fromarray(np.repeat(np.repeat(embedded().images[0], 4, 0), 4, 1)).convert("RGB").save(large)
    return [*paths, str(large)]


def test_pictures_are_classified(tmp_path: Path, pictures: list[str], checkpoint: Path) -> None:  # noqa: F811
    ended = Place(tmp_path).run(*CALL, "--checkpoint", str(checkpoint), *pictures)
    assert ended.code == 0, ended.err
    found = ended.data()["predictions"]
    assert [one["picture"] for one in found] == ["face0.png", "face1.png", "large.png"]
    for one in found:
        assert sum(one["scores"].values()) == pytest.approx(1, abs=1e-5)
        assert one["label"] == max(one["scores"], key=one["scores"].get)
    assert found[0]["scores"] != found[1]["scores"]
    assert str(tmp_path) not in ended.out


def test_what_is_no_picture_is_told_before_anything_starts(tmp_path: Path, checkpoint: Path) -> None:  # noqa: F811
    place = Place(tmp_path)
    ended = place.run(*CALL, "--checkpoint", str(checkpoint), "none.png")
    assert ended.code == 3
    assert "no picture at none.png" in ended.err
    (tmp_path / "text.png").write_text("no image")
    ended = place.run(*CALL, "--checkpoint", str(checkpoint), "text.png")
    assert ended.code == 3
    assert "text.png: not a readable image" in ended.err
    ended = place.run(*CALL, "--checkpoint", "none.pt", "text.png")
    assert ended.code == 3
    assert "no checkpoint at none.pt" in ended.err
