"""What the same tensor is called: in the Keras backbone, in LHC-Net's checkpoints, and in the PyTorch port."""

from __future__ import annotations

import numpy as np

_UNITS = {1: 3, 2: 4, 3: 6, 4: 3}
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
_TORCH = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
    "kernel": "weight",
}


def backbone_names() -> dict[str, str]:
    """Return LHC-Net's name of each variable of the backbone and its head."""
    names = {f"bn_data/{leaf}": f"conv1/bn1/{leaf}" for leaf in _NORM[1:]}
    names["conv0/kernel"] = "conv1/conv1/kernel"
    names |= {f"bn0/{leaf}": f"conv1/bn2/{leaf}" for leaf in _NORM}
    for stage, units in _UNITS.items():
        for unit in range(1, units + 1):
            old, new = f"stage{stage}_unit{unit}", f"conv{stage + 1}_{unit}"
            for norm in ("bn1", "bn2"):
                names |= {f"{old}_{norm}/{leaf}": f"{new}/{norm}/{leaf}" for leaf in _NORM}
            for convolution in ("conv1", "conv2"):
                names[f"{old}_{convolution}/kernel"] = f"{new}/{convolution}/kernel"
        names[f"stage{stage}_unit1_sc/kernel"] = f"conv{stage + 1}_1/convId/kernel"
    names |= {f"bn1/{leaf}": f"bn/{leaf}" for leaf in _NORM}
    for layer in ("fc1", "fc2", "fc3"):
        names |= {f"{layer}/{leaf}": f"{layer}/{leaf}" for leaf in ("kernel", "bias")}
    return names


def torch_name(name: str) -> str:
    """Return the PyTorch port's name of an LHC-Net variable."""
    path, _, leaf = name.rpartition("/")
    return f"{path}/{_TORCH.get(leaf, leaf)}".replace("/", ".").lstrip(".")


def to_torch(name: str, value: np.ndarray) -> np.ndarray:
    """Return a variable's value in PyTorch's layout: kernels (out, in, ...)."""
    if not name.endswith("/kernel"):
        return value
    return np.ascontiguousarray(value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T)


def from_torch(name: str, value: np.ndarray) -> np.ndarray:
    """Return the value of the variable ``name`` in TensorFlow's layout; undoes :func:`to_torch`."""
    if not name.endswith("/kernel"):
        return value
    return np.ascontiguousarray(value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T)
