"""Which edition of FER2013 a data set is: known by the digest of its content, or by the MD5 of a published file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipelines.common.dataset import CLASSES, USAGES, Dataset

UNKNOWN_EDITION = "an edition of FER2013 that this harness does not know"

PUBLISHED_FILES = {
    "f8428a1edbd21e88f42c73edd2a14f95": "fer2013.csv",
    "b114b9e04e6949e5fe8b6a98b3892b1d": "icml_face_data.csv",
    "3f0dfb3d3fd99c811a1299cb947e3131": "train.csv",
    "b02c2298636a634e8c2faabbf3ea9a23": "test.csv",
}
"""MD5 of a file's decompressed bytes -> its name, as torchvision.datasets.FER2013 checks them (torchvision 0.29.1)."""

_ORIGINAL_TRAINING = (3995, 436, 4097, 7215, 4830, 3171, 4965)  # images of each class, as the competition gives them


@dataclass(frozen=True)
class Edition:
    """A known edition, as a part of a sentence, with what is compared with it.

    Attributes:
        parts: as :meth:`Dataset.content_digests` gives them.
        unordered: as :meth:`Dataset.unordered_digests` gives them.
    """

    name: str
    parts: Mapping[str, str]
    unordered: Mapping[str, str]


# For the container PATH both mappings are printed by
#   python -c "import pathlib, pipelines.common.containers as c; d = c.read_container(pathlib.Path('PATH')); \
#              print(d.content_digests(), d.unordered_digests())"
EDITIONS = (
    Edition(
        name="FER2013 decoded from a JPEG edition, with the first 700 images of PrivateTest",
        parts={
            "Training/images": "39034c3fe040ab984362879d9e22c65475337738277f240ba710503ebfb05d9b",
            "Training/labels": "a81889edbcc28c726ad23b4b9ec48a691f72caaa0489b31ab8590e7760fa3ae9",
            "PublicTest/images": "4ef1a540aafd50aa184ceeb8d8a947fe34045d6733a89e3871e7bd5ff8553c9e",
            "PublicTest/labels": "51ba93d561d662e35b1df49ed773a25e7efbf6e9b24d47b8082324b2bba3f653",
            "PrivateTest/images": "7cc4f63cedd5cb876aae78ca0b73744e8ed9e698cff869d3f6a33e8467e1f702",
            "PrivateTest/labels": "af278bc6adffa3d0b9449b2d5940882f6e5827c228b1d00471691bddf0119842",
        },
        unordered={
            "Training/images": "bf0e40f56c5ad12c4583784c466a60a3c2ca62fb207afd74d3904f4ad8efe480",
            "Training/pairs": "890d1f0d6d33d61f881d007384367e8fd7a495523613bcafc1eb4ec0e19e11d2",
            "PublicTest/images": "a243121fa18cc5fc641ae5e7d09b6303e4f278c7491cefb26115a88d00299fb3",
            "PublicTest/pairs": "f36a442a6a0cdb373927c82e1c765b155e1d0a221746336a1f8df6f634c13863",
            "PrivateTest/images": "c5660e0cc0820afbbe96e7b3836124ed9f97bf07ea1a608286b84c4b4be9e985",
            "PrivateTest/pairs": "b02161327bbabb349c2ef9ae530f1832f1bdb718078ddfea4c5f0d46f9a5bff4",
            "Test/images": "4467cdc73b17f1c70573f85259e08770d20bb197a5509c0ae8d78a7764ee8729",
            "Test/pairs": "ca4c046caca17d2a43a751e5672f23eb0a5cf36cb06f4f5b4948aea14c581bd8",
        },
    ),
)


def with_edition(dataset: Dataset, files: Mapping[str, str] | None = None) -> Dataset:
    """Return the data set with its edition told.

    Args:
        dataset: as it was read.
        files: the MD5 of each table that it was read from.
    """
    return replace(dataset, edition=_edition(dataset, files or {}))


def _edition(dataset: Dataset, files: Mapping[str, str]) -> str:
    published = sorted({PUBLISHED_FILES[md5] for md5 in files.values() if md5 in PUBLISHED_FILES})
    if files and all(md5 in PUBLISHED_FILES for md5 in files.values()):
        return f"the original FER2013: {' and '.join(published)} with the MD5 that torchvision checks"
    parts = dataset.content_digests()
    for known in EDITIONS:
        if parts == known.parts:
            return known.name
    unordered = dataset.unordered_digests()
    told = []
    for known in EDITIONS:
        if usages := _compared(parts, unordered, known):
            told.append(f"beside {known.name}: {'; '.join(usages)}")
    counts = tuple(dataset.counts()["Training"][name] for name in CLASSES)
    if not told and counts == _ORIGINAL_TRAINING:
        told.append("Training has the original's number of images of each class")
    rows = f"{len(dataset):,} rows"
    return f"{UNKNOWN_EDITION}: {rows}" + "".join(f"; {line}" for line in told)


def _compared(parts: Mapping[str, str], unordered: Mapping[str, str], known: Edition) -> list[str]:
    """Return what each usage shares with a known edition, where any shares anything."""
    told, shared = [], False
    for usage in USAGES:
        if f"{usage}/images" not in parts:
            continue
        images, labels, pairs = (f"{usage}/{what}" for what in ("images", "labels", "pairs"))

        def same(name: str, one: Mapping[str, str], other: Mapping[str, str]) -> bool:
            return name in one and one[name] == other.get(name)

        same_images, same_labels = same(images, parts, known.parts), same(labels, parts, known.parts)
        same_pairs = same(pairs, unordered, known.unordered)
        if same_images and same_labels:
            said = "the same"
        elif same_pairs:
            said = "the same images with the same labels, in another order"
        elif same_images:
            said = "pixels equal, labels differ" if labels in parts else "pixels equal, labels missing"
        elif same(images, unordered, known.unordered):
            said = f"the same images, in another order, {'labels differ' if labels in parts else 'labels missing'}"
        elif same_labels:
            said = "labels equal, pixels differ"
        else:
            said = "other images"
        shared = shared or said != "other images"
        told.append(f"{usage} {said}")
    return told if shared else []
