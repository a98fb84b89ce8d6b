"""The context under which an unmodified model, its loss, its backward pass and its optimiser compute canonically."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from repro.canonical import philox
from repro.canonical.aten import FORMS, PASSED
from repro.canonical.aten.movement import FLOAT64, INTEGER_ONLY
from repro.canonical.modules import ModuleTrail
from repro.canonical.optimisers import exact_bias_corrections, expand_foreach
from repro.canonical.selftest import require_fit_machine
from repro.canonical.weights import Weights
from repro.errors import NoCanonicalForm

_Made = TypeVar("_Made")

_INTEGERS = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
_PROFILER = ("profiler::", "prim::device")


class canonical(TorchDispatchMode):  # noqa: N801 - a context manager, as torch.no_grad is
    """Compute canonically within ``with canonical(seed=...):``. Leaving it forgets everything but the counters.

    What has a form in :data:`repro.canonical.aten.FORMS` is computed by it, what moves or compares is passed on, what
    PyTorch composes of other operations is taken apart, and anything else raises. Autograd runs the backward pass of a
    loss under the mode in which ``backward()`` was called, on whichever thread.

    Args:
        seed: of the random operations, 64 bits.

    Raises:
        UnfitMachine: on entering: the self-test fails, flush-to-zero, autocast or TF32 is on.
        NoCanonicalForm: an operation without a canonical form; the message names it and the module that called it.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self._seed = seed
        self._step = 0
        self._ordinal = 0
        self._samples: Tensor | None = None
        self._weights = Weights()
        self._trail = ModuleTrail()
        self._stack = ExitStack()

    def begin_step(self, step: int, samples: Sequence[int] | Tensor | None = None) -> None:
        """Start a training step: random operations are counted from zero, under this step's number.

        Args:
            step: the step's number.
            samples: each sample's number in the data set, in the batch's order, so that what is drawn for a sample
                does not depend on its place; places in the batch by default.
        """
        self._step, self._ordinal = step, 0
        self._samples = None if samples is None else torch.as_tensor(samples, dtype=torch.int64)

    def __enter__(self) -> canonical:
        require_fit_machine()
        self._stack = ExitStack()
        self._weights = Weights()
        self._stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        self._stack.callback(torch.backends.mha.set_fastpath_enabled, fast)
        self._stack.enter_context(exact_bias_corrections())
        self._trail.start()
        self._stack.callback(self._trail.stop)
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._stack.close()
        self._weights = Weights()

    def weight(self, tensor: Tensor, kind: str, make: Callable[[Tensor], _Made]) -> _Made:
        """Return ``make(tensor)``, remembered until the tensor changes where it belongs to a parameter."""
        return self._weights.quantised(tensor, kind, make)

    def random_words(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Return the words of the step's next random operation: one row of counters a sample, the first axis."""
        samples, each = (shape[0], shape[1:]) if shape else (1, ())
        numbers = torch.arange(samples) if self._samples is None or len(self._samples) != samples else self._samples
        words = philox.words(self._seed, numbers, each, ordinal=self._ordinal, step=self._step)
        self._ordinal += 1
        return words.reshape(shape).to(device)

    def random_normal(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Return the step's next random operation's standard normal numbers (:func:`repro.canonical.philox.normal`)."""
        drawn = philox.normal(self._seed, shape, ordinal=self._ordinal, step=self._step)
        self._ordinal += 1
        return drawn.to(device)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        for tensor in tensors:
            self._weights.meet(tensor)
        try:
            result = self._computed(func, tensors, args, kwargs)
        except NoCanonicalForm as error:
            if getattr(error, "placed", False):
                raise
            raise self._placed(func, error) from None
        for tensor in _written(func, args):
            self._weights.forget(tensor)
        return result

    def _computed(self, func: Any, tensors: list[Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if func in PASSED or func.name().startswith(_PROFILER):
            return func(*args, **kwargs)
        kinds = {tensor.dtype for tensor in tensors}
        if func in INTEGER_ONLY and kinds <= _INTEGERS and not _asks_for_floats(args, kwargs):
            return func(*args, **kwargs)
        if func in FLOAT64 and torch.float64 in kinds and kwargs.get("alpha", 1) == 1:
            return func(*args, **kwargs)
        taken = FORMS.get(func)
        if taken is not None:
            unknown = kinds - _INTEGERS - {torch.float32}
            if unknown:
                raise NoCanonicalForm(f"tensors of type {', '.join(sorted(map(str, unknown)))} are not specified")
            return taken(self, *args, **kwargs)
        if "out" in kwargs and isinstance(kwargs["out"], Tensor):
            return self._into(kwargs.pop("out"), func, args, kwargs)
        each = expand_foreach(func, args, kwargs)
        if each is not None:
            made = [self.__torch_dispatch__(one, (), own, named) for one, own, named in each]
            return made if func._schema.returns else None
        super().__enter__()  # the mode is off while it handles an operation; its parts are to be seen again
        try:
            result = func.decompose(*args, **kwargs)
        finally:
            super().__exit__(None, None, None)
        if result is NotImplemented:
            raise NoCanonicalForm("the operation is not in the table")
        return result

    def _into(self, out: Tensor, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """Compute the operation that gives a new tensor, and copy that into ``out``."""
        packet = func.overloadpacket
        names = (func._overloadname.removesuffix("_out"), "default", "Tensor", "Scalar")
        found = next((name for name in names if name != "out" and name in packet.overloads()), None)
        if found is None:
            raise NoCanonicalForm("the operation is not in the table")
        self._weights.forget(out)
        result: Tensor = self.__torch_dispatch__(getattr(packet, found), (), args, kwargs)
        return out.copy_(result)

    def _placed(self, func: Any, error: NoCanonicalForm) -> NoCanonicalForm:
        message = f"{func.name()} has no canonical form: {error.message}. It was called by {self._trail.here()}"
        told = NoCanonicalForm(message, next_step=error.next_step or _NEXT)
        told.placed = True  # type: ignore[attr-defined]
        return told


_NEXT = "compute with --arithmetic native, or define the operation in repro/canonical as part of a new version"


def _written(func: Any, args: tuple[Any, ...]) -> Iterable[Tensor]:
    """Yield the tensors that an operation writes to."""
    if not func._schema.is_mutable:
        return
    for argument, value in zip(func._schema.arguments, args, strict=False):
        if argument.alias_info is not None and argument.alias_info.is_write:
            yield from (leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor))


def _asks_for_floats(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    leaves = tree_leaves((args, kwargs))
    return any(isinstance(leaf, float) or (isinstance(leaf, torch.dtype) and leaf.is_floating_point) for leaf in leaves)
