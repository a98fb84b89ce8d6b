"""Makes a bundle of a results folder and its report: what a stranger needs, and nothing about a person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from repro.report.model import Report
from repro.report.write import FORMATS
from repro.schema import Record
from repro.store.bundle import write_bundle
from repro.trace import Trace


def bundle_report(
    path: Path, report: Report, records: Mapping[str, Record], traces: Mapping[str, Trace], *, times: bool = False
) -> Path:
    """Write a bundle and return its path.

    Args:
        path: the file to write.
        report, records, traces: what goes in; the traces by the digest of their files.
        times: keep when things ran and how long; left out by default, since they are somebody's day.
    """
    contents: dict[str, bytes] = {}
    for name, record in records.items():
        kept = record if times else record.model_copy(update={"timing": {}})
        contents[name] = kept.to_json().encode()
    contents |= {f"objects/{digest}.json": trace.to_json().encode() for digest, trace in traces.items()}
    contents |= {f"report/report.{suffix}": make(report).encode() for suffix, make in FORMATS.items()}
    profile = next((one.profile for _, one in sorted(records.items()) if one.profile is not None), None)
    if profile is not None:
        contents["profile.json"] = profile.to_json().encode()
    write_bundle(path, contents)
    return path
