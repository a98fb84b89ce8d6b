"""``repro report``: everything that was run, as one report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repro.cli import options
from repro.cli.answer import Answer, finish


def report(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder to write to: RESULTS/report.")] = None,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="Also write records, traces and report as one file to share.")
    ] = None,
    times: Annotated[bool, typer.Option("--times", help="Leave in the bundle when things ran, and how long.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of report.json and end.")] = False,
    results: options.Results = Path("results"),
    expected: options.Expected = None,
    json: options.Json = False,
    receipt: options.Receipt = None,
) -> None:
    """Merge all records into one report: HTML, Markdown, JSON and JUnit XML."""

    def run() -> Answer:
        if schema:
            from repro.report.model import Report
            from repro.schema import pretty_json

            published = Report.json_schema()
            return Answer({"json_schema": published}, pretty_json(published).rstrip())
        from repro.errors import MissingFile
        from repro.paths import expected_folder
        from repro.registry import systems
        from repro.report.build import build_report
        from repro.report.outcome import exit_code
        from repro.report.reading import stored_records, stored_traces
        from repro.report.terminal import report_text
        from repro.report.write import write_report
        from repro.store.claims import load_claims, load_defects
        from repro.store.results import Results

        records = stored_records(Results(results))
        if not records:
            raise MissingFile(f"{results} holds no record to report", next_step="run `make check-rep` first")
        folder = expected_folder(expected)
        traces = stored_traces(Results(results), records)
        built = build_report(records, load_claims(folder), load_defects(folder), systems().values(), traces)
        written = write_report(built, output or results / "report")
        if bundle is not None:
            from repro.report.bundle import bundle_report

            written["bundle"] = bundle_report(bundle, built, records, traces, times=times)
        first = sorted(written.items(), key=lambda one: one[0] != "html")  # the one to open
        places = "\n".join(f"{kind}: {path}" for kind, path in first)
        text = f"{report_text(built)}\n\nThe whole report, with the evidence:\n{places}"
        return Answer({"report": built.to_data()}, text, exit_code(records.values(), built.claims))

    finish("report", run, as_json=json, receipt=receipt)
