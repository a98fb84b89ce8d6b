"""A stage record: what one stage computed, from what, on which machine. The only thing reports are made from."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import model_validator

from repro.schema.base import Document, Frozen, Hex32, PlainData
from repro.schema.profile import Profile


class Stack(Frozen):
    """The locked set of packages that a result was computed in."""

    name: str
    python: str
    packages: dict[str, str]


class Record(Document):
    """One stage of one model.

    Attributes:
        stage: ``etl``, ``check-rep``, ``eval`` ...
        system, model: names, or ``None`` for a stage that serves all systems.
        parameters: what was asked for; holds no path beyond a file's own name.
        inputs: digest of everything that was read, the sources of the code among them (``code``).
        outputs: digest of everything that was written or computed.
        profile: the machine as the computing process saw it.
        switches: seeds, environment variables and flags that were set, with the values they had afterwards.
        result: the stage's own answer; always holds ``verdict``.
        timing: durations in seconds and the time of writing (UTC). No comparison reads it.
    """

    kind: ClassVar[str] = "repro-record"

    stage: str
    system: str | None = None
    model: str | None = None
    parameters: PlainData
    inputs: dict[str, Hex32]
    outputs: dict[str, Hex32] = {}
    profile: Profile | None = None
    stack: Stack | None = None
    switches: PlainData = {}
    result: PlainData
    timing: PlainData = {}

    @model_validator(mode="after")
    def _has_a_verdict(self) -> Self:
        if not isinstance(self.result.get("verdict"), str):
            raise ValueError("result: expected a verdict, one word")
        return self

    def compared(self) -> dict[str, Any]:
        """Return all that two records of the same computation must agree in: everything but the timing."""
        data = self.to_data()
        del data["timing"]
        return data

    @property
    def verdict(self) -> str:
        """The stage's one-word answer."""
        verdict: str = self.result["verdict"]
        return verdict
