"""Which module is at work, so that an error can name it: in forward by hooks, in backward by the node's number."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook


class ModuleTrail:
    """The path of modules being called. Names are those of the outermost module called."""

    def __init__(self) -> None:
        self._path: list[tuple[str, int]] = []
        self._names: dict[int, str] = {}
        self._spans: list[tuple[int, int, str]] = []
        self._hooks: list[Any] = []

    def start(self) -> None:
        """Watch every module from here on."""
        self._hooks = [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, always_call=True),
        ]

    def stop(self) -> None:
        """Watch no longer."""
        for hook in self._hooks:
            hook.remove()
        self._path.clear()
        self._spans.clear()

    def here(self) -> str:
        """Return where the present operation comes from."""
        node = torch._C._current_autograd_node()
        if node is not None:
            return f"the backward pass of {self._maker(node._sequence_nr())} ({node.name()})"
        return self._path[-1][0] if self._path else "no module"

    def _enter(self, module: nn.Module, inputs: Any) -> None:
        if not self._path:
            self._names = {id(each): name for name, each in module.named_modules()}
            self._spans.clear()
        name = self._names.get(id(module)) or "the model"
        self._path.append((f"{name} ({type(module).__name__})", torch._C._autograd._get_sequence_nr()))

    def _leave(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if self._path:
            name, first = self._path.pop()
            self._spans.append((first, torch._C._autograd._get_sequence_nr(), name))

    def _maker(self, number: int) -> str:
        """Return the innermost module whose forward made the node; inner modules are left first."""
        return next((name for first, last, name in self._spans if first <= number < last), "what no module made")
