"""Training of LHC-Net's models by the published schedules: steps, early stopping, where it starts, what is saved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow import keras

from pipelines.common.trainer_tensorflow import Backward, Trainer
from pipelines.lhc_net import hdf5_tensorflow, model_tensorflow, weights_tensorflow
from pipelines.lhc_net.train_tensorflow import optimizer_of
from repro.errors import MissingFile


class LHCTrainer(Trainer):
    """Steps on the categorical cross-entropy, and Keras' ``EarlyStopping`` on the validation accuracy.

    Args:
        model: changed in place.
        settings: a stage's: ``optimizer`` and what it takes, ``patience``, and ``trained``: only layers whose name
            begins so are trained, the others' batch norms being in inference.
        backward: gives loss, scores and gradients.
    """

    def __init__(self, model: keras.Model, settings: dict[str, Any], backward: Backward) -> None:
        for layer in model.layers:
            layer.trainable = layer.name.startswith(settings["trained"])
        super().__init__(model, backward, optimizer_of(settings))
        self.patience: int = settings["patience"]
        self._loss = keras.losses.CategoricalCrossentropy()
        self._best: float | None = None
        self._waited = 0

    def compute(self, inputs: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the mean loss and the softmax scores."""
        scores = self.model(inputs, training=True)
        return self._loss(tf.one_hot(labels, scores.shape[-1]), scores), scores

    def epoch_ended(self, epoch: int, metrics: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
        """Say whether the stage ends: after so many epochs without a better validation accuracy."""
        accuracy = metrics["validation"]["accuracy"]
        if self._best is None or accuracy > self._best:
            self._best, self._waited = accuracy, 0
        else:
            self._waited += 1
        stop = f"no better validation accuracy for {self._waited} epochs" if self._waited >= self.patience else None
        return {**super().epoch_ended(epoch, metrics), "stop": stop}

    def state(self) -> dict[str, Any]:
        """Return optimiser and early stopping; the optimiser's variables by kind and by what they belong to."""
        slots = {name: variable.numpy() for name, variable in self._slots()}
        return {"optimizer": slots, "best": self._best, "waited": self._waited}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put it back."""
        for name, variable in self._slots():
            variable.assign(state["optimizer"][name])
        self._best, self._waited = state["best"], state["waited"]

    def _slots(self) -> Iterator[tuple[str, tf.Variable]]:
        """Yield the optimiser's variables under names that do not follow from what else was built in the process."""
        published = {id(variable): name for name, variable in weights_tensorflow.variables(self.model).items()}
        owners = [published[id(variable)] for variable in self.variables()]
        counts: dict[str, int] = defaultdict(int)
        for variable in self.optimizer.variables:
            kind, _, owned = variable.name.partition(":")[0].partition("/")  # m/conv0/kernel; iteration stands alone
            if owned:
                yield f"{kind}/{owners[counts[kind]]}", variable
                counts[kind] += 1
            else:
                yield kind, variable


def start(model: keras.Model, path: Path) -> dict[str, Any]:
    """Load what a published schedule starts from.

    That is image-classifiers' ImageNet backbone without head (Keras HDF5), the head staying fresh, or in the modular
    path the model before: ResNet34v2 for LHC-Net, LHC-Net for LHC-NetC, what is new in them staying fresh.

    Raises:
        MissingFile, BadCheckpoint, UnfitCheckpoint: as :func:`pipelines.lhc_net.weights_tensorflow.load`.
    """
    if not path.exists():
        raise MissingFile(f"no weights at {path}")
    before = "lhc_net" if model.name == "lhc_net_controller" else "resnet34v2"
    source = model if model.name == "resnet34v2" else getattr(model_tensorflow, before)()
    part = source
    if before == "resnet34v2" and path.suffix in hdf5_tensorflow.SUFFIXES:
        backbone = keras.Model(source.input, source.get_layer("pool1").input, name="resnet34v2")
        if hdf5_tensorflow.count(path) == len(backbone.variables):
            part = backbone
    told = weights_tensorflow.load(part, path)
    fresh = weights_tensorflow.transfer(source, model) if source is not model else []
    return {**told, "of": before if part is source else f"{before} without head", "fresh": len(fresh)}


def save(model: keras.Model, path: Path) -> Path:
    """Write the weights: ResNet34v2 as Keras HDF5, LHC-Net and LHC-NetC as the object checkpoints that are published.

    Args:
        path: without suffix.

    Returns:
        the file to load: the ``.h5``, or the ``.index`` beside which the data lie.
    """
    if model.name == "resnet34v2":
        written = path.with_suffix(".h5")
        model.save_weights(str(written))
        return written
    weights_tensorflow.save(model, path)
    (path.parent / "checkpoint").unlink(missing_ok=True)  # tells which was last saved here, by a path of this machine
    return path.with_suffix(".index")
