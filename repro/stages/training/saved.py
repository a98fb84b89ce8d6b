"""Where a training stands, as plain data, and its files.

<run>/state.npz          all that the next step depends on; replaced at once
<run>/kept-<step>.npz    the same, kept for good where that is asked for
<run>/best-<name>-<step>.npz  the weights that a selection has chosen so far
<run>/trajectory.jsonl   the chain of digests
<run>/board/             logs for TensorBoard
<run>/finished.json      what came of it, written last; with it <name>.pt or the like for each selection
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

STATE, TRAJECTORY, FINISHED, BOARD, LOCK = "state.npz", "trajectory.jsonl", "finished.json", "board", ".lock"


@dataclass
class Best:
    """What a selection has chosen so far."""

    value: float
    epoch: int
    step: int


@dataclass
class Standing:
    """Where a training stands.

    Attributes:
        step: steps done, over all stages.
        epoch: epochs done, over all stages.
        stage: number of the stage that is trained.
        stage_epoch: epochs of it that are done.
        batch: batches of the current epoch that are done.
        stopped: why the stage ended early.
        loss, right, seen: sums of the current epoch: of losses times images, right answers, images.
        rows: what is told of each epoch.
        best: by selection.
    """

    step: int = 0
    epoch: int = 0
    stage: int = 0
    stage_epoch: int = 0
    batch: int = 0
    stopped: str | None = None
    loss: float = 0.0
    right: int = 0
    seen: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Best] = field(default_factory=dict)

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Standing:
        """Build it again."""
        best = {name: Best(**one) for name, one in data["best"].items()}
        return cls(**{**data, "best": best})


def best_file(folder: Path, name: str, step: int) -> Path:
    """Return where a selection's weights lie."""
    return folder / f"best-{name}-{step}.npz"


def kept_file(folder: Path, step: int) -> Path:
    """Return where the state of a step is kept for good."""
    return folder / f"kept-{step}.npz"


def prune(folder: Path, standing: Standing) -> None:
    """Delete weights that no selection has any more, and what a killed process left half-written."""
    wanted = {best_file(folder, name, one.step) for name, one in standing.best.items()}
    for path in (*folder.glob("best-*.npz"), *folder.glob(".*.partial")):
        if path not in wanted:
            path.unlink(missing_ok=True)
