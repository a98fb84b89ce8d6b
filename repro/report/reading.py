"""What a report reads in a record, checked: records may come from other machines and older code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from blake3 import blake3
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from repro.compare.certificate import Certificate
from repro.compare.class_scores import ClassScore
from repro.errors import BadInput, MissingFile
from repro.report.model import Invariance, Share, Spread
from repro.schema import BitVerdict, Hex32, Record, canonical_json
from repro.store.results import Results
from repro.trace import Trace


class Part(BaseModel):
    """A part of a record: what is not read here is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _known(kind: type[BaseModel]) -> BeforeValidator:
    """Drop what a later record may hold beyond the fields that are read."""
    fields = kind.model_fields
    return BeforeValidator(
        lambda value: {k: v for k, v in value.items() if k in fields} if isinstance(value, dict) else value
    )


class Named(Part):
    """A split or protocol, which some stages name and others write out."""

    name: str
    keeps: tuple[str, ...] = ()
    mends: tuple[str, ...] = ()


_ByName = Annotated[Named, BeforeValidator(lambda value: {"name": value} if isinstance(value, str) else value)]


class Parameters(Part):
    """What was asked for, in any stage."""

    data: str | None = None
    split: _ByName | None = None
    protocol: _ByName | None = None
    checkpoint: str | None = None
    artifact: str | None = None
    device: str | None = None
    isa: str | None = None

    @property
    def what(self) -> str:
        """Split, protocol, checkpoint and artifact as far as they were given."""
        named = [part.name for part in (self.split, self.protocol) if part is not None]
        return ", ".join([*named, *(one for one in (self.checkpoint, self.artifact) if one)])


class DistanceTold(Part):
    """How far one tensor is from what is stored."""

    name: str
    max_ulps: int | None = None


class ComparisonTold(Part):
    """Which tensors are not what is stored, or not those of the repeated run."""

    distances: tuple[DistanceTold, ...] = ()


class BitsTold(Part):
    """What a judgement of bits told."""

    sentence: str = ""
    profile_class: str | None = None
    comparison: ComparisonTold | None = None
    repeat: ComparisonTold | None = None


class Run(Part):
    """One seed of an evaluation."""

    printed: str | None = None
    correct: int | None = None


class Blocked(Part):
    """Why a stage could not run."""

    kind: str
    message: str
    next_step: str | None = None


class AnyResult(Part):
    """What every stage's result may hold."""

    verdict: str
    bits: BitsTold = BitsTold()
    invariance: tuple[Annotated[Invariance, _known(Invariance)], ...] = ()
    blocked: Blocked | None = None

    @model_validator(mode="after")
    def _blocked_says_why(self) -> AnyResult:
        if self.verdict == BitVerdict.BLOCKED and self.blocked is None:
            raise ValueError("blocked, but it does not say by what")
        return self


class ClassTold(Part):
    """One class of an evaluation, in counts."""

    name: str
    correct: Annotated[int, Field(ge=0)]
    images: Annotated[int, Field(ge=0)]
    answers: Annotated[int, Field(ge=0)]

    def score(self) -> ClassScore:
        """Return what the counts come to."""
        return ClassScore.of(self.name, self.correct, self.images, self.answers)


class EvaluationResult(AnyResult):
    """An evaluation's result."""

    correct: Annotated[int, Field(ge=0)]
    n: Annotated[int, Field(gt=0)]
    interval: tuple[FiniteFloat, FiniteFloat]
    spread: Annotated[Spread, _known(Spread)] | None = None
    runs: tuple[Run, ...] = ()
    confusion: tuple[tuple[Annotated[int, Field(ge=0)], ...], ...] = ()
    classes: tuple[ClassTold, ...] = ()
    labels: str = ""
    top5_correct: Annotated[int, Field(ge=0)] | None = None
    unseen: Annotated[Share, _known(Share)] | None = None
    diagnosis: dict[str, Any] = {}
    certificate: Annotated[Certificate, _known(Certificate)] | None = None

    @model_validator(mode="after")
    def _is_a_share(self) -> EvaluationResult:
        if self.correct > self.n:
            raise ValueError(f"{self.correct} right answers out of {self.n}")
        return self


class EvaluationParameters(Parameters):
    """What was asked of an evaluation."""

    data: str
    split: _ByName
    protocol: _ByName
    checkpoint: str


class EtlResult(Part):
    """A decoded data set."""

    content: Hex32
    edition: str
    rows: int
    counts: dict[str, dict[str, int]] = {}


class ProbeResult(Part):
    """What check-rep tells of a model beside its bits."""

    counted: dict[str, dict[str, int]] = {}


class ExactFloat(Part):
    """A float as records hold it."""

    text: str


class CurveTold(Part):
    """One training run: rows of numbers, each with its epoch."""

    seed: int | None = None
    epochs: tuple[dict[str, float | int | str | dict[str, Any] | None], ...] = ()


