"""Trajectories, from where people have them: their own files, retrain records, results folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from repro.errors import BadInput, MissingFile
from repro.schema import Record, read_json
from repro.store.results import Results
from repro.trace.trajectory import Trajectory

_PREFIX = "trajectory-"


@dataclass(frozen=True)
class Trained:
    """One seed's training.

    Attributes:
        label: for people.
        record: that it belongs to; ``None`` for a bare file.
        folder: of the seed's run, below its results folder; ``None`` for a bare file.
    """

    label: str
    seed: int
    trajectory: Trajectory
    record: Record | None = None
    folder: Path | None = None


def read_trained(source: Path) -> list[Trained]:
    """Return the trainings in a trajectory's file, a retrain record or a results folder; none where there is none.

    A results folder that holds traces as well is not taken for its trainings.

    Raises:
        MissingFile: the source is not there, or what a record names.
        BadInput, Contradiction: it is damaged.
    """
    if source.is_dir():
        if any((source / "records" / stage).is_dir() for stage in ("check-rep", "eval")):
            return []
        paths = sorted((source / "records" / "retrain").glob("*/*.json"))
        return [one for path in paths for one in _of_record(path, Record.read(path))]
    if not source.exists():
        raise MissingFile(f"no such file: {source}")
    if source.suffix == ".jsonl":
        trajectory = Trajectory.read(source)
        return [Trained(str(source), int(trajectory.head.get("seed", 0)), trajectory)]
    if source.suffix != ".json":
        return []
    data = read_json(source)
    if not isinstance(data, dict) or data.get("stage") != "retrain":
        return []
    return _of_record(source, Record.from_data(data, str(source)))


def _of_record(path: Path, record: Record) -> list[Trained]:
    root = next((parent.parent for parent in path.resolve().parents if parent.name == "records"), None)
    if root is None:
        raise BadInput(f"{path}: a record outside its results folder", next_step="name the file below RESULTS/records")
    results = Results(root)
    return [
        Trained(
            f"{root.name}, {path.stem}, seed {name.removeprefix(_PREFIX)}",
            int(name.removeprefix(_PREFIX)),
            Trajectory.read(results.verified_file(digest, "jsonl")),
            record,
            root / record.result["folder"] / f"seed-{name.removeprefix(_PREFIX)}",
        )
        for name, digest in record.outputs.items()
        if name.startswith(_PREFIX)
    ]
