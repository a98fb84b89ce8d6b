"""The names of a profile's fields, and what each can hold: a class that matches on a misspelt one never matches."""

from __future__ import annotations

import difflib
import types
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from repro.errors import BadInput
from repro.schema import Profile, Scalar


def check_field(field: str, value: Scalar, where: str) -> None:
    """Check that a dotted name is a profile field and that it could have this value.

    Args:
        field: as :meth:`repro.schema.Profile.fields` writes it; places in a list are numbers, keys of a
            dictionary (``framework.kernels.aten``) are free.
        value: what the field is to equal.
        where: the file, for the error.

    Raises:
        BadInput: there is no such field, or it holds values of another type.
    """
    annotation = _annotation(Profile, field.split("."))
    if annotation is None:
        near = difflib.get_close_matches(field, sorted(_names(Profile)), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise BadInput(f"{where}: match.{field}: no profile has this field{hint}")
    try:
        TypeAdapter(annotation).validate_python(value, strict=True)
    except ValidationError as error:
        raise BadInput(f"{where}: match.{field}: {value!r}: {error.errors()[0]['msg']}") from error


def _annotation(kind: Any, parts: list[str]) -> Any:
    """Return the type of the value under a dotted name inside ``kind``, or ``None`` if there is no such value."""
    kind = _without_none(kind)
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        if inner is str:  # a list of words, which fields() joins into one
            return None if parts else str
        return _annotation(inner, parts[1:]) if parts and parts[0].isdecimal() else None
    if get_origin(kind) is dict:
        return get_args(kind)[1] if len(parts) == 1 and parts[0] else None
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        inner_field = kind.model_fields.get(parts[0]) if parts else None
        return None if inner_field is None else _annotation(inner_field.annotation, parts[1:])
    return None if parts else kind


def _without_none(kind: Any) -> Any:
    """Return the model, tuple or dictionary type of ``X | None``; a union of plain values stays as it is."""
    if get_origin(kind) not in (Union, types.UnionType):
        return kind
    inner = [one for one in get_args(kind) if one is not type(None)]
    return inner[0] if len(inner) == 1 else kind


def _names(kind: type[BaseModel], prefix: str = "") -> set[str]:
    """Return the dotted names that can be listed, with the first place of every list."""
    names: set[str] = set()
    for name, field in kind.model_fields.items():
        inner = _without_none(field.annotation)
        place = f"{prefix}{name}"
        if get_origin(inner) is tuple and get_args(inner)[0] is not str:
            inner, place = get_args(inner)[0], f"{place}.0"
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            names |= _names(inner, f"{place}.")
        elif get_origin(inner) is not dict:
            names.add(place)
    return names
