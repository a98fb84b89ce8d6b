"""The Residual Masking Network's benchmark: what it is, how it is evaluated, where its code is."""

from __future__ import annotations

from typing import Any

from pipelines.common.dataset import CLASSES
from pipelines.rmn.recipe import CENTRE_LOSS, IMAGENET, IMAGENET_RECIPES, RECIPE, recipes
from repro.schema import Ensemble, Model, Protocol, Split, System

_MENDED = ("R-PRETRAIN", "R-SEARCH", "R-META", "R-SHARED", "R-SIDE", "R-NONDET", "R-VEMO")
_KEPT = ("R-TRANSFORM", "R-TTASIZE")
_WITHOUT_VIEWS = {"views": 0, "stream": "one", "decimals": None, "after": [], "shorter_side": None}


def _model(
    name: str,
    title: str,
    build: str = "",
    *,
    module: str = "benchmark_torch",
    recipe: dict[str, Any] = RECIPE,
    size: int = 224,
    steps: int = 1,
    memory: int,
) -> Model:
    return Model(
        name=name,
        title=title,
        framework="torch",
        stack="torch",
        build=f"pipelines.rmn.{module}:{build or name}",
        load="pipelines.rmn.weights_torch:load",
        predict="pipelines.rmn.predict_torch:predict",
        training="pipelines.rmn.train_torch:training",
        training_settings=recipe,
        recipes=recipes(name, recipe) if steps else (),
        trainer="pipelines.rmn.trainer_torch:BenchmarkTrainer",
        start="pipelines.rmn.trainer_torch:start",
        save="pipelines.rmn.trainer_torch:save",
        settings={"image_size": size, "model": name},
        input_shape=(3, size, size),
        num_classes=7,
        protocols=("as-published", "corrected", "as-published-10", "as-published-48", "plain"),
        probe_batch=2,
        probe_steps=steps,
        probe_memory=memory,
    )


def _imagenet(name: str, title: str, *, memory: int) -> Model:
    return _model(name, title, module="imagenet_torch", memory=memory).model_copy(
        update={
            "predict": "pipelines.rmn.imagenet_torch:predict",
            "answers": "logits",
            "recipes": IMAGENET_RECIPES,
            "trainer": "pipelines.rmn.trainer_torch:ImageNetTrainer",
            "save": "pipelines.rmn.trainer_torch:save_imagenet",
            "training_settings": IMAGENET,
            "num_classes": 1000,
            "classes": tuple(f"class {number}" for number in range(1000)),
            "dataset": "pipelines.common.image_folders:read_images",
            "protocols": ("imagenet",),
        }
    )


def _protocol(
    name: str,
    description: str,
    *,
    keeps: tuple[str, ...] = (),
    mends: tuple[str, ...] = (),
    views: int,
    stream: str = "one",
    decimals: int | None = None,
    batch: int = 1,
    seeds: tuple[int, ...] = (1234,),
) -> Protocol:
    return Protocol(
        name=name,
        description=description,
        keeps=(*_KEPT, *keeps) if views else _KEPT[:1],
        mends=(*_MENDED, *mends),
        batch=batch,
        seeds=seeds,
        settings={**_WITHOUT_VIEWS, "views": views, "stream": stream, "decimals": decimals},
    )


