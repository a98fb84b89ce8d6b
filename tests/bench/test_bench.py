"""The benchmarks: what a ratio is, that they run, and that their table and document say the same."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from repro.bench import digest, digest_torch, evaluate_straight, sketch
from repro.bench.__main__ import main
from repro.bench.bare import megabytes
from repro.bench.measure import Benchmark, Measurement, measure
from repro.bench.run import SUBJECTS, BenchmarkReport, run_benchmarks
from repro.hardware.cpu import read_cpu
from repro.schema import Caps


class Clock:
    """A clock that only moves when something costs time, and then by what it costs."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def __call__(self) -> float:
        return self.now

    def costs(self, name: str, seconds: Callable[[int], float]) -> Callable[[], None]:
        """Return a call that takes ``seconds(n)`` the n-th time."""

        def work() -> None:
            self.calls.append(name)
            self.now += seconds(self.calls.count(name))

        return work


def benchmark(clock: Clock, **changes: object) -> Benchmark:
    fields: dict[str, object] = {
        "subject": "subject",
        "case": "case",
        "run": clock.costs("run", lambda n: 3.0),
        "baseline": clock.costs("baseline", lambda n: 2.0),
        "baseline_name": "bare",
        **changes,
    }
    return Benchmark(**fields)  # type: ignore[arg-type]


def test_the_ratio_is_the_subjects_median_over_the_baselines() -> None:
    clock = Clock()
    found = measure(benchmark(clock, at_most=1.5, num_bytes=6 * 10**9), 1e-9, clock)

    assert (found.seconds, found.baseline_seconds, found.ratio, found.repetitions) == (3, 2, 1.5, 7)
    assert found.quartiles == (1.5, 1.5)
    assert found.gigabytes_per_second == 2


def test_what_does_not_count_is_taken_off() -> None:
    clock = Clock()
    found = measure(benchmark(clock, without=clock.costs("without", lambda n: 1.0), at_most=0.4), 1e-9, clock)

    assert (found.seconds, found.ratio, found.quartiles) == (2, 1, (1, 1))


def test_a_clock_rate_that_changes_touches_both_and_does_not_count() -> None:
    clock = Clock()
    run = clock.costs("run", lambda n: 3.0 if n <= 4 else 13.0)
    without = clock.costs("without", lambda n: 1.0 if n <= 5 else 11.0)
    found = measure(benchmark(clock, run=run, without=without), 1e-9, clock)

    assert found.seconds == 2


def test_subject_and_baseline_take_turns_and_change_places() -> None:
    clock = Clock()
    measure(benchmark(clock), 1e-9, clock)

    assert clock.calls[:2] == ["run", "baseline"]  # not counted
    assert clock.calls[2:] == [*["baseline", "run", "run", "baseline"] * 3, "baseline", "run"]


def test_the_first_round_and_a_slow_one_do_not_show() -> None:
    clock = Clock()
    slow = clock.costs("run", lambda n: {1: 1000.0, 5: 1000.0}.get(n, 3.0))
    found = measure(benchmark(clock, run=slow), 1e-9, clock)

    assert (found.seconds, found.ratio) == (3, 1.5)


def test_the_budget_bounds_the_repetitions() -> None:
    counts = {}
    for budget in (1e-9, 100.0, 1e9):
        clock = Clock()
        counts[budget] = measure(benchmark(clock), budget, clock).repetitions

    assert counts == {1e-9: 7, 100.0: 20, 1e9: 301}


@pytest.mark.parametrize(
    ("at_most", "verdict"), [(None, ""), (1.6, "met"), (1.5, "unclear"), (1.3, "unclear"), (0.9, "missed")]
)
def test_an_aim_is_judged_by_the_quartiles(at_most: float | None, verdict: str) -> None:
    clock = Clock()
    noisy = clock.costs("run", lambda n: (2.0, 3.0, 3.2)[n % 3])

    assert measure(benchmark(clock, run=noisy, at_most=at_most), 1e-9, clock).verdict == verdict


