"""FER2013 as this project reads it, described in Croissant (JSON-LD); ``python -m pipelines.common.croissant FILE``."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.common.dataset import CLASSES, IMAGE_SHAPE, USAGE_COLUMN
from repro.errors import MissingStack

FILE_NAME = "fer2013.csv"
MD5 = "f8428a1edbd21e88f42c73edd2a14f95"
"""Of the file that Kaggle gave out, as torchvision's ``datasets.FER2013`` has it."""

_COMPETITION = "https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge"
_SPLITS = dict(zip(USAGE_COLUMN, ("cr:TrainingSplit", "cr:ValidationSplit", "cr:TestSplit"), strict=True))
_HEIGHT, _WIDTH = IMAGE_SHAPE


def describe_fer2013() -> dict[str, Any]:
    """Return the description as JSON-LD data, made and checked by ``mlcroissant``. It holds no image.

    Raises:
        MissingStack: ``mlcroissant`` is not installed.
    """
    try:
        import mlcroissant as mlc
    except ModuleNotFoundError as error:
        raise MissingStack(f"{error.name} is not installed in this stack", next_step="make setup") from error

    def column(record_set: str, name: str, data_type: str, description: str, **more: Any) -> mlc.Field:
        source = mlc.Source(file_object=FILE_NAME, extract=mlc.Extract(column=name))
        kind = {"data_types": data_type, "description": description}
        return mlc.Field(id=f"{record_set}/{name}", name=name, source=source, **kind, **more)

    def listed(record_set: str, name: str, data_type: str, description: str) -> mlc.Field:
        return mlc.Field(id=f"{record_set}/{name}", name=name, data_types=data_type, description=description)

    classes = mlc.RecordSet(
        id="classes",
        name="classes",
        description="The seven expressions and their labels.",
        key="classes/label",
        data_types=["sc:Enumeration"],
        fields=[
            listed("classes", "label", mlc.DataType.INTEGER, "The label as the table has it."),
            listed("classes", "name", mlc.DataType.TEXT, "The expression in English."),
        ],
        data=[{"classes/label": label, "classes/name": name} for label, name in enumerate(CLASSES)],
    )
    usages = mlc.RecordSet(
        id="usages",
        name="usages",
        description="The splits: Training is trained on, PublicTest validates, PrivateTest is the test set.",
        key="usages/name",
        data_types=["cr:Split"],
        fields=[
            listed("usages", "name", mlc.DataType.TEXT, "The split as the table has it."),
            listed("usages", "split", mlc.DataType.URL, "What it is in Croissant's words."),
        ],
        data=[{"usages/name": name, "usages/split": split} for name, split in _SPLITS.items()],
    )
    images = mlc.RecordSet(
        id="images",
        name="images",
        description="One image a row, in file order.",
        fields=[
            column(
                "images",
                "emotion",
                mlc.DataType.INTEGER,
                f"The label, 0 to {len(CLASSES) - 1}.",
                references=mlc.Source(field="classes/label"),
            ),
            column(
                "images",
                "pixels",
                mlc.DataType.TEXT,
                f"{_HEIGHT * _WIDTH} grey levels 0 to 255 separated by spaces: {_HEIGHT} rows of {_WIDTH}, uint8.",
            ),
            column("images", "Usage", mlc.DataType.TEXT, "The split.", references=mlc.Source(field="usages/name")),
        ],
    )
    metadata = mlc.Metadata(
        name="FER2013",
        description=(
            "35,887 grey face images of 48 x 48 pixels with one of seven expressions each, as the table "
            "emotion, pixels, Usage. Columns are found by name and may stand in any order; others are ignored."
        ),
        url=_COMPETITION,
        license=f"{_COMPETITION}/rules",
        creators=[mlc.Person(name="Pierre-Luc Carrier"), mlc.Person(name="Aaron Courville")],
        date_published=datetime(2013, 4, 12, tzinfo=UTC),
        version="1.0.0",
        cite_as=(
            "Goodfellow et al., Challenges in Representation Learning: A report on three machine learning contests, "
            "arXiv:1307.0414, 2013."
        ),
        distribution=[
            mlc.FileObject(
                id=FILE_NAME,
                name=FILE_NAME,
                description="The table as Kaggle gave it out. It is not part of this description: get it there.",
                content_url=FILE_NAME,
                encoding_formats=["text/csv"],
                md5=MD5,
            )
        ],
        record_sets=[classes, usages, images],
    )
    data: dict[str, Any] = metadata.to_json()
    return data


def write_fer2013(path: Path) -> None:
    """Write the description of FER2013 to a file; raises as :func:`describe_fer2013`."""
    path.write_text(json.dumps(describe_fer2013(), indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_fer2013(Path(sys.argv[1]))
