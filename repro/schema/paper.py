"""A paper's own check: a program of the authors that is run as they wrote it, and the number that it compares with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from repro.schema.base import Frozen


class Published(Frozen):
    """The number that the authors' program compares with, and where it can come out.

    Attributes:
        profile: name of the profile class that it was computed on.
        tensor: the trace's tensor that holds it: a float32 scalar.
        bits: its pattern, eight hexadecimal digits.
        printed: as their code has it.
        passes, fails: what their program then says.
        software: profile fields that decide whether the number can come out at all, whatever the hardware.
        otherwise: why it cannot where one of those differs; a sentence without its end.
        defect: id of the defect that says so.
    """

    profile: str
    tensor: str
    bits: str
    printed: str
    passes: str
    fails: str
    software: tuple[str, ...]
    otherwise: str
    defect: str


class PaperCheck(Frozen):
    """What ``check-rep --protocol paper`` runs for a system.

    Attributes:
        title: what it is, for people.
        model: the model that it trains.
        run: ``(task, run) -> dict``: runs a :class:`PaperTask`, tracing into a :class:`repro.trace.ResumableRun`;
            returns plain data that the record keeps. Named ``module:function``, in the model's framework.
        preparation: the file preparation that it reads.
        weights: id of the artifact that it starts from; keyed weights where that file is not in the cache.
        split: what it validates on.
        settings: seeds, optimiser, batch and whatever else fixes it; part of every record.
        keeps, mends: ids of defects.
        published: what it compares with.
    """

    title: str
    model: str
    run: str
    preparation: str
    weights: str
    split: str
    settings: dict[str, Any]
    keeps: tuple[str, ...] = ()
    mends: tuple[str, ...] = ()
    published: Published


@dataclass(frozen=True)
class PaperTask:
    """What the program is given.

    Attributes:
        settings: of the check.
        tree: folder of the preparation's files.
        weights: the file to start from, or ``None`` for keyed weights.
        images: all images of the data set, uint8 (n, height, width), mapped.
        labels: (n,).
        rows: of the split that it validates on.
        steps: how many steps to run; all, and the validation after them, where ``None``.
    """

    settings: dict[str, Any]
    tree: Path
    weights: Path | None
    images: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    steps: int | None
