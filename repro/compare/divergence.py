"""Where two traces part, and by how many ulps."""

from __future__ import annotations

import base64
import math
from enum import StrEnum
from typing import Any

import numpy as np

from repro.compare.ulps import FLOAT_DTYPES, UlpSummary, summarise_ulps
from repro.errors import BadInput
from repro.schema import BitVerdict, Frozen
from repro.trace import SKETCH_PLACES, THIN_STEP, Sketch, Trace, TraceEntry

_THIN_PLACES = len(range(0, SKETCH_PLACES, THIN_STEP))


class NoDistance(StrEnum):
    """Why a divergent tensor has no distance in ulps."""

    DTYPE = "other dtype"
    SHAPE = "other shape"
    NO_SKETCH = "no sketch"
    OUTSIDE_SAMPLE = "outside the sampled values"
    """The digests differ, the sampled values do not."""
    NO_ULPS = "dtype has no ulps"
    """Integers, booleans, complex numbers and floats of eight bits."""


class Divergence(Frozen):
    """One tensor that differs.

    Attributes:
        name, operation, dtype, shape: of the expected tensor.
        actual_dtype, actual_shape: of the other.
        sampled: how many values could be compared.
        differing: how many of them differ in their bits; ``None`` where none could be compared.
        ulps: how far they are apart; ``None`` with a reason in ``no_distance``.
        extremes_agree: whether minimum, maximum and the number of finite values are the same; ``None`` where
            neither sketch has any.
    """

    name: str
    operation: str
    dtype: str
    shape: tuple[int, ...]
    actual_dtype: str
    actual_shape: tuple[int, ...]
    sampled: int = 0
    differing: int | None = None
    ulps: UlpSummary | None = None
    no_distance: NoDistance | None = None
    extremes_agree: bool | None = None

    def sentence(self) -> str:
        """Return the divergence as one line, without a full stop."""
        return f"{self.name} ({self.operation}), {self._extent()}"

    def _extent(self) -> str:
        if self.no_distance is NoDistance.DTYPE:
            return f"dtype {self.actual_dtype} instead of {self.dtype}"
        if self.no_distance is NoDistance.SHAPE:
            return f"shape {_shape(self.actual_shape)} instead of {_shape(self.shape)}"
        if self.no_distance is NoDistance.NO_SKETCH:
            return "no sketch to measure by"
        size = math.prod(self.shape)
        if self.no_distance is NoDistance.OUTSIDE_SAMPLE:
            if self.sampled == size:
                return f"all {size} values agree but the digests do not: one trace is damaged"
            return f"outside the {self.sampled} sampled values of {size}"
        of = f"{self.sampled} sampled values of {size}" if self.sampled < size else f"{size} values"
        return f"{self.differing} of {of}, {self._distance()}"

    def _distance(self) -> str:
        if self.ulps is None:
            return f"{self.dtype} has no ulps"
        parts = []
        if self.ulps.max_ulps:
            parts.append(f"at most {self.ulps.max_ulps} {'ulp' if self.ulps.max_ulps == 1 else 'ulps'}")
        if self.ulps.nan_against_number:
            parts.append(f"{self.ulps.nan_against_number} of them NaN on one side only")
        if self.ulps.zero_signs:
            parts.append(f"{self.ulps.zero_signs} of them in the sign of zero only")
        if self.ulps.nan_payloads:
            parts.append(f"{self.ulps.nan_payloads} of them in the payload of a NaN only")
        return ", ".join(parts)


class TensorDistance(Frozen):
    """A divergent tensor's largest distance among the sampled values; ``None`` where there is none."""

    name: str
    max_ulps: int | None


class Comparison(Frozen):
    """What two traces say about each other.

    Attributes:
        verdict: ``identical`` or ``different``.
        compared: how many tensors both have.
        agreeing: how many of these are the same in dtype, shape and digest.
        missing: names that only the expected trace has, in its order.
        extra: names that only the other has, in its order.
        first: the first divergent tensor, in the expected trace's order.
        distances: every divergent tensor, in the same order.
    """

    verdict: BitVerdict
    compared: int
    agreeing: int
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    first: Divergence | None = None
    distances: tuple[TensorDistance, ...] = ()

    def sentence(self) -> str:
        """Return the comparison as one line, without a full stop."""
        if self.verdict is BitVerdict.IDENTICAL:
            return f"identical: {self.agreeing} of {self.compared} tensors"
        parts = []
        if self.first is not None:
            parts.append(f"first difference: {self.first.sentence()}")
        else:
            parts.append(f"all {self.compared} common tensors agree")
        for what, names in (("missing", self.missing), ("extra", self.extra)):
            if names:
                parts.append(f"{what}: {_names(names)}")
        return "; ".join(parts)


