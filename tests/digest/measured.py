"""Run in a process of its own: what a digest of 256 MB costs in memory, in one framework. Prints JSON.

The peak of resident memory is the kernel's own count, so a copy made anywhere (Python, NumPy, a framework's
allocator) shows. The last measurement is one that must copy: it shows that a copy would be seen.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from repro.digest import tensor_digest
from repro.trace import trace_tensor

SIDE = 8192  # float32 values: 256 MiB


def peak_kib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError("no VmHWM in /proc/self/status")


def numpy_tensors() -> dict[str, Callable[[], Any]]:
    values = np.ones((SIDE, SIDE), np.float32)
    return {"array": lambda: values, "transposed": lambda: values.T}


def torch_tensors() -> dict[str, Callable[[], Any]]:
    import torch

    values = torch.ones(SIDE, SIDE)
    parameter = torch.nn.Parameter(values)
    halves = values.view(torch.bfloat16)
    return {
        "tensor": lambda: values,
        "parameter": lambda: parameter,
        "bfloat16": lambda: halves,
        "transposed": lambda: values.T,
    }


def tensorflow_tensors() -> dict[str, Callable[[], Any]]:
    import tensorflow as tf

    values = tf.ones((SIDE, SIDE))
    variable = tf.Variable(values)
    halves = tf.ones((SIDE, 2 * SIDE), tf.bfloat16)
    return {
        "tensor": lambda: values,
        "variable": lambda: variable,
        "bfloat16": lambda: halves,
        "transposed": lambda: tf.transpose(values),
    }


def main(framework: str) -> None:
    tensors = {"numpy": numpy_tensors, "torch": torch_tensors, "tensorflow": tensorflow_tensors}[framework]()
    warm = np.ones(1 << 20, np.float32)  # BLAKE3's threads and buffers are there before anything is measured
    trace_tensor("warm", warm, "input")
    grown = {}
    for name, tensor in tensors.items():
        before = peak_kib()
        if name == "transposed":
            tensor_digest(tensor())
        else:
            trace_tensor(name, tensor(), "input")
        grown[name] = peak_kib() - before
    print(json.dumps(grown))


if __name__ == "__main__":
    main(sys.argv[1])
