"""Deep-Emotion: what it is, how it is evaluated, where its code is."""

from __future__ import annotations

from pipelines.common.dataset import CLASSES
from pipelines.deep_emotion.recipe import RECIPE, RECIPES
from repro.schema import Model, Protocol, Split, System

SYSTEM = System(
    name="deep-emotion",
    title="Deep-Emotion",
    paper="arXiv:1902.01019; code by others: github.com/omarsayed7/Deep-Emotion at 0160ce9",
    licence="none stated in the repository",
    package="pipelines.deep_emotion",
    classes=CLASSES,
    models=(
        Model(
            name="deep_emotion",
            title="Deep-Emotion",
            framework="torch",
            stack="torch",
            build="pipelines.deep_emotion.model_torch:build",
            load="pipelines.common.checkpoint_torch:load_checkpoint",
            predict="pipelines.deep_emotion.predict_torch:predict",
            training="pipelines.deep_emotion.train_torch:training",
            training_settings=RECIPE,
            recipes=RECIPES,
            trainer="pipelines.deep_emotion.train_torch:DeepEmotionTrainer",
            diagnose="pipelines.deep_emotion.predict_torch:diagnose",
            input_shape=(1, 48, 48),
            num_classes=7,
            probe_memory=840,
            contract_scale=2.0,
            contract_shift=-1.0,
        ),
    ),
    splits=(
        Split(name="training", usages=("Training",), description="all Training rows (upstream until 2022-05-23)"),
        Split(name="validation", usages=("PublicTest",), description="PublicTest (upstream until 2022-05-23)"),
        Split(name="test", usages=("PrivateTest",), description="PrivateTest (the default, D-TEST)"),
        Split(
            name="validation-2022",
            usages=("Training",),
            stop=3589,
            description="the first 3,589 Training rows (upstream since 2022-05-23, D-SPLIT)",
        ),
        Split(
            name="training-2022",
            usages=("Training",),
            start=3589,
            description="the Training rows after the first 3,589 (upstream since 2022-05-23, D-SPLIT)",
        ),
        Split(
            name="test-both",
            usages=("PublicTest", "PrivateTest", "Test"),
            description="PublicTest and PrivateTest together (the competition's test.csv, D-TEST)",
        ),
    ),
    protocols=(
        Protocol(
            name="as-published",
            description="JPEG quality 75 between file and network, dropout left on, mean of batches cut to a per cent",
            keeps=("D-DROPOUT", "D-LAST", "D-JPEG", "D-STN"),
            mends=("D-GRID", "D-NAMES", "D-TEST", "D-CUDA", "D-SPLIT"),
            batch=64,
            seeds=tuple(range(10)),
            settings={"jpeg_quality": 75, "dropout": True, "accuracy": "mean of batches"},
        ),
        Protocol(
            name="corrected",
            description="pixels as they are, dropout off, exact count",
            keeps=("D-STN",),
            mends=("D-DROPOUT", "D-LAST", "D-JPEG", "D-GRID", "D-NAMES", "D-TEST", "D-CUDA", "D-SPLIT"),
            batch=64,
            settings={"jpeg_quality": None, "dropout": False, "accuracy": "count"},
        ),
    ),
    benchmarked=("deep_emotion",),
    dataset="pipelines.common.containers:read_container",
    embedded="pipelines.common.faces:embedded",
    votes="pipelines.common.containers.ferplus:read_votes",
    picture="pipelines.common.picture:grey_48",
    prepare="pipelines.deep_emotion.protocol:prepare",
    summarise="pipelines.deep_emotion.protocol:summarise",
    meaning="pipelines.common.emotions:emotion",
)