def compare_traces(expected: Trace, actual: Trace) -> Comparison:
    """Compare two traces tensor by tensor.

    Order is no part of a trace's identity; "first" is by the expected trace's order.

    Raises:
        BadInput: the expected trace holds no tensor, so that nothing could differ, or a sketch is damaged.
    """
    if not expected.entries:
        raise BadInput("the expected trace holds no tensor: there is nothing to compare with")
    found = {entry.name: entry for entry in actual}
    known = {entry.name for entry in expected}
    pairs = [(entry, found[entry.name]) for entry in expected if entry.name in found]
    divergences = [_diverge(mine, other) for mine, other in pairs if _identity(mine) != _identity(other)]
    missing = tuple(entry.name for entry in expected if entry.name not in found)
    extra = tuple(entry.name for entry in actual if entry.name not in known)
    same = not (divergences or missing or extra)
    return Comparison(
        verdict=BitVerdict.IDENTICAL if same else BitVerdict.DIFFERENT,
        compared=len(pairs),
        agreeing=len(pairs) - len(divergences),
        missing=missing,
        extra=extra,
        first=divergences[0] if divergences else None,
        distances=tuple(
            TensorDistance(name=one.name, max_ulps=one.ulps.max_ulps if one.ulps else None) for one in divergences
        ),
    )


def _identity(entry: TraceEntry) -> tuple[str, tuple[int, ...], str]:
    return entry.dtype, entry.shape, entry.digest


def _diverge(expected: TraceEntry, actual: TraceEntry) -> Divergence:
    return Divergence(
        name=expected.name,
        operation=expected.operation,
        dtype=expected.dtype,
        shape=expected.shape,
        actual_dtype=actual.dtype,
        actual_shape=actual.shape,
        **_measure(expected, actual),
    )


def _measure(expected: TraceEntry, actual: TraceEntry) -> dict[str, Any]:
    """Return the fields of a divergence that tell how far two tensors are apart."""
    if expected.dtype != actual.dtype:
        return {"no_distance": NoDistance.DTYPE}
    if expected.shape != actual.shape:
        return {"no_distance": NoDistance.SHAPE}
    if expected.sketch is None or actual.sketch is None:
        return {"no_distance": NoDistance.NO_SKETCH}
    mine, other = sampled_pair((expected, expected.sketch), (actual, actual.sketch))
    differing = int(np.count_nonzero(np.any(mine != other, axis=1)))
    fields = {
        "sampled": len(mine),
        "differing": differing,
        "extremes_agree": _extremes_agree(expected.sketch, actual.sketch),
    }
    if not differing:
        return {**fields, "no_distance": NoDistance.OUTSIDE_SAMPLE}
    if expected.dtype not in FLOAT_DTYPES:
        return {**fields, "no_distance": NoDistance.NO_ULPS}
    dtype = "<u2" if expected.dtype == "bfloat16" else np.dtype(expected.dtype).newbyteorder("<")
    return {**fields, "ulps": summarise_ulps(mine.view(dtype), other.view(dtype), expected.dtype)}


def sampled_pair(a: tuple[TraceEntry, Sketch], b: tuple[TraceEntry, Sketch]) -> tuple[np.ndarray, np.ndarray]:
    """Return the sampled values of two tensors of one dtype and shape, at the places that both keep.

    Returns:
        uint8 (values, item size) each: the values' little-endian bytes.

    Raises:
        BadInput: a sketch is damaged.
    """
    mine, other = _sampled(*a), _sampled(*b)
    if len(mine) != len(other):  # one of them is thinned
        mine, other = (one if len(one) == min(len(mine), len(other)) else one[::THIN_STEP] for one in (mine, other))
    return mine, other


def _sampled(entry: TraceEntry, sketch: Sketch) -> np.ndarray:
    """Return the sampled values' bytes, one row a value, since NumPy need not know the dtype."""
    places = min(math.prod(entry.shape), SKETCH_PLACES)
    try:
        values = np.frombuffer(base64.b64decode(sketch.values, validate=True), np.uint8)
        values = values.reshape(-1, _itemsize(entry.dtype))
        if len(values) != places and (places, len(values)) != (SKETCH_PLACES, _THIN_PLACES):
            raise ValueError(f"{len(values)} values")
        return values
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"{entry.name}: the sketch does not hold {places} values of {entry.dtype}",
            next_step="record the trace again",
        ) from error


def _itemsize(dtype: str) -> int:
    if dtype == "bfloat16":
        return 2
    return 1 if dtype.startswith("float8") else np.dtype(dtype).itemsize


def _extremes_agree(expected: Sketch, actual: Sketch) -> bool | None:
    if expected.minimum is None and actual.minimum is None and expected.finite == actual.finite:
        return None
    return (expected.minimum, expected.maximum, expected.finite) == (
        actual.minimum,
        actual.maximum,
        actual.finite,
    )


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _names(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
