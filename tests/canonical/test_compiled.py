"""Where a kernel cannot be compiled or kept, there is none, and nothing else happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.canonical import compiled as compiled_module
from repro.canonical.compiled import compiled

SOURCE = "int answer(void) { return 42; }\n"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A C file, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "answer.c"
    path.write_text(SOURCE, encoding="utf-8")
    if compiled(path) is None:
        pytest.skip("no compiled kernels here: no x86-64, or no C compiler")
    return path


def kept(source: Path) -> list[Path]:
    return sorted((source.parent / "cache" / "repro" / "kernels").iterdir())


def test_a_source_is_compiled_once_and_anew_when_it_or_the_flags_change(source: Path) -> None:
    [first] = kept(source)
    before = first.stat().st_mtime_ns
    library = compiled(source)

    assert library is not None
    assert library.answer() == 42
    assert kept(source) == [first]
    assert first.stat().st_mtime_ns == before
    compiled(source, ["-DOTHER"])
    source.write_text(SOURCE.replace("42", "43"), encoding="utf-8")
    changed = compiled(source)
    assert changed is not None
    assert changed.answer() == 43
    assert len(kept(source)) == 3


def test_a_source_that_does_not_compile_leaves_nothing(source: Path) -> None:
    before = kept(source)
    source.write_text("this is no C\n", encoding="utf-8")

    assert compiled(source) is None
    assert kept(source) == before


def test_a_cache_that_cannot_be_written(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(source))  # a file

    assert compiled(source) is None


def test_a_user_without_a_home(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(compiled_module.Path, "home", homeless)

    assert compiled(source) is None


def test_another_processor(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_module.platform, "machine", lambda: "aarch64")

    assert compiled(source) is None