SYSTEM = System(
    name="rmn",
    title="Residual Masking Network",
    paper="Pham, Vu, Tran: Facial Expression Recognition using Residual Masking Network, ICPR 2020; "
    "phamquiluan/ResidualMaskingNetwork at 9141618",
    licence="MIT",
    package="pipelines.rmn",
    classes=CLASSES,
    models=(
        _model("vgg19", "VGG19", memory=2210),
        _model("efficientnet_b2b", "EfficientNet-B2b", memory=1320),
        _model("googlenet", "GoogLeNet", memory=1100),
        _model("resnet34", "ResNet34", memory=1190),
        # Its auxiliary head cannot be trained at 224 (R-INCEPTION).
        _model("inception_v3", "Inception-v3", steps=0, memory=1130),
        _model("inception_v3_299", "Inception-v3 at the size it was trained at", "inception_v3", size=299, memory=1240),
        _model("bam_resnet50", "BAM-ResNet50", memory=1260),
        _model("densenet121", "DenseNet121", memory=1280),
        _model("resnet152", "ResNet152", memory=1560),
        _model("cbam_resnet50", "CBAM-ResNet50", memory=1340),
        _model("resmasking_dropout1", "Residual Masking Network", module="model_torch", memory=1860),
        _model("resmasking", "Residual Masking Network without dropout", module="model_torch", memory=1850),
        _model("resmasking_dropout2", "Residual Masking Network, two linear layers", module="model_torch", memory=1840),
        _model("resnet18", "ResNet18", memory=1050),
        _model("resnet50", "ResNet50", memory=1210),
        _model("resnet101", "ResNet101", memory=1360),
        _model("resnet50_pretrained_vgg", "ResNet50 of VGGFace2", "build", module="vggface_torch", memory=1180),
        _model("resnet18_centerloss", "ResNet18 with centre loss", recipe=CENTRE_LOSS, memory=1040),
        _model("resattnet56", "ResAttNet56", memory=1580),
        _model("alexnet", "AlexNet", memory=1380),
        _imagenet("imagenet_resnet34", "ResNet34 on ImageNet", memory=1080),
        _imagenet("imagenet_cbam_resnet34", "CBAM-ResNet34 on ImageNet", memory=1130),
        _imagenet("imagenet_resmasking", "Residual Masking Network on ImageNet", memory=1990),
    ),
    ensembles=(
        Ensemble(
            name="seven",
            title="ResMaskingNet and six more, unweighted",
            combine="pipelines.rmn.protocol:ensemble",
            members=(
                "resnet18",
                "resnet50_pretrained_vgg",
                "resnet101",
                "cbam_resnet50",
                "efficientnet_b2b",
                "resmasking_dropout1",
                "resmasking",
            ),
        ),
    ),
    splits=(
        Split(name="training", usages=("Training",), description="Training, the published train.csv"),
        Split(name="validation", usages=("PublicTest",), description="PublicTest, the published val.csv"),
        Split(name="test", usages=("PrivateTest",), description="PrivateTest, the published test.csv"),
        Split(name="imagenet-training", usages=("train",), description="ImageNet's folder train"),
        Split(
            name="imagenet-validation",
            usages=("valid", "evaluated"),
            description="ImageNet's folder val, a folder of each class in it",
        ),
    ),
    protocols=(
        _protocol(
            "as-published",
            "8 random views from one stream for all images and models, sums stored with 4 decimals (gen_results.py)",
            keeps=("R-ORDER", "R-ROUND"),
            mends=("R-IMGAUG",),
            views=8,
            decimals=4,
        ),
        _protocol(
            "corrected",
            "8 random views from a stream of each image and model, nothing rounded",
            mends=("R-ORDER", "R-ROUND", "R-IMGAUG"),
            views=8,
            stream="per image",
            batch=8,
            seeds=(0, 1, 2),
        ),
        _protocol(
            "as-published-10",
            "10 random views from one stream (main_fer2013.py, at the end of training)",
            keeps=("R-ORDER",),
            mends=("R-IMGAUG", "R-ROUND"),
            views=10,
        ),
        _protocol(
            "as-published-48",
            "48 random views from one stream (the default of the data set's class)",
            keeps=("R-ORDER",),
            mends=("R-IMGAUG", "R-ROUND"),
            views=48,
        ),
        _protocol("plain", "the image itself, no view", mends=("R-TTASIZE",), views=0, batch=48, seeds=()),
        Protocol(
            name="imagenet",
            description="shorter side 256, the middle 224 x 224, normalised (legacy/main_imagenet.py)",
            keeps=("R-LINKS",),
            mends=("R-HEADS", "R-IMAGENET", "R-META", "R-SHARED", "R-NONDET"),
            batch=32,
            settings={**_WITHOUT_VIEWS, "shorter_side": 256},
        ),
    ),
    benchmarked=("resmasking_dropout1", "resnet18"),
    dataset="pipelines.common.containers:read_container",
    embedded="pipelines.common.faces:embedded",
    picture="pipelines.common.picture:grey",
    prepare="pipelines.rmn.protocol:prepare",
    augment="pipelines.rmn.augment:augment",
    draws="pipelines.rmn.views:draws",
    summarise="pipelines.rmn.protocol:summarise",
    meaning="pipelines.common.emotions:emotion",
    probe_protocol="plain",
    probe_images=4,
)
