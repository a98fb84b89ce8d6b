"""Writes a report in every format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from repro.report.html import html
from repro.report.junit import junit
from repro.report.markdown import markdown
from repro.report.model import Report
from repro.store.atomic import write_atomic

FORMATS: Mapping[str, Callable[[Report], str]] = {
    "json": Report.to_json,
    "md": markdown,
    "xml": junit,
    "html": html,
}
"""What makes the text of each format, by the suffix of its file."""


def write_report(report: Report, folder: Path) -> dict[str, Path]:
    """Write ``report.json``, ``report.md``, ``report.xml`` and ``report.html`` and return their paths by suffix.

    All are made before the first is written, and each is written atomically.
    """
    texts = {suffix: make(report) for suffix, make in FORMATS.items()}
    paths = {suffix: folder / f"report.{suffix}" for suffix in texts}
    for suffix, text in texts.items():
        write_atomic(paths[suffix], text)
    return paths
