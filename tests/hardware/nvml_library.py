"""A stand-in for libnvidia-ml.so.1 that answers from JSON, below the real pynvml.

The JSON files in ``nvml/`` were written by hand; no GPU was asked. They hold what the C library puts into the
caller's memory, per C function of ``nvml.h``: return code, and text, numbers or struct members. Names, memory
sizes and driver versions are ones that such machines were seen to report (H200: 580.159.03 and 143771 MiB;
GTX 1080 Ti: 531.14 and 11264 MiB). Since pynvml itself reads them through ctypes, what the code under test
gets has the shapes of the real library by construction.
"""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from typing import Any

import pynvml
import pytest

FOLDER = Path(__file__).parent / "nvml"


class RecordedLibrary:
    """The C library: attributes are functions that fill pointers and return a code."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)

        def function(*arguments: Any) -> int:
            self.calls.append(name)
            return int(getattr(self, f"_{name}", self._plain)(name, *arguments))

        return function

    def _plain(self, name: str, *arguments: Any) -> int:
        return int(self.answers[name]["code"])

    def _nvmlSystemGetDriverVersion(self, name: str, buffer: Any, size: Any) -> int:
        return _fill_text(self.answers[name], buffer, size)

    def _nvmlDeviceGetCount_v2(self, name: str, count: Any) -> int:
        count._obj.value = len(self.answers["devices"])
        return 0

    def _nvmlDeviceGetHandleByIndex_v2(self, name: str, index: Any, device: Any) -> int:
        answer = self.answers["devices"][index.value][name]
        handle = ctypes.cast(ctypes.c_void_p(index.value + 1), pynvml.c_nvmlDevice_t)
        ctypes.pointer(device._obj)[0] = handle
        return int(answer["code"])

    def _nvmlDeviceGetName(self, name: str, device: Any, buffer: Any, size: Any) -> int:
        return _fill_text(self._of(device)[name], buffer, size)

    def _nvmlDeviceGetCudaComputeCapability(self, name: str, device: Any, major: Any, minor: Any) -> int:
        answer = self._of(device)[name]
        if answer["code"] == 0:
            major._obj.value, minor._obj.value = answer["value"]
        return int(answer["code"])

    def _nvmlDeviceGetMemoryInfo(self, name: str, device: Any, memory: Any) -> int:
        answer = self._of(device)[name]
        for member, value in answer.get("value", {}).items():
            setattr(memory._obj, member, value)
        return int(answer["code"])

    def _of(self, device: Any) -> dict[str, Any]:
        number = ctypes.cast(device, ctypes.c_void_p).value
        assert number is not None
        found: dict[str, Any] = self.answers["devices"][number - 1]
        return found


def _fill_text(answer: dict[str, Any], buffer: Any, size: Any) -> int:
    text = answer.get("value", "").encode()
    assert len(text) < size.value
    buffer.value = text
    return int(answer["code"])


def load(monkeypatch: pytest.MonkeyPatch, name: str) -> RecordedLibrary:
    """Put a recorded library in the place of the one that pynvml has loaded or would load."""
    library = RecordedLibrary(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))
    monkeypatch.setattr(pynvml, "nvmlLib", library)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    return library