@pytest.mark.parametrize(("size", "text"), [(100_352, "100.352 kB"), (256_000_000, "256 MB"), (1000, "1 kB")])
def test_sizes_are_decimal(size: int, text: str) -> None:
    assert megabytes(size) == text


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the real benchmarks run on little data."""
    monkeypatch.setattr(digest, "FILE_BYTES", 10_000)
    for module in (digest, digest_torch):
        monkeypatch.setattr(module, "TENSOR_BYTES", (4096, 2_000_000))
    monkeypatch.setattr(sketch, "SIZES", (400, 4096))


@pytest.mark.usefixtures("small")
def test_the_quick_subjects_run_and_measure_what_they_say() -> None:
    report = run_benchmarks(read_cpu(Caps()), ["digest", "digest_torch", "sketch"], budget_seconds=1e-9)

    assert report.skipped == {}
    assert [one.subject for one in report.measurements] == [
        *["file digest", "tensor digest", "tensor digest"],
        *["tensor digest"] * 3,
        *["trace entry"] * 5,
    ]
    for one in report.measurements:
        assert one.seconds > 0
        assert one.baseline_seconds > 0
        assert one.gigabytes_per_second is not None
    table = report.table()
    for one in report.measurements:
        assert one.case in table


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("module", [digest, digest_torch, sketch], ids=lambda module: module.__name__)
def test_what_is_measured_is_a_digest_as_its_baseline(module: object, tmp_path: Path) -> None:
    found: Iterator[Benchmark] = module.benchmarks(tmp_path)  # type: ignore[attr-defined]
    for one in found:
        answer = one.run()
        digest_text = answer if isinstance(answer, str) else answer.digest  # type: ignore[attr-defined]
        bare = one.baseline()
        assert len(str(bare)) == len(digest_text) == 64
        assert (bare == digest_text) == (one.subject == "file digest")  # a tensor's digest has a header


@pytest.mark.usefixtures("small")
def test_json_is_one_document_and_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--json", "--seconds", "1e-9", "sketch"])
    captured = capsys.readouterr()
    report = BenchmarkReport.from_data(json.loads(captured.out), "output")

    assert len(report.measurements) == 5
    assert captured.err.splitlines() == [f"{one.subject}: {one.case}" for one in report.measurements]


@pytest.mark.usefixtures("small")
def test_people_get_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--seconds", "1e-9", "digest"])
    head, rule, *rows = capsys.readouterr().out.splitlines()

    assert head.split() == ["subject", "case", "baseline", "time", "baseline's", "GB/s", "ratio", "quartiles", "aim"]
    assert set(rule) == {"-", " "}
    assert len(rows) == 3


def test_an_unknown_subject_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["digset"])

    assert caught.value.code == 2
    assert "no subject 'digset'; known: digest," in capsys.readouterr().err


def test_a_framework_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "repro.bench.digest_torch")
    monkeypatch.setitem(sys.modules, "torch", None)
    report = run_benchmarks(read_cpu(Caps()), ["digest_torch"], 1e-9)

    assert report.skipped == {"digest_torch": "torch is not in this stack"}
    assert report.table().endswith("digest_torch: not run: torch is not in this stack")


def test_a_missing_package_of_another_kind_is_no_reason_to_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "repro.bench.sketch")
    monkeypatch.setitem(sys.modules, "repro.bench.bare", None)
    with pytest.raises(ModuleNotFoundError):
        run_benchmarks(read_cpu(Caps()), ["sketch"], 1e-9)


def test_the_table_rounds_and_judges() -> None:
    measurement = Measurement(
        subject="s",
        case="c",
        baseline_name="b",
        seconds=0.0123456,
        baseline_seconds=1.5e-5,
        ratio=1.234,
        quartiles=(1.1, 1.3),
        repetitions=7,
        at_most=1.2,
    )
    report = BenchmarkReport(cpu=read_cpu(Caps()), measurements=(measurement,))

    row = " ".join(report.table().splitlines()[2].split())
    assert row == "s c b 12.3 ms 15 µs 1.23 1.10-1.30 1.20 unclear"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_evaluation_beside_the_published_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, count in (("TIMED", 1), ("FEW", 2), ("MANY", 3)):
        monkeypatch.setattr(evaluate_straight, name, count)
    cases = []
    for one in evaluate_straight.benchmarks(tmp_path):
        assert min(one.run(), one.baseline()) > 10**8, "a network is in memory on either side"
        cases.append(one.case)
    assert cases
    assert not [case for case in cases if "corrected" in case]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_subject_is_a_file_of_the_package(subject: str) -> None:
    assert find_spec(f"repro.bench.{subject}") is not None
