"""Do a paper's numbers come out on my machine, and if not, where do the bits part?

The library has the verbs of the command line::

    repro.check_rep("a-system/a_model")
    repro.evaluate("a-system/a_model", checkpoint=Path("model.pt"), data="fer2013.csv")
    repro.build("a-system", "a_model")  # the framework's own model object

Everything is imported on first use; importing the package loads no framework.
"""

from __future__ import annotations

import importlib
from typing import Any

_CALLS = {
    "audit": "repro.stages.audit:audit",
    "build": "repro.registry:build",
    "check_rep": "repro.stages.check_rep:check_rep",
    "paper_check": "repro.stages.paper:paper_check",
    "compare_traces": "repro.compare.divergence:compare_traces",
    "etl": "repro.stages.etl:etl",
    "materialise": "repro.stages.materialise:materialise",
    "preparations": "repro.registry:preparations",
    "evaluate_ensemble": "repro.stages.ensemble:evaluate_ensemble",
    "evaluate": "repro.stages.evaluate:evaluate",
    "fetch_artifacts": "repro.stages.fetch:fetch",
    "build_report": "repro.report.build:build_report",
    "retrain": "repro.stages.retrain:retrain",
    "predict": "repro.stages.predict:predict",
    "systems": "repro.registry:systems",
}

__all__ = list(_CALLS)  # strings all


def __getattr__(name: str) -> Any:
    if name not in _CALLS:
        raise AttributeError(f"module 'repro' has no attribute {name!r}")
    module, _, attribute = _CALLS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *_CALLS])
