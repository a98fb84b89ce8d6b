"""``repro audit``: what a data set repeats and contradicts."""

from __future__ import annotations

from pathlib import Path

from tabulate import tabulate

from repro.cli import options
from repro.cli.answer import Answer, finish
from repro.schema import Record


def audit(
    system: options.System = None,
    data: options.Data = "embedded",
    results: options.Results = Path("results"),
    force: options.Force = False,
    json: options.Json = False,
    receipt: options.Receipt = None,
) -> None:
    """List a data set's duplicates within and across its splits, contradicting labels and constant images."""

    def run() -> Answer:
        from repro.registry import chosen_systems
        from repro.stages.audit import audit as run_audit
        from repro.store.results import Results

        record = run_audit(chosen_systems(system)[0], data, Results(results), force=force)
        return Answer({"records": [record.to_data()]}, _text(record, results))

    finish("audit", run, as_json=json, receipt=receipt)


def _text(record: Record, results: Path) -> str:
    result, near = record.result, record.parameters["near"]
    splits = result["splits"]
    names = list(next(iter(splits.values()))["classes"]) if splits else []
    sizes = [
        {
            "split": usage,
            "rows": split["rows"],
            **{name: split["classes"][name] for name in names},
            "mean grey": f"{split['intensity']['mean']:.2f}",
            "constant": split["constant"],
            "repeats": result["identical"]["within"][usage],
        }
        for usage, split in splits.items()
    ]
    alike = {(row["split"], row["also_in"]): row["rows"] for row in result["near"]["across"]}
    shared = [
        {
            "rows of": row["split"],
            "that are in": row["also_in"],
            "to the pixel": row["rows"],
            "with the same label": row["same_label"],
            "nearly": alike[row["split"], row["also_in"]],
        }
        for row in result["identical"]["across"]
    ]
    nearly = ", ".join(f"{alike[usage, usage]} in {usage}" for usage in splits)
    lines = [
        f"{record.parameters['data']}: {result['edition']}",
        "",
        tabulate(sizes, headers="keys", disable_numparse=True),
        "",
        *([tabulate(shared, headers="keys", disable_numparse=True), ""] if shared else []),
        f"{result['distinct']} different images; {result['several_labels']} of them under several labels, "
        f"{result['constant']} constant",
        f"{result['near']['pairs']} pairs nearly agree: {near['boxes']}×{near['boxes']} box averages that differ by at "
        f"most {near['levels']} grey levels in the mean; rows with one in their own split: {nearly}",
        f"lists    {results / 'objects' / record.outputs['lists']}.json",
        f"digest   {result['lists']} (of the lists without row numbers)",
    ]
    return "\n".join(lines)
