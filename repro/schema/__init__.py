"""The documents of the harness: frozen, versioned, newer versions refused."""

from repro.schema.arithmetic import CANONICAL_VERSION, Arithmetic, ArithmeticChoice, arithmetic_name, chosen_arithmetics
from repro.schema.artifact import Artifact, ArtifactFile
from repro.schema.base import (
    Document,
    Frozen,
    Hex32,
    PlainData,
    canonical_json,
    exact_float,
    parse_json,
    pretty_json,
    read_json,
)
from repro.schema.claim import Claim, Defect, DefectMark
from repro.schema.paper import PaperCheck, PaperTask, Published
from repro.schema.preparation import FilePreparation, Preparation, TensorPreparation
from repro.schema.profile import (
    Caps,
    Cpu,
    Cuda,
    Device,
    FrameworkState,
    Gpu,
    Profile,
    ProfileClass,
    Scalar,
    ThreadPool,
)
from repro.schema.recipe import Metric, Recipe, Selection, Stage
from repro.schema.record import Record, Stack
from repro.schema.system import Ensemble, Model, Protocol, Samples, Split, System, Votes, settings_of
from repro.schema.verdict import CONTRADICTIONS, FAILURES, BitVerdict, ClaimVerdict, TrainingVerdict

__all__ = [
    "CANONICAL_VERSION",
    "CONTRADICTIONS",
    "FAILURES",
    "Arithmetic",
    "ArithmeticChoice",
    "Artifact",
    "ArtifactFile",
    "BitVerdict",
    "Caps",
    "Claim",
    "ClaimVerdict",
    "Cpu",
    "Cuda",
    "Defect",
    "DefectMark",
    "Device",
    "Document",
    "Ensemble",
    "FilePreparation",
    "FrameworkState",
    "Frozen",
    "Gpu",
    "Hex32",
    "Metric",
    "Model",
    "PaperCheck",
    "PaperTask",
    "PlainData",
    "Preparation",
    "Profile",
    "ProfileClass",
    "Protocol",
    "Published",
    "Recipe",
    "Record",
    "Samples",
    "Scalar",
    "Selection",
    "Split",
    "Stack",
    "Stage",
    "System",
    "TensorPreparation",
    "ThreadPool",
    "TrainingVerdict",
    "Votes",
    "arithmetic_name",
    "canonical_json",
    "chosen_arithmetics",
    "exact_float",
    "parse_json",
    "pretty_json",
    "read_json",
    "settings_of",
]
