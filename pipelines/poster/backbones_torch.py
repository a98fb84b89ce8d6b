"""Load the pretrained backbones that POSTER V2's training starts from, in full or not at all (defect P-SILENT)."""

from __future__ import annotations

from pathlib import Path

from pipelines.common.checkpoint_torch import load_strictly, read_checkpoint
from pipelines.poster.model_torch import PosterV2
from repro.errors import UnfitCheckpoint

IR50_PARTS = ("input_layer.", "body1.", "body2.", "body3.")
"""What the image stream runs. Files from elsewhere name their stages ``body.N`` and are refused."""


def load_backbones(model: PosterV2, mobilefacenet: Path, ir50: Path) -> None:
    """Load both backbones.

    Args:
        model: changed in place.
        mobilefacenet: all its names, strictly.
        ir50: every tensor of :data:`IR50_PARTS`; what else it holds (a fourth stage, a head) is left out, and the
            model's own unused head stays as it is.

    Raises:
        MissingFile, BadCheckpoint: a file is not there, not sound, or lacks a tensor.
    """
    faces = read_checkpoint(mobilefacenet)
    load_strictly(model.face_landback, faces.state, faces.source)
    images = read_checkpoint(ir50)
    wanted = {name for name in model.ir_back.state_dict() if name.startswith(IR50_PARTS)}
    kept = {name: value for name, value in images.state.items() if name in wanted}
    if len(kept) < len(wanted):
        raise UnfitCheckpoint(
            f"{images.source}: {len(wanted) - len(kept)} of {len(wanted)} tensors of the image stream are missing, the "
            f"first is {min(wanted - kept.keys())}",
            shapes={name: tuple(value.shape) for name, value in images.state.items()},
            next_step="give the ir50.pth that the authors link; files from elsewhere name their stages differently",
        )
    unused = {name: value for name, value in model.ir_back.state_dict().items() if name not in wanted}
    load_strictly(model.ir_back, {**unused, **kept}, images.source)
