"""The short table that ends a run in a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterable

from repro.report.build import bits_row
from repro.report.plain import device, narrow, subject
from repro.report.reading import Reading
from repro.schema import BitVerdict, Record


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
    # A check has one protocol, which is not told.
    below = [(row.what if row.stage == "eval" else "", row.sentence) for row in rows]
    return narrow(["model", "stage", "data", "on", "verdict"], cells, below)
