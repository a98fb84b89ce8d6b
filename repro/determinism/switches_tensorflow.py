"""Everything that makes TensorFlow repeat itself, in one place."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.framework.config import is_op_determinism_enabled

from repro.determinism.seeds import seed_python


def make_deterministic(seed: int, threads: int | None) -> dict[str, Any]:
    """Seed every generator, switch every deterministic flag and return what holds afterwards.

    Args:
        seed: for Python, NumPy and TensorFlow.
        threads: intra- and inter-operation threads, or ``None`` for TensorFlow's own choice. Only before
            the first operation of the process: TensorFlow raises afterwards.
    """
    if threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    seeds = seed_python(seed)
    tf.random.set_seed(seed)
    tf.config.experimental.enable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    return {
        "seeds": {**seeds, "tensorflow": seed},
        "deterministic_ops": is_op_determinism_enabled(),
        "tensor_float_32": tf.config.experimental.tensor_float_32_execution_enabled(),
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
    }
