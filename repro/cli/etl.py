"""``repro etl``: decode a data set once, for all later stages; make what a paper's scripts prepare from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repro.cli import options
from repro.cli.answer import Answer, finish
from repro.schema import Record


def etl(
    system: options.System = None,
    data: options.Data = "embedded",
    prepare: Annotated[
        list[str] | None,
        typer.Option("--prepare", help="Also make this: system/preparation, or all of a system's; repeat for several."),
    ] = None,
    votes: Annotated[
        str | None,
        typer.Option(
            "--votes", help="Also read annotators' votes beside the labels (FER+): a file, or artifact:ferplus-labels."
        ),
    ] = None,
    results: options.Results = Path("results"),
    force: options.Force = False,
    json: options.Json = False,
    receipt: options.Receipt = None,
) -> None:
    """Read a FER2013 container and keep its arrays; say which edition it is. Make files and tensors from it."""

    def run() -> Answer:
        from repro.registry import chosen_preparations, chosen_systems
        from repro.stages.etl import etl as run_etl
        from repro.stages.materialise import materialise
        from repro.stages.votes import read_votes
        from repro.store.results import Results

        chosen = chosen_preparations(prepare or [])
        store = Results(results)
        record, _ = run_etl(chosen_systems(system)[0], data, store, force=force)
        result = record.result
        lines = [f"{record.parameters['data']}: {result['rows']} rows, {result['edition']}"]
        labelled = {usage: sum(counts.values()) for usage, counts in result["counts"].items()}
        lines += [f"  {usage:<12} {count:>6} rows" for usage, count in labelled.items() if count]
        if result["unlabelled"]:
            lines.append(f"  {'no label':<12} {result['unlabelled']:>6} rows")
        if "files" in result:
            lines.append(f"  files        {result['files']['digest']} (names and bytes of {result['files']['count']})")
        lines.append(f"  content      {result['content']}")
        told = [read_votes(chosen_systems(system)[0], data, votes, store, force=force)] if votes is not None else []
        lines += [line for one in told for line in _votes_lines(one)]
        prepared = [materialise(one, data, store, force=force) for one in chosen]
        lines += [line for one in prepared for line in _prepared_lines(one, results)]
        return Answer({"records": [one.to_data() for one in (record, *told, *prepared)]}, "\n".join(lines))

    finish("etl", run, as_json=json, receipt=receipt)


def _votes_lines(record: Record) -> list[str]:
    lines = [f"\n{record.parameters['votes']}: votes for {', '.join(record.result['choices'])}"]
    for usage, told in record.result["usages"].items():
        decided = told["rows"] - told["undecided"]
        lines.append(
            f"  {usage:<12} {decided:>6} of {told['rows']} rows have one choice in front; "
            f"the votes meet {told['labels_met']} of {told['labelled']} labels"
        )
    return [*lines, f"  votes        {record.outputs['votes']}"]


def _prepared_lines(record: Record, results: Path) -> list[str]:
    result = record.result
    lines = [f"\n{record.system}/{record.model}: {result['title']}"]
    if "tensors" in result:
        for name, told in result["tensors"].items():
            lines.append(f"  {name:<12} {told['dtype']} {tuple(told['shape'])}  {record.outputs[name]}")
        return lines
    libraries = ", ".join(f"{name} {version}" for name, version in record.parameters["libraries"].items())
    lines.append(f"  {result['files']} files, {result['bytes'] / 1e6:.0f} MB in {results / result['folder']}")
    lines.append(f"  written by   {libraries}")
    lines.append(f"  tree         {record.outputs['tree']}")
    return lines
