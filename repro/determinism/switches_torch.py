"""Everything that makes torch repeat itself, in one place."""

from __future__ import annotations

import os
from typing import Any

import torch

from repro.determinism.seeds import seed_python


def make_deterministic(seed: int, threads: int | None) -> dict[str, Any]:
    """Seed every generator, switch every deterministic flag and return what holds afterwards.

    Args:
        seed: for Python, NumPy and torch (CPU and all GPUs).
        threads: intra-operation threads, or ``None`` to leave torch its own choice.

    The returned values are read back from torch, not repeated from here: what a version ignores shows.
    """
    torch.manual_seed(seed)
    # The same switch as use_deterministic_algorithms(True), without its import of the compiler (seconds).
    torch.set_deterministic_debug_mode("error")
    torch.utils.deterministic.fill_uninitialized_memory = True  # type: ignore[attr-defined]  # set by assignment
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.set_flush_denormal(False)
    torch.backends.mkldnn.set_flags(os.environ.get("REPRO_ONEDNN") != "0")  # the cap, see repro.hardware.caps
    if threads is not None:
        torch.set_num_threads(threads)
    return {
        "seeds": {**seed_python(seed), "torch": torch.initial_seed()},
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "tf32_matmul": torch.backends.cuda.matmul.allow_tf32,
        "tf32_cudnn": torch.backends.cudnn.allow_tf32,
        "onednn": torch.backends.mkldnn.enabled,
        "threads": torch.get_num_threads(),
    }
