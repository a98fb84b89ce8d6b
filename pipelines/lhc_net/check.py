"""LHC-Net's own replicability check (``check_rep.py``), declared."""

from __future__ import annotations

from repro.schema import PaperCheck, Published

CHECK = PaperCheck(
    title="one epoch of ResNet34v2 from ImageNet weights, then the loss on PublicTest",
    model="resnet34v2",
    run="pipelines.lhc_net.check_tensorflow:run",
    preparation="lhc-net/training-images",
    weights="lhc-net-backbone-resnet34-no-top",
    split="validation",
    settings={
        "seeds": {"tensorflow": 5678, "python": 9101112, "numpy": 131415},
        "generator": {"rotation_range": 30, "horizontal_flip": True},
        "batch": 48,
        "learning_rate": 1e-4,
        "validation_batch": 32,
    },
    keeps=("L-CHECK", "L-ORDER", "L-RNG", "L-SKEW", "L-VERSIONS"),
    mends=("L-DET", "L-MEM", "L-PARTIAL"),
    published=Published(
        profile="lhc-net-authors",
        tensor="validation/loss",
        bits="3f8a7dcc",
        printed="1.081964015960693359375",
        passes="their check says that the results can be replicated on this machine",
        fails="their check says that the GPU should be changed",
        software=("framework.name", "framework.version", "python"),
        otherwise="another Keras draws other weights for the layers without a seed, shuffles the batches otherwise and "
        "turns the images the other way, so their number cannot come out of this stack on any GPU",
        defect="L-VERSIONS",
    ),
)
