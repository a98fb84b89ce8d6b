"""What ``repro retrain`` prints for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from repro.compare.retrained import Spread
from repro.schema import Record


def training_text(record: Record) -> str:
    """Return a training as lines: the number, the honest one beside it, what was changed, the claims."""
    return "\n".join(_lines(record))


def _lines(record: Record) -> Iterator[str]:
    result, recipe = record.result, record.parameters["recipe"]
    published = result["published_selection"]
    seeds = ", ".join(str(run["seed"]) for run in result["runs"])
    yield f"{record.system}/{record.model}, recipe {recipe['name']}, seeds {seeds}: {record.verdict}"
    if result["modified"]:
        yield f"not the published training: {'; '.join(result['modified'])}"
    for selection, protocols in result["spread"].items():
        how = "as published" if selection == published else "beside it"
        if selection in result["selected_on_test"]:
            how += ", chosen on the test set"
        for protocol, data in protocols.items():
            yield f"  {selection} ({how}), {recipe['test']}, {protocol}: {spread_text(Spread.model_validate(data))}"
    for run in result["runs"]:
        chosen = ", ".join(f"{name} of epoch {one['epoch']}" for name, one in run["selections"].items())
        yield (
            f"  seed {run['seed']}: {run['steps']} steps, {run['epochs']} epochs, {chosen}; "
            f"trajectory {run['trajectory']['link'][:16]}"
        )
    yield f"  files: {result['folder']}"
    for claim in result["claims"]:
        yield f"  {claim['claim']}: {claim['verdict']}: {claim['reason']}"


def spread_text(spread: Spread) -> str:
    """Return what the seeds gave in one line."""
    counts = ", ".join(f"{count:g}" for count in spread.counts)
    text = f"{counts} of {spread.n}, mean {100 * spread.mean:.2f} %"
    if spread.interval is not None and spread.deviation is not None:
        low, high = spread.interval
        text += f", s {100 * spread.deviation:.2f}, 95 % prediction interval {100 * low:.2f} to {100 * high:.2f} %"
    return text


def estimate_text(name: str, told: dict[str, Any]) -> str:
    """Return a dry run's estimate."""
    return (
        f"{name}: {told['steps']} steps of {told['step_seconds']:.3f} s and {told['epochs']} epochs with "
        f"{told['evaluation_seconds']:.1f} s of evaluation each: about {duration(told['seconds'])} a seed, "
        f"{duration(told['all_seconds'])} for {told['seeds']}; "
        f"{told['memory_bytes'] / 1e6:.0f} MB of memory, up to {told['disk_bytes'] / 1e6:.1f} MB of disk a seed"
    )


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
