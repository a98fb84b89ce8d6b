"""Records what a torch model computes operation by operation.

The recorder stands where the layers' recorder stands and sees, beside the layers, every ATen operation of one phase
of a run: forward pass, backward pass and optimiser. A weight is recorded when the first operation reads it, so that a
weight that differs is found at its own tensor and not at the first result.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from repro.trace.operations import SeenOperations, defined
from repro.trace.record_torch import Recorder
from repro.trace.trace import TraceEntry


class OperationRecorder(Recorder):
    """A recorder that also sees operations.

    Args:
        phase: the prefix under which the layers of the run's part are recorded: ``forward``, ``step1/forward`` ...
        keep: the name of the entry whose values are kept whole.
        one_nan: as for :class:`repro.trace.record_torch.Recorder`.
    """

    def __init__(self, phase: str, *, keep: str | None = None, one_nan: bool = False) -> None:
        super().__init__(one_nan=one_nan)
        self._phase = phase
        self.operations = SeenOperations(keep)

    def entry(self, name: str, tensor: Any, operation: str) -> TraceEntry:
        """Return a tensor's entry; what this computes is no operation of the model."""
        with self.operations.shut():
            return super().entry(name, tensor, operation)

    @contextmanager
    def layers(self, model: nn.Module, prefix: str) -> Iterator[None]:
        """Record layers, and in the wanted phase operations too."""
        if prefix != self._phase:
            with super().layers(model, prefix):
                yield
            return
        with super().layers(model, prefix), _Mode(self, model):
            yield

    def _see(self, name: str, tensor: torch.Tensor, operation: str, reads: list[list[int]]) -> None:
        with self.operations.shut():
            self.operations.see(name, tensor, operation, reads, lambda: tensor.detach().cpu().contiguous().numpy())


class _Mode(TorchDispatchMode):
    def __init__(self, recorder: OperationRecorder, model: nn.Module) -> None:
        super().__init__()
        self._recorder = recorder
        self._unread = {
            tensor.untyped_storage().data_ptr(): (name, tensor)
            for name, tensor in [*model.named_parameters(), *model.named_buffers()]
        }

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        recorder = self._recorder
        if recorder.operations.closed:
            return func(*args, **(kwargs or {}))
        read = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        for tensor in read:
            found = self._unread.pop(tensor.untyped_storage().data_ptr(), None)
            if found is not None:
                recorder._see(f"weight {found[0]}", found[1], "weight", [])
        shapes = [list(one.shape) for one in read]
        made = func(*args, **(kwargs or {}))
        if _computes(func):
            outputs = [one for one in tree_leaves(made) if isinstance(one, torch.Tensor)]
            outputs = defined(func._schema.name, outputs)
            for number, tensor in enumerate(outputs):
                place = f" output {number}" if len(outputs) > 1 else ""
                recorder._see(f"{func._schema.name}{place}", tensor, str(func), shapes)
        return made


def _computes(func: Any) -> bool:
    """Say whether an operation makes values: not a view, and no memory that nothing was written to."""
    returned = [one.alias_info for one in func._schema.returns]
    is_view = any(alias is not None and not alias.is_write for alias in returned)
    return not is_view and "empty" not in func._schema.name
