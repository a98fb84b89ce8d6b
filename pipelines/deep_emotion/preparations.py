"""What Deep-Emotion's setup prepares, declared."""

from __future__ import annotations

from repro.schema import FilePreparation

PREPARATIONS = (
    FilePreparation(
        name="deep-emotion/images",
        title="the image folders that Deep-Emotion's setup writes",
        package="pipelines.deep_emotion",
        dataset="pipelines.common.containers:read_container",
        embedded="pipelines.common.faces:embedded",
        plan="pipelines.deep_emotion.etl:folders",
        encode="pipelines.deep_emotion.etl:jpegs",
        versions="pipelines.common.jpeg:jpeg_versions",
    ),
)
