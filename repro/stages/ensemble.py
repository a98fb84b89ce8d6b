"""Ensembles: scores that evaluations have left in the results folder, added up. No model runs again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from repro.digest import set_digest
from repro.errors import MissingFile, UsageError
from repro.registry import resolve
from repro.registry import system as find_system
from repro.schema import Arithmetic, Ensemble, Protocol, Record, Split, System, arithmetic_name
from repro.stages.code import code_digest
from repro.stages.counting import count_answers, seen_in_training
from repro.stages.data import StoredData
from repro.stages.etl import EMBEDDED, etl
from repro.stages.times import timing
from repro.store.results import Results, address


def evaluate_ensemble(
    owner: str,
    name: str,
    *,
    members: Sequence[str] | None = None,
    data: str = EMBEDDED,
    split: str = "test",
    protocol: str = "corrected",
    arithmetic: Arithmetic = "native",
    results: Path = Path("results"),
) -> Record:
    """Add up the scores of evaluations that were made before, and count.

    Args:
        owner: the system's name.
        name: of an ensemble that it declares.
        members: only these of its members, in the ensemble's order.
        data, split, protocol, arithmetic: as the members were evaluated. The sum is of single float32 operations in the
            ensemble's order, so it has the same bits wherever the members' scores have.
        results: the folder that holds their records.

    Returns:
        a record of the stage ``eval`` whose model is the ensemble and whose checkpoint is the set of its members'.

    Raises:
        UnknownName, UsageError: the call is wrong, or a member was evaluated from several checkpoints.
        MissingFile: members have not been evaluated; all are listed.
    """
    started = time.monotonic()
    system = find_system(owner)
    ensemble, chosen_split, chosen = system.ensemble(name), system.split(split), system.protocol(protocol)
    names = _members(ensemble, members)
    store = Results(results)
    _, decoded = etl(system, data, store)
    found = {member: _evaluations(store, system, member, decoded, chosen_split, chosen, arithmetic) for member in names}
    missing = [member for member, records in found.items() if not records]
    if missing:
        raise MissingFile(
            f"{len(missing)} of the {len(names)} members of {name} have no evaluation on {decoded.name}, "
            f"{split}, {protocol}, in {arithmetic_name(arithmetic)} arithmetic: {', '.join(missing)}",
            next_step=f"evaluate them (repro eval --system {owner} --model {missing[0]} --arithmetic {arithmetic} ...) "
            "or name others with --members",
        )
    records = {member: _only(member, records) for member, records in found.items()}
    labels = decoded.labels(decoded.rows(chosen_split)).astype(np.int64)
    combine = resolve(ensemble.combine)
    runs, told = [], []
    for run in range(len(chosen.seeds) or 1):
        scores = [store.load_array(record.outputs[f"scores-{run}"]) for record in records.values()]
        summed, more = combine(scores, chosen.settings)
        runs.append(summed)
        told.append(more)
    counts = count_answers(
        runs,
        labels,
        protocol=chosen,
        classes=system.classes,
        seen=seen_in_training(decoded, chosen_split),
        summarise=lambda scores, labels, protocol: {},
    )
    for entry, more in zip(counts["runs"], told, strict=True):
        entry.update(more)
    checkpoints = {member: record.inputs["checkpoint"] for member, record in records.items()}
    parameters: dict[str, Any] = {
        "data": decoded.name,
        "arithmetic": arithmetic_name(arithmetic),
        "device": next(iter(records.values())).parameters["device"],
        "isa": next(iter(records.values())).parameters["isa"],
        "split": chosen_split.model_dump(mode="json"),
        "protocol": chosen.model_dump(mode="json"),
        "checkpoint": f"{len(names)} checkpoints",
        "members": list(names),
    }
    inputs = {
        "data": decoded.content,
        "code": code_digest(system.package),
        "checkpoint": set_digest(checkpoints),
        **{f"scores of {member}": record.outputs["scores-0"] for member, record in records.items()},
    }
    outputs = {"labels": store.save_array(labels)}
    outputs |= {f"scores-{run}": store.save_array(scores) for run, scores in enumerate(runs)}
    first = next(iter(records.values()))
    record = Record(
        stage="eval",
        system=owner,
        model=name,
        parameters=parameters,
        inputs=inputs,
        outputs=outputs,
        profile=first.profile,
        stack=first.stack,
        result={
            "verdict": "complete",
            **counts,
            "members": checkpoints,
            "draws": [],
            "certificate": None,
            "checkpoint_says": {},
            "diagnosis": {},
        },
        timing=timing(started),
    )
    place = store.record_path("eval", owner, name, address(parameters, {}))
    return store.save_record(place, record)


def _members(ensemble: Ensemble, wanted: Sequence[str] | None) -> tuple[str, ...]:
    if wanted is None:
        return ensemble.members
    unknown = [name for name in wanted if name not in ensemble.members]
    if unknown or not wanted:
        raise UsageError(
            f"{', '.join(unknown) or 'nothing'} is no member of {ensemble.name}: {', '.join(ensemble.members)}"
        )
    return tuple(name for name in ensemble.members if name in wanted)


def _evaluations(
    store: Results,
    system: System,
    member: str,
    data: StoredData,
    split: Split,
    protocol: Protocol,
    arithmetic: Arithmetic,
) -> list[Record]:
    """Return a member's records of this evaluation, made as the protocol says, whatever models came before."""
    asked = protocol.model_dump(mode="json")
    found = []
    for path in sorted((store.folder / "records" / "eval" / system.name).glob(f"{member}-*.json")):
        record = Record.read(path)
        if record.model != member or "scores-0" not in record.outputs:
            continue
        made = record.parameters["protocol"]
        free = {key: value for key, value in made["settings"].items() if key != "after"}
        same = made["name"] == asked["name"] and free == {
            key: value for key, value in asked["settings"].items() if key != "after"
        }
        usual = record.parameters["batch"] == protocol.batch and record.parameters["split"]["name"] == split.name
        usual = usual and record.parameters["arithmetic"] == arithmetic_name(arithmetic)
        if same and usual and record.inputs["data"] == data.content:
            found.append(record)
    return found


def _only(member: str, records: list[Record]) -> Record:
    """Return the one evaluation; of several, where models came before in one of them, that one."""
    if len({record.inputs["checkpoint"] for record in records}) > 1:
        names = sorted({record.parameters["checkpoint"] for record in records})
        raise UsageError(
            f"{member} was evaluated from several checkpoints: {', '.join(names)}",
            next_step="use a results folder of its own for each",
        )
    if len({record.outputs["scores-0"] for record in records}) > 1:
        ordered = [record for record in records if record.parameters["protocol"]["settings"].get("after")]
        if len({record.outputs["scores-0"] for record in ordered}) == 1:
            return ordered[0]
        raise UsageError(
            f"{member} has {len(records)} evaluations with different scores (kernels, threads or models before)",
            next_step="use a results folder of its own for each",
        )
    return records[0]
