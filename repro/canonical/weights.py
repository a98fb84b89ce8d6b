"""Parameters quantised once, until they change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

_Made = TypeVar("_Made")
_Key = tuple[int, tuple[int, ...], tuple[int, ...], str]


@dataclass
class _Known:
    """What is remembered of one storage that holds a parameter."""

    storage: StorageWeakRef
    version: int
    made: dict[_Key, Any]


class Weights:
    """Quantised parameters by storage. A change that PyTorch counts, or that the mode sees, forgets them.

    A parameter that is changed through NumPy while the mode is active is the one change that nothing tells.
    """

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}

    def meet(self, tensor: Tensor) -> None:
        """Note that a storage holds a parameter, so that views of it are remembered too."""
        if isinstance(tensor, nn.Parameter) and not tensor.is_inference():
            storage = _storage(tensor)
            known = self._known.get(storage)
            if known is None or known.storage.expired():
                self._known[storage] = _Known(StorageWeakRef(tensor.untyped_storage()), tensor._version, {})

    def forget(self, tensor: Tensor) -> None:
        """Drop what is remembered of a tensor's storage, which was written to."""
        known = self._known.get(_storage(tensor))
        if known is not None:
            known.made.clear()

    def quantised(self, tensor: Tensor, kind: str, make: Callable[[Tensor], _Made]) -> _Made:
        """Return ``make(tensor)``, remembered by place, shape and ``kind`` where the storage holds a parameter."""
        known = self._known.get(_storage(tensor))
        if known is None or known.storage.expired() or tensor.is_inference():
            return make(tensor)
        if known.version != tensor._version:
            known.version = tensor._version
            known.made.clear()
        key = (int(tensor.storage_offset()), tuple(tensor.shape), tensor.stride(), kind)
        if key not in known.made:
            known.made[key] = make(tensor)
        made: _Made = known.made[key]
        return made


def _storage(tensor: Tensor) -> int:
    cdata: int = tensor.untyped_storage()._cdata
    return cdata
