"""The ImageNet rows: heads of 1000, torchvision's validation transforms, an evaluation of a folder of classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import v2

from pipelines.common.image_folders import read_images
from pipelines.rmn.protocol import prepare
from pipelines.rmn.system import SYSTEM
from repro.errors import BadInput, UnknownName
from repro.registry import resolve
from repro.schema import Samples, settings_of
from repro.stages.evaluate import evaluate

MODELS = [model for model in SYSTEM.models if model.dataset is not None]
PARAMETERS = {
    "imagenet_resnet34": 21_797_672,  # torchvision's table
    "imagenet_cbam_resnet34": 21_960_468,  # pytorchcv's own test
    "imagenet_resmasking": 137_796_423 + 993 * 513,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_heads_have_a_thousand_outputs(name: str) -> None:
    with torch.device("meta"):
        network: nn.Module = resolve(SYSTEM.model(name).build)()
        assert network.eval()(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("shape", [(300, 500, 3), (513, 257, 3), (256, 256), (100, 60, 3)])
def test_preparation_is_torchvisions(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(7).integers(0, 256, shape, np.uint8)
    usual = v2.Compose([v2.Resize(256), v2.CenterCrop(224), v2.PILToTensor()])
    pixels = usual(Image.fromarray(image).convert("RGB")).numpy().astype(np.float32) / np.float32(255)
    mean, deviation = (
        np.array(three, np.float32)[:, None, None] for three in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    )
    settings = settings_of(SYSTEM.protocol("imagenet"), MODELS[0])
    inputs = prepare([image], settings, Samples(np.zeros(1, np.int64), np.zeros(1, np.int64), 0))  # type: ignore[arg-type]
    assert inputs.shape == (1, 3, 224, 224)
    assert np.array_equal(inputs[0], (pixels - mean) / deviation)


def test_models_have_the_protocols_of_their_data_alone() -> None:
    assert [one.name for one in SYSTEM.protocols_of(MODELS[0])] == ["imagenet"]
    assert SYSTEM.probe_protocol_of(MODELS[0]).name == "imagenet"
    resnet = SYSTEM.model("resnet34")
    assert "imagenet" not in [one.name for one in SYSTEM.protocols_of(resnet)]
    assert SYSTEM.probe_protocol_of(resnet).name == "plain"
    with pytest.raises(UnknownName, match="protocol of resnet34"):
        SYSTEM.protocol_of(resnet, "imagenet")


def _folder(root: Path, classes: int) -> Path:
    """Make a folder val of tiny pictures, one in each class, named as ImageNet's are."""
    for number in range(classes):
        path = root / "val" / f"n{10_000_000 + number:08d}" / f"ILSVRC2012_val_{number + 1:08d}.JPEG"
        path.parent.mkdir(parents=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)).save(path)
    return root


def test_labels_of_a_thousand_classes(tmp_path: Path) -> None:
    read = read_images(_folder(tmp_path, 1000))
    assert read.labels.dtype == np.uint16
    assert read.labels.tolist() == list(range(1000))
    assert len(read.edition) < 400


def test_a_folder_of_fewer_classes_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pth"
    checkpoint.write_bytes(b"never read")
    with pytest.raises(BadInput, match=r"3 classes .* answers 1000"):
        evaluate(
            "rmn/imagenet_resnet34",
            checkpoint=checkpoint,
            data=str(_folder(tmp_path / "data", 3)),
            split="imagenet-validation",
            protocol="imagenet",
            results=tmp_path / "results",
        )


@pytest.mark.slow
def test_top_1_and_top_5_of_a_checkpoint_as_published(tmp_path: Path) -> None:
    """A checkpoint saved through DataParallel, whose head is biased so that five classes always win."""
    torch.manual_seed(0)
    network = resolve(SYSTEM.model("imagenet_resnet34").build)()
    nn.init.zeros_(network.fc.weight)
    network.fc.bias.data = -torch.arange(1000.0)
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    checkpoint = tmp_path / "resmaskingnet_89.pth"
    torch.save({"epoch": 90, "arch": "resnet34", "state_dict": state, "best_acc1": torch.tensor(72.59)}, checkpoint)
    record = evaluate(
        "rmn/imagenet_resnet34",
        checkpoint=checkpoint,
        data=str(_folder(tmp_path / "data", 1000)),
        split="imagenet-validation",
        protocol="imagenet",
        results=tmp_path / "results",
    )
    assert (record.result["correct"], record.result["top5_correct"], record.result["n"]) == (1, 5, 1000)
    assert record.result["confusion"] == []
    assert record.result["means"]["recall"] == pytest.approx(1 / 1000)
