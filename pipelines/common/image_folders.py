"""Folders of images: listed and digested once, decoded when they are asked for, never copied.

Layouts (docs/data.md): a folder per split and class, as RAF-DB, AffectNet, CAER-S, AI Hub's images and ImageNet are
laid out for torchvision's ``ImageFolder``; and RAF-DB's own, ``train_00001_aligned.jpg`` beside a label file. A class's
number is its place among the sorted names, as ``ImageFolder`` counts.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
from blake3 import blake3
from PIL import Image

from pipelines.common.containers import read_container
from pipelines.common.dataset import Dataset
from repro.digest import set_digest, tensor_digest
from repro.errors import BadInput

USAGES = ("train", "valid", "test", "evaluated")
"""``evaluated`` is the one folder beside ``train`` where there is one alone, whatever it is called."""

_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "val", "validation"), "valid"),
    "test": "test",
}
_IMAGES = {".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"}  # torchvision's
_LABELS = {".txt", ".csv"}
_LABEL_LINE = re.compile(r"(?P<name>[^\s,]+\.\w+)[\s,]+(?P<label>\d+)\s*")
_FLAT_NAME = re.compile(r"(train|valid|val|test)_\d+(_aligned)?", re.IGNORECASE)
_BYTE = 256
_LISTED, _AT_ONCE, _MOST_CLASSES = 20, 64, 10_000


@dataclass(frozen=True, eq=False)
class ImageFolders:
    """A data set whose images stay where they are.

    Attributes:
        files: of each row ``name`` (relative), ``digest`` (of the file), ``pixels`` (tensor digest) and ``shape``.
        labels, usages: uint8 (n,), places in ``class_names`` and ``usage_names``; labels of very many classes uint16.
        labelled: bool (n,): all of them.
        class_names: in the order of the labels.
        edition: what it is, as a part of a sentence.
        opener: opens the images: ``(folder, names) -> sequence``.
    """

    files: tuple[dict[str, Any], ...]
    labels: np.ndarray
    usages: np.ndarray
    class_names: tuple[str, ...]
    edition: str
    usage_names: ClassVar[tuple[str, ...]] = USAGES
    opener: ClassVar[str] = "pipelines.common.image_folders:LazyImages"

    @property
    def labelled(self) -> np.ndarray:
        """Which rows have a label, bool (n,): all."""
        return np.ones(len(self.labels), np.bool_)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the number of images per usage and class."""
        return {
            usage: {
                name: int(((self.usages == code) & (self.labels == label)).sum())
                for label, name in enumerate(self.class_names)
            }
            for code, usage in enumerate(USAGES)
        }

    def content_digests(self) -> dict[str, str]:
        """Return digests of each usage's images (of the lines of their tensor digests) and labels, in order."""
        digests = {}
        for code, usage in enumerate(USAGES):
            rows = np.flatnonzero(self.usages == code)
            if rows.size:
                lines = "".join(f"{self.files[row]['pixels']}\n" for row in rows)
                digests[f"{usage}/images"] = str(blake3(lines.encode()).hexdigest())
                digests[f"{usage}/labels"] = tensor_digest(self.labels[rows])
        return digests

    def content_digest(self) -> str:
        """Return the digest of the named set of :meth:`content_digests`."""
        return set_digest(self.content_digests())

    def unordered_digests(self) -> dict[str, str]:
        """Return none: editions are known by their files here."""
        return {}


