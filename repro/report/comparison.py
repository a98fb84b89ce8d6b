"""A comparison of machines as text that fits a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from repro.compare.machines import Grouping, Pair
from repro.report.plain import counted, one_line, table

_WIDTH = 80
_MOST_PAIRS = 28  # of eight runs; of more the first of each class are compared in words
_STATEMENTS = 12


def comparison_text(grouping: Grouping) -> str:
    """Return who agrees with whom, where the bits part first, and what goes with it."""
    return "\n".join(_lines(grouping))


def _lines(grouping: Grouping) -> Iterator[str]:
    yield from wrap(one_line(grouping.key), _WIDTH)
    names = [_name(number) for number in range(len(grouping.labels))]
    for name, label in zip(names, grouping.labels, strict=True):
        yield from wrap(f"  {name}  {one_line(label)}", _WIDTH, subsequent_indent="     ")
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
        yield from wrap(f"{names[pair.first]} {names[pair.second]}  {sentence}", _WIDTH, subsequent_indent="     ")
    if grouping.statements:
        yield ""
        yield "What goes with it, as far as these runs tell:"
        for one in grouping.statements[:_STATEMENTS]:
            yield from wrap(f"- {one_line(one.sentence())}", _WIDTH, subsequent_indent="  ")
        if len(grouping.statements) > _STATEMENTS:
            yield f"- {len(grouping.statements) - _STATEMENTS} more in --json"


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
    if max(map(len, text.split("\n"))) <= _WIDTH:
        yield text


def _name(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else f"{_name(number // 26 - 1)}{_name(number % 26)}"
