"""The one-line answer of a report, and the exit code of what was run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from repro.errors import EXIT_CONTRADICTION, EXIT_OK, EXIT_PREREQUISITE
from repro.report.model import Answer, BitsRow, BlockedRow, ClaimRow, Measurement
from repro.report.plain import counted
from repro.report.training_model import TrainingRow
from repro.schema import CONTRADICTIONS, FAILURES, BitVerdict, ClaimVerdict, Record

_OPENING = {
    Answer.NO: "No",
    Answer.NEARLY: "Nearly, as far as it was run",
    Answer.YES: "Yes, as far as it was run",
    Answer.BITS_ONLY: "The bits do, and no published number was measured yet",
    Answer.UNKNOWN: "Not known yet",
}

_BIT_WORDS = {
    BitVerdict.IDENTICAL: "identical to what is stored",
    BitVerdict.DIFFERENT: "different from what is stored",
    BitVerdict.UNSTABLE: "different from one run to the next",
    BitVerdict.UNRECORDED: "with nothing stored for this machine and stack",
}

_MEASURED = (ClaimVerdict.REPRODUCED, ClaimVerdict.CLOSE, ClaimVerdict.NOT_REPRODUCED)


def exit_code(records: Iterable[Record], claims: Iterable[ClaimRow] = ()) -> int:
    """Return what a command ends with.

    Args:
        records: of what was run.
        claims: a report's rows. One is ``not reproduced`` only if its own checkpoint was measured with the
            published code, so another's checkpoint contradicts nothing.

    Returns:
        1 for a contradiction or a training that failed, else 3 where something could not run, else 0.
    """
    stages = {record.verdict for record in records}
    if FAILURES & {*stages, *(row.verdict for row in claims)}:
        return EXIT_CONTRADICTION
    # A blocked claim is a fact about its publication; what a blocked stage lacks can be had.
    return EXIT_PREREQUISITE if BitVerdict.BLOCKED in stages else EXIT_OK


def answer(bits: Sequence[BitsRow], claims: Sequence[ClaimRow], trainings: Sequence[TrainingRow] = ()) -> Answer:
    """Return the answer to: do the numbers come out on this machine?"""
    stages: set[str] = {row.verdict for row in bits}
    published: set[str] = {*(row.verdict for row in claims), *(row.verdict for row in trainings)}
    if CONTRADICTIONS & (stages | published):
        return Answer.NO
    if ClaimVerdict.CLOSE in published:
        return Answer.NEARLY
    if ClaimVerdict.REPRODUCED in published:
        return Answer.YES
    return Answer.BITS_ONLY if BitVerdict.IDENTICAL in stages else Answer.UNKNOWN


def headline(
    bits: Sequence[BitsRow],
    measurements: Sequence[Measurement],
    claims: Sequence[ClaimRow],
    blocked: Sequence[BlockedRow],
    trainings: Sequence[TrainingRow] = (),
) -> str:
    """Return the answer and what it rests on, in plain sentences."""
    parts = [f"{_OPENING[answer(bits, claims, trainings)]}.", _bits_sentence(bits)]
    if claims:
        parts.append(_claims_sentence(claims, measurements))
    if trainings:
        counts = Counter(row.verdict for row in trainings)
        found = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
        parts.append(f"Of {counted(len(trainings), 'training')} anew: {found}.")
    if blocked:
        parts.append(f"{counted(len(blocked), 'step')} could not run.")
    return " ".join(parts)


def _bits_sentence(bits: Sequence[BitsRow]) -> str:
    if not bits:
        return "No bits were compared."
    counts = Counter(row.verdict for row in bits)
    found = [f"{counts[verdict]} {words}" for verdict, words in _BIT_WORDS.items() if counts[verdict]]
    return f"Of {counted(len(bits), 'check')} of bits: {', '.join(found)}."


def _claims_sentence(claims: Sequence[ClaimRow], measurements: Sequence[Measurement]) -> str:
    counts = Counter(row.verdict for row in claims)
    found = [f"{counts[verdict]} {verdict}" for verdict in _MEASURED if counts[verdict]]
    told = f"Of {counted(len(claims), 'published number')}: {', '.join(found) or 'none measured'}"
    if not found and measurements:
        told += f" ({counted(len(measurements), 'evaluation')}, none of a checkpoint known to be the published one)"
    without = [
        (ClaimVerdict.UNATTAINABLE, "given by no count"),
        (ClaimVerdict.BLOCKED, "not measurable here"),
    ]
    told += "".join(f", {counts[verdict]} {words}" for verdict, words in without if counts[verdict])
    return f"{told}."
