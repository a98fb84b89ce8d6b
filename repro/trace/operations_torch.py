"""Records what a torch model computes operation by operation, from one layer on.

The recorder stands where the layers' recorder stands and sees, beside the layers, every ATen operation of one phase
of a run: forward pass, backward pass and optimiser. A weight is recorded when the first operation reads it, so that a
weight that differs is found at its own tensor and not at the first result.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from repro.trace.record_torch import Recorder
from repro.trace.trace import Trace, TraceEntry, trace_tensor

MOST = 5000
"""Operations that are recorded at most."""


class OperationRecorder(Recorder):
    """A recorder that also sees operations.

    Args:
        phase: the prefix under which the layers of the run's part are recorded: ``forward``, ``step1/forward`` ...
        layer: the module from whose first call on operations are recorded; from the phase's start where ``None``.
        keep: the name of the entry whose values are kept whole.
        one_nan: as for :class:`repro.trace.record_torch.Recorder`.
    """

    def __init__(self, phase: str, layer: str | None, *, keep: str | None = None, one_nan: bool = False) -> None:
        super().__init__(one_nan=one_nan)
        self._phase, self._layer, self._keep = phase, layer, keep
        self._operations: list[TraceEntry] = []
        self._reads: dict[str, list[list[int]]] = {}
        self.kept: np.ndarray | None = None
        self._busy = False

    def operations(self) -> Trace:
        """Return the operations so far, in the order in which they ran."""
        return Trace.from_entries(self._operations)

    def reads(self) -> dict[str, list[list[int]]]:
        """Return the shapes of the tensors that each operation read, by the entry's name."""
        return dict(self._reads)

    def add(self, name: str, tensor: Any, operation: str) -> None:
        """Record one tensor; what this computes is no operation of the model."""
        before, self._busy = self._busy, True
        try:
            super().add(name, tensor, operation)
        finally:
            self._busy = before

    @contextmanager
    def layers(self, model: nn.Module, prefix: str) -> Iterator[None]:
        """Record layers, and in the wanted phase operations too."""
        if prefix != self._phase:
            with super().layers(model, prefix):
                yield
            return
        mode = _Mode(self, model)
        wanted = None if self._layer is None else dict(model.named_modules())[self._layer]
        mode.started = wanted is None

        def before_forward(module: nn.Module, arguments: Any) -> None:
            mode.started = mode.started or module is wanted

        handle = register_module_forward_pre_hook(before_forward)
        try:
            with super().layers(model, prefix), mode:
                yield
        finally:
            handle.remove()

    def _see(self, name: str, tensor: torch.Tensor, operation: str, reads: list[list[int]]) -> None:
        if len(self._operations) >= MOST:
            return
        self._busy = True
        try:
            called = f"{len(self._operations) + 1:04d} {name}"
            self._operations.append(trace_tensor(called, tensor, operation))
            self._reads[called] = reads
            if called == self._keep:
                self.kept = tensor.detach().cpu().contiguous().numpy().copy()
        finally:
            self._busy = False


class _Mode(TorchDispatchMode):
    def __init__(self, recorder: OperationRecorder, model: nn.Module) -> None:
        super().__init__()
        self._recorder = recorder
        self._unread = {
            tensor.untyped_storage().data_ptr(): (name, tensor)
            for name, tensor in [*model.named_parameters(), *model.named_buffers()]
        }
        self.started = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        recorder = self._recorder
        if recorder._busy or not self.started:
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
            for number, tensor in enumerate(outputs):
                place = f" output {number}" if len(outputs) > 1 else ""
                recorder._see(f"{func._schema.name}{place}", tensor, str(func), shapes)
        return made


def _computes(func: Any) -> bool:
    """Say whether an operation makes values: not a view, and no memory that nothing was written to."""
    returned = [one.alias_info for one in func._schema.returns]
    is_view = any(alias is not None and not alias.is_write for alias in returned)
    return not is_view and "empty" not in func._schema.name
