"""The short table that ends a run in a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import wrap

from repro.report.build import bits_row
from repro.report.plain import device, one_line, subject, table
from repro.report.reading import Reading
from repro.schema import BitVerdict, Record

_WIDTH = 80
_INDENT = "  "


def verdict_table(records: Iterable[Record]) -> str:
    """Return what records say about bits, one row each in the records' order, as a table for a terminal.

    Stages that compare no bits have no row, unless they are blocked. What was evaluated and the reason stand below each
    row, so that the table stays narrow.
    """
    rows = [bits_row(Reading(record.stage, record)) for record in records if record.verdict in frozenset(BitVerdict)]
    cells = [
        [subject(row.system, row.model), row.stage, row.data or "", device(row.device, row.isa), row.verdict]
        for row in rows
    ]
    headers = ["model", "stage", "data", "on", "verdict"]
    head, line, *body = table(headers, [[one_line(text) for text in row] for row in cells], style="simple").split("\n")
    lines = [head, line]
    for shown, row in zip(body, rows, strict=True):
        lines.append(shown)
        # A check has one protocol, which is not told.
        for text in (row.what if row.stage == "eval" else "", row.sentence):
            lines += wrap(one_line(text), _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
    return "\n".join(lines)
