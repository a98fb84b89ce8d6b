"""A report for a terminal of 80 columns: the answer, what was measured, what needs a look. The files hold the rest."""

from __future__ import annotations

from collections.abc import Iterator

from repro.report.model import Report
from repro.report.plain import counted, device, narrow, one_line, subject, wrapped
from repro.report.training_text import title
from repro.schema import BitVerdict, ClaimVerdict, TrainingVerdict

_CONTRADICTED = frozenset({BitVerdict.DIFFERENT, BitVerdict.UNSTABLE})
_MEASURED = {ClaimVerdict.NOT_REPRODUCED: 0, ClaimVerdict.CLOSE: 1, ClaimVerdict.REPRODUCED: 2}
"""Verdicts that a measurement gives, in the order in which they are listed."""


def report_text(report: Report) -> str:
    """Return the answer, contradicted bits, measured numbers and what could not run; the headline counts the rest."""
    blocks = [
        "Do the numbers come out on this machine?",
        "\n".join(wrapped(one_line(report.headline))),
        *_origin(report),
        *_bits(report),
        *_numbers(report),
        *_trainings(report),
        *_blocked(report),
    ]
    return "\n\n".join(blocks)


def _origin(report: Report) -> Iterator[str]:
    told = [f"machine {number}: {line}" for number, line in enumerate(report.machines, start=1)]
    told += [f"data {row.name}: {row.edition}, {counted(row.rows, 'image')}" for row in report.data]
    lines = [line for one in told for line in wrapped(one_line(one), indent="  ")]
    if lines:
        yield "\n".join(lines)


def _bits(report: Report) -> Iterator[str]:
    rows = [row for row in report.bits if row.verdict in _CONTRADICTED]
    if rows:
        cells = [
            [row.verdict, subject(row.system, row.model), row.stage, row.data or "", device(row.device, row.isa)]
            for row in rows
        ]
        below = [[row.what, row.sentence] for row in rows]
        shown = narrow(["verdict", "model", "stage", "data", "on"], cells, below)
        yield f"Bits that are not the stored ones:\n{shown}"


def _numbers(report: Report) -> Iterator[str]:
    rows = sorted((row for row in report.claims if row.verdict in _MEASURED), key=lambda row: _MEASURED[row.verdict])
    told = f"Published numbers: {len(rows)} of {len(report.claims)} measured"
    if rows:
        cells = [[row.verdict, row.id, row.printed] for row in rows]
        shown = narrow(["verdict", "number", "printed"], cells, [[row.reason] for row in rows])
        yield f"{told}:\n{shown}"
    elif report.claims:
        yield f"{told}; `repro claims` lists them."


def _trainings(report: Report) -> Iterator[str]:
    if report.trainings:
        cells = [[row.verdict, subject(row.system, row.model)] for row in report.trainings]
        below = [
            [
                title(row).partition(", ")[2],
                f"modified: {'; '.join(row.modified)}" if row.modified else "",
                "; ".join(row.chosen) if row.verdict == TrainingVerdict.FAILED else "",
            ]
            for row in report.trainings
        ]
        yield f"Trained anew:\n{narrow(['verdict', 'model'], cells, below)}"


def _blocked(report: Report) -> Iterator[str]:
    if report.blocked:
        cells = [[row.stage, subject(row.system, row.model)] for row in report.blocked]
        below = [[row.what, row.message, f"next: {row.next_step}" if row.next_step else ""] for row in report.blocked]
        shown = narrow(["stage", "model"], cells, below)
        yield f"What could not run:\n{shown}"
