"""The results folder: records by address, and what they refer to by content.

    results/
      records/<stage>/<system>/<model>-<address>.json
      objects/<digest>.<suffix>       traces, arrays, manifests
      data/<content digest>/          decoded data sets, one array a file

An address depends on what was asked for and from which inputs, not on when or where. Objects are
written before the record that names them, so a record never names what is not there.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from blake3 import blake3

from repro.digest import file_digest, parse_manifest, write_manifest
from repro.errors import Contradiction, MissingFile, ReproError
from repro.schema import Document, Record, canonical_json
from repro.store.atomic import write_atomic

_ADDRESS_DIGITS = 16
_UNADDRESSED_INPUTS = ("code", "expectations")  # a change of these replaces the record instead of adding one

AnyDocument = TypeVar("AnyDocument", bound=Document)


class Results:
    """One results folder.

    Args:
        folder: its path; made when something is first written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def record_path(self, stage: str, system: str | None, model: str | None, address: Mapping[str, Any]) -> Path:
        """Return where the record of such a call lies, whether or not it is there."""
        digits = blake3(canonical_json(dict(address))).hexdigest()[:_ADDRESS_DIGITS]
        return self.folder / "records" / stage / (system or "shared") / f"{model or 'all'}-{digits}.json"

    def save_record(self, path: Path, record: Record) -> Record:
        """Write a record, last of all its stage writes."""
        write_atomic(path, record.to_json())
        return record

    def load_record(self, path: Path) -> Record | None:
        """Return the record at a path, or ``None`` where there is none or it cannot be used any more.

        A record written by a newer version is an error; a damaged one is as good as none, since the
        stage can be run again.
        """
        if not path.is_file():
            return None
        try:
            return Record.read(path)
        except ReproError as error:
            if error.kind == "SchemaTooNew":
                raise
            return None

    def save_document(self, document: Document) -> str:
        """Store a document by content and return its digest."""
        return self._save(document.to_json().encode("utf-8"), "json")

    def load_document(self, kind: type[AnyDocument], digest: str) -> AnyDocument:
        """Return a stored document, verified.

        Raises:
            MissingFile, Contradiction: it is not there, or not what its name says.
        """
        return kind.read(self._verified(digest, "json"))

    def save_manifest(self, digests: Mapping[str, str]) -> str:
        """Store a named set's manifest and return its digest, which is that of the set."""
        return self._save(write_manifest(digests), "txt")

    def load_manifest(self, digest: str) -> dict[str, str]:
        """Return a stored manifest, verified; raises as :meth:`load_document`."""
        return parse_manifest(self._verified(digest, "txt").read_bytes())

    def save_array(self, array: np.ndarray) -> str:
        """Store an array as ``.npy`` by content and return the file's digest."""
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        return self._save(buffer.getvalue(), "npy")

    def save_file(self, path: Path) -> str:
        """Store a copy of a file by content, its suffix kept, and return its digest."""
        return self._save(path.read_bytes(), path.suffix.lstrip("."))

    def verified_file(self, digest: str, suffix: str) -> Path:
        """Return where a stored file lies, verified; raises as :meth:`load_document`."""
        return self._verified(digest, suffix)

    def load_array(self, digest: str) -> np.ndarray:
        """Return a stored array, verified; raises as :meth:`load_document`."""
        return np.load(self._verified(digest, "npy"), allow_pickle=False)

    def holds(self, digest: str) -> bool:
        """Say whether an object is there and has its digest."""
        found = next((self.folder / "objects").glob(f"{digest}.*"), None)
        return found is not None and file_digest(found) == digest

    def _object(self, digest: str, suffix: str) -> Path:
        return self.folder / "objects" / f"{digest}.{suffix}"

    def _save(self, data: bytes, suffix: str) -> str:
        digest = str(blake3(data).hexdigest())
        if not self.holds(digest):
            write_atomic(self._object(digest, suffix), data)
        return digest

    def _verified(self, digest: str, suffix: str) -> Path:
        path = self._object(digest, suffix)
        if not path.is_file():
            raise MissingFile(f"{path} is missing", next_step="run the stage again")
        found = file_digest(path)
        if found != digest:
            raise Contradiction(
                f"{path}: expected digest {digest}, found {found}",
                next_step="delete the file and run the stage again",
            )
        return path


def address(parameters: Mapping[str, Any], inputs: Mapping[str, str], **machine: Any) -> dict[str, Any]:
    """Return what tells one call from another: parameters, inputs (the code apart), machine and stack."""
    kept = {name: digest for name, digest in inputs.items() if name not in _UNADDRESSED_INPUTS}
    return {"parameters": dict(parameters), "inputs": kept, **machine}
