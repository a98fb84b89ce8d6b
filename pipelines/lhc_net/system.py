"""LHC-Net: what it is, how it is evaluated, where its code is, in TensorFlow and as a PyTorch port."""

from __future__ import annotations

from typing import Any

from pipelines.lhc_net.check import CHECK
from pipelines.lhc_net.etl import CATEGORIES
from pipelines.lhc_net.protocol import PASSES
from pipelines.lhc_net.recipe import (
    BACKBONE,
    BACKBONE_RECIPES,
    CONTROLLER,
    CONTROLLER_RECIPES,
    LHC_RECIPES,
    MODULAR,
)
from repro.schema import Model, Protocol, Recipe, Split, System

_MENDED = ("L-PARTIAL", "L-MEM", "L-IMPORT", "L-STATE", "L-DET", "L-BLIND", "L-STACK")


def _tensorflow(name: str, title: str, recipe: dict[str, Any], recipes: tuple[Recipe, ...]) -> Model:
    return Model(
        name=name,
        title=title,
        framework="tensorflow",
        stack="tensorflow",
        build=f"pipelines.lhc_net.model_tensorflow:{name}",
        load="pipelines.lhc_net.weights_tensorflow:load",
        predict="pipelines.lhc_net.predict_tensorflow:predict",
        straight="pipelines.lhc_net.straight_tensorflow:evaluate",
        training="pipelines.lhc_net.train_tensorflow:training",
        training_settings=recipe,
        recipes=recipes,
        trainer="pipelines.lhc_net.retrain_tensorflow:LHCTrainer",
        start="pipelines.lhc_net.retrain_tensorflow:start",
        save="pipelines.lhc_net.retrain_tensorflow:save",
        keyed="pipelines.lhc_net.weights_tensorflow:fill_keyed",
        variables="pipelines.lhc_net.weights_tensorflow:variables",
        settings={"layout": "NHWC"},
        input_shape=(224, 224, 3),
        num_classes=7,
        probe_batch=2,
        probe_steps=1,
        probe_memory=1240,
        contract_scale=255.0,
        contract_grey=2,
    )


def _port(name: str, title: str, recipe: dict[str, Any]) -> Model:
    return Model(
        name=f"{name}_torch",
        title=f"{title}, PyTorch port",
        framework="torch",
        stack="torch",
        build=f"pipelines.lhc_net.model_torch:{name}",
        load="pipelines.lhc_net.weights_torch:load",
        predict="pipelines.lhc_net.predict_torch:predict",
        training="pipelines.lhc_net.train_torch:training",
        training_settings=recipe,
        keyed="pipelines.lhc_net.weights_torch:fill_keyed",
        settings={"layout": "NCHW"},
        input_shape=(3, 224, 224),
        num_classes=7,
        probe_batch=2,
        probe_steps=1,
        probe_memory=1300,
        contract_scale=255.0,
        contract_grey=0,
    )


_MODELS = (
    ("resnet34v2", "ResNet34v2", BACKBONE, BACKBONE_RECIPES),
    ("lhc_net", "LHC-Net", MODULAR, LHC_RECIPES),
    ("lhc_net_controller", "LHC-NetC", CONTROLLER, CONTROLLER_RECIPES),
)

SYSTEM = System(
    name="lhc-net",
    title="LHC-Net",
    paper="Pecoraro, Basile, Bono: Local Multi-Head Channel Self-Attention for Facial Expression Recognition, "
    "arXiv:2111.07224; Bodhis4ttva/LHC_Net at 4223798",
    licence="none stated in the repository",
    package="pipelines.lhc_net",
    classes=CATEGORIES,
    models=(*(_tensorflow(*one) for one in _MODELS), *(_port(*one[:3]) for one in _MODELS)),
    splits=(
        Split(name="training", usages=("Training",), description="Training, the published data_train.csv"),
        Split(name="validation", usages=("PublicTest",), description="PublicTest, the published data_val.csv"),
        Split(name="test", usages=("PrivateTest",), description="PrivateTest, the published data_test.csv"),
    ),
    protocols=(
        Protocol(
            name="as-published",
            description="60 passes of weight 62 through tensorflow-addons, plain passes at batches of 32, views at 128",
            keeps=("L-TTA", "L-SKEW"),
            mends=_MENDED,
            batch=128,
            settings={"augmentation": "tensorflow-addons", "passes": PASSES},
        ),
        Protocol(
            name="corrected",
            description="the same 60 passes through TensorFlow's own operations, exact count",
            keeps=("L-SKEW",),
            mends=(*_MENDED, "L-TTA"),
            batch=128,
            settings={"augmentation": "tensorflow", "passes": PASSES},
        ),
        Protocol(
            name="plain",
            description="one pass over the image itself at batches of 32, as the published scripts print beside it",
            keeps=("L-SKEW",),
            mends=_MENDED,
            batch=32,
            settings={"augmentation": None},
        ),
    ),
    check=CHECK,
    benchmarked=("lhc_net", "lhc_net_torch"),
    benchmark_settings={"passes": 3},
    dataset="pipelines.common.containers:read_container",
    embedded="pipelines.common.faces:embedded",
    picture="pipelines.common.picture:grey",
    prepare="pipelines.lhc_net.protocol:prepare",
    augment="pipelines.lhc_net.augment:augment",
    summarise="pipelines.lhc_net.protocol:summarise",
    meaning="pipelines.common.emotions:emotion",
    probe_protocol="plain",
    probe_images=4,
)
