"""What PyTorch dispatches, operation by operation, and the canonical form of each.

``movement`` lists what is passed on as it is, since nothing is rounded. The other modules register a form for every
operation of their subject. What is in neither has no canonical form and is refused.
"""

from __future__ import annotations

from repro.canonical.aten import matrix, movement, normalise, pointwise, pool, random, sample
from repro.canonical.aten.registry import FORMS, PASSED, Context

__all__ = ["FORMS", "PASSED", "Context", "matrix", "movement", "normalise", "pointwise", "pool", "random", "sample"]
