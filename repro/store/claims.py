"""Published claims and known defects: ``expected_results/<system>/claims.toml`` and ``defects.toml``.

A claims file is ``schema = "repro-claims/1"`` and one ``[[claim]]`` for each number, a defects file
``schema = "repro-defects/1"`` and one ``[[defect]]`` for each defect. The folder is the system.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import Field, ValidationError

from repro.errors import BadInput, MissingFile
from repro.schema import Claim, Defect, Document

Entry = TypeVar("Entry", Claim, Defect)


class _ClaimsFile(Document):
    kind: ClassVar[str] = "repro-claims"

    entries: tuple[dict[str, Any], ...] = Field(alias="claim", min_length=1)


class _DefectsFile(Document):
    kind: ClassVar[str] = "repro-defects"

    entries: tuple[dict[str, Any], ...] = Field(alias="defect", min_length=1)


def load_claims(folder: Path) -> tuple[Claim, ...]:
    """Return the claims of every system below a folder: systems sorted by name, claims in their file's order.

    Raises:
        MissingFile: there is no ``*/claims.toml`` below ``folder``.
        BadInput: a file is damaged, a field is wrong (the message names file, claim and field), or two claims
            have one id.
        SchemaTooNew: a file is newer than this code.
    """
    return _load(folder, "claims.toml", _ClaimsFile, Claim)


def load_defects(folder: Path) -> tuple[Defect, ...]:
    """Return the defects of every system below a folder; order and errors as for :func:`load_claims`."""
    return _load(folder, "defects.toml", _DefectsFile, Defect)


def _load(
    folder: Path, name: str, file_type: type[_ClaimsFile] | type[_DefectsFile], entry_type: type[Entry]
) -> tuple[Entry, ...]:
    paths = sorted(folder.glob(f"*/{name}"), key=lambda path: path.parent.name)
    if not paths:
        raise MissingFile(f"no {name} in any folder of {folder}")
    loaded: list[Entry] = []
    homes: dict[str, Path] = {}
    for path in paths:
        stored = file_type.from_data(read_toml(path), str(path))
        for number, fields in enumerate(stored.entries, start=1):
            entry = _entry(path, number, fields, entry_type)
            if entry.id in homes:
                raise BadInput(f"{path}: {entry.id} is already in {homes[entry.id]}; ids are unique")
            homes[entry.id] = path
            loaded.append(entry)
    return tuple(loaded)


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; raises BadInput naming it."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: {error}") from error


def _entry(path: Path, number: int, fields: dict[str, Any], entry_type: type[Entry]) -> Entry:
    label = f"{entry_type.__name__.lower()} {fields.get('id', f'number {number}')}"
    if "system" in fields:
        raise BadInput(f"{path}: {label}: system: the folder says it, {path.parent.name}; drop the field")
    try:
        return entry_type.model_validate({"system": path.parent.name, **fields})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "fields"
        raise BadInput(f"{path}: {label}: {field}: {first['msg']}") from error
