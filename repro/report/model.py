"""What a report says, as data: every format is made from this and from nothing else."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, Literal

from repro.compare import Attainability
from repro.compare.certificate import Certificate
from repro.compare.class_scores import ClassMeans, ClassScore
from repro.report.training_model import TrainingRow
from repro.schema import ClaimVerdict, Defect, Document, Frozen, Hex32, PlainData


class Answer(StrEnum):
    """The answer to: do the numbers come out on this machine?"""

    NO = "no"
    """Bits differ, or a published number was measured and did not come out."""
    NEARLY = "nearly"
    """No contradiction; a measured number lies inside the interval but is another count."""
    YES = "yes"
    """No contradiction, and every number that was measured came out to the count."""
    BITS_ONLY = "bits only"
    """The bits are the stored ones; no published number was measured."""
    UNKNOWN = "unknown"
    """Nothing that was run could be compared with anything."""


class Invariance(Frozen):
    """What a run says that changed one thing which should not matter."""

    varied: str
    verdict: str
    sentence: str = ""


class StripSegment(Frozen):
    """Neighbouring tensors of one phase that fared alike.

    Attributes:
        phase: what stands before the first ``/`` of their names.
        state: ``same``, ``different``, or ``not compared`` where nothing is stored.
        first, last: their names' ends.
    """

    phase: str
    state: Literal["same", "different", "not compared"]
    tensors: int
    first: str
    last: str


class StripDistance(Frozen):
    """A divergent tensor's place in its trace, from 0, and its largest sampled distance if there is one."""

    place: int
    name: str
    ulps: int | None


class Strip(Frozen):
    """The tensors of one trace in the order of computation.

    Attributes:
        segments: all tensors, neighbours that fared alike together.
        distances: the first divergent tensor, then the farthest of each stretch of the trace.
    """

    tensors: int
    segments: tuple[StripSegment, ...]
    distances: tuple[StripDistance, ...] = ()


class BitsRow(Frozen):
    """One comparison of bits.

    Attributes:
        data: the data set's name.
        what: protocol, and where there are any split and checkpoint.
        isa: cap on the instruction set; ``None`` is no cap.
        machine: number in :attr:`Report.machines`, counted from 1.
        profile_class: the stored class that this machine belongs to.
        strip: its tensors one by one; ``None`` where the trace is not at hand.
        record: the record's name in :attr:`Report.evidence`.
    """

    stage: str
    system: str | None
    model: str | None
    data: str | None = None
    what: str = ""
    device: str | None = None
    isa: str | None = None
    machine: int | None = None
    profile_class: str | None = None
    verdict: str
    sentence: str = ""
    invariance: tuple[Invariance, ...] = ()
    strip: Strip | None = None
    record: str


class Share(Frozen):
    """Right answers out of n."""

    correct: int
    n: int


class Spread(Frozen):
    """Right answers over the seeds of a random protocol."""

    runs: int
    minimum: int
    maximum: int
    mean: float


class Measurement(Frozen):
    """One evaluation.

    Attributes:
        checkpoint: the file's own name.
        checkpoint_digest: BLAKE3 of the file.
        artifacts: ids of the published files that a fetch record says this one is.
        edition: what the data is, in the words of the record that decoded it.
        correct, n, interval: of the first seed where the protocol is random; the interval is 95 % Wilson.
        top5_correct: images whose class is among the five that score highest.
        spread: over all seeds; ``None`` where the protocol is not random.
        printed: what the published code prints of it, one entry a seed; empty where that is the accuracy.
        counts: right answers, one entry a seed.
        confusion: rows are true classes, columns answers.
        classes: their names, where the record tells them.
        labels: what is to be told of what the labels mean.
        class_scores, means: precision, recall and F1 of each class, and over the classes.
        certificate: whether the count can differ on other machines, where that was asked.
        unseen: the same count without the images that also occur in the training set.
        keeps, mends: ids of defects, as the protocol declares them.
        diagnosis: numbers that show a defect at work.
        bits: the verdict on the bits of the same run.
    """

    system: str
    model: str
    data: str
    edition: str | None = None
    split: str
    protocol: str
    checkpoint: str
    checkpoint_digest: Hex32
    artifacts: tuple[str, ...] = ()
    device: str | None = None
    isa: str | None = None
    machine: int | None = None
    correct: int
    n: int
    accuracy: float
    top5_correct: int | None = None
    interval: tuple[float, float]
    spread: Spread | None = None
    printed: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    classes: tuple[str, ...] = ()
    labels: str = ""
    class_scores: tuple[ClassScore, ...] = ()
    means: ClassMeans | None = None
    certificate: Certificate | None = None
    unseen: Share | None = None
    keeps: tuple[str, ...] = ()
    mends: tuple[str, ...] = ()
    diagnosis: dict[str, Any]
    bits: str
    record: str


