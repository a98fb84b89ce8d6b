from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import transforms

from pipelines.common.checkpoint_torch import load_checkpoint as load
from pipelines.deep_emotion.model_torch import build
from pipelines.deep_emotion.predict_torch import diagnose, predict
from pipelines.deep_emotion.protocol import prepare, summarise
from pipelines.deep_emotion.system import SYSTEM
from repro.errors import BadCheckpoint, MissingFile
from repro.schema import Samples
from repro.trace.keyed import keyed_image, keyed_tensor

PUBLISHED, CORRECTED = SYSTEM.protocol("as-published"), SYSTEM.protocol("corrected")


def _keyed(salt: str) -> torch.nn.Module:
    model = build().eval()
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.from_numpy(keyed_tensor(name, tuple(value.shape), salt, "oihw")))
    return model


def test_contract(shared: Path) -> None:
    contract = json.loads((shared / "contracts" / "deep-emotion.json").read_text())["deep-emotion/deep_emotion"]
    model = _keyed(contract["salt"])
    assert {name: list(value.shape) for name, value in model.state_dict().items()} == contract["state_dict"]
    assert sum(parameter.numel() for parameter in model.parameters()) == contract["parameters"]
    declared = SYSTEM.model("deep_emotion")
    image = keyed_image(tuple(contract["input_shape"]), contract["salt"]).astype(np.float64)
    with torch.no_grad():
        output = model.double()(torch.from_numpy(image * declared.contract_scale + declared.contract_shift))
    assert np.abs(output.numpy() - np.array(contract["output"])).max() < 1e-9


def test_preparation_is_what_torchvision_does() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 48, 48), dtype=np.uint8)
    samples = Samples(np.arange(4), np.arange(4), seed=0)
    published = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    expected = torch.stack([published(image[..., None]) for image in images]).numpy()
    np.testing.assert_array_equal(
        prepare(images, CORRECTED.settings, samples).view(np.uint32), expected.view(np.uint32)
    )
    assert not np.array_equal(prepare(images, PUBLISHED.settings, samples), expected), "JPEG moves pixels"


def test_dropout_stays_on_as_published_and_off_when_corrected() -> None:
    model = _keyed("dropout")
    inputs = torch.from_numpy(keyed_image((3, 1, 48, 48), "dropout"))
    assert not torch.equal(predict(model, inputs, PUBLISHED.settings), predict(model, inputs, PUBLISHED.settings))
    assert torch.equal(predict(model, inputs, CORRECTED.settings), predict(model, inputs, CORRECTED.settings))


def test_the_transformer_starts_as_the_identity() -> None:
    model, image = build().eval(), torch.rand(2, 1, 48, 48)
    assert torch.equal(model.theta(image), torch.tensor([[1.0, 0, 0], [0, 1, 0]]).expand(2, 2, 3))
    assert diagnose(model, image)["theta_spread"] == 0.0
    torch.testing.assert_close(model.crop(image, model.theta(image)), image)


def test_the_published_formula_favours_the_last_batch() -> None:
    labels = np.zeros(69, dtype=np.int64)
    scores = np.zeros((69, 7), dtype=np.float32)
    scores[:, 1] = 1  # all wrong
    told = summarise(scores, labels, PUBLISHED)
    assert told["published_mean"] == pytest.approx((0 + 1 - 5 / 64) / 2)
    assert told["printed"] == "46"
    assert summarise(scores, labels, CORRECTED) == {}


@pytest.mark.parametrize("which", ["a", "b"])
def test_published_checkpoints_load(shared: Path, which: str) -> None:
    path = shared / "data" / "checkpoints" / f"deep_emotion-100-128-0.005.{which}.pt"
    model = build()
    load(model, path)
    state = torch.load(path, map_location="cpu", weights_only=True)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_bad_checkpoints_are_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        load(build(), tmp_path / "none.pt")
    state = build().state_dict()
    before = {name: value.clone() for name, value in state.items()}
    model = build()
    untouched = {name: value.clone() for name, value in model.state_dict().items()}
    wrong = {**before, "conv1.weight": torch.zeros(10, 3, 3, 3), "extra": torch.zeros(1)}
    del wrong["fc2.bias"]
    torch.save(wrong, tmp_path / "wrong.pt")
    told = r"3 of 25 tensors.*fc2.bias is missing.*extra is unexpected.*\(10, 3, 3, 3\)"
    with pytest.raises(BadCheckpoint, match=told):
        load(model, tmp_path / "wrong.pt")
    assert all(torch.equal(value, untouched[name]) for name, value in model.state_dict().items())
    torch.save(before, tmp_path / "cut.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "cut.pt").read_bytes()[:1000])
    with pytest.raises(BadCheckpoint):
        load(model, tmp_path / "cut.pt")


class _Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("harm-was-done"),))  # type: ignore[return-value]


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1.weight": _Harmful()}, tmp_path / "harmful.pt")
    with pytest.raises(BadCheckpoint, match="asks to call"):
        load(build(), tmp_path / "harmful.pt")
    assert not (tmp_path / "harm-was-done").exists()
