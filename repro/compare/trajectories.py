"""Where two trainings part, from their chains of digests alone."""

from __future__ import annotations

from repro.errors import BadInput
from repro.schema import Frozen
from repro.trace.trajectory import Link, Trajectory

_PARTS = {
    "order": "the order of the data",
    "weights": "the weights",
    "state": "the trainer's state",
    "losses": "the losses",
}


class Parting(Frozen):
    """What two trajectories say about each other.

    Attributes:
        links: how many both have.
        looked_at: how many pairs of links were compared to find the first that differs.
        last_equal: steps done at the last link that agrees; ``None`` where already the starts differ.
        first_different: steps done at the first link that differs; ``None`` where all agree.
        parts: what differs there, of ``order``, ``weights``, ``state`` and ``losses``.
        tensors: names of the tensors that differ there, in their order.
        compared: how many tensors both links name.
    """

    links: int
    looked_at: int
    last_equal: int | None
    first_different: int | None
    parts: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()
    compared: int = 0

    def sentence(self) -> str:
        """Return the answer in one line."""
        if self.first_different is None:
            return f"identical: all {self.links} links agree, up to step {self.last_equal}"
        what = ", ".join(_PARTS[part] for part in self.parts)
        if self.last_equal is None:
            place = "they start differently"
        elif self.first_different - self.last_equal == 1:
            place = f"they part in step {self.first_different}"
        else:
            place = f"they part in one of the steps {self.last_equal + 1} to {self.first_different}"
        if self.tensors:
            named = f"{len(self.tensors)} of {self.compared} tensors differ, the first is {self.tensors[0]}"
        else:
            named = f"all {self.compared} tensors agree"
        return f"{place}: {what}; {named} (found by {self.looked_at} of {self.links} links)"


def compare_trajectories(a: Trajectory, b: Trajectory) -> Parting:
    """Bisect two chains: a link that agrees vouches for all before it.

    Raises:
        BadInput: they have no links at the same steps, so that nothing can be compared.
    """
    count = min(len(a.links), len(b.links))
    steps = [[link.step for link in one.links[:count]] for one in (a, b)]
    if count == 0 or steps[0] != steps[1]:
        raise BadInput(
            "the two trajectories have links at different steps",
            next_step="train both with the same --every, --batch and --images",
        )
    low, high, looked_at = 0, count, 0  # links below low agree, from high on they differ
    while low < high:
        middle = (low + high) // 2
        looked_at += 1
        if a.links[middle].link == b.links[middle].link:
            low = middle + 1
        else:
            high = middle
    last = a.links[low - 1].step if low else None
    if low == count:
        return Parting(links=count, looked_at=looked_at, last_equal=last, first_different=None)
    first, other = a.links[low], b.links[low]
    both = [name for name in first.tensors if name in other.tensors]
    return Parting(
        links=count,
        looked_at=looked_at,
        last_equal=last,
        first_different=first.step,
        parts=tuple(part for part in _PARTS if getattr(first, part) != getattr(other, part)),
        tensors=differing_tensors(first, other),
        compared=len(both),
    )


def differing_tensors(a: Link, b: Link) -> tuple[str, ...]:
    """Return the names of the tensors of two links that differ, in their order; one that one side lacks differs."""
    names = [*a.tensors, *(name for name in b.tensors if name not in a.tensors)]
    return tuple(name for name in names if a.tensors.get(name) != b.tensors.get(name))
