"""Records and claims to verdicts, and verdicts to JSON, Markdown and JUnit XML."""

from repro.report.build import build_report
from repro.report.model import Report
from repro.report.outcome import exit_code
from repro.report.reading import stored_records
from repro.report.text import verdict_table
from repro.report.write import write_report

__all__ = ["Report", "build_report", "exit_code", "stored_records", "verdict_table", "write_report"]
