"""The tensors of one trace in a row: where they agree with what is stored, and how far they part along the way."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Literal

from repro.report.model import Strip, StripDistance, StripSegment
from repro.schema import BitVerdict
from repro.trace import Trace

_STRETCHES = 240  # of a long trace, each with one distance: more than a screen can show apart


def strip_of(trace: Trace, verdict: str, distances: Mapping[str, int | None]) -> Strip:
    """Return a trace's tensors in a row.

    Args:
        trace: of the run that was judged.
        verdict: of its bits; with ``unrecorded`` nothing was compared.
        distances: every divergent tensor's largest distance in ulps, by name.
    """
    compared = verdict != BitVerdict.UNRECORDED

    def fate(name: str) -> tuple[str, Literal["same", "different", "not compared"]]:
        phase = name.partition("/")[0]
        return phase, "not compared" if not compared else "different" if name in distances else "same"

    names = [entry.name for entry in trace]
    segments = []
    for (phase, state), group in groupby(names, key=fate):
        inside = [name.partition("/")[2] or name for name in group]
        segments.append(StripSegment(phase=phase, state=state, tensors=len(inside), first=inside[0], last=inside[-1]))
    return Strip(tensors=len(names), segments=tuple(segments), distances=_distances(names, distances))


def _distances(names: list[str], distances: Mapping[str, int | None]) -> tuple[StripDistance, ...]:
    parted = [
        StripDistance(place=place, name=name, ulps=distances[name])
        for place, name in enumerate(names)
        if name in distances
    ]
    if not parted:
        return ()
    first, rest = parted[0], parted[1:]
    stretch = max(1, -(-len(names) // _STRETCHES))
    farthest = [
        max(group, key=lambda one: (-1 if one.ulps is None else one.ulps, -one.place))
        for _, group in groupby(rest, key=lambda one: one.place // stretch)
    ]
    return (first, *farthest)