_Rows = BeforeValidator(lambda value: {"epochs": value} if isinstance(value, list) else value)


class RetrainResult(AnyResult):
    """What training anew told: for each run its rows, alone or beside its seed."""

    curves: tuple[Annotated[CurveTold, _Rows], ...] = ()


class PaperTold(Part):
    """What a run of a paper's own check tells."""

    steps: int
    of: int
    value: ExactFloat | None = None
    ulps: int | None = None
    profile_differs: tuple[str, ...] = ()
    software: str | None = None
    missing: str | None = None
    theirs: str = ""


class PaperResult(Part):
    """A run of a paper's own check."""

    paper: PaperTold


class TensorTold(Part):
    """One tensor of a preparation."""

    dtype: str
    shape: tuple[int, ...]


class PreparedResult(Part):
    """What a preparation made."""

    title: str
    files: int | None = None
    bytes: int | None = None
    tensors: dict[str, TensorTold] = {}


class PreparedParameters(Part):
    """What a preparation was made with."""

    data: str
    libraries: dict[str, str] = {}


class AcrossTold(Part):
    """How many rows of one split lie in another to the pixel, and how many of them with the same label."""

    split: str
    also_in: str
    rows: int
    same_label: int


class IdenticalTold(Part):
    """Images that a data set holds more than once."""

    within: dict[str, int]
    across: tuple[AcrossTold, ...]


class NearTold(Part):
    """Pairs of images that nearly agree."""

    pairs: int


class AuditResult(Part):
    """What the audit stage found in a data set."""

    edition: str
    distinct: int
    several_labels: int
    constant: int
    identical: IdenticalTold
    near: NearTold
    lists: str


AnyPart = TypeVar("AnyPart", bound=Part)


class Reading:
    """One record under the name that the report gives it.

    Args:
        name: its file's name below the results folder, with forward slashes.
        record: its content.

    Raises:
        BadInput: what every record must hold is missing; the message names record and field.
    """

    def __init__(self, name: str, record: Record) -> None:
        self.name, self.record = name, record
        try:
            self.digest = str(blake3(canonical_json(record.compared())).hexdigest())
        except ValueError as error:  # NaN, or half of a surrogate pair
            raise BadInput(f"{name}: holds what JSON cannot: {error}", next_step="run the stage again") from error
        self.parameters = self.as_parameters(Parameters)
        self.result = self.as_result(AnyResult)

    def as_parameters(self, kind: type[AnyPart]) -> AnyPart:
        """Return the parameters as the given kind of part; raises BadInput."""
        return self._read(kind, self.record.parameters, "parameters")

    def as_result(self, kind: type[AnyPart]) -> AnyPart:
        """Return the result as the given kind of part; raises BadInput."""
        return self._read(kind, self.record.result, "result")

    def input(self, name: str) -> str:
        """Return an input's digest; raises BadInput where the record names none."""
        if name not in self.record.inputs:
            raise BadInput(f"{self.name}: inputs: {name} is missing", next_step="run the stage again")
        return self.record.inputs[name]

    def _read(self, kind: type[AnyPart], data: Mapping[str, Any], place: str) -> AnyPart:
        try:
            return kind.model_validate(dict(data))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in (place, *first["loc"]))
            raise BadInput(f"{self.name}: {field}: {first['msg']}", next_step="run the stage again") from error


def stored_records(results: Results) -> dict[str, Record]:
    """Return every record of a results folder by its file's name below that folder."""
    paths = (results.folder / "records").glob("*/*/*.json")
    return {path.relative_to(results.folder).as_posix(): Record.read(path) for path in sorted(paths)}


def stored_traces(results: Results, records: Mapping[str, Record]) -> dict[str, Trace]:
    """Return the traces that records name, by digest; one that is not at hand is left out.

    Raises:
        Contradiction, BadInput: one is not what its digest says, or no trace.
    """
    digests = {record.outputs["trace"] for record in records.values() if "trace" in record.outputs}
    found = {}
    for digest in sorted(digests):
        try:
            found[digest] = results.load_document(Trace, digest)
        except MissingFile:  # records travel without their traces too
            continue
    return found


def machine_line(record: Record) -> str | None:
    """Return machine and stack as one line, or ``None`` where the record has no machine.

    Caps are no part of it: they are told where they were set.
    """
    profile, stack = record.profile, record.stack
    if profile is None:
        return None
    parts = [profile.operating_system, f"{profile.cpu.name} ({profile.cpu.logical_cores} logical cores)"]
    names = [gpu.name for gpu in profile.gpus]
    parts += [f"{names.count(name)} x {name}" if names.count(name) > 1 else name for name in dict.fromkeys(names)]
    if profile.cuda is not None:
        parts.append(f"driver {profile.cuda.driver}")
    if stack is not None:
        packages = [f"{name} {version}" for name, version in sorted(stack.packages.items())]
        parts.append(f"stack {stack.name}: {', '.join([f'Python {stack.python}', *packages])}")
    return "; ".join(parts)
