"""What there is to download: ``pipelines/<system>/artifacts.toml``; in ``pipelines/common`` what several systems use.

A file is ``schema = "repro-artifacts/1"`` and one ``[[artifact]]`` for each. The folder is the system, with a
hyphen for an underscore.

Digests that no publisher states can be pinned: ``expected_results/<system>/pins.toml``, ``schema =
"repro-pins/1"`` and one ``[[pin]]`` a file. A pin is an expectation like a stored trace: it is reviewed,
travels with the project and binds everyone, which a file beside one machine's cache would not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import tomli_w
from pydantic import Field, ValidationError

from repro.errors import BadInput, MissingFile
from repro.schema import Artifact, Document, Frozen
from repro.schema.artifact import FileName, Sha256
from repro.schema.claim import Name
from repro.store.atomic import write_atomic
from repro.store.claims import read_toml

SHARED = "shared"
"""The system of an artifact that several use."""

_SHARED_FOLDER = "common"


class Pin(Frozen):
    """The content of a file as somebody first saw it and vouches for.

    Attributes:
        artifact, file: whose.
        size: in bytes.
        sha256: of the file.
    """

    artifact: Name
    file: FileName
    size: Annotated[int, Field(strict=True, gt=0)]
    sha256: Sha256


class _ArtifactsFile(Document):
    kind: ClassVar[str] = "repro-artifacts"

    entries: tuple[dict[str, Any], ...] = Field(alias="artifact", min_length=1)


class _PinsFile(Document):
    kind: ClassVar[str] = "repro-pins"

    entries: tuple[Pin, ...] = Field(alias="pin", default=())


Pins = Mapping[tuple[str, str], Pin]
"""Pins by artifact and file."""


def load_artifacts(pipelines: Path) -> tuple[Artifact, ...]:
    """Return every artifact below a folder: systems sorted by name, artifacts in their file's order.

    Raises:
        MissingFile: there is no ``*/artifacts.toml`` below ``pipelines``.
        BadInput: a file is damaged, a field is wrong (the message names file, artifact and field), or two
            artifacts have one id.
        SchemaTooNew: a file is newer than this code.
    """
    paths = sorted(pipelines.glob("*/artifacts.toml"), key=lambda path: _system(path.parent))
    if not paths:
        raise MissingFile(f"no artifacts.toml in any folder of {pipelines}")
    loaded: list[Artifact] = []
    homes: dict[str, Path] = {}
    for path in paths:
        stored = _ArtifactsFile.from_data(read_toml(path), str(path))
        for number, fields in enumerate(stored.entries, start=1):
            artifact = _artifact(path, number, fields)
            if artifact.id in homes:
                raise BadInput(f"{path}: {artifact.id} is already in {homes[artifact.id]}; ids are unique")
            homes[artifact.id] = path
            loaded.append(artifact)
    return tuple(loaded)


def load_pins(expected: Path) -> dict[tuple[str, str], Pin]:
    """Return the pins of every system below the folder of expectations; none where no file is there.

    Raises:
        BadInput, SchemaTooNew: a file is damaged or newer, or pins a file twice.
    """
    pins: dict[tuple[str, str], Pin] = {}
    for path in sorted(expected.glob("*/pins.toml")):
        for pin in _PinsFile.from_data(read_toml(path), str(path)).entries:
            if (pin.artifact, pin.file) in pins:
                raise BadInput(f"{path}: {pin.artifact}: {pin.file} is pinned twice")
            pins[pin.artifact, pin.file] = pin
    return pins


def save_pins(expected: Path, system: str, new: Iterable[Pin]) -> Path:
    """Add pins to a system's file, in place of those of the same files; sorted. Return the path."""
    path = expected / system / "pins.toml"
    stored = _PinsFile.from_data(read_toml(path), str(path)).entries if path.exists() else ()
    merged = {(pin.artifact, pin.file): pin for pin in (*stored, *new)}
    pins = [merged[key].model_dump() for key in sorted(merged)]
    write_atomic(path, tomli_w.dumps({"schema": f"{_PinsFile.kind}/{_PinsFile.version}", "pin": pins}))
    return path


def with_pins(artifact: Artifact, pins: Pins) -> Artifact:
    """Return an artifact whose files state their pinned digests where the publisher states no whole one."""
    files = []
    for file in artifact.files:
        pin = pins.get((artifact.id, file.name))
        if pin is not None and not file.is_identified:
            file = file.model_copy(update={"sha256": pin.sha256, "size": pin.size})
        files.append(file)
    return artifact.model_copy(update={"files": tuple(files)})


def _system(folder: Path) -> str:
    return SHARED if folder.name == _SHARED_FOLDER else folder.name.replace("_", "-")


def _artifact(path: Path, number: int, fields: dict[str, Any]) -> Artifact:
    label = f"artifact {fields.get('id', f'number {number}')}"
    if "system" in fields:
        raise BadInput(f"{path}: {label}: system: the folder says it, {_system(path.parent)}; drop the field")
    try:
        return Artifact.model_validate({"system": _system(path.parent), **fields})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "fields"
        raise BadInput(f"{path}: {label}: {field}: {first['msg']}") from error
