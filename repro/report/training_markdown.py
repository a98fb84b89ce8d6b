"""The part of the Markdown report that tells of trainings anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from repro.report.plain import table
from repro.report.training_model import TrainingRow
from repro.report.training_text import how, spread_text, title

TRAININGS_MEAN = (
    "A published number is one more draw from what training gives: *reproduced* inside the 95 % prediction interval "
    "of the seeds, *close* inside the 99 % one, *not judged* for fewer than three seeds or a modified training. "
    "What was chosen on the test set is told, and what was not stands beside it."
)


def training_blocks(rows: Sequence[TrainingRow], escaped: Callable[[str], str]) -> Iterator[str]:
    """Yield the section's blocks; whatever comes from a record is escaped."""
    if not rows:
        return
    yield "## Trained anew"
    yield TRAININGS_MEAN
    for row in rows:
        yield f"**{escaped(title(row))}: {escaped(row.verdict)}**"
        if row.modified:
            yield escaped(f"Not the published training: {'; '.join(row.modified)}.")
        cells = [
            [*map(escaped, (one.selection, how(one), row.split, one.protocol, spread_text(one.spread)))]
            for one in row.counts
        ]
        yield table(["weights", "chosen", "split", "protocol", "right answers"], cells, style="github")
        lines = [*row.chosen, *(f"{one.claim}: {one.verdict}: {one.reason}" for one in row.claims)]
        yield "\n".join(f"- {escaped(line)}" for line in lines)
