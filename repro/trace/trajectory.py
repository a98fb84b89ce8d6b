"""A trajectory: a chain of digests along a training. Equal links mean equal everything up to there.

A link is made of the start, every n steps, and of the end:

    link = BLAKE3("repro-link/1", link before, step, weights, state, losses, order)

``weights`` and ``state`` (optimiser, schedule, whatever else the next step depends on) are digests of named sets;
``losses`` and ``order`` are chains over all steps so far, of each float32 loss and of the row numbers of each batch.
Beside each link stand the first 16 digits of every tensor's digest, so that the tensor that differs has a name.

The file is lines of JSON: a head, then links; a line of names where they are not those of the link before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3

from repro.digest import set_digest, tensor_digest
from repro.errors import BadInput, MissingFile
from repro.schema import Frozen, canonical_json

SCHEMA = "repro-trajectory/1"
_START = "0" * 64
_SHORT = 16


class Link(Frozen):
    """One link.

    Attributes:
        step: how many steps are done.
        link: the chain up to here.
        weights, state, losses, order: what it is made of besides the link before.
        tensors: the first digits of each tensor's digest, by ``weight/<name>`` and ``state/<path>``.
    """

    step: int
    link: str
    weights: str
    state: str
    losses: str
    order: str
    tensors: dict[str, str] = {}


class Trajectory(Frozen):
    """The links of one training, in order.

    Attributes:
        head: what it is of: plain data.
    """

    head: dict[str, Any]
    links: tuple[Link, ...]

    @classmethod
    def read(cls, path: Path) -> Trajectory:
        """Read a trajectory; a last line that was cut off is left out.

        Raises:
            MissingFile: it is not there.
            BadInput: it is none.
        """
        if not path.is_file():
            raise MissingFile(f"no trajectory at {path}", next_step="give the folder or the record of a training")
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        head, names, links = None, [], []
        for number, line in enumerate(lines, start=1):
            try:
                data = json.loads(line)
                if head is None:
                    head = data
                    if head.pop("schema", None) != SCHEMA:
                        raise ValueError(f"expected {SCHEMA}")
                elif "names" in data:
                    names = data["names"]
                else:
                    short = data.pop("short")
                    parts = [short[place : place + _SHORT] for place in range(0, len(short), _SHORT)]
                    links.append(Link(**data, tensors=dict(zip(names, parts, strict=True))))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise BadInput(f"{path}, line {number}: no line of a trajectory: {error}") from error
        if head is None:
            raise BadInput(f"{path}: expected a trajectory, found an empty file")
        return cls(head=head, links=tuple(links))


class TrajectoryWriter:
    """Writes a trajectory as the training goes on; a training that was killed goes back to where it was saved.

    Args:
        path: the file; a new one is begun where ``kept`` is ``None``.
        head: what it is of.
        kept: :meth:`state` of when the training was saved.
    """

    def __init__(self, path: Path, head: Mapping[str, Any], kept: Mapping[str, Any] | None = None) -> None:
        self._path, self._waiting = path, []  # type: Path, list[str]
        path.parent.mkdir(parents=True, exist_ok=True)
        self._names: list[str] = []
        if kept is None:
            self._link, self._losses, self._order, self._lines = _START, _START, _START, 0
            path.write_text("", encoding="utf-8")
            self._line({"schema": SCHEMA, **head})
        else:
            self._link, self._losses, self._order = kept["link"], kept["losses"], kept["order"]
            self._lines, self._names = kept["lines"], list(kept["names"])
            lines = path.read_bytes().split(b"\n")[: self._lines]
            path.write_bytes(b"".join(line + b"\n" for line in lines))

    def step(self, loss: float, rows: np.ndarray) -> None:
        """Take in one step's loss, a float32, and the rows of its batch."""
        self._losses = _chained(self._losses, np.float32(loss).astype("<f4").tobytes())
        self._order = _chained(self._order, rows.astype("<i8").tobytes())

    def add(self, step: int, weights: Mapping[str, Any], state: Mapping[str, Any], plain: Any) -> Link:
        """Add a link.

        Args:
            step: how many steps are done.
            weights: tensors by name.
            state: tensors of the trainer's state, by path.
            plain: the rest of that state.
        """
        of_weights = {name: tensor_digest(value) for name, value in weights.items()}
        of_state = {path: tensor_digest(value) for path, value in state.items()}
        rest = str(blake3(canonical_json(plain)).hexdigest())
        parts = {
            "weights": set_digest(of_weights),
            "state": set_digest({**{f"tensor/{path}": each for path, each in of_state.items()}, "plain": rest}),
            "losses": self._losses,
            "order": self._order,
        }
        text = f"repro-link/1\n{self._link}\n{step}\n" + "".join(f"{each}\n" for each in parts.values())
        self._link = str(blake3(text.encode()).hexdigest())
        named = {f"weight/{name}": each for name, each in of_weights.items()}
        named |= {f"state/{path}": each for path, each in of_state.items()}
        if list(named) != self._names:
            self._names = list(named)
            self._line({"names": self._names})
        short = "".join(each[:_SHORT] for each in named.values())
        self._line({"step": step, "link": self._link, **parts, "short": short})
        return Link(step=step, link=self._link, **parts)

    def state(self) -> dict[str, Any]:
        """Write what waits to the disk and return what to go on from."""
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(self._waiting)
            file.flush()
            os.fsync(file.fileno())
        self._waiting.clear()
        kept = {"link": self._link, "losses": self._losses, "order": self._order}
        return {**kept, "lines": self._lines, "names": self._names}

    def _line(self, data: Mapping[str, Any]) -> None:
        self._waiting.append(json.dumps(data, separators=(",", ":"), allow_nan=False) + "\n")
        self._lines += 1


def _chained(before: str, data: bytes) -> str:
    return str(blake3(bytes.fromhex(before) + data).hexdigest())
