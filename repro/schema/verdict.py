"""The closed sets of verdicts. Absence never passes: what was not computed has a verdict of its own."""

from __future__ import annotations

from enum import StrEnum


class BitVerdict(StrEnum):
    """What a comparison of bits says."""

    IDENTICAL = "identical"
    """Every tensor has the stored digest."""
    DIFFERENT = "different"
    """At least one tensor has not; the first one is named."""
    UNSTABLE = "unstable"
    """Two runs on this machine differ from each other."""
    UNRECORDED = "unrecorded"
    """Nothing is stored for this profile and stack. Not a failure."""
    BLOCKED = "blocked"
    """It could not run; the record says what is missing."""


class ClaimVerdict(StrEnum):
    """What a measurement says about a published number."""

    REPRODUCED = "reproduced"
    """The measured count is one that gives the print."""
    CLOSE = "close"
    """A count that gives the print lies inside the 95 % Wilson interval of the measured count."""
    NOT_REPRODUCED = "not reproduced"
    UNATTAINABLE = "unattainable"
    """No count out of n gives the print, neither rounded nor cut."""
    BLOCKED = "blocked"
    """It cannot be measured here; the reason says what is missing."""
    NOT_RUN = "not run"


class TrainingVerdict(StrEnum):
    """What trainings with several seeds say about a published number (:mod:`repro.compare.retrained`)."""

    REPRODUCED = "reproduced"
    """The number lies in the 95 % prediction interval of the seeds."""
    CLOSE = "close"
    """It lies outside that and inside the 99 % one."""
    NOT_REPRODUCED = "not reproduced"
    NOT_JUDGED = "not judged"
    """Too few seeds, another number of images, or nothing to judge."""
    MODIFIED = "not judged: modified"
    """The training is not the published one."""
    FAILED = "failed"
    """A seed's loss or weights ceased to be finite; what the other seeds say stands with the claims."""
    BLOCKED = "blocked"
    """It could not run."""


CONTRADICTIONS: frozenset[str] = frozenset({BitVerdict.DIFFERENT, BitVerdict.UNSTABLE, ClaimVerdict.NOT_REPRODUCED})
"""Verdicts by which what came out is not what is stored or published."""

FAILURES: frozenset[str] = CONTRADICTIONS | {TrainingVerdict.FAILED}
"""Verdicts that end a command with exit code 1."""
