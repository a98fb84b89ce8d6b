"""What the tests of downloads share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from repro.fetch import Cache, Call, Fetcher, Receipt, Settings
from repro.schema import Artifact
from tests.fetch.server import SHA256, Misbehaving, serving

QUICK = Settings(connect_seconds=2, read_seconds=0.5, tries=4, backoff_seconds=0.01, longest_wait_seconds=0.05)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Misbehaving]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving() as running:
        yield running


def artifact(*urls: str, **fields: Any) -> Artifact:
    """Return an artifact of one file with the test content's digest, unless fields say otherwise."""
    fields = {"sha256": SHA256, "filename": "model.bin", **fields}
    given = {name: value for name, value in fields.items() if value is not None}
    return Artifact.model_validate(
        {"id": "a-model", "system": "a-system", "kind": "checkpoint", "host": "other", "urls": list(urls), **given}
    )


@pytest.fixture
def fetch(tmp_path: Path) -> Callable[..., Receipt]:
    """Fetch the one file of an artifact into ``tmp_path/cache``."""

    def run(one: Artifact, settings: Settings = QUICK) -> Receipt:
        return Fetcher(Cache(tmp_path / "cache"), settings).fetch(one, one.files[0], Call())

    return run
