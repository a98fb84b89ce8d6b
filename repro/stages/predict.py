"""``repro predict``: what a checkpoint says of pictures that a user has. Nothing is judged, so nothing is recorded."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from repro.errors import MissingFile, UsageError
from repro.hardware.caps import parse_caps
from repro.registry import find_model, resolve
from repro.schema import Device, Frozen
from repro.stages.call import REFERENCE_THREADS, SEED
from repro.stages.child import run_child
from repro.stages.stacks import find_stack


class Prediction(Frozen):
    """What a model says of one picture.

    Attributes:
        picture: the file's own name.
        label: the class of the highest score, the first of several.
        scores: by class, in the system's order.
    """

    picture: str
    label: str
    scores: dict[str, float]


def predict(
    model: str,
    pictures: Sequence[Path],
    *,
    checkpoint: Path,
    protocol: str = "corrected",
    isa: str | None = None,
    device: Device = "cpu",
) -> list[Prediction]:
    """Classify pictures with a published checkpoint, each prepared as the protocol prepares an image.

    Args:
        model: ``system/model``.
        pictures: image files, each of one face.
        checkpoint: a file in the system's published format.
        protocol: name that the system declares. Where it is random, its first seed is taken.
        isa: cap on the instruction set, see :mod:`repro.hardware.caps`.
        device: ``cpu`` or ``cuda``.

    Raises:
        UnknownName, UsageError: the call is wrong.
        MissingFile, MissingStack, BadInput, BadCheckpoint: what is needed is not there or not sound.
    """
    system, found = find_model(model)
    chosen = system.protocol_of(found, protocol)
    if system.picture is None:
        raise UsageError(f"{system.title} does not say how it reads a picture")
    if not pictures:
        raise UsageError("no picture to classify", next_step="give the paths of image files")
    if not checkpoint.exists():
        raise MissingFile(f"no checkpoint at {checkpoint}", next_step="give --checkpoint a downloaded file")
    environment, caps = find_stack(found.stack), parse_caps(isa, REFERENCE_THREADS)
    read = resolve(system.picture)
    with tempfile.TemporaryDirectory(prefix="repro-predict-") as name:
        folder = Path(name) / "child"
        folder.mkdir()
        for number, picture in enumerate(pictures):
            np.save(folder / f"picture-{number}.npy", read(picture), allow_pickle=False)
        task = {
            "task": "predict",
            "framework": found.framework,
            "model": model,
            "protocol": chosen.name,
            "checkpoint": str(checkpoint.resolve()),
            "pictures": len(pictures),
            "device": device,
            "seed": chosen.seeds[0] if chosen.seeds else SEED,
        }
        run_child(environment, task, caps, folder)
        scores = np.load(folder / "scores.npy", allow_pickle=False)
    classes = system.classes_of(found)[: scores.shape[1]]  # a checkpoint may have fewer outputs than are published
    return [
        Prediction(
            picture=picture.name,
            label=classes[int(row.argmax())],
            scores={label: float(score) for label, score in zip(classes, row, strict=True)},
        )
        for picture, row in zip(pictures, scores, strict=True)
    ]
