"""Builds a report: records and claims in, rows out, the same whatever order the records come in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from repro.compare import Judgement
from repro.compare.class_scores import ClassMeans
from repro.report.claims import claim_rows
from repro.report.curves import curves
from repro.report.model import (
    AuditRow,
    BitsRow,
    BlockedRow,
    ClaimRow,
    DataRow,
    Evidence,
    Measurement,
    Overlap,
    PreparedRow,
    Report,
)
from repro.report.outcome import answer, headline
from repro.report.paper import judged_paper
from repro.report.plain import counted
from repro.report.quantities import judged_quantity, quantities
from repro.report.reading import (
    AuditResult,
    Blocked,
    EtlResult,
    EvaluationParameters,
    EvaluationResult,
    PreparedParameters,
    PreparedResult,
    Reading,
    machine_line,
)
from repro.report.strip import strip_of
from repro.report.training_model import TrainingRow
from repro.report.trainings import trainings
from repro.schema import BitVerdict, Claim, Defect, Record, System
from repro.trace import Trace

_BIT_VERDICTS = frozenset(BitVerdict) - {BitVerdict.BLOCKED}


def build_report(
    records: Mapping[str, Record],
    claims: Sequence[Claim] = (),
    defects: Sequence[Defect] = (),
    systems: Iterable[System] = (),
    traces: Mapping[str, Trace] | None = None,
) -> Report:
    """Build the report of some records.

    Args:
        records: by their file's name below the results folder, see :func:`repro.report.reading.stored_records`.
        claims, defects: see :mod:`repro.store.claims`.
        systems: declarations, from which the defects that touch an unmeasured claim are known.
        traces: by the digest under which a record names its own, for the strips of tensors.

    Raises:
        BadInput: a record lacks what its stage must have written; the message names record and field.
    """
    readings = [Reading(name, records[name]) for name in sorted(records)]
    declared = tuple(systems)
    machines = _machines(readings)
    bits = _sorted(bits_row(one, machines, traces or {}) for one in readings if one.result.verdict in _BIT_VERDICTS)
    blocked = _sorted(_blocked_row(one, one.result.blocked) for one in readings if one.result.blocked is not None)
    data = _data(readings)
    measurements = _measurements(readings, machines, data)
    trained = trainings(readings, lambda one: _machine(one, machines))
    rows = claim_rows(claims, measurements, defects, declared, _missing(readings), _judged(claims, readings))
    return Report(
        answer=answer(bits, rows, trained),
        headline=headline(bits, measurements, rows, blocked, trained),
        machines=machines,
        data=data,
        prepared=_prepared(readings),
        audits=_audits(readings),
        bits=bits,
        blocked=blocked,
        measurements=measurements,
        claims=rows,
        trainings=trained,
        curves=curves(readings),
        defects=_named(defects, (*measurements, *trained), rows),
        evidence=tuple(_evidence(one, machines) for one in readings),
    )


def _evidence(one: Reading, machines: Sequence[str]) -> Evidence:
    record = one.record
    return Evidence(
        record=one.name,
        stage=record.stage,
        digest=one.digest,
        machine=_machine(one, machines),
        parameters=record.parameters,
        inputs=record.inputs,
        outputs=record.outputs,
        switches=record.switches,
    )


def bits_row(one: Reading, machines: Sequence[str] = (), traces: Mapping[str, Trace] | None = None) -> BitsRow:
    """Return what a record says about bits; of a blocked one, why it says nothing."""
    trace = (traces or {}).get(one.record.outputs.get("trace", ""))
    told = one.result.bits.comparison or one.result.bits.repeat
    distances = {each.name: each.max_ulps for each in told.distances} if told else {}
    blocked, parameters = one.result.blocked, one.parameters
    return BitsRow(
        stage=one.record.stage,
        system=one.record.system,
        model=one.record.model,
        data=parameters.data,
        what=parameters.what,
        device=parameters.device,
        isa=parameters.isa,
        machine=_machine(one, machines),
        profile_class=one.result.bits.profile_class,
        verdict=one.result.verdict,
        sentence=one.result.bits.sentence if blocked is None else blocked.message,
        invariance=one.result.invariance,
        strip=None if trace is None else strip_of(trace, one.result.verdict, distances),
        record=one.name,
    )


def _blocked_row(one: Reading, why: Blocked) -> BlockedRow:
    return BlockedRow(
        stage=one.record.stage,
        system=one.record.system,
        model=one.record.model,
        what=one.parameters.what,
        kind=why.kind,
        message=why.message,
        next_step=why.next_step,
        record=one.name,
    )


_Row = TypeVar("_Row", BitsRow, BlockedRow, Measurement)


def _sorted(rows: Iterable[_Row]) -> tuple[_Row, ...]:
    """Return rows by stage, system and model; within these as the fields have it, no cap before a cap."""

    def key(row: _Row) -> tuple[str, ...]:
        names = (
            "stage",
            "system",
            "model",
            "data",
            "split",
            "what",
            "checkpoint",
            "protocol",
            "device",
            "isa",
            "record",
        )
        return tuple(str(getattr(row, name, None) or "") for name in names)

    return tuple(sorted(rows, key=key))


def _machines(readings: Iterable[Reading]) -> tuple[str, ...]:
    lines = {machine_line(one.record) for one in readings}
    return tuple(sorted(line for line in lines if line is not None))


def _machine(one: Reading, machines: Sequence[str]) -> int | None:
    line = machine_line(one.record)
    return machines.index(line) + 1 if line in machines else None


def _data(readings: Iterable[Reading]) -> tuple[DataRow, ...]:
    rows = set()
    for one in readings:
        if one.record.stage == "etl" and one.result.blocked is None:
            told = one.as_result(EtlResult)
            rows.add((one.parameters.data or "", told.edition, told.rows, told.content))
    return tuple(DataRow(name=n, edition=e, rows=r, content=c) for n, e, r, c in sorted(rows))


def _prepared(readings: Iterable[Reading]) -> tuple[PreparedRow, ...]:
    rows = []
    for one in readings:
        if one.record.stage == "prepare" and one.result.blocked is None:
            asked, told = one.as_parameters(PreparedParameters), one.as_result(PreparedResult)
            what = [f"{name} {each.dtype} {each.shape}" for name, each in told.tensors.items()]
            if told.files is not None:
                what.append(f"{counted(told.files, 'file')}, {(told.bytes or 0) / 1e6:.0f} MB")
            row = PreparedRow(
                preparation=f"{one.record.system}/{one.record.model}",
                title=told.title,
                data=asked.data,
                what="; ".join(what),
                libraries=", ".join(f"{name} {number}" for name, number in asked.libraries.items()),
                digests=one.record.outputs,
                record=one.name,
            )
            rows.append(row)
    return tuple(sorted(rows, key=lambda row: (row.preparation, row.data, row.record)))


def _audits(readings: Iterable[Reading]) -> tuple[AuditRow, ...]:
    rows = []
    for one in readings:
        if one.record.stage == "audit" and one.result.blocked is None:
            told = one.as_result(AuditResult)
            row = AuditRow(
                data=one.parameters.data or "",
                edition=told.edition,
                distinct=told.distinct,
                several_labels=told.several_labels,
                constant=told.constant,
                near_pairs=told.near.pairs,
                repeats=told.identical.within,
                overlaps=tuple(
                    Overlap(split=each.split, also_in=each.also_in, rows=each.rows, same_label=each.same_label)
                    for each in told.identical.across
                    if each.rows
                ),
                lists=told.lists,
            )
            rows.append(row)
    return tuple(sorted(rows, key=lambda row: (row.data, row.lists)))


def _measurements(
    readings: Sequence[Reading],
    machines: Sequence[str],
    data: Iterable[DataRow],
) -> tuple[Measurement, ...]:
    editions = {row.content: row.edition for row in data}
    artifacts = _artifacts(readings)
    return _sorted(
        _measurement(one, machines, editions, artifacts)
        for one in readings
        if one.record.stage == "eval" and one.result.blocked is None
    )


def _measurement(
    one: Reading,
    machines: Sequence[str],
    editions: Mapping[str, str],
    artifacts: Mapping[str, set[str]],
) -> Measurement:
    asked, told = one.as_parameters(EvaluationParameters), one.as_result(EvaluationResult)
    digest = one.input("checkpoint")
    scores = tuple(each.score() for each in told.classes)
    return Measurement(
        system=one.record.system or "",
        model=one.record.model or "",
        data=asked.data,
        edition=editions.get(one.input("data")),
        split=asked.split.name,
        protocol=asked.protocol.name,
        checkpoint=asked.checkpoint,
        checkpoint_digest=digest,
        artifacts=tuple(sorted(artifacts.get(digest, ()))),
        device=asked.device,
        isa=asked.isa,
        machine=_machine(one, machines),
        correct=told.correct,
        n=told.n,
        accuracy=told.correct / told.n,
        top5_correct=told.top5_correct,
        interval=told.interval,
        spread=told.spread if len(told.runs) > 1 else None,
        printed=tuple(run.printed for run in told.runs if run.printed is not None),
        counts=tuple(run.correct for run in told.runs if run.correct is not None),
        confusion=told.confusion,
        classes=tuple(each.name for each in scores),
        labels=told.labels,
        class_scores=scores,
        means=ClassMeans.of(scores) if any(each.images for each in scores) else None,
        certificate=told.certificate,
        unseen=told.unseen,
        keeps=asked.protocol.keeps,
        mends=asked.protocol.mends,
        diagnosis=told.diagnosis,
        bits=told.verdict,
        record=one.name,
    )


def _artifacts(readings: Iterable[Reading]) -> dict[str, set[str]]:
    """Return which published artifacts a file with a digest is, as the records of downloads say."""
    found: dict[str, set[str]] = {}
    for one in readings:
        if one.record.stage == "fetch" and one.parameters.artifact is not None:
            for digest in one.record.outputs.values():
                found.setdefault(digest, set()).add(one.parameters.artifact)
    return found


def _missing(readings: Iterable[Reading]) -> dict[str, str]:
    """Return why artifacts could not be fetched, and the next step."""
    found: dict[str, str] = {}
    for one in readings:
        blocked, artifact = one.result.blocked, one.parameters.artifact
        if one.record.stage == "fetch" and blocked is not None and artifact is not None:
            found[artifact] = blocked.message + (f". Next: {blocked.next_step}" if blocked.next_step else "")
    return found


def _judged(claims: Iterable[Claim], readings: Sequence[Reading]) -> dict[str, Judgement]:
    """Return what is known of the claims that are about no count of right answers, by id."""
    numbers = quantities(readings)
    found = {claim.id: judged_quantity(claim, numbers) or judged_paper(claim, readings) for claim in claims}
    return {name: judgement for name, judgement in found.items() if judgement is not None}


def _named(
    defects: Iterable[Defect], measurements: Iterable[Measurement | TrainingRow], claims: Iterable[ClaimRow]
) -> tuple[Defect, ...]:
    named = {defect for one in measurements for defect in (*one.keeps, *one.mends)}
    named |= {defect for row in claims for defect in row.defects}
    return tuple(defect for defect in defects if defect.id in named)
