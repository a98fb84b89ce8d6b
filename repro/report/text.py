"""The short table that ends a run in a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from repro.report.build import bits_row
from repro.report.plain import device, one_line, subject, table
from repro.report.reading import Reading
from repro.schema import BitVerdict, Record

_SENTENCE_WIDTH = 72
_SENTENCE_WIDTH_BESIDE_WHAT = 48


def verdict_table(records: Iterable[Record]) -> str:
    """Return what records say about bits, one row each in the records' order, as a table for a terminal.

    Stages that compare no bits have no row, unless they are blocked.
    """
    rows = [bits_row(Reading(record.stage, record)) for record in records if record.verdict in frozenset(BitVerdict)]
    # What was evaluated is told; the one protocol of a check is not, so that its table stays narrow.
    is_told = any(row.stage == "eval" for row in rows)
    headers = ["model", "stage", "data", *(["what"] if is_told else []), "on", "verdict", "because"]
    texts = [
        [
            subject(row.system, row.model),
            row.stage,
            row.data or "",
            *([row.what or ""] if is_told else []),
            device(row.device, row.isa),
            row.verdict,
            row.sentence,
        ]
        for row in rows
    ]
    width = _SENTENCE_WIDTH_BESIDE_WHAT if is_told else _SENTENCE_WIDTH
    return table(headers, [[one_line(text) for text in row] for row in texts], style="simple", wrap_last=width)
