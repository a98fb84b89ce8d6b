"""A comparison of machines as text that fits a terminal of 80 columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from repro.compare.element import Element
from repro.compare.localised import Localised
from repro.compare.machines import Grouping, Pair
from repro.report.plain import WIDTH, counted, narrow, one_line, table, wrapped

_MOST_PAIRS = 28  # of eight runs; of more the first of each class are compared in words
_STATEMENTS = 12
_OPERATIONS = 12
_NAMED = 8
_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


def comparisons_text(groupings: Sequence[Grouping], alone: Sequence[str]) -> str:
    """Return several comparisons: of more than one a table first, and then those whose runs differ.

    Args:
        alone: keys of which there is one run only.
    """
    blocks = [comparison_text(one) for one in groupings]
    if len(groupings) > 1:
        cells = [
            ["identical" if one.identical else "different", str(len(one.labels)), str(len(one.classes))]
            for one in groupings
        ]
        first = narrow(["verdict", "runs", "classes"], cells, [[_computation(one.key)] for one in groupings])
        blocks = [first, *(text for text, one in zip(blocks, groupings, strict=True) if not one.identical)]
    if alone:
        blocks.append("\n".join(wrapped(f"Of only one run, so not compared: {counted_computations(alone)}")))
    return "\n\n".join(blocks)


def counted_computations(keys: Sequence[str]) -> str:
    """Return stage and model of computations, each once with how many there are; of many, the first."""
    found = Counter(one_line(key).partition(",")[0] for key in keys)
    shown = [name if count == 1 else f"{name} ({count})" for name, count in found.items()]
    return ", ".join(shown[:_NAMED]) + (f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else "")


def _computation(key: str) -> str:
    """Return a key for people: digests cut to where they still tell two apart."""
    return _DIGEST.sub(r"\1", one_line(key))


def comparison_text(grouping: Grouping) -> str:
    """Return who agrees with whom, where the bits part first, and what goes with it."""
    return "\n".join(_lines(grouping))


def localised_text(found: Localised) -> str:
    """Return where two runs part, down to the operation and the element."""
    return "\n".join(_localised_lines(found))


def _lines(grouping: Grouping) -> Iterator[str]:
    yield from wrapped(_computation(grouping.key))
    names = [_name(number) for number in range(len(grouping.labels))]
    for name, label in zip(names, grouping.labels, strict=True):
        yield from wrapped(f"  {name}  {one_line(label)}", indent="     ")
    yield ""
    count = len(grouping.classes)
    classes = "1 class" if count == 1 else f"{count} classes"
    yield f"{classes} of identical bits, {counted(grouping.compared, 'tensor')} compared:"
    yield from (f"  {' '.join(names[place] for place in one)}" for one in grouping.classes)
    if len(names) > 2:
        yield ""
        yield from _matrix(grouping, names)
    yield ""
    for pair in _told(grouping):
        sentence = one_line(pair.comparison.sentence())
        yield from wrapped(f"{names[pair.first]} {names[pair.second]}  {sentence}", indent="     ")
    if grouping.statements:
        yield ""
        yield "What goes with it, as far as these runs tell:"
        for one in grouping.statements[:_STATEMENTS]:
            yield from wrapped(f"- {one_line(one.sentence())}", indent="  ")
        if len(grouping.statements) > _STATEMENTS:
            yield f"- {len(grouping.statements) - _STATEMENTS} more in --json"


def _localised_lines(found: Localised) -> Iterator[str]:
    for name, label, note in zip("AB", found.labels, found.notes, strict=True):
        yield from wrapped(f"{name}  {one_line(label)}", indent="   ")
        yield from wrapped(one_line(note), first="   ", indent="   ")
    yield ""
    yield from wrapped(f"First difference: {one_line(found.first.sentence())}.")
    if found.remark:
        yield from wrapped(one_line(found.remark))
    if found.entry is not None:
        yield ""
        yield "The operation that makes it:" if found.operations else "Operation by operation, the first that differs:"
        yield f"  {one_line(found.entry)}"
        if found.reads:
            yield from wrapped(f"  reads  {_shapes(found.reads)}", indent="         ")
        yield f"  makes  {_shapes((found.shape,))}"
    if len(found.operations) > 1:
        yield from wrapped(f"{_since(found.operations)}; they may part in any of these.")
    if found.element is not None:
        yield ""
        yield from _element_lines(found.element, found.sampled)


def _since(operations: tuple[str, ...]) -> str:
    shown = ", ".join(one_line(name) for name in operations[-_OPERATIONS:])
    last = f"the last {_OPERATIONS}: " if len(operations) > _OPERATIONS else ""
    return f"{counted(len(operations), 'operation')} ran since the last tensor that both agree in: {last}{shown}"


def _element_lines(element: Element, sampled: bool) -> Iterator[str]:
    of = f"{element.size} sampled elements" if sampled else counted(element.size, "element")
    yield f"{element.differing} of {of} differ, the first at {list(element.index)}:"
    yield f"  A  {element.values[0]}"
    ulps = "" if element.ulps is None else f"  ({counted(element.ulps, 'ulp')} apart)"
    yield f"  B  {element.values[1]}{ulps}"


def _shapes(shapes: tuple[tuple[int, ...], ...]) -> str:
    return ", ".join("x".join(map(str, one)) or "scalar" for one in shapes) or "nothing"


def _told(grouping: Grouping) -> Iterator[Pair]:
    """Yield all pairs where they are few, else those of the first runs of the classes."""
    firsts = {one[0] for one in grouping.classes}
    for pair in grouping.pairs:
        if len(grouping.pairs) <= _MOST_PAIRS or {pair.first, pair.second} <= firsts:
            yield pair


def _matrix(grouping: Grouping, names: list[str]) -> Iterator[str]:
    agreeing = {(one.first, one.second): one.comparison for one in grouping.pairs}
    ordered = [place for one in grouping.classes for place in one]
    rows = []
    for a in ordered:
        cells = []
        for b in ordered:
            found = agreeing.get((min(a, b), max(a, b)))
            cells.append("=" if found is None else f"{found.agreeing}/{found.compared}")
        rows.append([names[a], *cells])
    text = table(["agree", *(names[place] for place in ordered)], rows, style="simple")
    if max(map(len, text.split("\n"))) <= WIDTH:
        yield text


def _name(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else f"{_name(number // 26 - 1)}{_name(number % 26)}"
