"""Published checkpoints of POSTER V2: their shape, the file that is no model, the two heads of the student's."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pipelines.poster import recover_torch
from pipelines.poster.backbones_torch import load_backbones
from pipelines.poster.model_torch import PosterV2
from pipelines.poster.system import SYSTEM
from pipelines.poster.train_torch import Sam
from pipelines.poster.weights_torch import load, load_three, recovered_weights
from repro.errors import BadCheckpoint, UnfitCheckpoint
from repro.stages.checkpoint_torch import load_checkpoint, recognised


@pytest.fixture(scope="module")
def model() -> PosterV2:
    torch.manual_seed(0)
    return PosterV2(7)


@pytest.fixture(scope="module")
def published(model: PosterV2, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as the training script writes it: DataParallel's names, recorders of its own class."""
    module = types.ModuleType("posters_main")
    exec("class RecorderMeter:\n    def __init__(self): self.total_epoch = 200", module.__dict__)
    sys.modules["posters_main"] = module
    path = tmp_path_factory.mktemp("poster") / "model.pth"
    content = {
        "epoch": 159,
        "state_dict": nn.DataParallel(model).state_dict(),
        "best_acc": torch.tensor(92.21),
        "optimizer": {"state": {}, "param_groups": [{"lr": 3.5e-5, "params": [0]}]},
        "recorder1": module.RecorderMeter(),
    }
    torch.save(content, path)
    del sys.modules["posters_main"]
    return path


def _state(**changed: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return a state dict of the right shapes that takes no memory on disk to speak of: zeros, one storage."""
    with torch.device("meta"):
        shapes = PosterV2(7).state_dict()
    zero = {torch.float32: torch.zeros(()), torch.int64: torch.zeros((), dtype=torch.int64)}
    state = {name: zero[value.dtype].expand(value.shape) for name, value in shapes.items()}
    return {**state, **changed}


def test_a_published_file_loads_and_its_objects_are_told(model: PosterV2, published: Path) -> None:
    with torch.device("meta"):
        empty = PosterV2(7)
    other = empty.to_empty(device="cpu")
    told = load(other, published)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())
    assert told["prefix"] == "module."
    assert told["beside"]["recorder1"] == "an object of posters_main.RecorderMeter, not read"
    assert told["beside"]["best_acc"] == pytest.approx(92.21)


def test_the_students_head_has_seven_outputs_or_three(model: PosterV2, tmp_path: Path) -> None:
    torch.save({"state_dict": _state()}, tmp_path / "seven.pth")
    head = {"VIT.head.linear.weight": torch.ones(3, 768), "VIT.head.linear.bias": torch.zeros(3)}
    torch.save({"state_dict": _state(**head)}, tmp_path / "three.pth")
    with torch.device("meta"):
        student = PosterV2(7)
    student = student.to_empty(device="cpu")
    assert load_three(student, tmp_path / "three.pth")["outputs"] == 3
    assert student.VIT.head.linear.out_features == 3
    assert load_three(student, tmp_path / "seven.pth")["outputs"] == 7
    with pytest.raises(UnfitCheckpoint, match=r"VIT\.head\.linear\.bias has shape \(3,\), expected \(7,\)"):
        load(student, tmp_path / "three.pth")


def test_another_variant_is_named(tmp_path: Path) -> None:
    head = {"VIT.head.linear.weight": torch.zeros(8, 768), "VIT.head.linear.bias": torch.zeros(8)}
    torch.save({"state_dict": _state(**head)}, tmp_path / "eight.pth")
    with torch.device("meta"):
        seven = PosterV2(7)
    with pytest.raises(BadCheckpoint, match=r"this is poster/poster_v2_8cls, not poster/poster_v2_7cls"):
        load_checkpoint(SYSTEM, SYSTEM.model("poster_v2_7cls"), seven, tmp_path / "eight.pth")
    shapes = {name: tuple(value.shape) for name, value in _state().items()}
    assert recognised(shapes) == ["poster/poster_v2_7cls", "poster/poster_v2_3cls"]
    assert recognised({**shapes, "more": (1,)}) == []


class _Published(Sam):
    """Goes back as upstream does: the parameter becomes the kept copy, which Adam then steps in place."""

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.data = self.state[parameter]["old_p"]
        self.inner.step()


class _Small(nn.Module):
    """A toy with what POSTER has: trained, frozen and unused weights, batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(3, 3).requires_grad_(False)
        self.unused = nn.Linear(3, 3)
        self.norm = nn.BatchNorm1d(3)
        self.fc = nn.Linear(3, 2)


def test_what_the_best_file_holds_are_the_trained_weights() -> None:
    torch.manual_seed(0)
    net = _Small()
    optimizer = _Published(net.parameters(), torch.optim.Adam, 0.05, lr=0.1)
    for _ in range(2):
        for finish in (optimizer.climb, optimizer.step):
            optimizer.zero_grad()
            net.fc(net.norm(net.frozen(torch.randn(4, 3)))).pow(2).sum().backward()
            finish()
    state = {"state": optimizer.state_dict()["state"], "param_groups": optimizer.state_dict()["param_groups"]}
    found = recovered_weights(net, state, "best.pth")
    assert sorted(found) == ["fc.bias", "fc.weight", "norm.bias", "norm.weight"]
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in found.items())


