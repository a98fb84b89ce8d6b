"""Published numbers, and the known defects of the published code that touch them, as data."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from repro.schema.base import Frozen

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$")]
Text = Annotated[str, StringConstraints(min_length=1)]

SHARE_METRICS = frozenset({"top-1 accuracy", "top-5 accuracy", "recall"})
"""Metrics that are a number of right answers out of n; what stands in brackets after one does not matter."""

COUNT_METRIC = "correctly classified images"
"""The metric of a claim that prints the number of right answers itself."""


class Claim(Frozen):
    """One published number.

    Attributes:
        id: unique among all systems.
        system: name of the system; the folder that holds the claim.
        model: the model as its publication calls it.
        dataset, split: what it was measured on, as its publication calls them.
        n: how many images the number is about; ``None`` where no source says.
        metric: what the number is. See :data:`SHARE_METRICS`.
        value: the number exactly as printed.
        unit: ``%``, ``fraction``, ``images``, ``M`` ...; ``None`` for a pure number.
        tta: whether test-time augmentation was on.
        kind: ``seed`` if printed in the document that names the system, ``upstream`` if in a README, code,
            log, paper or thread of its authors, or in a table that lists it.
        source: where it is printed.
        artifact: id of the published file that it needs: its checkpoint, or what is trained from or counted.
        class_index: the class that a recall is of, counted from 0 in the order of the labels.
        per_class: the published counts behind a number of images, in the order of the labels.
        note: facts about it that no field holds and no code derives.
        print_format: ``decimal`` for a number rounded or cut to the printed places, ``float32`` for the
            shortest text of a float32 that was widened to a Python float, as unformatted logs have it.
        model_name: the model's name in its system, where the system has it.
        protocol: the protocol that measures it here: one of the system's (``as-published`` ...), or ``paper``
            for check-rep's full check. ``None`` where nothing here measures it.
        split_name: the split's name in its system, for that protocol.
        authors_code: whether the code that printed the number is the published code that the system follows.
            A number from other code cannot be reproduced, only compared with.
        missing: what it takes to measure it and is not to be had, in words.
    """

    id: Name
    system: Name
    model: Text | None = None
    dataset: Text | None = None
    split: Text | None = None
    n: Annotated[int, Field(strict=True, gt=0)] | None = None
    metric: Text
    value: Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?$")]
    unit: Text | None = None
    tta: Literal["true", "false", "unknown"]
    kind: Literal["seed", "upstream"]
    source: Text
    artifact: Name | None = None
    class_index: Annotated[int, Field(strict=True, ge=0)] | None = None
    per_class: tuple[int, ...] | None = None
    note: str = ""
    print_format: Literal["decimal", "float32"] = "decimal"
    model_name: Text | None = None
    protocol: Text | None = None
    split_name: Text | None = None
    authors_code: Annotated[bool, Field(strict=True)] = True
    missing: Text | None = None

    @model_validator(mode="after")
    def _units_fit(self) -> Claim:
        if self.metric.partition(" (")[0] in SHARE_METRICS and self.unit not in ("%", "fraction"):
            raise ValueError(f"unit {self.unit!r}: {self.metric} is printed in % or as a fraction")
        if self.metric == COUNT_METRIC and self.unit != "images":
            raise ValueError(f"unit {self.unit!r}: {self.metric} are printed in images")
        return self

    @property
    def decimals(self) -> int:
        """How many decimal places are printed."""
        return len(self.value.partition(".")[2])

    @property
    def is_share(self) -> bool:
        """Whether the number is a share of a known n."""
        return self.n is not None and self.metric.partition(" (")[0] in SHARE_METRICS

    @property
    def is_count(self) -> bool:
        """Whether the number stands for a count out of a known n, printed as a share or as itself."""
        return self.is_share or (self.n is not None and self.metric == COUNT_METRIC)

    @property
    def printed(self) -> str:
        """The number with its unit, as a sentence has it."""
        return self.value if self.unit in (None, "fraction") else f"{self.value} {self.unit}"


class DefectMark(StrEnum):
    """What a defect does."""

    NUMBER = "N"
    """It changes a published number."""
    UNREPEATABLE = "R"
    """It makes a number unrepeatable."""
    BROKEN = "B"
    """It does not run today."""
    DOCUMENTATION = "D"
    """The documentation contradicts the code."""


class Defect(Frozen):
    """Where published code makes its own numbers wrong or irreproducible.

    Attributes:
        id: as protocols name it (``keeps``, ``mends``), e.g. ``D-DROPOUT``.
        system: name of the system; ``fer2013`` for the data set that several share.
        marks: what it does.
        title: a few words.
        summary: what happens and which number it touches.
        measured: what it was measured to be worth, where it was.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[A-Z]+-[A-Z0-9]+$")]
    system: Name
    marks: Annotated[tuple[DefectMark, ...], Field(min_length=1)]
    title: Text
    summary: Text
    measured: Text | None = None
