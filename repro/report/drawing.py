"""Inline drawings of a report: SVG without text, so that it scales to any width; words stand beside it in HTML.

Shapes tell what colours tell, so that a drawing reads in black and white. Dots are round-capped lines of no
length: stretching the drawing does not stretch them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree import ElementTree

from markupsafe import Markup

from repro.report.model import Curve, Strip

_WIDTH, _HEIGHT = 1000, 24
DASHES = 4
"""How many runs a drawing tells apart; the style sheet has a pattern for each."""


def forest(low: float, high: float, measured: float, claimed: float | None, domain: tuple[float, float]) -> Markup:
    """Return one row of a forest plot: the interval as a line, the measurement a dot, the print an upright bar.

    Args:
        low, high, measured, claimed, domain: in percent; the domain is the row's whole width.
    """
    span = domain[1] - domain[0] or 1.0

    def x(value: float) -> str:
        return _round(_WIDTH * (value - domain[0]) / span)

    drawing = _drawing(_HEIGHT, "forest")
    _line(drawing, "axis", "0", "12", str(_WIDTH), "12")
    _line(drawing, "whisker", x(low), "12", x(high), "12")
    for end in (low, high):
        _line(drawing, "whisker", x(end), "8", x(end), "16")
    if claimed is not None:
        _line(drawing, "claimed", x(claimed), "2", x(claimed), "22")
    _line(drawing, "dot", x(measured), "12", x(measured), "12")
    return _text(drawing)


def spread(counts: Sequence[int]) -> Markup:
    """Return the counts of a random protocol's seeds as dots on a line from the least to the greatest."""
    low, span = min(counts), max(counts) - min(counts) or 1
    drawing = _drawing(_HEIGHT, "spread")
    _line(drawing, "axis", "0", "12", str(_WIDTH), "12")
    for count in sorted(set(counts)):
        place = _round(20 + (_WIDTH - 40) * (count - low) / span)
        _line(drawing, "dot", place, "12", place, "12")
    return _text(drawing)


def strip(row: Strip) -> Markup:
    """Return a trace as a strip of cells, one a tensor; above it the distances in ulps on a logarithmic scale.

    Where tensors differ the cells are hatched and taller; the first of them carries a mark over the whole height.
    """
    height, base = 60, 36
    cell = _WIDTH / max(1, row.tensors)
    drawing = _drawing(height, "strip")
    place = 0
    for segment in row.segments:
        state = segment.state.replace(" ", "-")
        top, tall = (base, 24) if segment.state == "different" else (base + 4, 16)
        _box(drawing, f"cells {state}", place * cell, top, segment.tensors * cell, tall)
        if segment.state == "different":
            for number in range(segment.tensors if cell >= 2 else 0):
                left = (place + number) * cell
                _line(drawing, "hatch", _round(left), str(base + 24), _round(left + cell), str(base))
        place += segment.tensors
    if cell >= 2:
        cuts = " ".join(f"M{_round(cell * number)} {base}V{height}" for number in range(1, row.tensors))
        ElementTree.SubElement(drawing, "path", {"class": "cut", "d": cuts})
    largest = max((math.log2(1 + (one.ulps or 0)) for one in row.distances), default=0.0) or 1.0
    for one in row.distances:
        reach = 2 + 28 * math.log2(1 + (one.ulps or 0)) / largest
        middle = _round((one.place + 0.5) * cell)
        _line(drawing, "ulps", middle, str(base - 2), middle, _round(base - 2 - reach))
    if row.distances:
        edge = _round(row.distances[0].place * cell)
        _line(drawing, "first", edge, "0", edge, str(height))
    return _text(drawing)


def curves(runs: Sequence[Curve]) -> Markup:
    """Return one number's curves over several runs, told apart by their dashes.

    Epochs go to the right and values upwards, both from the least to the greatest of all runs.
    """
    xs, ys = ([point[axis] for run in runs for point in run.points] for axis in (0, 1))
    left, wide = min(xs), max(xs) - min(xs) or 1.0
    low, tall = min(ys), max(ys) - min(ys) or 1.0
    drawing = _drawing(120, "curve")
    for number, run in enumerate(runs):
        places = [(_round(10 + 980 * (x - left) / wide), _round(110 - 100 * (y - low) / tall)) for x, y in run.points]
        line = {"class": f"run-{number % DASHES}", "points": " ".join(f"{x},{y}" for x, y in places)}
        ElementTree.SubElement(drawing, "polyline", line)
        x, y = places[-1]
        _line(drawing, "dot", x, y, x, y)
    return _text(drawing)


def _drawing(height: int, kind: str) -> ElementTree.Element:
    attributes = {
        "class": f"drawing {kind}",
        "viewBox": f"0 0 {_WIDTH} {height}",
        "preserveAspectRatio": "none",
        "aria-hidden": "true",
    }
    return ElementTree.Element("svg", attributes)


def _line(drawing: ElementTree.Element, kind: str, x1: str, y1: str, x2: str, y2: str) -> None:
    ElementTree.SubElement(drawing, "path", {"class": kind, "d": f"M{x1} {y1}L{x2} {y2}"})


def _box(drawing: ElementTree.Element, kind: str, x: float, y: float, width: float, height: float) -> None:
    place = {"x": _round(x), "y": _round(y), "width": _round(width), "height": _round(height)}
    ElementTree.SubElement(drawing, "rect", {"class": kind, **place})


def _round(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _text(drawing: ElementTree.Element) -> Markup:
    return Markup(ElementTree.tostring(drawing, encoding="unicode"))  # ElementTree escapes what it writes
