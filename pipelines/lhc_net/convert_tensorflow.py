"""Converts LHC-Net's weights between TensorFlow checkpoints and safetensors, both ways.

    python -m pipelines.lhc_net.convert_tensorflow to-safetensors   lhc_net PREFIX FILE
    python -m pipelines.lhc_net.convert_tensorflow from-safetensors lhc_net FILE PREFIX

Runs in the TensorFlow stack. The file holds the variables under their published names and in TensorFlow's layout.
"""

from __future__ import annotations

import sys
from pathlib import Path

from safetensors.numpy import load_file, save_file

from pipelines.lhc_net import model_tensorflow, weights_tensorflow
from repro.errors import ReproError, UnknownName

MODELS = ("resnet34v2", "lhc_net", "lhc_net_controller")


def convert(way: str, name: str, source: Path, target: Path) -> None:
    """Convert one checkpoint; both ways it must be exactly that model's.

    Raises:
        UnknownName: of a way or a model.
        MissingFile, BadCheckpoint: see :func:`pipelines.lhc_net.weights_tensorflow.load`.
    """
    if name not in MODELS:
        raise UnknownName("model", name, MODELS)
    if way not in ("to-safetensors", "from-safetensors"):
        raise UnknownName("way", way, ("to-safetensors", "from-safetensors"))
    model = getattr(model_tensorflow, name)()
    if way == "to-safetensors":
        weights_tensorflow.load(model, source)
        save_file({key: value.numpy() for key, value in weights_tensorflow.variables(model).items()}, target)
    else:
        weights_tensorflow.assign(model, load_file(source), source.name)
        weights_tensorflow.save(model, target)


def main(arguments: list[str]) -> int:
    """Run the command and return the exit code."""
    if len(arguments) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        convert(arguments[0], arguments[1], Path(arguments[2]), Path(arguments[3]))
    except ReproError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
