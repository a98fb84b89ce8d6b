"""Seeds for Python and NumPy. The frameworks' generators are seeded by their own file beside this one."""

from __future__ import annotations

import random

import numpy as np


def seed_python(seed: int) -> dict[str, int]:
    """Seed Python's ``random`` and NumPy's global generator, and return what was set.

    Our own draws come from named generators of their own; this is for code of others that draws globally.
    """
    random.seed(seed)
    np.random.seed(seed)
    return {"python.random": seed, "numpy.random": seed}
