"""What TensorFlow says of itself in its own process: kernels, precision switches, threads, GPU software."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

import tensorflow as tf
from tensorflow.python.framework import config as framework_config
from tensorflow.python.util import _pywrap_util_port

from repro.hardware.cpu import usable_cores
from repro.hardware.gpu import CudaRuntime, cuda_version, cudnn_version
from repro.hardware.pools import read_pools
from repro.schema import FrameworkState, Gpu, Scalar


def read_framework() -> tuple[FrameworkState, CudaRuntime | None]:
    """Return TensorFlow's state and, where it can use a GPU, the GPU software. Starts no device, runs no operation."""
    threading = tf.config.threading
    state = FrameworkState(
        name="tensorflow",
        version=tf.__version__,
        kernels=_kernels(),
        precision=_precision(),
        threads={
            "intra": _threads(threading.get_intra_op_parallelism_threads(), "TF_NUM_INTRAOP_THREADS"),
            "inter": _threads(threading.get_inter_op_parallelism_threads(), "TF_NUM_INTEROP_THREADS"),
        },
        pools=read_pools(),
    )
    return state, _cuda()


def _kernels() -> dict[str, Scalar]:
    """Return what is known of the kernels, and which GPU software this TensorFlow was built for.

    ``onednn`` tells whether oneDNN's operations replace TensorFlow's own (Eigen's). Matrix products are oneDNN's
    either way, so ``onednn_max_isa`` always counts. TensorFlow hides oneDNN's version and choices: they follow
    from its own version and ``cpu.isa``.
    """
    built = tf.sysconfig.get_build_info()
    return {
        "onednn": _pywrap_util_port.IsMklEnabled(),
        "onednn_max_isa": os.environ.get("ONEDNN_MAX_CPU_ISA"),
        "built_for_cuda": built.get("cuda_version"),
        "built_for_cudnn": built.get("cudnn_version"),
    }


def _precision() -> dict[str, Scalar]:
    return {
        "tensor_float_32": tf.config.experimental.tensor_float_32_execution_enabled(),
        "op_determinism": framework_config.is_op_determinism_enabled(),
        "mixed_precision": tf.keras.mixed_precision.global_policy().name,
        "floatx": tf.keras.backend.floatx(),
        "xla": tf.config.optimizer.get_jit() or None,
        "deterministic_ops_variable": os.environ.get("TF_DETERMINISTIC_OPS"),
        "cudnn_deterministic_variable": os.environ.get("TF_CUDNN_DETERMINISTIC"),
        "nvidia_tf32_override": os.environ.get("NVIDIA_TF32_OVERRIDE"),
    }


def _threads(configured: int, variable: str) -> int:
    """Return a pool's size by TensorFlow's own rule: configured, else the variable, else all usable cores."""
    return configured or int(os.environ.get(variable, "0")) or usable_cores()


def _cuda() -> CudaRuntime | None:
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return None
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    built = tf.sysconfig.get_build_info()
    runtime_major = built["cuda_version"].partition(".")[0]
    return CudaRuntime(
        runtime=_loaded_version(f"libcudart.so.{runtime_major}", _runtime_number, cuda_version),
        cudnn=_loaded_version(f"libcudnn.so.{built['cudnn_version']}", _cudnn_number, cudnn_version),
        gpus=tuple(
            Gpu(name=one["device_name"], compute_capability="{}.{}".format(*one["compute_capability"]))
            for one in details
        ),
    )


def _loaded_version(library: str, ask: Callable[[ctypes.CDLL], int], text: Callable[[int], str]) -> str | None:
    """Ask a library that TensorFlow has loaded for its version: the build only tells what it was made with."""
    try:
        return text(ask(ctypes.CDLL(library)))
    except OSError:
        return None


def _runtime_number(library: ctypes.CDLL) -> int:
    number = ctypes.c_int()
    library.cudaRuntimeGetVersion(ctypes.byref(number))
    return number.value


def _cudnn_number(library: ctypes.CDLL) -> int:
    library.cudnnGetVersion.restype = ctypes.c_size_t
    return int(library.cudnnGetVersion())
