"""``repro doctor``: is everything here that the stages need?"""

from __future__ import annotations

from repro.cli import options
from repro.cli.answer import Answer, finish


def doctor(
    expected: options.Expected = None,
    profiles: options.Profiles = None,
    json: options.Json = False,
) -> None:
    """Check stacks, locks, stored expectations and profile classes, and say what to do about each fault."""

    def run() -> Answer:
        from repro.errors import EXIT_OK, EXIT_PREREQUISITE
        from repro.stages.doctor import examine
        from repro.stages.judge import Shelf

        findings = examine(Shelf.of(expected, profiles))
        lines = [f"{'ok  ' if one.sound else 'FAIL'}  {one.subject}: {one.told}" for one in findings]
        sound = all(one.sound for one in findings)
        data = {"findings": [{"subject": one.subject, "sound": one.sound, "told": one.told} for one in findings]}
        return Answer(data, "\n".join(lines), EXIT_OK if sound else EXIT_PREREQUISITE)

    finish("doctor", run, as_json=json)
