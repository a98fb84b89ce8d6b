"""What the verbs print for people."""

from __future__ import annotations

from typing import Any

from tabulate import tabulate

from repro.compare.certificate import Certificate
from repro.compare.claims import claim_counts
from repro.report.text import verdict_table
from repro.schema import Claim, Defect, Record

_RATIOS = ("precision", "recall", "f1")
_MOST_CLASSES = 20


def evaluation_text(record: Record) -> str:
    """Return an evaluation as a few lines, the count first."""
    result, parameters = record.result, record.parameters
    low, high = result["interval"]
    lines = [
        f"{record.system}/{record.model}, {parameters['split']['name']}, {parameters['protocol']['name']}: "
        f"{result['correct']} of {result['n']} correct, {100 * result['accuracy']:.2f} % "
        f"(95 % interval {100 * low:.2f} to {100 * high:.2f})"
    ]
    lines += [result["labels"]] if result.get("labels") else []
    spread = result["spread"]
    if spread["runs"] > 1:
        lines.append(
            f"random protocol, {spread['runs']} seeds: {spread['minimum']} to {spread['maximum']} correct, "
            f"mean {spread['mean']:.1f}; above is the first seed"
        )
    printed = [run["printed"] for run in result["runs"] if "printed" in run]
    if printed:
        lines.append(f"the published code would print: {', '.join(printed)} %")
    unseen = result["unseen"]
    if unseen["n"] != result["n"]:
        lines.append(
            f"without the {result['n'] - unseen['n']} images that also occur in training: "
            f"{unseen['correct']} of {unseen['n']}"
        )
    if result["certificate"] is not None:
        lines.append(Certificate.model_validate(result["certificate"]).sentence())
    return "\n\n".join(["\n".join(lines), _class_table(result), verdict_table([record])])


def _class_table(result: dict[str, Any]) -> str:
    """Return precision, recall and F1 of each class in percent, and their means, unless there are very many classes."""
    means = result["means"]
    last = ["mean", "", "", "", *(f"{100 * means[name]:.2f}" for name in _RATIOS)]
    shown = [one for one in result["classes"] if one["images"] or one["answers"]]
    rows = [
        [one["name"], one["images"], one["answers"], one["correct"]]
        + ["-" if one[name] is None else f"{100 * one[name]:.2f}" for name in _RATIOS]
        for one in shown
        if len(shown) <= _MOST_CLASSES
    ]
    table = tabulate(
        [*rows, last],
        headers=["class", "images", "answers", "right", "precision %", "recall %", "F1 %"],
        disable_numparse=True,
        colalign=("left", *("right",) * 6),
    )
    return f"{table}\nmean class accuracy (mean recall of {means['classes']} classes): {100 * means['recall']:.2f} %"


def claim_row(claim: Claim) -> dict[str, str]:
    """Return one published number with the counts that give it."""
    counts = claim_counts(claim)
    if counts is None:
        allowed, attainable = "", "n unknown" if claim.is_share else "no count"
    else:
        allowed, attainable = _ranges(counts.giving), str(counts.attainability)
    return {
        "claim": claim.id,
        "model": claim.model or "",
        "split": f"{claim.dataset or ''} {claim.split or ''}".strip(),
        "metric": claim.metric,
        "printed": claim.printed,
        "n": str(claim.n or ""),
        "counts": allowed,
        "attainable": attainable,
    }


def defect_row(defect: Defect) -> dict[str, str]:
    """Return one known defect of the published code."""
    return {
        "defect": defect.id,
        "marks": " ".join(str(mark) for mark in defect.marks),
        "title": defect.title,
        "summary": defect.summary,
        "measured": defect.measured or "",
    }


def _ranges(numbers: tuple[int, ...]) -> str:
    """Return whole numbers in order as ``1, 3..5``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs)
