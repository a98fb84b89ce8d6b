"""What an audit lists: images by their digests, so that a list holds for every container of one edition."""

from __future__ import annotations

from typing import ClassVar

from repro.schema.base import Document, Frozen, Hex32


class ListedImage(Frozen):
    """One image that a list names.

    Attributes:
        image: tensor digest of its pixels.
        rows: where it occurs: numbers from 0 inside each split, in the container's order.
        labels: the labels that it has there, each once, sorted.
    """

    image: Hex32
    rows: dict[str, tuple[int, ...]]
    labels: tuple[int, ...]


class NearDuplicate(Frozen):
    """Two images that nearly agree, ``first < second``.

    Attributes:
        distance: the measure's sum, a whole number.
    """

    first: Hex32
    second: Hex32
    distance: int


class AuditLists(Document):
    """All lists of one data set, sorted by digest.

    Attributes:
        content: the data set's content digest.
        identical: images with more than one row.
        several_labels: images with more than one label.
        constant: images of one grey level.
        near: pairs of different images that nearly agree.
        images: every image that a list names.
    """

    kind: ClassVar[str] = "repro-audit"

    content: Hex32
    identical: tuple[Hex32, ...]
    several_labels: tuple[Hex32, ...]
    constant: tuple[Hex32, ...]
    near: tuple[NearDuplicate, ...]
    images: tuple[ListedImage, ...]
