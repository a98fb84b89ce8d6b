"""What a report says of a training anew, as data."""

from __future__ import annotations

from repro.compare.retrained import Spread, TrainingJudgement
from repro.schema import Frozen, TrainingVerdict


class TrainingCount(Frozen):
    """What one selection of a training counts on the test split by one protocol.

    Attributes:
        selection: the rule that chose the epoch.
        published: whether it is the published rule.
        on_test: whether it chose on the test split itself.
        spread: over the seeds.
    """

    selection: str
    published: bool
    on_test: bool
    protocol: str
    spread: Spread


class TrainingRow(Frozen):
    """A training anew, of one or several seeds.

    Attributes:
        verdict: the worst of its claims'.
        modified: how it differs from the published training.
        split: that the counts are of.
        chosen: for each seed, which epoch each selection chose, and where its trajectory ends.
        claims: judged by it.
        keeps, mends: ids of defects.
    """

    system: str
    model: str
    recipe: str
    data: str | None = None
    device: str | None = None
    arithmetic: str
    processes: int | None = None
    machine: int | None = None
    seeds: tuple[int, ...]
    verdict: TrainingVerdict
    modified: tuple[str, ...] = ()
    split: str
    counts: tuple[TrainingCount, ...]
    chosen: tuple[str, ...] = ()
    claims: tuple[TrainingJudgement, ...] = ()
    keeps: tuple[str, ...] = ()
    mends: tuple[str, ...] = ()
    record: str
