"""Checkpoints are data: what is inside is read or refused, never run."""

from __future__ import annotations

import os
import pickle
import sys
import types
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pipelines.common.checkpoint_torch import load_checkpoint, read_checkpoint
from repro.errors import BadCheckpoint, MissingFile, UnfitCheckpoint


class _Net(nn.Module):
    def __init__(self, outputs: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)
        self.fc = nn.Linear(2, outputs)


def _state(outputs: int = 3) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {name: value.clone() for name, value in _Net(outputs).state_dict().items()}


def _save(content: Any, path: Path, *, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def _loads(path: Path) -> dict[str, Any]:
    model = _Net()
    told = load_checkpoint(model, path)
    assert all(torch.equal(value, _state()[name]) for name, value in model.state_dict().items())
    return told


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> types.ModuleType:
    """A module as a training script is one: its classes are gone before the checkpoint is read."""
    module = types.ModuleType("training_script")
    source = """
class RecorderMeter:
    made = 0
    def __init__(self, epochs): self.__setstate__({"epochs": epochs})
    def __setstate__(self, state): RecorderMeter.made += 1; self.__dict__.update(state)
class Settings(dict): pass
class History(list): pass
"""
    exec(source, module.__dict__)
    monkeypatch.setitem(sys.modules, "training_script", module)
    return module


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("wrap", "told"),
    [
        (lambda state: state, {}),
        (lambda state: {"net": state, "best_val_acc": 71.5}, {"wrapper": "net", "beside": {"best_val_acc": 71.5}}),
        (
            lambda state: {"state_dict": {f"module.{name}": value for name, value in state.items()}, "epoch": 3},
            {"wrapper": "state_dict", "beside": {"epoch": 3}, "prefix": "module."},
        ),
        (lambda state: {f"_orig_mod.module.{n}": v for n, v in state.items()}, {"prefix": "_orig_mod.module."}),
        (lambda state: {"ema": state, "arch": "x"}, {"wrapper": "ema", "beside": {"arch": "x"}}),
    ],
)
def test_wrappers_and_prefixes_are_stripped_by_rule(tmp_path: Path, wrap: Any, told: Any, zipped: bool) -> None:
    assert _loads(_save(wrap(_state()), tmp_path / "a.pth", zipped=zipped)) == told


def test_a_prefix_of_some_names_alone_is_part_of_the_names(tmp_path: Path) -> None:
    state = {**_state(), "module.extra": torch.zeros(1)}
    with pytest.raises(UnfitCheckpoint, match=r"module\.extra is unexpected"):
        load_checkpoint(_Net(), _save(state, tmp_path / "a.pth"))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
def test_objects_of_the_training_script_are_read_as_data(
    tmp_path: Path, foreign: Any, zipped: bool, protocol: int
) -> None:
    recorder = foreign.RecorderMeter(200)
    recorder.losses = np.zeros((2, 2), np.float32)
    optimizer = torch.optim.Adam(_Net().parameters())
    content = {
        "epoch": 7,
        "best_acc": torch.tensor(92.21),
        "exact": np.float64(92.25),
        "broken": float("nan"),
        "state_dict": OrderedDict((f"module.{name}", value) for name, value in _state().items()),
        "optimizer": optimizer.state_dict(),
        "recorder": recorder,
        "settings": foreign.Settings(a=1),
        "history": foreign.History([1, 2]),
        "counts": defaultdict(int, {"a": 1}),
        "bytes": b"\x00\xff",
    }
    path = tmp_path / "model.pth"
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    foreign.RecorderMeter.made = 0
    told = _loads(path)
    assert foreign.RecorderMeter.made == 0, "the script's class was constructed"
    assert told["beside"] == {
        "epoch": 7,
        "best_acc": float(np.float32(92.21)),
        "exact": 92.25,
        "broken": "nan",
        "optimizer": "an optimiser's state",
        "recorder": "an object of training_script.RecorderMeter, not read",
        "settings": "an object of training_script.Settings, not read",
        "history": "an object of training_script.History, not read",
        "counts": "a dict of 1",
        "bytes": "a bytes",
    }


def test_the_scripts_module_is_not_even_imported(tmp_path: Path, foreign: Any) -> None:
    path = _save({"state_dict": _state(), "recorder": foreign.RecorderMeter(1)}, tmp_path / "a.pth")
    del sys.modules["training_script"]
    _loads(path)
    assert "training_script" not in sys.modules


class _Calls:
    def __init__(self, function: Any, *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.args


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("call", "named"),
    [
        (_Calls(os.system, "touch harm-was-done"), "posix.system"),
        (_Calls(eval, "open('harm-was-done', 'w')"), "builtins.eval"),
        (_Calls(os.makedirs, "harm-was-done"), "os.makedirs"),
        (_Calls(torch.load, "harm-was-done"), "torch.serialization.load"),
        (_Calls(Path, "harm-was-done"), "pathlib.Path"),
        (_Calls(getattr, "a", "upper"), "builtins.getattr"),
    ],
)
def test_a_pickle_that_runs_code_runs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: _Calls, named: str, zipped: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    path = _save({"state_dict": _state(), "recorder": call}, tmp_path / "harmful.pth", zipped=zipped)
    with pytest.raises(BadCheckpoint, match=rf"harmful.pth.*asks to call {named}.*nothing was called"):
        load_checkpoint(_Net(), path)
    assert [path.name for path in tmp_path.iterdir()] == ["harmful.pth"]


