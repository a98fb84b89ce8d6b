"""Profile classes: reads them, finds the one a profile belongs to or the nearest, describes and writes new ones."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

import tomli_w
from pydantic import ValidationError

from repro.errors import BadInput, MissingFile, UsageError
from repro.hardware.fields import check_field
from repro.schema import Cpu, Frozen, Profile, ProfileClass, Scalar

_CPU_FIELDS = (
    "device",
    "cpu.architecture",
    "cpu.vendor",
    "cpu.family",
    "cpu.model",
    "cpu.isa",
    "cpu.l1d_kib",  # oneDNN blocks its loops by both, so they order its sums
    "cpu.l2_kib",
)
_GPU_FIELDS = (
    "device",
    "cpu.architecture",
    "gpus.0.name",
    "gpus.0.compute_capability",
    "cuda.driver",
    "cuda.runtime",
    "cuda.cudnn",
)
_VENDORS = {
    "AuthenticAMD": "amd",
    "GenuineIntel": "intel",
    "HygonGenuine": "hygon",
    "0x41": "arm",
    "0x46": "fujitsu",
    "0x48": "hisilicon",
    "0x4e": "nvidia",
    "0x51": "qualcomm",
    "0x61": "apple",
    "0xc0": "ampere",
}


class Difference(Frozen):
    """One field in which a profile is not what a class asks for."""

    field: str
    expected: Scalar
    found: Scalar


def load_classes(folder: Path) -> tuple[ProfileClass, ...]:
    """Read all profile classes of a folder, sorted by name.

    Raises:
        MissingFile: there is no such folder.
        BadInput: a file is no TOML, is named otherwise than its class, lacks or adds a key, or matches on something
            that is no profile field or cannot have that value; the message names file and key.
    """
    if not folder.is_dir():
        raise MissingFile(f"no folder of profile classes: {folder}")
    return tuple(_load(path) for path in sorted(folder.glob("*.toml"), key=lambda path: path.stem))


def match(profile: Profile, classes: Sequence[ProfileClass]) -> ProfileClass | None:
    """Return the class whose fields all hold. Of several the one with most fields, then the first by name."""
    fields = profile.fields()
    return min(
        (one for one in classes if not _differences(fields, one)),
        key=lambda one: (-len(one.match), one.name),
        default=None,
    )


def nearest(profile: Profile, classes: Sequence[ProfileClass]) -> tuple[ProfileClass, tuple[Difference, ...]] | None:
    """Return the class with fewest differing fields, and these in the class's order; ``None`` without classes.

    Of several the one with most fields, then the first by name.
    """
    fields = profile.fields()
    measured = [(one, _differences(fields, one)) for one in classes]
    return min(measured, key=lambda pair: (len(pair[1]), -len(pair[0].match), pair[0].name), default=None)


def describe(profile: Profile, name: str | None = None) -> ProfileClass:
    """Return the class that this machine would be recorded as.

    It matches on what can change bits and belongs to the machine: for a run on a CPU its make, level and caches,
    for a run on a GPU that GPU and its software. Framework and packages are the stack's part, threads the stages'.
    Fields that nobody could read are left out.

    Args:
        profile: the machine.
        name: by default one that is made of the matched values alone, so that equal machines get equal names.

    Raises:
        UsageError: ``name`` cannot be a file's name.
    """
    fields = profile.fields()
    chosen = _GPU_FIELDS if profile.device == "cuda" else _CPU_FIELDS
    matched = {field: fields[field] for field in chosen if fields.get(field) is not None}
    title, generated = _gpu_names(profile) if profile.device == "cuda" else _cpu_names(profile.cpu)
    try:
        return ProfileClass(
            name=generated if name is None else name,
            title=title,
            source="`repro record` on a machine of this class",
            match=matched,
        )
    except ValidationError:
        raise UsageError(
            f"a profile class cannot be named {name!r}",
            next_step="use lower-case letters, digits, '.', '_' and '-', and begin with a letter or digit",
        ) from None


def write_class(folder: Path, profile_class: ProfileClass) -> Path:
    """Write a class to its file in a folder and return the path.

    A file that already says the same stays as it is, with the title and source that it has. The new file is
    written beside its place and renamed, so that no half of it is ever seen.

    Raises:
        UsageError: a class of this name is there and matches on something else.
        BadInput: the class matches on something that :func:`load_classes` would refuse.
    """
    path = folder / f"{profile_class.name}.toml"
    _check_match(profile_class, str(path))
    if path.exists():
        if _load(path).match == profile_class.match:
            return path
        raise UsageError(f"{path} is another class of this name", next_step="choose another name")
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=folder)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(tomli_w.dumps(profile_class.model_dump()).encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def _load(path: Path) -> ProfileClass:
    try:
        found = ProfileClass.model_validate(tomllib.loads(path.read_bytes().decode("utf-8")))
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][:2])
        raise BadInput(f"{path}: {place}: {first['msg']}") from error
    if found.name != path.stem:
        raise BadInput(f"{path}: name: expected {path.stem!r} as the file is named, found {found.name!r}")
    _check_match(found, str(path))
    return found


def _check_match(profile_class: ProfileClass, where: str) -> None:
    if not profile_class.match:
        raise BadInput(f"{where}: match: expected at least one profile field, found none")
    for field, value in profile_class.match.items():
        check_field(field, value, where)


def _differences(fields: dict[str, Scalar], one: ProfileClass) -> tuple[Difference, ...]:
    return tuple(
        Difference(field=field, expected=value, found=fields.get(field))
        for field, value in one.match.items()
        if not _same(fields.get(field), value)
    )


def _same(found: Scalar, expected: Scalar) -> bool:
    return type(found) is type(expected) and found == expected  # True is not 1 here


def _cpu_names(cpu: Cpu) -> tuple[str, str]:
    """Return title and name. The name holds matched values only, so not the brand: it differs within a class."""
    known = [
        (f"{word}{value}", f"{word} {value}")
        for word, value in (("family", cpu.family), ("model", cpu.model))
        if value is not None
    ]
    known += [
        (f"{word.lower()}-{value}k", f"{value} KiB {word}")
        for word, value in (("L1d", cpu.l1d_kib), ("L2", cpu.l2_kib))
        if value is not None
    ]
    architecture = [] if cpu.architecture == "x86_64" else [cpu.architecture]
    level = [] if cpu.isa == cpu.architecture else [cpu.isa]
    vendor = _VENDORS.get(cpu.vendor, cpu.vendor)
    title = ", ".join([cpu.name, *(told for _, told in known), f"{cpu.isa} kernels"])
    return title, _slug([*architecture, vendor, *(part for part, _ in known), *level])


def _gpu_names(profile: Profile) -> tuple[str, str]:
    """Return title and name."""
    gpu, cuda = profile.gpus[0], profile.cuda
    known = [
        (word, value)
        for word, value in (
            ("driver", cuda and cuda.driver),
            ("CUDA", cuda and cuda.runtime),
            ("cuDNN", cuda and cuda.cudnn),
        )
        if value
    ]
    title = ", ".join([gpu.name, *(f"{word} {value}" for word, value in known), profile.cpu.architecture])
    return title, _slug([gpu.name, *(f"{word}{value}" for word, value in known), profile.cpu.architecture])


def _slug(parts: Sequence[str]) -> str:
    return re.sub(r"[^a-z0-9._]+", "-", "-".join(parts).lower()).strip("-._")
