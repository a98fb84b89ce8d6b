"""A data set whose labels are not those that a model answers: refused, or told where it is the drawn one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.poster.system import AFFECTNET, CAER_S, RAF_DB
from repro.errors import BadInput
from repro.registry import find_model, systems
from repro.stages.data import StoredData
from repro.stages.etl import EMBEDDED
from repro.stages.labels import check_labels

FER2013 = ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")
RENAMED = ("1_surprised", "2-FEAR", "3 Disgusted", "Happy", "sad", "angry", "Neutral")


def checked(model: str, classes: tuple[str, ...], name: str = "data") -> str:
    data = StoredData(Path(), name, ("train",), "0" * 64, classes)
    return check_labels(*find_model(model), data)


@pytest.mark.parametrize("classes", [RAF_DB, AFFECTNET[:7], CAER_S, RENAMED])
def test_every_published_order_is_taken(classes: tuple[str, ...]) -> None:
    assert checked("poster/poster_v2_7cls", classes) == ""


@pytest.mark.parametrize("name", [name for name in systems() if name != "poster"])
def test_fer2013_is_the_data_set_of_the_other_systems(name: str) -> None:
    owner = systems()[name]
    for model in owner.models:
        if model.dataset is None:
            assert checked(f"{name}/{model.name}", FER2013) == ""


def test_numbers_are_taken_by_their_places_and_that_is_told() -> None:
    assert "taken by their places" in checked("poster/poster_v2_7cls", tuple("1234567"))
    assert "E01, E02, E03" in checked("poster/poster_v2_3cls", ("E01", "E02", "E03"))


def test_another_order_is_refused() -> None:
    with pytest.raises(BadInput, match=r"Angry, Disgust.*order.*count would mean nothing") as refused:
        checked("poster/poster_v2_7cls", FER2013, "fer2013.csv")
    assert "Surprise, Fear, Disgust" in (refused.value.next_step or "")
    swapped = (RAF_DB[1], RAF_DB[0], *(f"{number}" for number in range(3, 8)))
    with pytest.raises(BadInput, match="order"):
        checked("poster/poster_v2_7cls", swapped)


@pytest.mark.parametrize("classes", [FER2013, tuple("12"), AFFECTNET])
def test_another_number_of_classes_is_refused(classes: tuple[str, ...]) -> None:
    with pytest.raises(BadInput, match=rf"{len(classes)} classes .* answers 3"):
        checked("poster/poster_v2_3cls", classes)


def test_the_drawn_faces_are_told_of() -> None:
    assert "the count means nothing" in checked("poster/poster_v2_7cls", FER2013, EMBEDDED)
    assert checked("deep-emotion/deep_emotion", FER2013, EMBEDDED) == ""
