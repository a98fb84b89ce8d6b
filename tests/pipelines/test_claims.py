"""What becomes of every published number where nothing can be downloaded."""

from __future__ import annotations

from pipelines.__main__ import _configuration, _parsed
from repro.paths import expected_folder
from repro.registry import systems
from repro.report import build_report
from repro.report.quantities import OPERATIONS, PARAMETERS
from repro.schema import Record
from repro.store.claims import load_claims


def unfetched(artifact: str) -> Record:
    why = {"kind": "PrerequisiteError", "message": f"{artifact} cannot be had", "next_step": "try again"}
    return Record(
        stage="fetch", parameters={"artifact": artifact}, inputs={}, result={"verdict": "blocked", "blocked": why}
    )


def test_with_nothing_to_be_had_only_what_needs_no_download_is_not_run(tmp_path) -> None:
    target, options = _parsed(["eval-downloaded", f"results={tmp_path}"])
    fetched = _configuration(target, options, tmp_path)["fetch"].split()
    records = {f"records/fetch/x/{artifact}.json": unfetched(artifact) for artifact in fetched}
    rows = build_report(records, load_claims(expected_folder()), (), systems().values()).claims
    assert {row.verdict for row in rows} == {"blocked", "unattainable", "not run"}
    left = [row for row in rows if row.verdict == "not run"]
    assert {row.metric for row in left} == {PARAMETERS, OPERATIONS}
    assert all("repro check-rep" in row.reason for row in left)
    assert all(row.reason for row in rows)
