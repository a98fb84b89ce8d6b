"""Whether a data set's labels are those that a model answers. A count over others would mean nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from repro.errors import BadInput
from repro.registry import resolve
from repro.schema import Model, System
from repro.stages.data import StoredData
from repro.stages.etl import EMBEDDED

_LISTED = 10


def check_labels(system: System, model: Model, data: StoredData) -> str:
    """Return what is to be told of the labels as a sentence, empty where their names say that they are the model's.

    A label is the place of its class. Names that say nothing, as folders called 1 to 7, are taken by their places. The
    set that comes with the harness is no data set of any model, so it is only told of.

    Raises:
        BadInput: there are more or fewer classes than the model was published for, or their names say that they are in
            another order.
    """
    why = _misfit(system, model, data.classes)
    if why is not None and data.name != EMBEDDED:
        orders = system.label_orders_of(model)
        raise BadInput(
            f"{data.name}: {why}; its count would mean nothing",
            next_step=f"give --data a data set whose classes are, in this order, {' or '.join(map(_listed, orders))}",
        )
    if why is not None:
        return f"the drawn faces are no data set of this model, and the count means nothing: {why}"
    named = _meanings(system, data.classes)
    if None in named:
        return f"the names of the classes ({_listed(data.classes)}) are not known; labels are taken by their places"
    return ""


def _misfit(system: System, model: Model, names: Sequence[str]) -> str | None:
    """Return why these classes are not those of any data set that the model was published for, or ``None``."""
    orders = [order for order in system.label_orders_of(model) if len(order) == len(names)]
    if not orders:
        counts = " or ".join(str(len(order)) for order in system.label_orders_of(model))
        return f"{len(names)} classes ({_listed(names)}), but {system.name}/{model.name} answers {counts}"
    found = _meanings(system, names)
    for order in orders:
        pairs = zip(found, _meanings(system, order), strict=True)
        if all(None in pair or pair[0] == pair[1] for pair in pairs):
            return None
    return f"its classes are {_listed(names)}, in an order that {system.name}/{model.name} was not published for"


def _meanings(system: System, names: Sequence[str]) -> list[str | None]:
    meaning: Callable[[str], str | None] = resolve(system.meaning) if system.meaning is not None else lambda _: None
    return [meaning(name) for name in names]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"