class LazyImages(Sequence[np.ndarray]):
    """Images of a folder by row, each decoded when it is asked for: uint8 (h, w) if grey, else (h, w, 3)."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder, self._names = folder, names

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, row: Any) -> Any:
        """Return one image; raises BadInput where the file is gone or damaged."""
        path = self._folder / self._names[int(row)]
        try:
            return _decoded(path.read_bytes())
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise BadInput(f"{path}: not a readable image ({error})", next_step="restore the file") from error


def read_images(path: Path, progress: Callable[[int, int], None] | None = None) -> ImageFolders | Dataset:
    """Read a folder of face images; what is none is read as a container of FER2013.

    Args:
        path: a folder with images in it, or a container.
        progress: told the bytes read and how many there are.

    Raises:
        MissingFile: there is no such path.
        BadInput: no layout fits, classes or labels are missing, or images cannot be decoded: they are named.
    """
    names = sorted(_walk(path)) if path.is_dir() else []
    images = [name for name in names if PurePosixPath(name).suffix.lower() in _IMAGES]
    if not images:
        return read_container(path, progress)
    tables = [name for name in names if PurePosixPath(name).suffix.lower() in _LABELS]
    labels = _label_file(path, tables)
    flat = all(_FLAT_NAME.fullmatch(PurePosixPath(name).stem) for name in images)
    places, layout = (_flat(path, images, labels), "a label file") if flat and labels else (_by_class(path, images), "")
    places = _with_one_evaluated(places)
    classes = sorted({place.label for place in places}, key=lambda one: (len(one), one) if flat and labels else one)
    if len(classes) > _MOST_CLASSES:
        raise BadInput(f"{path}: {len(classes)} classes; expected a folder per class, at most {_MOST_CLASSES}")
    _check_classes(path, places, classes)
    codes = {name: code for code, name in enumerate(classes)}
    places.sort(key=lambda one: (USAGES.index(one.usage), codes[one.label] if not layout else 0, one.folder, one.name))
    return ImageFolders(
        files=_described(path, [place.path for place in places], progress),
        labels=np.array([codes[place.label] for place in places], np.uint8 if len(classes) <= _BYTE else np.uint16),
        usages=np.array([USAGES.index(place.usage) for place in places], np.uint8),
        class_names=tuple(classes),
        edition=f"images by {layout or 'a folder per class'}, classes in this order: {_listed(classes)}",
    )


@dataclass(frozen=True)
class _Place:
    """Where an image belongs; ``folder`` and ``name`` are its path below the split."""

    path: str
    usage: str
    label: str

    @property
    def folder(self) -> str:
        return str(PurePosixPath(self.path).parent)

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


def _walk(path: Path) -> Iterator[str]:
    """Yield the relative names of a folder's files; hidden ones and what systems leave behind are left out."""
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__MACOSX"]
        for name in folders:
            if (Path(folder) / name).is_symlink():
                raise BadInput(f"{Path(folder) / name} is a link to a folder", next_step="give the folder itself")
        for name in files:
            if not name.startswith("."):
                yield (Path(folder) / name).relative_to(path).as_posix()


def _label_file(path: Path, tables: list[str]) -> dict[str, str]:
    """Return the label of each image's stem, from all tables of lines ``name label``."""
    labels: dict[str, str] = {}
    for table in sorted(tables):
        lines = (path / table).read_text(encoding="utf-8", errors="replace").splitlines()
        matches = [_LABEL_LINE.fullmatch(line) for line in lines]
        if not any(matches):
            continue  # some other text
        for number, (line, match) in enumerate(zip(lines, matches, strict=True), 1):
            if match is None:
                if number == 1 or not line.strip():
                    continue  # a header
                raise BadInput(f"{path / table}, line {number}: expected an image's name and its label, got {line!r}")
            stem = PurePosixPath(match["name"]).stem
            if labels.setdefault(stem, match["label"]) != match["label"]:
                raise BadInput(f"{path / table}, line {number}: {match['name']} has two labels")
    return labels


