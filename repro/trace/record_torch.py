"""Record what a torch model computes, layer by layer, while it computes it.

Every module's output is digested in a forward hook, at the moment it is made and before an in-place
operation of the next layer can change it. Nothing is kept but digest and sketch, so memory stays flat.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook
from torch.utils.hooks import RemovableHandle

from repro.trace.recorder import TensorRecorder
from repro.trace.scan_torch import scanned
from repro.trace.trace import Trace, TraceEntry


class Recorder(TensorRecorder):
    """Collects the tensors of one run, in order.

    Args:
        one_nan: give every NaN the bits 0x7FC00000 first, since those of a NaN are the machine's.
    """

    def __init__(self, *, one_nan: bool = False) -> None:
        super().__init__(scanned)
        self._one_nan = one_nan

    def entry(self, name: str, tensor: Any, operation: str) -> TraceEntry:
        """Return a tensor's or NumPy array's entry."""
        return super().entry(name, _with_one_nan(tensor) if self._one_nan else tensor, operation)

    @contextmanager
    def layers(self, model: nn.Module, prefix: str) -> Iterator[None]:
        """Record every module's output as ``prefix/<module>`` while the block runs."""
        with observed(model, lambda name, output, kind: self.add(f"{prefix}/{name}", output, kind)):
            yield

    @contextmanager
    def gradients(self, model: nn.Module, prefix: str) -> Iterator[None]:
        """Record the gradients of the block as ``prefix/<parameter>``, in the order of the parameters, when it ends.

        Each is digested when the backward pass has it whole and before anyone else sees it, so that a training step
        may use it up at once. Of several backward passes the last counts.
        """
        found: dict[str, TraceEntry] = {}

        def watch(name: str, parameter: nn.Parameter) -> RemovableHandle:
            def seen(gradient: torch.Tensor) -> None:
                found[name] = self.entry(f"{prefix}/{name}", gradient, "gradient")

            return parameter.register_hook(seen)

        trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        handles = [watch(name, parameter) for name, parameter in trained.items()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
        for name in trained:
            if name in found:
                self.add_entry(found[name])


@contextmanager
def observed(model: nn.Module, see: Callable[[str, torch.Tensor, str], None]) -> Iterator[None]:
    """Call ``see(name, output, kind)`` for every module's output, in the order of computation.

    The model itself is called ``output``. A module that runs again gets ``#2``, ``#3`` ...; one that hands
    on the very tensor that was seen last (a container, an identity) adds nothing.
    """
    known = {module: (name or "output", type(module).__name__) for name, module in model.named_modules()}
    calls: Counter[str] = Counter()
    last: list[weakref.ref[torch.Tensor] | None] = [None]

    def after_forward(module: nn.Module, arguments: Any, output: Any) -> None:
        if module not in known:
            return
        name, kind = known[module]
        calls[name] += 1
        called = name if calls[name] == 1 else f"{name}#{calls[name]}"
        for suffix, tensor in _tensors(output):
            if last[0] is not None and tensor is last[0]():
                continue
            last[0] = weakref.ref(tensor)  # held, it would keep its memory from the layers that follow
            see(called + suffix, tensor, kind)

    handle = register_module_forward_hook(after_forward)  # one for all modules: cheaper than one in each
    try:
        yield
    finally:
        handle.remove()


def trace_in_pieces(model: nn.Module, inputs: torch.Tensor, piece: int, prefix: str) -> Trace:
    """Return the trace of a forward pass that is fed ``piece`` samples at a time.

    The pieces' outputs are joined along the batch axis, so that the trace can be compared with that of
    the undivided batch. Only outputs whose first axis is the batch are recorded.
    """
    outputs: dict[str, list[torch.Tensor]] = {}
    kinds: dict[str, str] = {}
    for start in range(0, len(inputs), piece):
        part = inputs[start : start + piece]

        def see(name: str, output: torch.Tensor, kind: str, expected: int = len(part)) -> None:
            if output.ndim and len(output) == expected:
                outputs.setdefault(name, []).append(output.detach().clone())
                kinds[name] = kind

        with torch.no_grad(), observed(model, see):
            model(part)
    recorder = Recorder()
    for name, parts in outputs.items():
        recorder.add(f"{prefix}/{name}", torch.cat(parts), kinds[name])
    return recorder.trace()


def _tensors(output: Any, suffix: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(output, torch.Tensor):
        yield suffix, output
    elif isinstance(output, Mapping):
        for key, value in output.items():
            yield from _tensors(value, f"{suffix}.{key}")
    elif isinstance(output, (tuple, list)):
        for index, value in enumerate(output):
            yield from _tensors(value, f"{suffix}.{index}")


def _with_one_nan(tensor: Any) -> Any:
    values = tensor.detach().cpu().numpy() if isinstance(tensor, torch.Tensor) else np.asarray(tensor)
    unknown = np.isnan(values) if values.dtype == np.float32 else np.zeros((), bool)
    return np.where(unknown, np.float32(np.nan), values) if unknown.any() else values
