"""A training in words: the lines that the command and a report print."""

from __future__ import annotations

from collections.abc import Iterator

from repro.compare.retrained import Spread
from repro.report.reading import Reading
from repro.report.training_model import TrainingCount, TrainingRow
from repro.report.trainings import training_row
from repro.schema import Record


def training_text(record: Record) -> str:
    """Return a training as lines: the number, the honest one beside it, what was changed, the claims."""
    return "\n".join(_lines(record))


def _lines(record: Record) -> Iterator[str]:
    row = training_row(Reading(record.stage, record))
    yield f"{title(row)}: {row.verdict}"
    if row.modified:
        yield f"not the published training: {'; '.join(row.modified)}"
    for count in row.counts:
        yield f"  {count.selection} ({how(count)}), {row.split}, {count.protocol}: {spread_text(count.spread)}"
    for sentence in row.chosen:
        yield f"  {sentence}"
    yield f"  files: {record.result['folder']}"
    for claim in row.claims:
        yield f"  {claim.claim}: {claim.verdict}: {claim.reason}"


def title(row: TrainingRow) -> str:
    """Return what was trained, in a few words."""
    seeds = ", ".join(map(str, row.seeds))
    return f"{row.system}/{row.model}, recipe {row.recipe}, seed{'s' if len(row.seeds) > 1 else ''} {seeds}"


def how(count: TrainingCount) -> str:
    """Return whose rule chose the epoch, and whether it looked at the test set."""
    whose = "as published" if count.published else "beside it"
    return f"{whose}, chosen on the test set" if count.on_test else whose


def spread_text(spread: Spread) -> str:
    """Return what the seeds gave in one line."""
    counts = ", ".join(f"{count:g}" for count in spread.counts)
    text = f"{counts} of {spread.n}, mean {100 * spread.mean:.2f} %"
    if spread.interval is not None and spread.deviation is not None:
        low, high = spread.interval
        text += f", s {100 * spread.deviation:.2f}, 95 % prediction interval {100 * low:.2f} to {100 * high:.2f} %"
    return text
