"""What all documents share: frozen fields, a version, and one way to write and read JSON.

A document is JSON with ``"schema": "<kind>/<version>"`` first. Readers accept their own version and
older ones they still know; a newer one is refused by name, never half understood.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from repro.errors import BadInput, MissingFile, SchemaTooNew

Hex32 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A BLAKE3 digest: 32 bytes in lower-case hexadecimal."""


def _plain(data: Any) -> Any:
    try:
        return json.loads(json.dumps(data, allow_nan=False))
    except TypeError as error:
        raise ValueError(str(error)) from error


PlainData = Annotated[dict[str, Any], AfterValidator(_plain)]
"""What JSON can say, as JSON gives it back: tuples become lists. NaN and infinities are refused: :func:`exact_float`
names them."""


class Frozen(BaseModel):
    """A value: immutable, without unknown fields or NaNs, compared by its content."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)


_VERSION = re.compile("[1-9][0-9]{0,8}")


class Document(Frozen):
    """A value with a kind and a version, as it is written to disk."""

    kind: ClassVar[str]
    version: ClassVar[int] = 1

    def to_data(self) -> dict[str, Any]:
        """Return plain JSON data, schema line first, fields in declaration order."""
        return {"schema": f"{self.kind}/{self.version}", **self.model_dump(mode="json", by_alias=True)}

    def to_json(self) -> str:
        """Return the text as it is stored: indented, one trailing line break."""
        return pretty_json(self.to_data())

    @classmethod
    def from_data(cls, data: Any, where: str) -> Self:
        """Build the document from JSON data.

        Args:
            data: parsed JSON.
            where: what to call the source in an error, usually a path.

        Raises:
            SchemaTooNew: the document's version is above what this code reads.
            BadInput: it is no document of this kind.
        """
        if not isinstance(data, dict) or not isinstance(data.get("schema"), str):
            raise BadInput(f"{where}: expected a {cls.kind} document, found no schema line")
        kind, _, version = data["schema"].partition("/")
        if kind != cls.kind or not _VERSION.fullmatch(version):
            raise BadInput(f"{where}: expected schema {cls.kind}/{cls.version}, found {data['schema']!r}")
        if int(version) > cls.version:
            raise SchemaTooNew(
                f"{where} is schema {kind}/{version}; this repro reads up to {cls.version}",
                next_step="upgrade repro",
            )
        fields = {key: value for key, value in data.items() if key != "schema"}
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "document"
            raise BadInput(f"{where}: {place}: {first['msg']}") from error

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a document from a file; see :meth:`from_data` for what is raised."""
        return cls.from_data(read_json(path), str(path))


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        MissingFile: there is no such file.
        BadInput: it cannot be read, or as for :func:`parse_json`.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MissingFile(f"no such file: {path}") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from error
    return parse_json(data, str(path))


def parse_json(data: bytes, where: str) -> Any:
    """Parse JSON.

    Args:
        data: its bytes.
        where: what to call the source in an error, usually a path.

    Raises:
        BadInput: it is not UTF-8 JSON (the message gives line and column), names a key twice, or holds NaN or an
            infinity.
    """
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise BadInput(f"{where}: not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise BadInput(f"{where}: line {error.lineno}, column {error.colno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}: {error}") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"an object has the key {twice!r} twice")
    return data


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def pretty_json(data: Any) -> str:
    """Return JSON for people: two-space indent, non-ASCII kept, NaN refused, one line break at the end."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def canonical_json(data: Any) -> bytes:
    """Return the one byte string that stands for ``data`` when it is digested: keys sorted, no blanks."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def exact_float(value: float, *, bits: int = 64) -> dict[str, str]:
    """Return a float so that it reads well and comes back to the bit.

    Args:
        value: the number. A NaN's sign and payload are not kept.
        bits: 64, or 32 for the shortest text that a float32 comes back from.

    Returns:
        ``{"hex": ..., "text": ...}``; ``float.fromhex(hex)`` is the value. NaN and infinities are named by both.

    Raises:
        ValueError: ``bits`` is neither, or a float32 does not hold the value.
    """
    value = float(value)
    if not math.isfinite(value):
        return {"hex": repr(value), "text": repr(value)}
    if bits == 64:
        return {"hex": value.hex(), "text": repr(value)}
    import numpy as np

    with np.errstate(over="ignore"):
        single = np.float32(value)
    if bits != 32 or float(single) != value:
        raise ValueError(f"expected a value that 32 or 64 bits hold, got {value!r} for {bits}")
    return {"hex": value.hex(), "text": str(single)}
