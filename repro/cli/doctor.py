"""``repro doctor``: is everything here that the stages need?"""

from __future__ import annotations

from repro.cli import options
from repro.cli.answer import Answer, finish


def doctor(
    expected: options.Expected = None,
    profiles: options.Profiles = None,
    json: options.Json = False,
) -> None:
    """Check stacks, locks, stored data and downloads: what is missing, what it blocks, what gets it."""

    def run() -> Answer:
        from repro.errors import EXIT_OK, EXIT_PREREQUISITE
        from repro.stages.doctor import State, examine
        from repro.stages.judge import Shelf

        findings = examine(Shelf.of(expected, profiles))
        lines = []
        for one in findings:
            lines.append(f"{one.state:<8} {one.subject}: {one.told}")
            if one.blocks:
                lines.append(f"         blocks {', '.join(one.blocks)}")
            if one.next_step is not None:
                lines.append(f"         next: {one.next_step}")
        counted = [f"{sum(one.state is state for one in findings)} {state}" for state in State]
        data = {
            "findings": [
                {
                    "subject": one.subject,
                    "state": one.state.value,
                    "told": one.told,
                    "blocks": list(one.blocks),
                    "next_step": one.next_step,
                }
                for one in findings
            ]
        }
        sound = all(one.state is not State.FAULT for one in findings)
        text = "\n".join([*lines, "", ", ".join(counted)])
        return Answer(data, text, EXIT_OK if sound else EXIT_PREREQUISITE)

    finish("doctor", run, as_json=json)
