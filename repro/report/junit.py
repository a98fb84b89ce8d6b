"""A report as JUnit XML, as CI systems show it: contradictions fail, what was not measured is skipped."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from xml.etree import ElementTree

from repro.report.model import BitsRow, BlockedRow, ClaimRow, Report
from repro.report.plain import device, one_line, subject
from repro.report.training_model import TrainingRow
from repro.schema import FAILURES, BitVerdict, ClaimVerdict, TrainingVerdict

_PASSED = frozenset({BitVerdict.IDENTICAL, ClaimVerdict.REPRODUCED, ClaimVerdict.CLOSE})


def junit(report: Report) -> str:
    """Return a report as JUnit XML, one suite for each stage and system; without times and hosts."""
    root = ElementTree.Element("testsuites", name="repro")
    cases = sorted(_cases(report), key=lambda pair: pair[0])
    for name, group in groupby(cases, key=lambda pair: pair[0]):
        suite = ElementTree.SubElement(root, "testsuite", name=name)
        suite.extend(case for _, case in group)
        _count(suite, suite)
    _count(root, root)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _cases(report: Report) -> Iterator[tuple[str, ElementTree.Element]]:
    for bits in report.bits:
        name = ", ".join(part for part in (bits.data, bits.what, device(bits.device, bits.isa)) if part)
        yield _case(bits, name, bits.verdict, bits.sentence)
    for blocked in report.blocked:
        told = blocked.message if blocked.next_step is None else f"{blocked.message}. Next: {blocked.next_step}"
        yield _case(blocked, blocked.what, BitVerdict.BLOCKED, told)
    for trained in report.trainings:
        failed = trained.verdict == TrainingVerdict.FAILED
        why = trained.chosen if failed or not trained.modified else trained.modified
        yield _case(trained, f"recipe {trained.recipe}", trained.verdict, "; ".join(why))
    for claim in report.claims:
        yield _claim(claim)


def _case(
    row: BitsRow | BlockedRow | TrainingRow, name: str, verdict: str, sentence: str
) -> tuple[str, ElementTree.Element]:
    stage = "retrain" if isinstance(row, TrainingRow) else row.stage
    suite = f"{stage} {row.system or 'all systems'}"
    # The address in the record's file name tells cases apart and stays the same from run to run.
    address = row.record.rpartition("/")[2].removesuffix(".json")
    return suite, _judged(f"{stage}.{subject(row.system, row.model)}", f"{name} [{address}]", verdict, sentence)


def _claim(row: ClaimRow) -> tuple[str, ElementTree.Element]:
    return f"claims {row.system}", _judged(f"claims.{row.system}", row.id, row.verdict, row.reason)


def _judged(classname: str, name: str, verdict: str, sentence: str) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=one_line(classname), name=one_line(name))
    message = one_line(sentence if sentence.startswith(verdict) else f"{verdict}: {sentence}")
    if verdict in FAILURES:
        ElementTree.SubElement(case, "failure", type=verdict, message=message)
    elif verdict in _PASSED:
        ElementTree.SubElement(case, "system-out").text = message
    else:
        ElementTree.SubElement(case, "skipped", message=message)
    return case


def _count(element: ElementTree.Element, holder: ElementTree.Element) -> None:
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")):
        element.set(name, str(len(list(holder.iter(tag)))))
    element.set("errors", "0")
