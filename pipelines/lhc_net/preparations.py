"""What LHC-Net's scripts prepare, declared."""

from __future__ import annotations

from repro.schema import FilePreparation, TensorPreparation

_PACKAGE = "pipelines.lhc_net"
_DATASET = "pipelines.common.containers:read_container"
_EMBEDDED = "pipelines.common.faces:embedded"

PREPARATIONS = (
    FilePreparation(
        name="lhc-net/training-images",
        title="the JPEG tree that LHC-Net is trained on",
        package=_PACKAGE,
        dataset=_DATASET,
        embedded=_EMBEDDED,
        plan="pipelines.lhc_net.etl:training_files",
        encode="pipelines.lhc_net.etl:training_jpegs",
        versions="pipelines.common.grey_jpeg:grey_jpeg_versions",
        straight="pipelines.lhc_net.straight_tensorflow:write_tree",
    ),
    TensorPreparation(
        name="lhc-net/evaluation-tensors",
        title="the float tensors that LHC-Net is evaluated on",
        package=_PACKAGE,
        dataset=_DATASET,
        embedded=_EMBEDDED,
        usages=("PublicTest", "PrivateTest"),
        prepare="pipelines.lhc_net.etl:evaluation_inputs",
    ),
)
