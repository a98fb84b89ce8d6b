"""A run that is killed goes on where it was saved, with its trace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repro.trace.resumable import ResumableRun


def walk(run: ResumableRun, steps: int, stop_after: int | None = None) -> None:
    """Sum what a seeded generator draws; each step depends on the sum and on the generator's place."""
    generator, total, done = np.random.default_rng(7), np.zeros(3), 0
    saved = run.resumed()
    if saved is not None:
        done, total = saved.step, saved.arrays["total"]
        generator.bit_generator.state = saved.told["generator"]
    else:
        run.add("start", total, "sum")
    for number in range(done + 1, steps + 1):
        total = total + generator.standard_normal(3)
        run.add_all(f"step{number}", {"total": total}, "sum")
        state = {"total": total}, {"generator": generator.bit_generator.state}
        run.save(number, lambda state=state: state)
        run.progress(number, steps)
        if number == stop_after:
            return


@pytest.fixture
def always_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repro.trace.resumable._SHARE", 0)


@pytest.mark.usefixtures("always_saved")
@pytest.mark.parametrize("stopped", [1, 4, 9])
def test_a_resumed_run_has_the_trace_of_an_undisturbed_one(tmp_path: Path, stopped: int) -> None:
    undisturbed = ResumableRun(tmp_path / "a")
    walk(undisturbed, 9)
    walk(ResumableRun(tmp_path / "b"), 9, stop_after=stopped)
    told: list[tuple[int, int]] = []
    again = ResumableRun(tmp_path / "b", lambda done, total: told.append((done, total)))
    walk(again, 9)
    assert again.trace() == undisturbed.trace()
    assert told == [(number, 9) for number in range(stopped + 1, 10)]


def test_saving_is_left_out_where_it_would_slow_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 0.0, 1.0, 20.9, 21.1, 21.1, 21.2])  # the first saving takes a second: the next is due at 21
    monkeypatch.setattr("repro.trace.resumable.time.monotonic", lambda: next(now))
    run = ResumableRun(tmp_path)
    run.save(1, lambda: ({}, {}))
    run.save(2, lambda: pytest.fail("too early"))
    assert ResumableRun(tmp_path).resumed().step == 1  # type: ignore[union-attr]
    run.save(3, lambda: ({}, {}))
    assert ResumableRun(tmp_path).resumed().step == 3  # type: ignore[union-attr]


@pytest.mark.usefixtures("always_saved")
def test_what_fails_while_it_is_saved_leaves_what_was_saved(tmp_path: Path) -> None:
    run = ResumableRun(tmp_path)
    run.save(1, lambda: ({"a": np.arange(3)}, {"x": 1}))
    with pytest.raises(ValueError, match="Out of range float"):
        run.save(2, lambda: ({"a": np.arange(4)}, {"x": float("nan")}))
    (tmp_path / "state.partial").write_bytes(b"half")
    saved = ResumableRun(tmp_path).resumed()
    assert saved is not None
    assert (saved.step, saved.told, saved.arrays["a"].tolist()) == (1, {"x": 1}, [0, 1, 2])


def test_nothing_saved_is_nothing_to_resume(tmp_path: Path) -> None:
    assert ResumableRun(tmp_path / "new").resumed() is None
