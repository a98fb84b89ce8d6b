"""What the names of facial expressions mean, however a data set writes them."""

from __future__ import annotations

import re

_WORDS = {
    "anger": ("anger", "angry"),
    "contempt": ("contempt", "contemptuous"),
    "disgust": ("disgust", "disgusted"),
    "fear": ("fear", "fearful", "afraid"),
    "happiness": ("happiness", "happy", "joy"),
    "neutral": ("neutral", "neutrality"),
    "sadness": ("sadness", "sad"),
    "surprise": ("surprise", "surprised"),
}
_EMOTIONS = {word: emotion for emotion, words in _WORDS.items() for word in words}


def emotion(name: str) -> str | None:
    """Return the emotion that a class is named for, or ``None``; numbers and signs around the word do not matter."""
    return _EMOTIONS.get(re.sub(r"[^a-z]+", "", name.lower()))
