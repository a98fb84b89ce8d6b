"""A report as one HTML file that needs nothing else: no network, no fonts, one style sheet, one short script.

Whatever comes from a record or claim is escaped by the template engine, and the page's own policy runs no script
but the one whose digest it names.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from repro.compare import share_text
from repro.report import drawing
from repro.report.model import Answer, ClaimRow, Curve, Measurement, Report
from repro.report.plain import counted, device, one_line, subject
from repro.report.training_text import how, spread_text
from repro.schema import ClaimVerdict

_FOLDER = Path(__file__).parent / "templates"
_LONGEST = 20_000  # characters of one record's details; the record itself has the rest

_SYMBOLS = {
    Answer.YES: "✓",
    Answer.NEARLY: "≈",
    Answer.NO: "✗",
    Answer.BITS_ONLY: "✓",
    Answer.UNKNOWN: "?",
    "identical": "✓",
    "different": "✗",
    "unstable": "↯",
    "unrecorded": "○",
    "blocked": "■",
    "reproduced": "✓",
    "close": "≈",
    "not reproduced": "✗",
    "unattainable": "∅",
    "not run": "–",
    "not judged": "–",
    "not judged: modified": "–",
    "failed": "✗",
}
"""A sign for each verdict, so that none is told by colour alone."""

_OPEN = {ClaimVerdict.NOT_REPRODUCED, ClaimVerdict.CLOSE, ClaimVerdict.REPRODUCED}


@dataclass(frozen=True)
class ForestRow:
    """One measurement beside one published number, in percent; ``verdict`` is ``None`` for another checkpoint."""

    label: str
    told: str
    verdict: str | None
    drawing: Markup
    record: str


@dataclass(frozen=True)
class Panel:
    """One number of a training over its epochs, a curve for each run, and between which values they lie."""

    quantity: str
    runs: tuple[Curve, ...]
    low: float
    high: float
    epochs: int
    drawing: Markup


def html(report: Report) -> str:
    """Return a report as one HTML page, the same bytes for the same report."""
    by_record = {one.record: one for one in report.measurements}
    shown = [row for row in report.claims if row.verdict in _OPEN or row.measurements]
    systems = sorted(
        {row.system for row in report.claims}
        | {one.system for one in report.measurements}
        | {one.system for one in report.trainings}
    )
    style, script = (_FOLDER / "style.css").read_text("utf-8"), (_FOLDER / "script.js").read_text("utf-8")
    policy = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            style=Markup(style),
            script=Markup(script),
            policy=policy,
            opening=report.headline.partition(". ")[0],
            rest=report.headline.partition(". ")[2],
            shown=shown,
            known={one.id for one in report.defects},
            others=[row for row in report.claims if row not in shown],
            by_record=by_record,
            systems=[
                {
                    "name": name,
                    "forest": list(_forest([row for row in report.claims if row.system == name], by_record)),
                    "measurements": [one for one in report.measurements if one.system == name],
                    "trainings": [one for one in report.trainings if one.system == name],
                    "panels": {
                        record: list(_panels(curves))
                        for record, curves in groupby(report.curves, key=lambda one: one.record)
                    },
                    "defects": [one for one in report.defects if one.system in (name, _shared(report, systems))],
                }
                for name in systems
            ],
        )
    )
    return re.sub(r"\n\s*\n+", "\n", page)


def _shared(report: Report, systems: Sequence[str]) -> str:
    """Return the name under which defects of shared data stand: of no system."""
    return next((one.system for one in report.defects if one.system not in systems), "")


def _forest(rows: Iterable[ClaimRow], by_record: dict[str, Measurement]) -> Iterable[ForestRow]:
    found = []
    for row in rows:
        claimed = _percent(row)
        for beside in row.measurements:
            one = by_record.get(beside.record)
            if one is None or (beside.correct, beside.n) != (one.correct, one.n):
                continue  # a class's recall has no interval of its own in the records
            found.append((row, beside, one, claimed))
    values = [100 * end for *_, one, _ in found for end in one.interval] + [c for *_, c in found if c is not None]
    if not values:
        return
    margin = max(0.25, 0.04 * (max(values) - min(values)))
    domain = (min(values) - margin, max(values) + margin)
    for row, beside, one, claimed in found:
        low, high = (100 * end for end in one.interval)
        drawn = drawing.forest(low, high, 100 * one.accuracy, claimed, domain)
        told = (
            f"printed {row.printed}, here {share_text(one.correct, one.n, '%', 2)} % "
            f"({low:.2f} to {high:.2f}), {beside.protocol}, {beside.checkpoint}"
        )
        yield ForestRow(row.id, told, beside.verdict, drawn, beside.record)


def _panels(curves: Iterable[Curve]) -> Iterable[Panel]:
    """Put the curves of one training together by what they tell."""
    found: dict[str, list[Curve]] = {}
    for one in curves:
        found.setdefault(one.quantity, []).append(one)
    for quantity, runs in found.items():
        values = [value for run in runs for _, value in run.points]
        epochs = max(len(run.points) for run in runs)
        yield Panel(quantity, tuple(runs), min(values), max(values), epochs, drawing.curves(runs))


def _percent(row: ClaimRow) -> float | None:
    """Return a published share in percent; ``None`` where the number is none."""
    number, _, unit = row.printed.partition(" ")
    try:
        value = float(number)
    except ValueError:
        return None
    if unit == "%":
        return value
    if not unit and value <= 1:
        return 100 * value
    return 100 * value / row.n if unit == "images" and row.n else None


@cache
def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    found.filters |= {"anchor": anchor, "sign": _sign, "details": _details, "command": _is_command}
    found.globals |= {
        "counted": counted,
        "device": device,
        "subject": subject,
        "share_text": share_text,
        "drawing": drawing,
        "phases": _phases,
        "shade": _shade,
        "spread_text": spread_text,
        "training_how": how,
    }
    return found


def _visible(value: Any) -> Any:
    """Make codes that a browser would obey, and text directions, visible in what a record says."""
    return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def anchor(name: str) -> str:
    """Return a name as the address of a place in the page: letters, digits, ``.``, ``_`` and ``-`` alone."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name.removeprefix("records/").removesuffix(".json"))


def _sign(verdict: str | None) -> Markup:
    if verdict is None:
        return Markup('<span class="verdict none">no verdict</span>')
    kind = re.sub(r"[^a-z]+", "-", verdict)
    sign = _SYMBOLS.get(verdict, "?")
    return Markup(f'<span class="verdict {kind}"><span aria-hidden="true">{sign}</span> {escape(verdict)}</span>')


def _details(data: Any) -> Markup:
    """Return plain data as text in which nothing but ASCII is left to show."""
    text = json.dumps(data, indent=1, ensure_ascii=True)
    cut = "" if len(text) <= _LONGEST else f"\n… {len(text) - _LONGEST} more characters in the record"
    return Markup(escape(text[:_LONGEST] + cut))


def _is_command(text: str | None) -> bool:
    return bool(text) and bool(re.match(r"(make|repro|pip|git) ", text or ""))


def _phases(row: Any) -> list[tuple[str, int]]:
    """Return the phases of a strip with how many tensors each has."""
    return [
        (phase, sum(one.tensors for one in group)) for phase, group in groupby(row.segments, key=lambda one: one.phase)
    ]


def _shade(value: int, row: Sequence[int]) -> int:
    """Return how dark a cell of a confusion matrix is, 0 to 10: its share of its row."""
    return round(10 * value / sum(row)) if sum(row) else 0