class ClaimMeasurement(Frozen):
    """One measurement beside one published number.

    Attributes:
        published: whether the checkpoint is the one that the number belongs to.
        verdict: ``None`` where the number is about another checkpoint, so that the distance says nothing about it.
        reason: the numbers in one sentence.
    """

    protocol: str
    checkpoint: str
    published: bool
    correct: int
    n: int
    verdict: ClaimVerdict | None
    reason: str
    record: str


class ClaimRow(Frozen):
    """One published number and what is known of it.

    Attributes:
        model, dataset, split, metric, source, kind, note: as the claim has them.
        model_name: the model's name here.
        printed: the number with its unit.
        n, giving, attainability: how many images, which counts of them give the print, and how.
        protocol, artifact: what measures it, and the checkpoint that it belongs to.
        authors_code: whether the code that printed it is the code that is run here.
        verdict, reason: from measurements by this protocol on this checkpoint only.
        correct: the count that the verdict rests on; ``None`` where it rests on none.
        defects: ids of the defects that touch it.
        measurements: every measurement that can stand beside it, by whatever protocol.
    """

    id: str
    system: str
    model: str | None
    model_name: str | None
    dataset: str | None
    split: str | None
    metric: str
    printed: str
    n: int | None
    giving: str
    attainability: Attainability | None
    protocol: str | None
    artifact: str | None
    authors_code: bool
    source: str
    kind: Literal["seed", "upstream"]
    note: str
    verdict: ClaimVerdict
    correct: int | None = None
    reason: str
    defects: tuple[str, ...] = ()
    measurements: tuple[ClaimMeasurement, ...] = ()


class BlockedRow(Frozen):
    """One stage that could not run."""

    stage: str
    system: str | None
    model: str | None
    what: str = ""
    kind: str
    message: str
    next_step: str | None = None
    record: str


class DataRow(Frozen):
    """One data set that was read; ``content`` is the digest of what it holds, whatever the container."""

    name: str
    edition: str
    rows: int
    content: Hex32


class PreparedRow(Frozen):
    """What a paper's scripts make of a data set, made here.

    Attributes:
        preparation: ``system/preparation``.
        what: files and their size, or the tensors' shapes.
        libraries: names and versions of what decides the bytes.
        digests: of the tree, or of each tensor, by name.
    """

    preparation: str
    title: str
    data: str
    what: str
    libraries: str
    digests: dict[str, Hex32]
    record: str


class Overlap(Frozen):
    """Rows of one split that lie in another split to the pixel; of those, how many have the same label there."""

    split: str
    also_in: str
    rows: int
    same_label: int


class AuditRow(Frozen):
    """What one audited data set repeats and contradicts.

    Attributes:
        distinct: how many different images there are.
        several_labels, constant: how many of them stand under several labels, or are one grey level throughout.
        near_pairs: pairs that nearly agree, by the audit's measure.
        repeats: rows by split that repeat an earlier row of it.
        overlaps: between splits, those with any row.
        lists: digest of the lists of rows.
    """

    data: str
    edition: str
    distinct: int
    several_labels: int
    constant: int
    near_pairs: int
    repeats: dict[str, int]
    overlaps: tuple[Overlap, ...]
    lists: Hex32


class Curve(Frozen):
    """One number over the epochs of one training run.

    Attributes:
        run: which run, by its seed.
        quantity: the number's name in the record.
        points: (epoch, value).
    """

    system: str
    model: str
    run: str
    quantity: str
    points: tuple[tuple[float, float], ...]
    record: str


class Evidence(Frozen):
    """One record.

    Attributes:
        record: its file below the results folder.
        digest: of all in it but the timing.
        machine: number in :attr:`Report.machines`.
        parameters, inputs, outputs, switches: as the record has them.
    """

    record: str
    stage: str
    digest: Hex32
    machine: int | None = None
    parameters: PlainData = {}
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    switches: PlainData = {}


SCHEMA_URI = "https://json-schema.org/draft/2020-12/schema"


class Report(Document):
    """Everything that the records of one results folder say about bits and published numbers.

    Attributes:
        answer, headline: to whoever reads one line only.
        machines: one line for each machine and stack.
        defects: those that a row names.
    """

    kind: ClassVar[str] = "repro-report"

    answer: Answer
    headline: str
    machines: tuple[str, ...] = ()
    data: tuple[DataRow, ...] = ()
    prepared: tuple[PreparedRow, ...] = ()
    audits: tuple[AuditRow, ...] = ()
    bits: tuple[BitsRow, ...] = ()
    blocked: tuple[BlockedRow, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    claims: tuple[ClaimRow, ...] = ()
    trainings: tuple[TrainingRow, ...] = ()
    curves: tuple[Curve, ...] = ()
    defects: tuple[Defect, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of what ``report.json`` holds, its schema line included."""
        schema = cls.model_json_schema()
        name = f"{cls.kind}/{cls.version}"
        line = {"const": name, "description": "Kind and version of the document; readers refuse newer ones."}
        return {
            "$schema": SCHEMA_URI,
            "title": name,
            **{key: value for key, value in schema.items() if key not in ("title", "properties", "required")},
            "properties": {"schema": line, **schema["properties"]},
            "required": ["schema", *schema.get("required", [])],
        }
