"""ResNet34v2 with the authors' head, LHC-Net and LHC-NetC in TensorFlow.

Source: Bodhis4ttva/LHC_Net at 4223798, ``Lib/LHC_Net.py``, ``Lib/LHC_Net_Controller.py``, ``ResNet34_Train.py``; the
backbone is ``resnet34`` of the package image-classifiers. Weight names are those of the published checkpoints.

Deviations: none in what is computed. The backbone's weights move into LHC-Net by name and not by position in a list
(defect L-IMPORT). Nothing is downloaded when a model is built.
"""

from __future__ import annotations

import tensorflow as tf
from classification_models.tfkeras import Classifiers
from tensorflow import keras
from tensorflow.keras import layers

from pipelines.lhc_net.modules_tensorflow import Controller, LHCModule

NUM_CLASSES = 7
INPUT_SHAPE = (224, 224, 3)
STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
"""Channels and units of the four stages."""

PLACES = {
    "conv1": (64, 56, 8, 196),
    "conv2_3": (64, 56, 8, 196),
    "conv3_4": (128, 28, 7, 56),
    "conv4_6": (256, 14, 7, 14),
    "conv5_3": (512, 7, 1, 25),
}
"""Where the modules are: channels, resolution, heads, embedding."""

CONTROLLERS = (0.0, 0.0, 0.0, -1.0, -0.5)
_EPSILON, _MOMENTUM = 2e-5, 0.99
_DROPOUT = 0.4


def resnet34v2() -> keras.Model:
    """Return the backbone with the head of 4096, 1024 and 7 units: 27,590,858 trainable parameters."""
    backbone, _ = Classifiers.get("resnet34")
    base = backbone(input_shape=INPUT_SHAPE, weights=None, include_top=False)
    x = layers.GlobalAveragePooling2D(name="pool1")(base.output)
    x = layers.Dense(4096, activation="relu", kernel_initializer=keras.initializers.GlorotUniform(3), name="fc1")(x)
    x = layers.Dropout(_DROPOUT, name="dropout1")(x)
    x = layers.Dense(1024, activation="relu", kernel_initializer=keras.initializers.GlorotUniform(4), name="fc2")(x)
    x = layers.Dropout(_DROPOUT, name="dropout2")(x)
    x = layers.Dense(NUM_CLASSES, activation="softmax", name="fc3")(x)
    return keras.Model(base.input, x, name="resnet34v2")


def _norm(*, scale: bool = True) -> layers.BatchNormalization:
    return layers.BatchNormalization(epsilon=_EPSILON, momentum=_MOMENTUM, scale=scale)


def _convolution(channels: int, size: int, stride: int = 1) -> layers.Conv2D:
    return layers.Conv2D(channels, size, strides=stride, padding="valid", use_bias=False)


class _Attended(layers.Layer):
    """A part of the backbone that may end in an LHC module."""

    def __init__(self, place: str) -> None:
        super().__init__(name=place)
        if place in PLACES:
            self.LHC_Module = LHCModule(*PLACES[place])
        self.attended = place in PLACES

    def attend(self, x: tf.Tensor, controller: Controller | None) -> tf.Tensor:
        """Return the features with the module's output added, weighed by a controller where there is one."""
        if not self.attended:
            return x
        output = self.LHC_Module(x)
        return x + (output if controller is None else controller(output))


class Stem(_Attended):
    """Input to 56 x 56 x 64; its first batch norm has no gamma."""

    def __init__(self) -> None:
        super().__init__("conv1")
        self.bn1, self.bn2 = _norm(scale=False), _norm()
        self.conv1 = _convolution(64, 7, 2)
        self.pad1, self.pad2 = layers.ZeroPadding2D(3), layers.ZeroPadding2D(1)
        self.pool = layers.MaxPooling2D(3, strides=2)

    def call(self, x: tf.Tensor, controller: Controller | None = None, training: bool | None = None) -> tf.Tensor:
        """Return the features."""
        x = self.conv1(self.pad1(self.bn1(x, training=training)))
        x = self.pool(self.pad2(tf.nn.relu(self.bn2(x, training=training))))
        return self.attend(x, controller)


