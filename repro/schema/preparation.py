"""A preparation: what a paper's own scripts make of a data set before anything is trained or evaluated on it."""

from __future__ import annotations

from repro.schema.base import Frozen


class _Preparation(Frozen):
    """What all preparations declare. Callables are named ``module:attribute``; none of them loads a framework.

    Attributes:
        name: ``<system>/<preparation>``.
        title: what it is, for people.
        package: the Python package that holds it; its sources are an input of every record.
        dataset: ``(path, progress) -> dataset``: reads a container of the data.
        embedded: ``() -> dataset``: the data set that comes with the harness.
    """

    name: str
    title: str
    package: str
    dataset: str
    embedded: str

    @property
    def owner(self) -> str:
        """The system that it belongs to."""
        return self.name.partition("/")[0]

    @property
    def short_name(self) -> str:
        """Its name inside the system."""
        return self.name.partition("/")[2]


class FilePreparation(_Preparation):
    """A folder of image files.

    Attributes:
        plan: ``(labels, rows_by_usage) -> dict``: the number of the row that each file holds, by the file's relative
            name, in the order in which they are to be written.
        encode: ``(images) -> iterator of bytes``: uint8 (k, height, width) to the bytes of their files, in order.
        versions: ``() -> dict``: the versions of the libraries that decide the bytes.
        straight: ``(images, labels, folder)``: writes the training files the authors' way, in the stack
            ``straight_stack``, to compare with; optional.
    """

    plan: str
    encode: str
    versions: str
    straight: str | None = None
    straight_stack: str = "tensorflow"


class TensorPreparation(_Preparation):
    """Tensors that the scripts make in memory and never store: here they are digested, a piece at a time.

    Attributes:
        usages: one tensor for each, of its rows in file order.
        prepare: ``(images) -> array (k, ...)``: uint8 (k, height, width) to their part of the tensor.
    """

    usages: tuple[str, ...]
    prepare: str


Preparation = FilePreparation | TensorPreparation
