"""The short table that ends a run in a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from repro.report.build import bits_row
from repro.report.plain import device, one_line, subject, table
from repro.report.reading import Reading
from repro.schema import BitVerdict, Record

_SENTENCE_WIDTH = 72


def verdict_table(records: Iterable[Record]) -> str:
    """Return what records say about bits, one row each in the records' order, as a table for a terminal.

    Stages that compare no bits have no row, unless they are blocked.
    """
    rows = [bits_row(Reading(record.stage, record)) for record in records if record.verdict in frozenset(BitVerdict)]
    headers = ["model", "stage", "data", "on", "verdict", "because"]
    texts = [
        [
            one_line(text)
            for text in (subject(row.system, row.model), row.stage, row.data or "", device(row.device, row.isa))
        ]
        + [one_line(row.verdict), one_line(row.sentence)]
        for row in rows
    ]
    return table(headers, texts, style="simple", wrap_last=_SENTENCE_WIDTH)
