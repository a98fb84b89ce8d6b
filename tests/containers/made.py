"""The same few drawn faces in every container."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.common.dataset import CLASSES, Dataset
from pipelines.common.faces import drawn_faces

USAGES = ("Training", "PublicTest", "PrivateTest")
SPLITS = ("train", "validation", "test")


@cache
def faces(counts: tuple[int, int, int] = (14, 8, 9)) -> Dataset:
    return drawn_faces(3, counts)


def pixels(image: np.ndarray, separator: str = " ") -> str:
    return separator.join(map(str, image.ravel()))


def kaggle(dataset: Dataset) -> bytes:
    rows = zip(dataset.labels, dataset.images, dataset.usages, strict=True)
    lines = [f"{label},{pixels(image)},{USAGES[usage]}\n" for label, image, usage in rows]
    return "".join(["emotion,pixels,Usage\n", *lines]).encode()


def icml(dataset: Dataset) -> bytes:
    rows = zip(dataset.labels, dataset.images, dataset.usages, strict=True)
    lines = [f"{label}, {USAGES[usage]}, {pixels(image)}\n" for label, image, usage in rows]
    return "".join(["emotion, Usage, pixels\n", *lines]).encode()


def competition_train(dataset: Dataset) -> bytes:
    part = dataset.subset(("Training",))
    lines = [f'{label},"{pixels(image)}"\n' for label, image in zip(part.labels, part.images, strict=True)]
    return "".join(["emotion,pixels\n", *lines]).encode()


def competition_test(dataset: Dataset) -> bytes:
    part = dataset.subset(("PublicTest", "PrivateTest"))
    return "".join(["pixels\n", *[f'"{pixels(image)}"\n' for image in part.images]]).encode()


def semicolons(dataset: Dataset, usage: str) -> bytes:
    part = dataset.subset((usage,))
    lines = [
        f"{label};x{row};{pixels(image, ';')}\n"
        for row, (label, image) in enumerate(zip(part.labels, part.images, strict=True))
    ]
    return "".join([";".join(map(str, range(2306))) + "\n", *lines]).encode()


def authors_files(dataset: Dataset) -> dict[str, bytes]:
    names = ("data_train.csv", "data_val.csv", "data_test.csv")
    return {name: semicolons(dataset, usage) for name, usage in zip(names, USAGES, strict=True)}


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def tree(
    dataset: Dataset,
    splits: tuple[str, str, str] = SPLITS,
    names: Callable[[int], str] = lambda label: CLASSES[label].lower(),
    encode: Callable[[np.ndarray], bytes] = png,
    suffix: str = "png",
) -> dict[str, bytes]:
    files = {}
    for row, (image, label, usage) in enumerate(zip(dataset.images, dataset.labels, dataset.usages, strict=True)):
        files[f"{splits[usage]}/{names(int(label))}/Images{row}.{suffix}"] = encode(image)
    return files


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


PACKINGS: dict[str, Callable[[Mapping[str, bytes]], bytes]] = {
    "zip": zipped,
    "tar": tarred,
    "tar.gz": lambda files: gzip.compress(tarred(files), mtime=0),
    "tar.xz": lambda files: lzma.compress(tarred(files)),
}
