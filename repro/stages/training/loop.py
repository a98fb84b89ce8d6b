"""The training loop: order, batches, selections, states, trajectory. It knows no framework.

A process may be killed at any moment. The next one goes on from the last saved state and computes the bits that the
undisturbed one would have: every draw follows from the seed and the number of the step, epoch or image alone, and
whatever else the next step depends on is in the state.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from repro.errors import BadInput, Contradiction
from repro.schema import Stage
from repro.stages.training.batches import epoch_batches
from repro.stages.training.board import Board
from repro.stages.training.metrics import is_better, watched_metrics
from repro.stages.training.saved import BOARD, STATE, TRAJECTORY, Best, Standing, best_file, kept_file, prune
from repro.stages.training.task import Backend, Training
from repro.store.packed import load_packed, pack, save_packed
from repro.trace import Trace
from repro.trace.trajectory import TrajectoryWriter

_SHARE = 50  # saving within an epoch takes at most one part in this many of the time
_BOARD_STEPS = 50


class NotFinite(Contradiction):
    """A training that has left the finite numbers.

    Attributes:
        step: in which it did, the first being 1.
        tensor: the first that is not finite; ``None`` where it could not be told.
    """

    def __init__(self, message: str, *, step: int, tensor: str | None) -> None:
        super().__init__(message, next_step="a lower learning rate (--set learning_rate=...), or another seed")
        self.step, self.tensor = step, tensor


class Loop:
    """Runs one training in a folder, from where it stands there.

    Args:
        training: what it is.
        backend: computes; its model is as it was built, the published start loaded.
        folder: holds the state; made if it is not there.
        progress: told steps done, and how many there are if no stage ends early.
        writes: whether anything is written; a repetition writes nothing, nor does a process beside the first.
        state: where to go on from, if not from the folder's own state; the trajectory begins anew there.
    """

    def __init__(
        self,
        training: Training,
        backend: Backend,
        folder: Path,
        progress: Callable[[int, int], None] = lambda done, total: None,
        *,
        writes: bool = True,
        state: Path | None = None,
    ) -> None:
        self.training, self.backend, self.folder = training, backend, folder
        self._stages = training.recipe.stages
        self._steps = [training.steps_of(stage) for stage in self._stages]
        self._progress = progress
        self._writes = writes
        self._chain: TrajectoryWriter | None = None
        self._due = 0.0
        self.standing = self._resumed(state or folder / STATE)
        if writes:
            prune(folder, self.standing)
        self._board = Board(folder / BOARD if writes else None)
        backend.shared(None)  # nobody writes before all have read

    @property
    def total(self) -> int:
        """How many steps the whole schedule has."""
        return sum(stage.epochs * steps for stage, steps in zip(self._stages, self._steps, strict=True))

    def run(self, until: int | None = None) -> bool:
        """Train to the end, or until so many steps are done; return whether the end is reached.

        Raises:
            NotFinite: a loss or a weight is NaN or infinite. The saved state is one before it.
        """
        standing = self.standing
        try:
            while standing.stage < len(self._stages):
                stage = self._stages[standing.stage]
                while standing.stage_epoch < stage.epochs and standing.stopped is None:
                    if not self._epoch(stage, until):
                        return False
                self._stage_ended()
            return True
        finally:
            self._board.close()

    def _epoch(self, stage: Stage, until: int | None) -> bool:
        standing = self.standing
        total = self.total
        if until is not None and standing.step >= until:
            return False
        for batch in epoch_batches(self.training, stage, standing.epoch, standing.batch, self.backend.portion):
            loss, right = self.backend.step(batch, standing.step)
            if not math.isfinite(loss):
                raise self._not_finite(standing.step, f"the loss of step {standing.step + 1} is {loss}")
            if self._chain is not None:
                self._chain.step(loss, batch.whole)
            standing.step += 1
            standing.batch += 1
            standing.loss += loss * len(batch.whole)
            standing.right += right
            standing.seen += len(batch.whole)
            if standing.step % self.training.every == 0:
                self._link()
            if standing.step % _BOARD_STEPS == 0:
                self._board.add(standing.step, {"step/loss": loss})
            keep = self.training.keep_every
            if keep is not None and standing.step % keep == 0:
                self._save(kept_file(self.folder, standing.step))
            elif time.monotonic() >= self._due:
                self._save()
            self._progress(standing.step, total)
            if standing.step == until and standing.batch < self._steps[standing.stage]:
                return False
        self._epoch_ended()
        return True

    def _epoch_ended(self) -> None:
        standing, training = self.standing, self.training
        epoch = standing.epoch
        if not self._is_finite():
            raise self._not_finite(standing.step - 1, f"weights are not finite after step {standing.step}")
        first = self.backend.is_first
        metrics = self.backend.shared(watched_metrics(training, self.backend, epoch) if first else None)
        for split, found in metrics.items():
            if not math.isfinite(found["loss"]):
                tensor = f"scores of {split} after epoch {epoch + 1}"
                sentence = f"seed {training.seed}: the {tensor} are not finite, though the weights are"
                raise NotFinite(sentence, step=standing.step, tensor=tensor)
        told = self.backend.epoch_ended(standing.stage_epoch, metrics)
        row: dict[str, Any] = {
            "epoch": epoch + 1,
            **({"stage": standing.stage + 1} if len(self._stages) > 1 else {}),
            "loss": standing.loss / standing.seen,
            "accuracy": standing.right / standing.seen,
            **{f"{split} {name}": value for split, found in metrics.items() for name, value in found.items()},
            **{name: value for name, value in told.items() if name != "stop"},
        }
        standing.rows.append(row)
        standing.epoch += 1
        standing.stage_epoch += 1
        standing.batch, standing.loss, standing.right, standing.seen = 0, 0.0, 0, 0
        standing.stopped = told.get("stop")
        for selection in training.recipe.selections:
            if selection.split is None:
                continue
            value = metrics[selection.split][selection.metric]
            before = standing.best.get(selection.name)
            if is_better(selection.metric, value, None if before is None else before.value):
                standing.best[selection.name] = Best(value, epoch + 1, standing.step)
                self._save_best(best_file(self.folder, selection.name, standing.step))
        self._board.add(standing.epoch, {f"epoch/{name}": value for name, value in row.items() if name != "epoch"})
        self._save()
        if self._writes:
            prune(self.folder, standing)
        self.backend.shared(None)  # the others may read what was chosen

    def _stage_ended(self) -> None:
        """Go on to the next stage, from the weights that it asks for."""
        standing = self.standing
        standing.stage += 1
        standing.stage_epoch, standing.stopped = 0, None
        if standing.stage < len(self._stages):
            following = self._stages[standing.stage]
            if following.continues is not None:
                self.load(following.continues)
            for selection in self.training.recipe.selections:
                if selection.scope == "stage":
                    standing.best.pop(selection.name, None)
            self.backend.begin_stage(self.training.settings(following))
        elif standing.step % self.training.every:
            self._link()  # the end has one, too
        self._save()

    def pause(self) -> None:
        """Save where it stands."""
        self._save()

    def traced(self) -> Trace:
        """Do the next step under the trace. The loop does not count it: nothing can follow."""
        standing = self.standing
        batch = next(
            epoch_batches(
                self.training, self._stages[standing.stage], standing.epoch, standing.batch, self.backend.portion
            )
        )
        return self.backend.traced_step(batch, standing.step)

    def load(self, selection: str) -> None:
        """Put a selection's weights into the model; those of the last epoch are there already."""
        best = self.standing.best.get(selection)
        if best is not None:
            self.backend.set_weights(load_packed(best_file(self.folder, selection, best.step))[0])

    def _resumed(self, path: Path) -> Standing:
        head = {"seed": self.training.seed, "every": self.training.every}
        if path.exists():
            return self._restored(path, head)
        self.standing = Standing()
        self.backend.begin_stage(self.training.settings(self._stages[0]))
        if self._writes:
            self._chain = TrajectoryWriter(self.folder / TRAJECTORY, head)
        self._link()
        self._save()
        return self.standing

    def _restored(self, path: Path, head: Mapping[str, Any]) -> Standing:
        arrays, told = load_packed(path)
        if told["code"] != self.training.code:
            raise BadInput(
                f"{path}: this training was begun with other sources of repro or of the system",
                next_step="go on with the version that began it, or train anew with --force",
            )
        standing = Standing.from_data(told["standing"])
        number = min(standing.stage, len(self._stages) - 1)
        self.backend.set_weights(_below("weight/", arrays))
        self.backend.begin_stage(self.training.settings(self._stages[number]))
        self.backend.restore(told["trainer"], _below("state/", arrays))
        if self._writes:
            own = path == self.folder / STATE  # from another's state, a chain of its own begins
            self._chain = TrajectoryWriter(self.folder / TRAJECTORY, head, told["chain"] if own else None)
        return standing

    def _link(self) -> None:
        if self._chain is not None:
            arrays, plain = pack(self.backend.state())
            self._chain.add(self.standing.step, self.backend.weights(), arrays, plain)

    def _save(self, also: Path | None = None) -> None:
        started = time.monotonic()
        # Weights that are not finite are not saved: the next loss tells, and the state is before them.
        if self._chain is not None and _are_finite(weights := self._weights()):
            trainer, plain = pack(self.backend.state())
            arrays = {f"weight/{name}": value for name, value in weights.items()}
            arrays |= {f"state/{name}": value for name, value in trainer.items()}
            chain = self._chain.state()
            head = {"standing": self.standing.to_data(), "trainer": plain, "chain": chain, "code": self.training.code}
            for path in (also, self.folder / STATE):
                if path is not None:
                    save_packed(path, arrays, head)
        ended = time.monotonic()
        self._due = ended + _SHARE * (ended - started)

    def _save_best(self, path: Path) -> None:
        if self._writes:
            save_packed(path, self._weights(), {})

    def _weights(self) -> dict[str, np.ndarray]:
        return pack(self.backend.weights())[0]

    def _is_finite(self) -> bool:
        return _are_finite(self._weights())

    def _not_finite(self, step: int, seen: str) -> NotFinite:
        """Come up to a step again from the saved state, and name the first bad tensor in it or in one before it."""
        tensor, where = None, "a training that keeps states names the tensor"
        if (self.folder / STATE).exists():
            again = self._again(step)
            if not again._is_finite():
                again = self._again(self._first_bad(step))
            step, trace = again.standing.step, again.traced()
            where = "all tensors of its repetition are finite: the two runs differ"
            bad = next((one for one in trace if one.sketch is not None and _is_bad(one.shape, one.sketch)), None)
            if bad is not None and bad.sketch is not None:
                tensor = bad.name
                where = (
                    f"the first tensor that is not finite is {tensor} of step {step + 1} ({bad.operation}, "
                    f"shape {list(bad.shape)}, {bad.sketch.finite} of {math.prod(bad.shape)} values finite)"
                )
        return NotFinite(f"seed {self.training.seed}: {seen}; {where}", step=step + 1, tensor=tensor)

    def _again(self, until: int) -> Loop:
        again = Loop(self.training, self.backend, self.folder, writes=False)
        again.run(until=until)
        return again

    def _first_bad(self, step: int) -> int:
        """Return how many steps are done before the one that leaves a weight which is not finite."""
        again = self._again(0)
        while again._is_finite() and again.standing.step < step:
            again.run(until=again.standing.step + 1)
        return again.standing.step - 1


def _are_finite(arrays: Mapping[str, np.ndarray]) -> bool:
    return all(bool(np.isfinite(array).all()) for array in arrays.values() if array.dtype.kind == "f")


def _is_bad(shape: tuple[int, ...], sketch: Any) -> bool:
    return bool(sketch.finite < math.prod(shape))


def _below(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
