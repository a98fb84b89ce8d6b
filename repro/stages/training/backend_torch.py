"""What torch does for the training loop."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from repro.digest.draws import seed_of
from repro.registry import resolve
from repro.stages.arithmetic_torch import computing
from repro.stages.training.task import Batch, Training
from repro.store.atomic import write_atomic
from repro.store.packed import unpack
from repro.trace import Trace
from repro.trace.record_torch import Recorder

Compute = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""``(inputs, labels) -> (loss, scores)``, attached to the graph; the loss is a mean over the images."""


class Gradients:
    """Computes a batch's loss and leaves its gradients in the parameters. Trainers call it for each of their passes.

    Args:
        parameters: gives all tensors that have gradients.
    """

    def __init__(self, parameters: Callable[[], Iterable[torch.Tensor]]) -> None:
        self.parameters = parameters

    def __call__(
        self, compute: Compute, inputs: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return loss (scalar) and scores of the batch, detached; earlier gradients are gone."""
        for parameter in self.parameters():
            parameter.grad = None
        loss, scores = compute(inputs, labels)
        loss.backward()
        return loss.detach(), scores.detach()


class TorchBackend:
    """One model and its trainer; the methods are those of :class:`repro.stages.training.task.Backend`."""

    def __init__(self, training: Training, wrap: Callable[[Any], Any] = lambda trainer: trainer) -> None:
        self.training = training
        self._wrap = wrap
        self._task = {"arithmetic": training.arithmetic, "seed": training.seed}
        torch.manual_seed(training.seed)
        self.model: nn.Module = resolve(training.model.build)()
        self.started: dict[str, Any] = {}
        if training.start is not None:
            assert training.model.start is not None, "the stage has checked it"
            self.started = resolve(training.model.start)(self.model, training.start)
        self.model.to(training.device)
        self.trainer: Any = None

    @property
    def is_first(self) -> bool:
        """One process computes."""
        return True

    def begin_stage(self, settings: dict[str, Any]) -> None:
        """Make a fresh trainer."""
        assert self.training.model.trainer is not None, "the stage has checked it"
        make = resolve(self.training.model.trainer)
        # What a trainer's own modules start from (a centre loss) must not depend on what drew before.
        torch.manual_seed(seed_of(f"trainer/{self.training.seed}"))
        self.trainer = self._wrap(make(self.model, settings, Gradients(lambda: self.trainer.parameters())))

    def step(self, batch: Batch, number: int) -> tuple[float, int]:
        """Do a step."""
        values, labels = self._step(batch, number, nullcontext())
        return float(values["loss"]), int((values["scores"].argmax(dim=1) == labels).sum())

    def traced_step(self, batch: Batch, number: int) -> Trace:
        """Do the same step and record it."""
        recorder = Recorder()
        recorder.add_all("before/weight", self.model.state_dict(), "weight")
        recorder.add("input", batch.inputs, "input")
        values, _ = self._step(batch, number, recorder.layers(self.model, "forward"))
        recorder.add("loss", values["loss"], "loss")
        gradients = {name: p.grad for name, p in self.model.named_parameters() if p.grad is not None}
        recorder.add_all("gradient", gradients, "gradient")
        recorder.add_all("weight", self.model.state_dict(), "weight")
        return recorder.trace()

    def _step(
        self, batch: Batch, number: int, around: AbstractContextManager[None]
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        inputs = torch.from_numpy(batch.inputs).to(self.training.device)
        labels = torch.from_numpy(batch.labels).to(self.training.device)
        self.model.train()
        torch.manual_seed(seed_of(f"step/{self.training.seed}/{number}"))
        with computing(self._task) as arithmetic, around:
            arithmetic.begin_step(number, samples=batch.rows)
            values: dict[str, torch.Tensor] = self.trainer.step(inputs, labels)
        return values, labels

    def epoch_ended(self, epoch: int, metrics: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
        """Tell the trainer."""
        told: dict[str, Any] = self.trainer.epoch_ended(epoch, metrics)
        return told

    def weights(self) -> dict[str, torch.Tensor]:
        """Return the state dict."""
        return dict(self.model.state_dict())

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Load a state dict."""
        self.model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, strict=True)

    def state(self) -> Any:
        """Return the trainer's state."""
        return self.trainer.state()

    def restore(self, plain: Any, arrays: Mapping[str, np.ndarray]) -> None:
        """Put the trainer's state back."""
        self.trainer.restore(unpack(plain, arrays, torch.from_numpy))

    def scores(self, inputs: Iterable[np.ndarray], settings: dict[str, Any], seed: int) -> np.ndarray:
        """Return the scores of prepared batches."""
        predict = resolve(self.training.model.predict)
        self.model.eval()
        torch.manual_seed(seed)
        parts = []
        for prepared in inputs:
            batch = torch.from_numpy(prepared).to(self.training.device)
            with computing(self._task, seed):
                parts.append(predict(self.model, batch, settings).cpu().numpy())
        return np.concatenate(parts)

    def save(self, path: Path) -> Path:
        """Write the published format; a plain state dict where the model declares no other."""
        if self.training.model.save is not None:
            written: Path = resolve(self.training.model.save)(self.model, path)
            return written
        buffer = io.BytesIO()
        torch.save({name: value.cpu() for name, value in self.model.state_dict().items()}, buffer)
        write_atomic(path.with_suffix(".pt"), buffer.getvalue())
        return path.with_suffix(".pt")
