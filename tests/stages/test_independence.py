"""No digest, record or report depends on the order of work, the folder it ran in, locale or time zone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipelines.deep_emotion.model_torch import build
from tests.command import Place

_ELSEWHERE = {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "77"}


@pytest.mark.slow
def test_two_places_two_orders_one_result(tmp_path: Path) -> None:
    torch.manual_seed(0)
    checkpoint = tmp_path / "model.pt"
    torch.save(build().state_dict(), checkpoint)
    check = ("check-rep", "--system", "deep-emotion")
    evaluation = ("eval", "--system", "deep-emotion", "--checkpoint", str(checkpoint), "--split", "validation")
    here, elsewhere = Place(tmp_path / "here"), Place(tmp_path / "a long way" / "elsewhere ü")
    for arguments in (check, evaluation, ("report",)):
        assert here.run(*arguments).code == 0
    for arguments in (evaluation, check, ("report",)):
        assert elsewhere.run(*arguments, **_ELSEWHERE).code == 0
    assert here.records() == elsewhere.records()
    for name in ("report.json", "report.md", "report.xml", "report.html"):
        one, other = (place.results / "report" / name for place in (here, elsewhere))
        assert one.read_bytes() == other.read_bytes(), name
