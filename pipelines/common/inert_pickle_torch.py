"""Unpickle torch files that hold foreign objects, as data: nothing foreign is imported, constructed or called.

Training scripts pickle their own objects beside the weights (``RecorderMeter`` of ``__main__``), which
``torch.load(weights_only=True)`` refuses. Here every name that is not torch's own or plain data becomes a
stand-in. An object that merely carries state is read into one; a pickle that asks to call something foreign is
refused and the thing named. Only tensors are rebuilt, by torch's own functions, without hooks.
"""

from __future__ import annotations

import pickle
import re
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, BinaryIO

import numpy as np
import torch

from repro.errors import BadCheckpoint

_NUMPY_CODE = re.compile(r"[biuf][1248]")


class StandIn:
    """Takes the place of an object of a foreign class; what it holds is not kept.

    A pickle makes objects by ``__new__`` and gives them their state afterwards. That much is data. It runs code
    by a call, which for a class goes on to ``__init__``: that is refused.
    """

    name = "object"

    def __new__(cls, *_args: object, **_named: object) -> StandIn:
        """Return an empty stand-in."""
        return super().__new__(cls)

    def __init__(self, *_args: object, **_named: object) -> None:
        _refuse(self.name)

    def __setstate__(self, state: object) -> None:
        """Drop the state."""

    def __setitem__(self, key: object, value: object) -> None:
        """Drop an item of a foreign mapping."""

    def append(self, item: object) -> None:
        """Drop an item of a foreign list."""

    def extend(self, items: object) -> None:
        """Drop items of a foreign list."""


class Entries(dict[Any, Any]):
    """Any of the standard mappings: its entries, without factory, order methods or attributes."""

    def __setstate__(self, state: object) -> None:
        """Drop attributes, such as the ``_metadata`` of a state dict."""


def _refuse(name: str) -> None:
    raise BadCheckpoint(
        f"the pickle inside asks to call {name}; nothing was called",
        next_step="do not open this file with anything that unpickles; get it from where it was published",
    )


@cache
def stand_in(name: str) -> type[StandIn]:
    """Return the class that stands for the foreign class or function ``module.name``."""
    return type("StandIn", (StandIn,), {"name": name, "__module__": "foreign"})


class _NumpyType:
    """A dtype of NumPy's as a pickle spells it: ``("f8", False, True)``, then ``(3, "<", ...)``."""

    def __init__(self, code: str, *_flags: object) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]


def _scalar(kind: object, data: object = b"") -> Any:
    """Return a scalar of NumPy's as a Python number; any other becomes a stand-in."""
    plain = isinstance(kind, _NumpyType) and isinstance(data, bytes) and _NUMPY_CODE.fullmatch(kind.code)
    if not plain or kind.order not in ("<", ">", "=", "|"):  # type: ignore[attr-defined]
        return stand_in("numpy.generic").__new__(StandIn)
    return np.frombuffer(data, np.dtype(kind.code).newbyteorder(kind.order))[0].item()  # type: ignore


def _array(*_args: object) -> StandIn:
    return StandIn.__new__(stand_in("numpy.ndarray"))


def _reconstructor(kind: object, *_args: object) -> StandIn:
    if not (isinstance(kind, type) and issubclass(kind, StandIn)):
        _refuse(f"the constructor of {kind!r}")
    return StandIn.__new__(kind)  # type: ignore[arg-type]


def _mapping(*args: object) -> Entries:
    """Return the entries that a mapping's constructor is given; a default factory is none."""
    first = args[0] if args else ()
    return Entries(first) if isinstance(first, Mapping | list | tuple) else Entries()


def _encoded(text: str, encoding: str) -> bytes:
    """Return bytes that protocol 2 spells as text."""
    if encoding not in ("latin1", "latin-1"):
        _refuse(f"_codecs.encode with {encoding!r}")
    return text.encode("latin1")


def _tensor(
    storage: Any, offset: int, size: Any, stride: Any, _grad: object = None, _hooks: object = None, metadata: Any = None
) -> torch.Tensor:
    """Rebuild a tensor with torch's own function, without hooks; it checks the view against the storage."""
    if metadata:
        raise BadCheckpoint(f"a tensor carries flags that are not read: {metadata!r}")
    return torch._utils._rebuild_tensor(storage, offset, size, stride)


def _parameter(data: object, *_args: object) -> torch.Tensor:
    if not isinstance(data, torch.Tensor):
        raise BadCheckpoint(f"a parameter is no tensor but a {type(data).__name__}")
    return data


def _sized(sizes: Any = ()) -> tuple[int, ...]:
    return tuple(int(size) for size in sizes)


_KNOWN: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _mapping,
    "collections.defaultdict": _mapping,
    "collections.Counter": _mapping,
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "builtins.complex": complex,
    "copyreg._reconstructor": _reconstructor,
    "_codecs.encode": _encoded,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.Size": _sized,
    "torch.device": lambda *where: ":".join(map(str, where)),
    "numpy.dtype": _NumpyType,
    **{f"numpy.{core}.multiarray._reconstruct": _array for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray.scalar": _scalar for core in ("core", "_core")},
}


class _Known:
    """A known function, called and nothing else: a pickle can also write attributes of what it names."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, state: object) -> None:
        _refuse("setattr")


class InertUnpickler(pickle.Unpickler):
    """Reads a pickle without importing or calling anything foreign; torch gives it the storages."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for ``module.name``."""
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        full = f"{module}.{name}"
        if module == "torch" and isinstance(kind := getattr(torch, name, None), torch.dtype):
            return kind
        return _Known(_KNOWN[full]) if full in _KNOWN else stand_in(full)


class inert_pickle:  # noqa: N801  # torch takes a module here and reads these three names
    """What ``torch.load`` takes as ``pickle_module``."""

    Unpickler = InertUnpickler

    @staticmethod
    def load(file: BinaryIO, **options: Any) -> Any:
        """Read one pickle."""
        return InertUnpickler(file, **options).load()
