"""What most torch trainers have in common: optimisers, schedules and modules whose state is saved together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn

Backward = Callable[[Callable[..., Any], torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""``backward(compute, inputs, labels) -> (loss, scores)``: leaves the gradients of the mean loss in the parameters.

``compute(inputs, labels) -> (loss, scores)`` is called for the batch or for parts of it.
"""


class Trainer:
    """Does the steps of a recipe. Subclasses give :meth:`compute`, and override what their recipe does otherwise.

    Args:
        model: changed in place.
        backward: see :data:`Backward`.
        optimizers: by name, stepped in this order.
        schedules: learning rate schedules by name, stepped after every epoch.
        modules: what is trained beside the model, such as a loss with centres.
    """

    def __init__(
        self,
        model: nn.Module,
        backward: Backward,
        optimizers: Mapping[str, torch.optim.Optimizer],
        schedules: Mapping[str, torch.optim.lr_scheduler.LRScheduler] | None = None,
        modules: Mapping[str, nn.Module] | None = None,
    ) -> None:
        self.model, self.backward = model, backward
        self.optimizers, self.schedules, self.modules = dict(optimizers), dict(schedules or {}), dict(modules or {})

    def compute(self, inputs: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean loss and the scores, attached to the graph."""
        raise NotImplementedError

    def step(self, inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Do one step; return ``loss`` (scalar) and ``scores`` (N, classes), detached."""
        loss, scores = self.backward(self.compute, inputs, labels)
        for optimizer in self.optimizers.values():
            optimizer.step()
        return {"loss": loss, "scores": scores}

    def epoch_ended(self, epoch: int, metrics: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
        """Step the schedules after epoch ``epoch`` (from 0) of the stage.

        Args:
            metrics: of each watched split: ``accuracy``, ``accuracy of batches``, ``loss``.

        Returns:
            numbers for the curves, and ``stop``: why the stage ends here, or ``None``.
        """
        rate = next(iter(self.optimizers.values())).param_groups[0]["lr"]
        for schedule in self.schedules.values():
            schedule.step()
        return {"learning rate": float(rate), "stop": None}

    def parameters(self) -> Iterable[torch.Tensor]:
        """Return every tensor that may get a gradient."""
        return [*self.model.parameters(), *(p for module in self.modules.values() for p in module.parameters())]

    def state(self) -> dict[str, Any]:
        """Return all that the next step depends on beside the model's weights."""
        return {kind: {name: one.state_dict() for name, one in found.items()} for kind, found in self._parts().items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put it back."""
        for kind, found in self._parts().items():
            for name, one in found.items():
                one.load_state_dict(state[kind][name])

    def _parts(self) -> dict[str, dict[str, Any]]:
        return {"optimizer": self.optimizers, "schedule": self.schedules, "module": self.modules}