class Unit(_Attended):
    """A residual unit with pre-activation; the first of a stage has a convolution in its shortcut, ``convId``."""

    def __init__(self, name: str, channels: int, stride: int, *, first: bool) -> None:
        super().__init__(name)
        self.first = first
        self.bn1, self.bn2 = _norm(), _norm()
        self.pad1, self.pad2 = layers.ZeroPadding2D(1), layers.ZeroPadding2D(1)
        self.conv1, self.conv2 = _convolution(channels, 3, stride), _convolution(channels, 3)
        if first:
            self.convId = _convolution(channels, 1, stride)

    def call(self, x: tf.Tensor, controller: Controller | None = None, training: bool | None = None) -> tf.Tensor:
        """Return the features."""
        active = tf.nn.relu(self.bn1(x, training=training))
        y = self.conv1(self.pad1(active))
        y = self.conv2(self.pad2(tf.nn.relu(self.bn2(y, training=training))))
        return self.attend(y + (self.convId(active) if self.first else x), controller)


class LHCNet(keras.Model):
    """float32 (N, 224, 224, 3) in 0..255 to softmax scores (N, 7).

    Args:
        controlled: LHC-NetC, whose modules are weighed by five trained numbers.
    """

    def __init__(self, *, controlled: bool = False) -> None:
        super().__init__(name="lhc_net_controller" if controlled else "lhc_net")
        self.conv1 = Stem()
        self.unit_names = []
        for stage, (channels, units) in enumerate(STAGES, start=2):
            for number in range(1, units + 1):
                stride = 2 if stage > 2 and number == 1 else 1
                name = f"conv{stage}_{number}"
                setattr(self, name, Unit(name, channels, stride, first=number == 1))
                self.unit_names.append(name)
        self.bn = _norm()
        self.pool = layers.GlobalAveragePooling2D()
        self.fc1 = layers.Dense(4096, activation="relu", kernel_initializer=keras.initializers.GlorotUniform(3))
        self.dropout1, self.dropout2 = layers.Dropout(_DROPOUT), layers.Dropout(_DROPOUT)
        self.fc2 = layers.Dense(1024, activation="relu", kernel_initializer=keras.initializers.GlorotUniform(4))
        self.fc3 = layers.Dense(NUM_CLASSES, activation="softmax")
        self.controlled = controlled
        for number, initial in enumerate(CONTROLLERS if controlled else (), start=1):
            setattr(self, f"controller{number}", Controller(initial, name=f"controller{number}"))

    def controller_of(self, place: str) -> Controller | None:
        """Return what weighs the module at a place, if anything does."""
        if not self.controlled or place not in PLACES:
            return None
        return getattr(self, f"controller{list(PLACES).index(place) + 1}")

    def call(self, x: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Return the scores."""
        x = self.conv1(x, controller=self.controller_of("conv1"), training=training)
        for name in self.unit_names:
            x = getattr(self, name)(x, controller=self.controller_of(name), training=training)
        x = self.pool(tf.nn.relu(self.bn(x, training=training)))
        x = self.dropout1(self.fc1(x), training=training)
        x = self.dropout2(self.fc2(x), training=training)
        return self.fc3(x)


def _built(model: keras.Model) -> keras.Model:
    model(tf.zeros((1, *INPUT_SHAPE), model.compute_dtype))
    return model


def lhc_net() -> keras.Model:
    """Return LHC-Net: 32,396,302 trainable parameters."""
    return _built(LHCNet())


def lhc_net_controller() -> keras.Model:
    """Return LHC-NetC, LHC-Net with five controllers."""
    return _built(LHCNet(controlled=True))
