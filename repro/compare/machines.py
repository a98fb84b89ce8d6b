"""Runs of one computation on several machines: who has the same bits, and what about the machines goes with it.

Runs are compared in the tensors that all of them have. A *class* is a set of runs with identical bits. What can be
said of a profile field follows from the runs at hand and from nothing else:

- *coincides*: every class has one value of it, and every value belongs to one class;
- *separates*: runs with one value are always in one class, but a class has several values;
- *plays no part*: runs of one class differ in it, and runs with one value lie in several classes.

Fields that split the runs alike cannot be told apart by these runs and are told together. A field that is the same
everywhere says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import combinations, zip_longest

from repro.compare.divergence import Comparison, compare_traces
from repro.errors import BadInput
from repro.schema import Frozen, Record, Scalar
from repro.trace import Trace

UNKNOWN = "(unknown)"

_NAMED = 3  # fields of a statement that its sentence names


class Run(Frozen):
    """One trace and where it was made.

    Attributes:
        label: how the run is called, unique among those of one key.
        key: what was computed; only runs with one key are compared.
        trace: its tensors.
        fields: the machine and the stack, flat; empty where the trace is all there is.
        record: what names the trace, if it was had from one.
    """

    label: str
    key: str
    trace: Trace
    fields: dict[str, Scalar] = {}
    record: Record | None = None


class Pair(Frozen):
    """Two runs, by their places, from 0."""

    first: int
    second: int
    comparison: Comparison


class Role(StrEnum):
    """What a field has to do with the bits, as far as these runs tell."""

    COINCIDES = "coincides"
    SEPARATES = "separates"
    TOGETHER = "coincides together"
    """No field alone goes with the classes; these two together give every class values of its own."""
    NO_PART = "plays no part"


class Statement(Frozen):
    """What can be said of fields that split the runs alike.

    Attributes:
        role: what they have to do with the bits.
        fields: their dotted names.
        values: of the first of them, in the order of the runs, each once.
        runs: how many runs support it: for ``plays no part`` those that lie in a class with several values.
    """

    role: Role
    fields: tuple[str, ...]
    values: tuple[str, ...]
    runs: int

    def sentence(self) -> str:
        """Return the statement as one line, without a full stop."""
        more = len(self.fields) - _NAMED
        named = ", ".join(self.fields[:_NAMED]) + (f" and {more} more that go with them" if more > 0 else "")
        shown = ", ".join(self.values)
        told = {
            Role.COINCIDES: f"all differences coincide with {named} ({shown})",
            Role.SEPARATES: f"differences follow {named}, of which one class has several values ({shown})",
            Role.TOGETHER: f"all differences coincide with {' and '.join(self.fields)} together ({shown})",
            Role.NO_PART: f"no part is played by {named} ({shown})",
        }[self.role]
        return f"{told}; {self.runs} runs show it"


class Grouping(Frozen):
    """All that several runs of one computation say about one another.

    Attributes:
        key: what was computed.
        labels: the runs.
        compared: how many tensors all runs have.
        classes: places of runs with identical bits; the largest class first, then by the first run.
        pairs: every two runs.
        statements: about the machines' fields.
    """

    key: str
    labels: tuple[str, ...]
    compared: int
    classes: tuple[tuple[int, ...], ...]
    pairs: tuple[Pair, ...]
    statements: tuple[Statement, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether all runs have the same bits in all tensors, and the same tensors."""
        return all(one.comparison.verdict == "identical" for one in self.pairs)


def as_one(runs: Sequence[Run]) -> list[Run]:
    """Return two runs of one stage and model, though otherwise asked for, under one key that tells in what.

    Others are returned as they are.
    """
    if len(runs) != 2 or any(one.record is None for one in runs):
        return list(runs)
    heads, tails = zip(*(one.key.split(", ", 1) for one in runs), strict=True)
    if heads[0] != heads[1]:
        return list(runs)
    parts = zip_longest(*(tail.split(", ") for tail in tails), fillvalue="nothing")
    key = ", ".join([heads[0], *(a if a == b else f"{a} against {b}" for a, b in parts)])
    return [one.model_copy(update={"key": key}) for one in runs]