@pytest.mark.parametrize(
    "attack",
    [
        # The attributes of a known function, of torch's dtypes and of a stand-in's class are not written.
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x08\x00\x00\x00__name__K\x01sb.",
        b"\x80\x02cos\nsystem\n}X\x08\x00\x00\x00__init__K\x01sb.",
        b"ios\nsystem\n(Vtouch harm\ntR.",
        b"(S'touch harm'\nios\nsystem\n.",
        b"\x80\x02(cos\nsystem\nX\x0a\x00\x00\x00touch harmo.",
        b"\x80\x02ccopy_reg\n_reconstructor\n(cbuiltins\ndict\nK\x00Nt\x52.",
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86R.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x00)))tR.",
        b"\x82\x01.",
    ],
)
def test_a_crafted_pickle_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "crafted.pth"
    header = b"".join(pickle.dumps(part, 2) for part in (torch.serialization.MAGIC_NUMBER, 1001, {}))
    path.write_bytes(header + attack + pickle.dumps([], 2))
    name = torch._utils._rebuild_tensor_v2.__name__
    with pytest.raises(BadCheckpoint, match=r"crafted\.pth"):
        load_checkpoint(_Net(), path)
    assert torch._utils._rebuild_tensor_v2.__name__ == name
    assert [path.name for path in tmp_path.iterdir()] == ["crafted.pth"]


def test_archives_that_torch_would_run_or_unpack_are_refused(tmp_path: Path) -> None:
    import tarfile

    scripted = tmp_path / "scripted.pt"
    torch.jit.script(nn.Linear(1, 1)).save(str(scripted))
    with pytest.raises(BadCheckpoint, match="TorchScript"):
        read_checkpoint(scripted)
    (tmp_path / "storages").write_bytes(b"x")
    with tarfile.open(tmp_path / "old.tar", "w") as archive:
        archive.add(tmp_path / "storages", "storages")
    with pytest.raises(BadCheckpoint, match="tar"):
        read_checkpoint(tmp_path / "old.tar")


@pytest.mark.parametrize("zipped", [True, False])
@given(data=st.data())
def test_any_cut_is_an_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, zipped: bool) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = _save({"net": _state()}, folder / f"whole-{zipped}.pth", zipped=zipped).read_bytes()
    cut = folder / "cut.pth"
    cut.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(BadCheckpoint):
        load_checkpoint(_Net(), cut)


def test_what_does_not_fit_is_listed_and_the_model_unchanged(tmp_path: Path) -> None:
    state = {**_state(), "fc.weight": torch.zeros(4, 2), "fc.extra": torch.zeros(1)}
    state["conv.bias"] = state["conv.bias"].half()
    del state["norm.running_var"], state["norm.bias"]
    model = _Net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(UnfitCheckpoint) as raised:
        load_checkpoint(model, _save(state, tmp_path / "wrong.pth"))
    for told in (
        "5 of 9 tensors do not fit _Net",
        "norm.bias is missing",
        "norm.running_var is missing",
        "fc.extra is unexpected",
        "fc.weight has shape (4, 2), expected (3, 2)",
        "conv.bias is torch.float16, expected torch.float32",
    ):
        assert told in raised.value.message
    assert raised.value.shapes["fc.weight"] == (4, 2)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none_are_named(tmp_path: Path, value: float) -> None:
    state = _state()
    state["fc.weight"][1, 0] = value
    with pytest.raises(BadCheckpoint, match=r"1 of 9 tensors.*fc\.weight in 1 places, first at \[1, 0\]"):
        load_checkpoint(_Net(), _save(state, tmp_path / "nan.pth"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"a": _state(), "b": _state()}, r"'a', 'b' could each be one"),
        ({"epoch": 1}, r"found 'epoch': a int"),
        ([1, 2], r"found a list of 2"),
        ({}, r"expected named tensors"),
        ({"state": {}, "param_groups": []}, "holds an optimiser's state and no state dict"),
    ],
)
def test_what_holds_no_weights_is_told(tmp_path: Path, content: Any, told: str) -> None:
    with pytest.raises(BadCheckpoint, match=told):
        load_checkpoint(_Net(), _save(content, tmp_path / "a.pth"))


@pytest.mark.parametrize(
    ("start", "told"),
    [(b"\x89HDF\r\n\x1a\n", "HDF5"), (b"<!DOCTYPE html>", "web page"), (b"", "cut off"), (b"hello", "damaged")],
)
def test_other_files_are_recognised(tmp_path: Path, start: bytes, told: str) -> None:
    (tmp_path / "a.pth").write_bytes(start)
    with pytest.raises(BadCheckpoint, match=told):
        read_checkpoint(tmp_path / "a.pth")
    with pytest.raises(MissingFile):
        read_checkpoint(tmp_path / "none.pth")


def test_a_whole_pickled_model_is_not_constructed(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"found an object of tests\.common\.test_checkpoint\._Net|_Net"):
        read_checkpoint(_save(_Net(), tmp_path / "whole.pth"))


def test_tensors_keep_views_dtypes_and_parameters(tmp_path: Path) -> None:
    base = torch.arange(12, dtype=torch.float32)
    state = {
        "view": base[2:8].reshape(2, 3).t(),
        "half": torch.ones(2, dtype=torch.bfloat16),
        "parameter": nn.Parameter(torch.full((2,), 3.0)),
        "count": torch.tensor(5),
    }
    path = tmp_path / "a.pth"
    torch.save({"net": state, "who": _StateOnly()}, path)
    read = read_checkpoint(path).state
    assert all(torch.equal(read[name], value) and read[name].dtype == value.dtype for name, value in state.items())


class _StateOnly:
    def __init__(self) -> None:
        self.a = 1
