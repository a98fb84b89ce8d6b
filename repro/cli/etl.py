"""``repro etl``: decode a data set once, for all later stages."""

from __future__ import annotations

from pathlib import Path

from repro.cli import options
from repro.cli.answer import Answer, finish


def etl(
    system: options.System = None,
    data: options.Data = "embedded",
    results: options.Results = Path("results"),
    force: options.Force = False,
    json: options.Json = False,
    receipt: options.Receipt = None,
) -> None:
    """Read a FER2013 container and keep its arrays; say which edition it is."""

    def run() -> Answer:
        from repro.registry import chosen_systems
        from repro.stages.etl import etl as run_etl
        from repro.store.results import Results

        owner = chosen_systems(system)[0]
        record, _ = run_etl(owner, data, Results(results), force=force)
        result = record.result
        lines = [f"{record.parameters['data']}: {result['rows']} rows, {result['edition']}"]
        labelled = {usage: sum(counts.values()) for usage, counts in result["counts"].items()}
        lines += [f"  {usage:<12} {count:>6} rows" for usage, count in labelled.items() if count]
        if result["unlabelled"]:
            lines.append(f"  {'no label':<12} {result['unlabelled']:>6} rows")
        lines.append(f"  content      {result['content']}")
        return Answer({"records": [record.to_data()]}, "\n".join(lines))

    finish("etl", run, as_json=json, receipt=receipt)