def group_runs(runs: Sequence[Run]) -> Grouping:
    """Compare runs of one computation.

    Raises:
        ValueError: fewer than two runs, or of different computations.
        BadInput: they have no tensor in common.
    """
    if len(runs) < 2 or len({one.key for one in runs}) != 1:
        raise ValueError(f"expected two or more runs of one computation, got {[one.key for one in runs]}")
    common = set.intersection(*(set(one.trace.digests()) for one in runs))
    if not common:
        raise BadInput(f"{runs[0].key}: the runs have no tensor in common", next_step="compare runs of one model")
    bits = [{name: digest for name, digest in one.trace.digests().items() if name in common} for one in runs]
    classes: list[list[int]] = []
    for place, mine in enumerate(bits):
        home = next((one for one in classes if bits[one[0]] == mine), None)
        if home is None:
            classes.append([place])
        else:
            home.append(place)
    ordered = sorted((tuple(one) for one in classes), key=lambda one: (-len(one), one))
    pairs = tuple(
        Pair(first=a, second=b, comparison=compare_traces(runs[a].trace, runs[b].trace))
        for a in range(len(runs))
        for b in range(a + 1, len(runs))
    )
    return Grouping(
        key=runs[0].key,
        labels=tuple(one.label for one in runs),
        compared=len(common),
        classes=tuple(ordered),
        pairs=pairs,
        statements=statements([one.fields for one in runs], ordered),
    )


def statements(fields: Sequence[Mapping[str, Scalar]], classes: Sequence[Sequence[int]]) -> tuple[Statement, ...]:
    """Return what the machines' fields have to do with classes of identical bits.

    Args:
        fields: of each run; a run without any supports nothing.
        classes: places in ``fields``.
    """
    known = [place for place, one in enumerate(fields) if one]
    home = {place: number for number, one in enumerate(classes) for place in one}
    if len({home[place] for place in known}) < 2:
        return ()
    found: dict[tuple[Role, tuple[int, ...]], list[str]] = {}
    all_names = {name for one in fields for name in one}
    for name in sorted(all_names, key=_order):
        values = [_shown(fields[place].get(name)) for place in known]
        split = tuple(values.index(value) for value in values)
        role = _role(split, [home[place] for place in known])
        if role is not None:
            found.setdefault((role, split), []).append(name)
    order = list(Role)
    made = []
    for (role, split), names in sorted(found.items(), key=lambda item: (order.index(item[0][0]), item[1])):
        shown = dict.fromkeys(_shown(fields[place].get(names[0])) for place in known)
        count = len(known)
        if role is Role.NO_PART:
            homes = [home[place] for place in known]
            mixed = {one for one in homes if len({s for s, h in zip(split, homes, strict=True) if h == one}) > 1}
            count = sum(one in mixed for one in homes)
        made.append(Statement(role=role, fields=tuple(names), values=tuple(shown), runs=count))
    if not any(one.role in (Role.COINCIDES, Role.SEPARATES) for one in made):
        made = [*_together(fields, known, [home[place] for place in known]), *made]
    return tuple(made)


def _together(
    fields: Sequence[Mapping[str, Scalar]], known: Sequence[int], homes: Sequence[int]
) -> Iterator[Statement]:
    """Yield the first two fields that go with the classes together, though neither does alone."""
    names = sorted({name for place in known for name in fields[place]}, key=_order)
    splits: dict[tuple[str, ...], str] = {}
    for name in names:
        values = tuple(_shown(fields[place].get(name)) for place in known)
        if len(set(values)) > 1:
            splits.setdefault(values, name)
    for (a, first), (b, second) in combinations(splits.items(), 2):
        pairs = [f"{x} / {y}" for x, y in zip(a, b, strict=True)]
        if _role([pairs.index(one) for one in pairs], homes) in (Role.COINCIDES, Role.SEPARATES):
            fields_of = (first, second)
            yield Statement(role=Role.TOGETHER, fields=fields_of, values=tuple(dict.fromkeys(pairs)), runs=len(known))
            return


def _order(name: str) -> tuple[bool, bool, str]:
    """Order fields: what ran before what was asked, what a framework says of itself before its numbered libraries."""
    return name.startswith("caps."), ".pools." in name, name


def _role(split: Sequence[int], homes: Sequence[int]) -> Role | None:
    if len(set(split)) < 2:
        return None
    pairs = set(zip(split, homes, strict=True))
    pure_values = len(pairs) == len(set(split))  # every value lies in one class
    pure_classes = len(pairs) == len(set(homes))  # every class has one value
    if pure_values:
        return Role.COINCIDES if pure_classes else Role.SEPARATES
    return None if pure_classes else Role.NO_PART


def _shown(value: Scalar) -> str:
    return UNKNOWN if value is None else str(value)
