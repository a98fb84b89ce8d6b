"""What torch does for the training loop."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from repro.digest.draws import seed_of
from repro.errors import NoCanonicalForm
from repro.registry import resolve
from repro.stages.arithmetic_torch import computing
from repro.stages.training.gradients_torch import Parts, Units, Whole
from repro.stages.training.task import Batch, Training
from repro.store.atomic import write_atomic
from repro.store.packed import unpack
from repro.trace import Trace
from repro.trace.record_torch import Recorder


def joined(device: str) -> str:
    """Join the processes that torchrun has started, and return this one's device: gloo on CPUs, NCCL on GPUs."""
    if device == "cpu":
        dist.init_process_group("gloo")
        return device
    device = f"cuda:{os.environ['LOCAL_RANK']}"
    torch.cuda.set_device(device)
    dist.init_process_group("nccl")
    return device


class TorchBackend:
    """One model and its trainer; the methods are those of :class:`repro.stages.training.task.Backend`."""

    def __init__(self, training: Training, wrap: Callable[[Any], Any] = lambda trainer: trainer) -> None:
        self.training = training
        self._wrap = wrap
        self._task = {"arithmetic": training.arithmetic, "seed": training.seed}
        self.started: dict[str, Any] = {}
        self.model = self._built()
        if training.start is not None:
            assert training.model.start is not None, "the stage has checked it"
            self.started |= resolve(training.model.start)(self.model, training.start)
        self.model.to(training.device)
        self.trainer: Any = None
        self.gradients = self._gradients()

    def _built(self) -> nn.Module:
        """Build the model; in canonical arithmetic its random weights are canonical, where they have a form."""
        seed = seed_of(f"weights/{self.training.seed}")
        build: Callable[[], nn.Module] = resolve(self.training.model.build)
        torch.manual_seed(seed)
        try:
            with computing(self._task, seed):
                return build()
        except NoCanonicalForm as error:
            self.started["initial weights"] = f"native: {error.message}"
        torch.manual_seed(seed)
        return build()

    def _gradients(self) -> Whole:
        def parameters() -> Iterable[torch.Tensor]:
            return self.trainer.parameters()

        if self.training.unit is not None:
            return Units(self.model, parameters, self.training.unit)
        several = dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
        return (Parts if several else Whole)(self.model, parameters)

    @property
    def is_first(self) -> bool:
        """Whether this process writes."""
        return self.gradients.rank == 0

    def portion(self, count: int) -> np.ndarray:
        """Return the places of a batch that this process is fed."""
        return self.gradients.portion(count)

    def shared(self, data: Any) -> Any:
        """Return the first process's data in every process, as JSON gives them; all wait for it."""
        if self.gradients.size == 1:
            return data
        text = torch.tensor(list(json.dumps(data).encode()), dtype=torch.uint8, device=self.training.device)
        length = torch.tensor([len(text)], device=self.training.device)
        dist.broadcast(length, src=0)
        text = text if self.is_first else torch.empty(int(length), dtype=torch.uint8, device=self.training.device)
        dist.broadcast(text, src=0)
        return json.loads(bytes(text.tolist()))

    def begin_stage(self, settings: dict[str, Any]) -> None:
        """Make a fresh trainer."""
        assert self.training.model.trainer is not None, "the stage has checked it"
        make = resolve(self.training.model.trainer)
        # What a trainer's own modules start from (a centre loss) must not depend on what drew before.
        torch.manual_seed(seed_of(f"trainer/{self.training.seed}"))
        self.trainer = self._wrap(make(self.model, settings, self.gradients))

    def step(self, batch: Batch, number: int) -> tuple[float, int]:
        """Do a step."""
        values = self._step(batch, number, nullcontext())
        return float(values["loss"]), self.gradients.right

    def traced_step(self, batch: Batch, number: int) -> Trace:
        """Do the same step and record it."""
        recorder = Recorder()
        recorder.add_all("before/weight", self.model.state_dict(), "weight")
        recorder.add("input", batch.inputs, "input")
        values = self._step(batch, number, recorder.layers(self.model, "forward"))
        recorder.add("loss", values["loss"], "loss")
        gradients = {name: p.grad for name, p in self.model.named_parameters() if p.grad is not None}
        recorder.add_all("gradient", gradients, "gradient")
        recorder.add_all("weight", self.model.state_dict(), "weight")
        return recorder.trace()

    def _step(self, batch: Batch, number: int, around: AbstractContextManager[None]) -> dict[str, torch.Tensor]:
        inputs = torch.from_numpy(batch.inputs).to(self.training.device)
        labels = torch.from_numpy(batch.labels).to(self.training.device)
        self.model.train()
        name = f"step/{self.training.seed}/{number}"
        torch.manual_seed(seed_of(name if self.gradients.size == 1 else f"{name}/{self.gradients.rank}"))
        with computing(self._task) as arithmetic, around:
            self.gradients.begin(batch, number, arithmetic)
            values: dict[str, torch.Tensor] = self.trainer.step(inputs, labels)
        return values

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
