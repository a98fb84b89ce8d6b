"""POSTER V2 and its student reproduction: what they are, how they are evaluated, where their code is."""

from __future__ import annotations

from typing import Any

from pipelines.poster.recipe import EIGHT, EIGHT_RECIPES, SEVEN, SEVEN_RECIPES, THREE, THREE_RECIPES
from repro.schema import Model, Protocol, Recipe, Split, System

RAF_DB = ("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral")
"""RAF-DB's own order, its folders 1 to 7."""

AFFECTNET = ("Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger", "Contempt")
"""AffectNet's own codes 0 to 7. That the authors' folders have this order is assumed: nothing states it."""

CAER_S = ("Anger", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
"""CAER-S's folders, sorted. That the authors' folders have these names is assumed as well."""

SEVENS = (RAF_DB, AFFECTNET[:7], CAER_S)
"""The three data sets of seven classes have three orders; a checkpoint answers in that of its own."""

_ERASING = {"probability": 0.5, "scale": [0.02, 0.1], "ratio": [0.3, 3.3]}
_PLAIN = {"flip": 0.0, "erasing": None}
_MENDED = (
    "P-BEST",
    "P-PATHS",
    "P-SILENT",
    "P-LABELS",
    "P-PARAMS",
    "P-FOLDERS",
    "P-PICKLE",
    "P-OLD",
    "P-WD",
    "P-LOGNAME",
)
_KEPT = ("P-TESTSEL", "P-NEAREST", "P-BN", "P-DATA")


def _model(
    name: str,
    title: str,
    build: str,
    recipe: dict[str, Any],
    recipes: tuple[Recipe, ...],
    classes: tuple[str, ...],
    load: str = "load",
    orders: tuple[tuple[str, ...], ...] = (),
) -> Model:
    return Model(
        name=name,
        title=title,
        framework="torch",
        stack="torch",
        build=f"pipelines.poster.model_torch:{build}",
        load=f"pipelines.poster.weights_torch:{load}",
        predict="pipelines.poster.predict_torch:predict",
        diagnose="pipelines.poster.predict_torch:diagnose",
        training="pipelines.poster.train_torch:training",
        training_settings=recipe,
        recipes=recipes,
        trainer="pipelines.poster.trainer_torch:PosterTrainer",
        start="pipelines.poster.trainer_torch:start",
        save="pipelines.poster.trainer_torch:save",
        answers="logits",
        input_shape=(3, 224, 224),
        num_classes=len(classes),
        classes=classes,
        label_orders=orders,
        settings={"num_labels": len(orders[0]) if orders else len(classes)},
        probe_batch=2,
        probe_steps=1,
        probe_memory=1980,
    )


def _protocol(
    name: str,
    description: str,
    *,
    keeps: tuple[str, ...],
    mends: tuple[str, ...],
    batch: int,
    seeds: int,
    **settings: Any,
) -> Protocol:
    return Protocol(
        name=name,
        description=description,
        keeps=(*_KEPT, *keeps),
        mends=(*_MENDED, *mends),
        batch=batch,
        seeds=tuple(range(seeds)),
        settings=settings,
    )


SYSTEM = System(
    name="poster",
    title="POSTER V2",
    paper="arXiv:2301.12149; Talented-Q/POSTER_V2 at 18de559, daunnn/Deep-Learning-Reproducibility-Project at d9a635c",
    licence="MIT (Talented-Q/POSTER_V2); none stated in the student's repository",
    package="pipelines.poster",
    classes=RAF_DB,
    models=(
        _model("poster_v2_7cls", "POSTER V2, 7 classes", "build_seven", SEVEN, SEVEN_RECIPES, RAF_DB, orders=SEVENS),
        _model("poster_v2_8cls", "POSTER V2, 8 classes", "build_eight", EIGHT, EIGHT_RECIPES, AFFECTNET),
        _model(
            "poster_v2_3cls",
            "POSTER V2, 3 classes (student reproduction)",
            "build_three",
            THREE,
            THREE_RECIPES,
            ("E01", "E02", "E03", *(f"no class {number}" for number in range(4, 8))),
            "load_three",
            orders=(("E01", "E02", "E03"),),
        ),
    ),
    splits=(
        Split(name="training", usages=("Training", "train"), description="the folder train"),
        Split(
            name="validation",
            usages=("PublicTest", "valid", "evaluated"),
            description="the folder valid, or the only one beside train; what the published scripts evaluate",
        ),
        Split(
            name="test",
            usages=("PrivateTest", "test", "evaluated"),
            description="the folder test, or the only one beside train",
        ),
    ),
    protocols=(
        _protocol(
            "as-published",
            "squashed to 224 x 224, running mean in single precision (Talented-Q/POSTER_V2)",
            keeps=("P-HEAD",),
            mends=(),
            batch=144,
            seeds=0,
            resize="squash",
            accuracy="running mean",
            answers="all",
            **_PLAIN,
        ),
        _protocol(
            "corrected",
            "squashed to 224 x 224, exact count, one kernel choice (no benchmark mode)",
            keeps=(),
            mends=("P-HEAD", "P-NOSEED", "P-NONDET", "P-LASTBATCH", "P-RANDEVAL"),
            batch=144,
            seeds=0,
            resize="squash",
            accuracy="count",
            answers="classes",
            **_PLAIN,
        ),
        _protocol(
            "student-as-published",
            "shorter side 224, random flip and erasing in evaluation, ten seeds (the student's main.py)",
            keeps=("P-HEAD", "P-RANDEVAL", "P-LEAK"),
            mends=("P-LASTBATCH",),
            batch=64,
            seeds=10,
            resize="shorter side",
            accuracy="running mean",
            answers="all",
            flip=0.5,
            erasing=_ERASING,
        ),
        _protocol(
            "student-no-augmentation",
            "shorter side 224, random erasing in evaluation, ten seeds (the student's main_no_augmentation.py)",
            keeps=("P-HEAD", "P-RANDEVAL", "P-LEAK"),
            mends=("P-LASTBATCH",),
            batch=64,
            seeds=10,
            resize="shorter side",
            accuracy="running mean",
            answers="all",
            flip=0.0,
            erasing=_ERASING,
        ),
        _protocol(
            "student-corrected",
            "shorter side 224, nothing random, exact count (the student's images as they are)",
            keeps=("P-LEAK",),
            mends=("P-HEAD", "P-NOSEED", "P-NONDET", "P-LASTBATCH", "P-RANDEVAL"),
            batch=64,
            seeds=0,
            resize="shorter side",
            accuracy="count",
            answers="classes",
            **_PLAIN,
        ),
    ),
    dataset="pipelines.common.image_folders:read_images",
    embedded="pipelines.common.faces:embedded",
    prepare="pipelines.poster.protocol:prepare",
    augment="pipelines.poster.augment:augment",
    summarise="pipelines.poster.protocol:summarise",
    meaning="pipelines.common.emotions:emotion",
    picture="pipelines.common.picture:rgb",
    benchmarked=("poster_v2_7cls",),
    probe_images=4,
)
