"""Comparisons: bits with bits, counts with prints."""

from repro.compare.claims import Judgement, blocked, judge_claim, judge_quantity, not_run
from repro.compare.counts import (
    Attainability,
    Counts,
    accuracy,
    attainability,
    counts_giving,
    share_text,
    wilson_interval,
)
from repro.compare.divergence import Comparison, Divergence, compare_traces
from repro.compare.ulps import NAN_AGAINST_NUMBER, UlpSummary, summarise_ulps, ulp_distance

__all__ = [
    "NAN_AGAINST_NUMBER",
    "Attainability",
    "Comparison",
    "Counts",
    "Divergence",
    "Judgement",
    "UlpSummary",
    "accuracy",
    "attainability",
    "blocked",
    "compare_traces",
    "counts_giving",
    "judge_claim",
    "judge_quantity",
    "not_run",
    "share_text",
    "summarise_ulps",
    "ulp_distance",
    "wilson_interval",
]
