"""Gradients of a batch: of the whole of it, of the parts of several processes, or of units that are added up exactly.

A trainer calls one of these as ``backward(compute, inputs, labels)`` for each pass of a step. Afterwards the gradients
of the batch's mean loss are in the parameters, the same in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.utils._python_dispatch import _disable_current_modes

from repro.canonical.limbs import GradientAccumulator, LimbSum
from repro.stages.training.task import Batch

Compute = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""``(inputs, labels) -> (loss, scores)``, attached to the graph; the loss is a mean over the images."""

_PASSES = 16  # of one step that draw by counters of their own


class Whole:
    """The batch at once, in one process.

    Args:
        model: whose buffers a pass moves.
        parameters: gives all tensors that have gradients.

    Attributes:
        right: right answers of the step's first pass.
    """

    rank, size = 0, 1

    def __init__(self, model: nn.Module, parameters: Callable[[], Iterable[torch.Tensor]]) -> None:
        self.model, self.parameters = model, parameters
        self.right = 0
        self._pass = 0

    def portion(self, count: int) -> np.ndarray:
        """Return the places of a batch of so many images that this process is fed."""
        return np.arange(count)

    def begin(self, batch: Batch, number: int, arithmetic: Any) -> None:
        """Begin a step: the passes that follow are of this batch."""
        self._batch, self._number, self._arithmetic = batch, number, arithmetic
        self._pass, self.right = 0, 0
        arithmetic.begin_step(number, samples=batch.rows)

    def __call__(
        self, compute: Compute, inputs: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the batch's loss (scalar) and this process's scores, detached; earlier gradients are gone."""
        for parameter in self.parameters():
            parameter.grad = None
        loss, scores = self._gradients(compute, inputs, labels)
        if self._pass == 0:
            self.right = self._together(int((scores.argmax(dim=1) == labels).sum()))
        self._pass += 1
        return loss, scores

    def _gradients(
        self, compute: Compute, inputs: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        loss, scores = compute(inputs, labels)
        loss.backward()
        return loss.detach(), scores.detach()

    def _together(self, count: int) -> int:
        return count


class Parts(Whole):
    """A part of the batch in each process, native arithmetic.

    Each process computes its part's mean gradient; all parts are gathered and added in the order of the processes,
    weighted by their images. So the bits follow from the number of processes, not from who was first. As in PyTorch's
    own data parallel training batch norm sees a part, and its statistics are those of the first process.
    """

    def __init__(self, model: nn.Module, parameters: Callable[[], Iterable[torch.Tensor]]) -> None:
        super().__init__(model, parameters)
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def portion(self, count: int) -> np.ndarray:
        """Return this process's part; the first ones have one more where they do not divide evenly."""
        return np.array_split(np.arange(count), self.size)[self.rank]

    def _gradients(
        self, compute: Compute, inputs: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        parameters = list(self.parameters())
        if len(inputs):
            loss, scores = compute(inputs, labels)
            loss.backward()
            loss, scores = loss.detach(), scores.detach()
        else:
            loss, scores = torch.zeros((), device=inputs.device), torch.zeros((0, 1), device=inputs.device)
        there = torch.tensor([float(one.grad is not None) for one in parameters], device=loss.device)
        flat = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
        mine = torch.cat([loss.reshape(1), there, *(one.reshape(-1) for one in flat)])
        every = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(every, mine)
        count = len(self._batch.whole)
        total = torch.zeros_like(mine)
        for rank, one in enumerate(every):  # in this order, in every process
            part = len(np.array_split(np.arange(count), self.size)[rank])
            total += one * (part / count)
        loss, there, rest = total[0].clone(), total[1 : 1 + len(parameters)], total[1 + len(parameters) :]
        for parameter, has, gradient in zip(
            parameters, there.tolist(), rest.split([one.numel() for one in parameters]), strict=True
        ):
            parameter.grad = gradient.reshape(parameter.shape).clone() if has else None
        for buffer in self.model.buffers():
            dist.broadcast(buffer, src=0)
        return loss, scores

    def _together(self, count: int) -> int:
        return _sum(count)


class Units(Whole):
    """Units of at most so many images, canonical arithmetic, in any number of processes.

    A batch is split as evenly as it comes, so that the rest of it is no image alone, which some batch norms refuse.

    Each unit is a backward pass of its own; gradients and losses are added up as integers
    (:mod:`repro.canonical.limbs`), so neither their order nor who computes them changes a bit. Batch norm sees a unit.
    Every unit starts from the step's running statistics, and the step ends with the exact mean of theirs.
    """

    def __init__(self, model: nn.Module, parameters: Callable[[], Iterable[torch.Tensor]], unit: int) -> None:
        super().__init__(model, parameters)
        self._unit = unit
        if dist.is_available() and dist.is_initialized():
            self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def portion(self, count: int) -> np.ndarray:
        """Return the places of every so many-th unit."""
        return np.concatenate([np.arange(0), *self._units(count)])

    def _units(self, count: int) -> list[np.ndarray]:
        return np.array_split(np.arange(count), -(-count // self._unit))[self.rank :: self.size]

    def _gradients(
        self, compute: Compute, inputs: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        parameters = [one for one in self.parameters() if one.requires_grad]
        gradients = GradientAccumulator(parameters)
        losses = LimbSum(torch.zeros((), device=inputs.device))
        buffers = list(self.model.buffers())
        before = [one.clone() for one in buffers]
        moved = [LimbSum(one) if one.is_floating_point() else None for one in buffers]
        count, parts = len(self._batch.whole), []
        ends = np.cumsum([len(unit) for unit in self._units(count)], dtype=int).tolist()
        for start, end in pairwise([0, *ends]):
            here = slice(start, end)
            for buffer, value in zip(buffers, before, strict=True):
                buffer.copy_(value)
            self._arithmetic.begin_step(self._number * _PASSES + self._pass, samples=self._batch.rows[here])
            loss, scores = compute(inputs[here], labels[here])
            share = loss * (len(inputs[here]) / count)
            share.backward()
            gradients.add()
            losses.add(share.detach())
            parts.append(scores.detach())
            for buffer, total in zip(buffers, moved, strict=True):
                if total is not None:
                    total.add(buffer)
        if self.size > 1:
            gradients.all_reduce()
            with _disable_current_modes():  # integers are added, by no operation of the arithmetic
                for total in (losses, *(one for one in moved if one is not None)):
                    packed = total.packed()
                    dist.all_reduce(packed)
                    total.unpack(packed)
                for buffer, total in zip(buffers, moved, strict=True):
                    if total is None:  # counts of batches; the first process has a unit of every batch
                        dist.broadcast(buffer, src=0)
        gradients.deliver()
        for buffer, total in zip(buffers, moved, strict=True):
            if total is not None:
                buffer.copy_(total.value() / total.units)
        scores = torch.cat(parts) if parts else torch.zeros((0, 1), device=inputs.device)
        return losses.value(), scores

    def _together(self, count: int) -> int:
        return _sum(count) if self.size > 1 else count


def _sum(count: int) -> int:
    with _disable_current_modes():
        total = torch.tensor([count], dtype=torch.int64, device="cuda" if dist.get_backend() == "nccl" else "cpu")
        dist.all_reduce(total)
        return int(total)