def _best(model: nn.Module, path: Path) -> dict[str, torch.Tensor]:
    """Write a ``model_best`` of the trained parameters and return what it holds, by name."""
    named = list(model.named_parameters())
    reached = {
        number: (name, torch.full((1,), 0.5).expand(value.shape))
        for number, (name, value) in enumerate(named)
        if not name.startswith(("face_landback.", "VIT.CON1"))
    }
    state = {number: {"old_p": value} for number, (_, value) in reached.items()}
    torch.save({"state": state, "param_groups": [{"lr": 1e-5, "params": list(range(len(named)))}]}, path)
    return dict(reached.values())


def test_the_best_file_is_recognised_and_its_part_recovered(
    model: PosterV2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    held = _best(model, tmp_path / "best.pth")
    with pytest.raises(BadCheckpoint, match=rf"model_best: it holds only .* \(P-BEST\).* {len(held)} of 747 tensors"):
        load(model, tmp_path / "best.pth")
    monkeypatch.setattr(sys, "argv", ["recover", str(tmp_path / "best.pth"), str(tmp_path / "part.pth")])
    assert recover_torch.main() == 0
    assert f"partial: {len(held)} of 747 tensors" in capsys.readouterr().out
    with pytest.raises(UnfitCheckpoint, match=r"face_landback\.conv1\.conv\.weight is missing"):
        load(model, tmp_path / "part.pth")
    torch.save({"state_dict": _state()}, tmp_path / "model.pth")
    told = recover_torch.recover(tmp_path / "best.pth", tmp_path / "whole.pth", rest=tmp_path / "model.pth")
    assert told.endswith("a diagnostic, not the published model")
    with torch.device("meta"):
        whole = PosterV2(7)
    whole = whole.to_empty(device="cpu")
    assert load(whole, tmp_path / "whole.pth")["beside"]["partial"].startswith("partial: ")
    assert float(whole.VIT.head.linear.weight.detach().min()) == 0.5
    assert float(whole.face_landback.conv1.conv.weight.detach().abs().max()) == 0.0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"param_groups": [{"params": [0]}]}, "over 1 parameters"),
        ({"state": {}}, "nothing to recover"),
        ({"state": {5: {"old_p": torch.zeros(1, 2)}}}, r"copy of parameter 5 has shape \(1, 2\)"),
        ({"param_groups": 3}, "unknown form"),
    ],
)
def test_an_optimisers_state_of_something_else_is_told(change: dict[str, Any], told: str) -> None:
    with torch.device("meta"):
        model = PosterV2(7)
    numbers = list(range(len(list(model.parameters()))))
    with pytest.raises(BadCheckpoint, match=told):
        recovered_weights(model, {"state": {}, "param_groups": [{"params": numbers}], **change}, "best.pth")


def test_backbones_load_in_full_or_not_at_all(model: PosterV2, tmp_path: Path) -> None:
    faces = {name: torch.zeros(()).expand(value.shape) for name, value in model.face_landback.state_dict().items()}
    faces = {n: v.to(model.face_landback.state_dict()[n].dtype) for n, v in faces.items()}
    images = {name: value.clone() for name, value in model.ir_back.state_dict().items() if "output_layer" not in name}
    torch.save({"state_dict": faces}, tmp_path / "faces.pth")
    torch.save({**images, "body4.0.res_layer.0.weight": torch.ones(256)}, tmp_path / "images.pth")
    load_backbones(model, tmp_path / "faces.pth", tmp_path / "images.pth")
    torch.save({name.replace("body1.", "body.1."): value for name, value in images.items()}, tmp_path / "other.pth")
    with pytest.raises(UnfitCheckpoint, match=r"tensors of the image stream are missing, the first is body1\.0"):
        load_backbones(model, tmp_path / "faces.pth", tmp_path / "other.pth")
