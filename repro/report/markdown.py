"""A report as GitHub Markdown that reads as plain text too: the answer first, the evidence last."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from repro.compare import Attainability, share_text
from repro.report.model import BitsRow, ClaimRow, Measurement, Report, Strip
from repro.report.plain import counted, device, one_line, subject, table
from repro.report.training_markdown import training_blocks
from repro.schema import CONTRADICTIONS, Defect

# Underscores between letters or digits, as names of files and models have them, are no markup and stay readable.
_MARKUP = re.compile(r"[\\`*\[\]|~$]|(?<!\w)_+|(?<!_)_+(?!\w)")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

_UNUSUAL = {Attainability.TIE, Attainability.CUT_ONLY}
"""Prints that only some rules of rounding give."""

_BITS_MEAN = (
    "Every tensor of a run, from the prepared images to the weights after a training step, is compared by digest "
    "with what is stored for this kind of machine and this stack. *unrecorded*: nothing is stored yet, which is no "
    "failure, and `repro record` adds it; *unstable*: two runs here differ."
)
_STRIPS_MEAN = (
    "A strip is a trace in the order of computation, a sign for each tensor or stretch of them: `=` the stored bits, "
    "`x` others, `~` others for some, `.` nothing stored."
)
_CELLS = 60
_SOME = "~"
_SIGNS = {"same": "=", "different": "x", "not compared": "."}
_MEASUREMENTS_MEAN = (
    "*as-published* repeats the published evaluation with its defects, *corrected* repairs them. The interval is "
    "95 % (Wilson)."
)
_CLAIMS_MEAN = (
    "*counts* are those out of n that give the print. *reproduced*: the measured count is one of them; *close*: one "
    "of them lies in the measured count's 95 % interval; *unattainable*: there is none, so the print cannot be right "
    "for this n; *blocked*: it cannot be measured here, for the reason given. Only the published checkpoint by the "
    "published protocol gives a verdict; other measurements stand below the table."
)


def markdown(report: Report) -> str:
    """Return a report as Markdown; whatever comes from a record or claim is escaped."""
    blocks = [
        "# Do the numbers come out on this machine?",
        _headline(report.headline),
        *_origin(report),
        *_bits(report),
        *_strips(report),
        *_blocked(report),
        *_prepared(report),
        *_audits(report),
        *_measurements(report),
        *_classes(report),
        *_claims(report),
        *training_blocks(report.trainings, escaped),
        *_curves(report),
        *_defects(report),
        *_evidence(report),
    ]
    return "\n\n".join(blocks) + "\n"


def escaped(text: str) -> str:
    """Return text as Markdown that shows just this text, on one line, also within a table."""
    plain = re.sub(r"[&<>]", lambda match: _ENTITIES[match[0]], one_line(text))
    return _MARKUP.sub(lambda match: "".join(f"\\{char}" for char in match[0]), plain)


def _headline(text: str) -> str:
    opening, stop, rest = text.partition(". ")
    return f"**{escaped(opening)}{stop.strip()}** {escaped(rest)}"


def _origin(report: Report) -> Iterator[str]:
    lines = [f"- Machine {number}: {escaped(line)}" for number, line in enumerate(report.machines, start=1)]
    lines += [
        f"- Data {escaped(row.name)}: {escaped(row.edition)}, {counted(row.rows, 'image')}" for row in report.data
    ]
    if lines:
        yield "\n".join(lines)


def _bits(report: Report) -> Iterator[str]:
    if not report.bits:
        return
    yield "## Bits"
    yield _BITS_MEAN
    headers = ["verdict", "model", "stage", "data", "what", "on", "machine", "because"]
    yield _table(
        headers,
        [
            [
                _verdict(row.verdict),
                *map(
                    escaped,
                    (subject(row.system, row.model), row.stage, row.data or "", row.what, device(row.device, row.isa)),
                ),
                str(row.machine or ""),
                escaped(row.sentence),
            ]
            for row in report.bits
        ],
    )
    yield from _list(_invariance(row) for row in report.bits if row.invariance)


def _strips(report: Report) -> Iterator[str]:
    """Give the tensors of each trace in the order of computation, drawn in a line."""
    rows = []
    for row in report.bits:
        if row.strip is None:
            continue
        first = row.strip.distances[0] if row.strip.distances else None
        ulps = "" if first is None or first.ulps is None else f", at most {counted(first.ulps, 'ulp')}"
        told = "" if first is None else f"tensor {first.place + 1}, {first.name}{ulps}"
        place = ", ".join(part for part in (subject(row.system, row.model), row.data, row.what) if part)
        rows.append([escaped(place), f"`{_drawn(row.strip)}`", str(row.strip.tensors), escaped(told)])
    if rows:
        yield "## Strips"
        yield _STRIPS_MEAN
        yield _table(["trace", "strip", "tensors", "first difference"], rows)


def _drawn(strip: Strip) -> str:
    """Return a strip as a line of signs."""
    states = [one.state for one in strip.segments for _ in range(one.tensors)]
    cells = min(_CELLS, len(states))
    parts = [states[place * len(states) // cells : (place + 1) * len(states) // cells] for place in range(cells)]
    return "".join(_SIGNS[part[0]] if len(set(part)) == 1 else _SOME for part in parts)


def _invariance(row: BitsRow) -> str:
    same = [one.varied for one in row.invariance if one.verdict == "identical"]
    other = [one for one in row.invariance if one.verdict != "identical"]
    told = [f"the same bits with {', '.join(same)}"] if same else []
    told += [f"other bits with {one.varied} ({one.sentence})" for one in other]
    place = ", ".join(part for part in (subject(row.system, row.model), row.data, device(row.device, row.isa)) if part)
    return escaped(f"{place}: {'; '.join(told)}")


def _blocked(report: Report) -> Iterator[str]:
    if not report.blocked:
        return
    yield "## What could not run"
    rows = []
    for row in report.blocked:
        rows.append(
            [
                *map(
                    escaped,
                    (
                        row.stage,
                        subject(row.system, row.model),
                        row.what,
                        row.next_step or "",
                        f"{row.kind}: {row.message}",
                    ),
                )
            ]
        )
    yield _table(["stage", "model", "what", "next", "why"], rows)


def _prepared(report: Report) -> Iterator[str]:
    if not report.prepared:
        return
    yield "## What the papers' scripts make of the data"
    headers = ["preparation", "data", "what", "written by", "digest"]
    yield _table(
        headers,
        [
            [
                *map(escaped, (row.preparation, row.data, row.what, row.libraries)),
                ", ".join(f"{escaped(name)} {digest}" for name, digest in row.digests.items()),
            ]
            for row in report.prepared
        ],
    )


def _audits(report: Report) -> Iterator[str]:
    if not report.audits:
        return
    yield "## What the data repeat"
    for row in report.audits:
        yield (
            f"{escaped(row.data)} ({escaped(row.edition)}): {counted(row.distinct, 'different image')}, "
            f"{row.several_labels} of them under several labels, {row.constant} constant; "
            f"{counted(row.near_pairs, 'pair')} nearly agree. Lists of rows: {row.lists[:16]}."
        )
        rows = [[escaped(one.split), escaped(one.also_in), str(one.rows), str(one.same_label)] for one in row.overlaps]
        rows += [[escaped(name), "itself, earlier", str(count), ""] for name, count in row.repeats.items() if count]
        if rows:
            yield _table(["rows of", "that are in", "to the pixel", "with the same label"], rows)


def _measurements(report: Report) -> Iterator[str]:
    if not report.measurements:
        return
    yield "## Measurements"
    yield _MEASUREMENTS_MEAN
    headers = ["#", "model", "data", "split", "protocol", "checkpoint", "right", "of", "accuracy", "interval", "on"]
    rows = []
    for number, one in enumerate(report.measurements, start=1):
        low, high = one.interval
        texts = (f"{one.system}/{one.model}", one.data, one.split, one.protocol, one.checkpoint)
        numbers = [str(number), *map(escaped, texts), str(one.correct), str(one.n), _share(one.correct, one.n)]
        rows.append([*numbers, f"{100 * low:.2f} to {100 * high:.2f} %", escaped(device(one.device, one.isa))])
    yield _table(headers, rows)
    yield from _list(
        f"{number}: {escaped('; '.join(_details(one)))}" for number, one in enumerate(report.measurements, start=1)
    )


def _classes(report: Report) -> Iterator[str]:
    """Give precision, recall and F1 of each class, and the confusion matrices."""
    blocks = [block for number, one in enumerate(report.measurements, start=1) for block in _of_classes(number, one)]
    if blocks:
        yield "## Classes"
        yield from blocks


def _of_classes(number: int, one: Measurement) -> Iterator[str]:
    known = [score for score in one.class_scores if score.images or score.answers]
    if known and one.confusion:  # of very many classes a record holds no matrix, and a report no list
        yield f"Measurement {number}, each class:"
        rows = [
            [escaped(score.name), *map(str, (score.images, score.answers, score.correct))]
            + [_percent(value) for value in (score.precision, score.recall, score.f1)]
            for score in known
        ]
        yield _table(["class", "images", "answers", "right", "precision", "recall", "F1"], rows)
    if one.confusion:
        names = one.classes if len(one.classes) == len(one.confusion) else range(len(one.confusion))
        labels = [escaped(str(name)) for name in names]
        yield f"Measurement {number}, confusion matrix; rows are true classes, columns answers:"
        rows = [[name, *map(str, line)] for name, line in zip(labels, one.confusion, strict=True)]
        yield _table(["", *labels], rows)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f} %"


def _details(one: Measurement) -> Iterator[str]:
    known = f"published as {', '.join(one.artifacts)}" if one.artifacts else "not known to be a published checkpoint"
    yield f"{known} (digest {one.checkpoint_digest[:16]})"
    if one.spread is not None:
        spread = one.spread
        yield f"{spread.minimum} to {spread.maximum} right over {spread.runs} seeds, {spread.mean:.1f} on average"
    if one.printed:
        yield f"the published code prints {_distinct(one.printed)}"
    if one.certificate is not None:
        yield one.certificate.sentence()
    if one.unseen is not None and one.unseen.n:
        unseen = one.unseen
        yield f"without images that are also in the training set {_share(unseen.correct, unseen.n)} of {unseen.n}"
    if one.labels:
        yield one.labels
    if one.means is not None:
        means = one.means
        yield (
            f"means over {means.classes} classes: precision {100 * means.precision:.2f} %, "
            f"recall (mean class accuracy) {100 * means.recall:.2f} %, F1 {100 * means.f1:.2f} %"
        )
    for what, ids in (("keeps", one.keeps), ("mends", one.mends)):
        if ids:
            yield f"{what} {', '.join(ids)}"
    numbers = [f"{name} {value:g}" for name, value in sorted(one.diagnosis.items()) if isinstance(value, int | float)]
    if numbers:
        yield f"diagnosis: {', '.join(numbers)}"
    yield f"bits {one.bits}"


def _distinct(printed: Sequence[str]) -> str:
    """Return what was printed over the seeds, each once with how often."""
    values = sorted(set(printed), key=lambda text: (len(text), text))
    if len(values) == 1:
        return values[0]
    return ", ".join(f"{value} ({printed.count(value)} of {len(printed)})" for value in values)


def _claims(report: Report) -> Iterator[str]:
    if not report.claims:
        return
    yield "## Published numbers"
    yield _CLAIMS_MEAN
    headers = ["verdict", "claim", "metric", "printed", "counts", "n", "right here", "why"]
    for system, group in groupby(report.claims, key=lambda row: row.system):
        rows = list(group)
        yield f"### {escaped(system)}"
        yield _table(headers, [_claim(row) for row in rows])
        yield from _list(line for row in rows for line in _beside(row))
        if ids := list(dict.fromkeys(defect for row in rows for defect in row.defects)):
            yield f"Defects that touch these numbers: {escaped(', '.join(ids))}."


def _claim(row: ClaimRow) -> list[str]:
    numbers = ["" if number is None else str(number) for number in (row.n, row.correct)]
    counts = f"{row.giving} ({row.attainability})" if row.attainability in _UNUSUAL else row.giving
    texts = [*map(escaped, (row.id, row.metric, row.printed, counts))]
    return [_verdict(row.verdict), *texts, *numbers, escaped(row.reason)]


def _beside(row: ClaimRow) -> Iterator[str]:
    for one in row.measurements:
        whose = "the published checkpoint" if one.published else "another checkpoint"
        verdict = "" if one.verdict is None else f": {one.verdict}"
        yield escaped(f"{row.id}, {one.protocol}, {whose} {one.checkpoint}{verdict}: {one.reason}")


def _curves(report: Report) -> Iterator[str]:
    if report.curves:
        yield "## Learning curves"
        rows = []
        for one in report.curves:
            (_, first), (last_epoch, last) = one.points[0], one.points[-1]
            numbers = [f"{last_epoch:g}", f"{first:.4g}", f"{last:.4g}"]
            rows.append([*map(escaped, (f"{one.system}/{one.model}", one.run, one.quantity)), *numbers])
        yield _table(["model", "run", "quantity", "epochs", "at first", "at last"], rows)


def _defects(report: Report) -> Iterator[str]:
    if report.defects:
        yield "## Defects of the published code and data named above"
        yield from _list(escaped(_defect(defect)) for defect in report.defects)


def _defect(defect: Defect) -> str:
    measured = "" if defect.measured is None else f" Measured: {defect.measured}."
    return f"{defect.id}: {defect.title}. {defect.summary}{measured}"


def _evidence(report: Report) -> Iterator[str]:
    if report.evidence:
        yield "## Evidence"
        yield "The records that this was made from, with the digest of all in them but the timing."
        yield _table(["record", "digest"], [[escaped(one.record), one.digest] for one in report.evidence])


def _verdict(verdict: str) -> str:
    return f"**{escaped(verdict)}**" if verdict in CONTRADICTIONS else escaped(verdict)


def _share(correct: int, n: int) -> str:
    return f"{share_text(correct, n, '%', 2)} %"


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return table(headers, rows, style="github")


def _list(lines: Iterable[str]) -> Iterator[str]:
    if text := "\n".join(f"- {line}" for line in lines):
        yield text