def _flat(path: Path, images: list[str], labels: dict[str, str]) -> list[_Place]:
    """Place RAF-DB's own names, whose split is their first word and whose label stands in a file."""
    places, unlabelled, stems = [], [], set()
    for name in images:
        stem = PurePosixPath(name).stem
        plain = stem.removesuffix("_aligned")
        usage = _SPLITS[stem.partition("_")[0].lower()]
        label = labels.get(plain, labels.get(stem))
        if label is None:
            unlabelled.append(name)
        else:
            places.append(_Place(name, usage, label))
            stems |= {plain, stem}
    if unlabelled:
        raise BadInput(f"{path}: {len(unlabelled)} images are not in the label file: {_listed(unlabelled)}")
    present = {place.usage for place in places}
    missing = [stem for stem in labels if stem not in stems and _SPLITS.get(stem.partition("_")[0].lower()) in present]
    if missing:
        raise BadInput(
            f"{path}: {len(missing)} images of the label file are missing: {_listed(missing)}",
            next_step="unpack the data set again",
        )
    return places


def _by_class(path: Path, images: list[str]) -> list[_Place]:
    """Place images whose folders name split and class, or the class alone."""
    places, roots, bare = [], set(), []
    for name in images:
        parts = name.split("/")
        at = next((place for place, part in enumerate(parts[:-1]) if part.lower() in _SPLITS), None)
        inside = parts if at is None else parts[at + 1 :]
        if len(inside) < 2:
            bare.append(name)
            continue
        roots.add("/".join(parts[:at]) if at is not None else "")
        places.append(_Place(name, "evaluated" if at is None else _SPLITS[parts[at].lower()], inside[0]))
    if bare:
        raise BadInput(
            f"{path}: {len(bare)} images are in no class's folder and no label file names them: {_listed(bare)}",
            next_step="put each class into a folder of its own, train/<class>/..., as ImageFolder needs (P-FOLDERS)",
        )
    kinds = {place.usage == "evaluated" for place in places}
    if len(roots) > 1 or len(kinds) > 1:
        raise BadInput(f"{path} holds several data sets: {_listed(sorted(roots))}", next_step="give the path of one")
    return places


def _with_one_evaluated(places: list[_Place]) -> list[_Place]:
    """Call the evaluated usage by that name where there is one alone."""
    others = {place.usage for place in places} - {"train"}
    if len(others) != 1:
        return places
    return [_Place(one.path, "evaluated" if one.usage in others else one.usage, one.label) for one in places]


def _check_classes(path: Path, places: list[_Place], classes: list[str]) -> None:
    """Raise where a split lacks a class: ``ImageFolder`` would number the rest anew without a word."""
    for usage in sorted({place.usage for place in places}):
        absent = set(classes) - {place.label for place in places if place.usage == usage}
        if absent:
            raise BadInput(
                f"{path}: {usage} has no image of {_listed(sorted(absent))}, other splits have; "
                "class numbers would differ between them"
            )


def _described(path: Path, names: list[str], progress: Callable[[int, int], None] | None) -> tuple[dict[str, Any], ...]:
    """Decode every image once, a few at a time, and return what is kept of it."""

    def look(name: str) -> dict[str, Any] | str:
        try:
            data = (path / name).read_bytes()
            pixels = _decoded(data)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            return f"{name} ({error})"
        digest, shape = str(blake3(data).hexdigest()), list(pixels.shape)
        return {"name": name, "digest": digest, "pixels": tensor_digest(pixels), "shape": shape}

    total = sum((path / name).stat().st_size for name in names)
    done, files, bad = 0, [], []
    with ThreadPoolExecutor(min(4, len(os.sched_getaffinity(0)))) as pool:
        for start in range(0, len(names), _AT_ONCE):
            part = names[start : start + _AT_ONCE]
            for name, found in zip(part, pool.map(look, part), strict=True):
                done += (path / name).stat().st_size
                if isinstance(found, str):
                    bad.append(found)
                else:
                    files.append(found)
            if progress is not None:
                progress(done, total)
    if bad:
        raise BadInput(
            f"{path}: {len(bad)} of {len(names)} images cannot be read: {_listed(bad)}",
            next_step="restore these files from the published archive",
        )
    return tuple(files)


def _decoded(data: bytes) -> np.ndarray:
    """Return an image as ``ImageFolder``'s loader sees it, before it makes grey ones three channels."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image if image.mode == "L" else image.convert("RGB"))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
