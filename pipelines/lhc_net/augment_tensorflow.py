"""The transforms of LHC-Net's test-time augmentation: through tensorflow-addons, and through TensorFlow itself.

tensorflow-addons, as published, moves and turns images with a projective transform that TensorFlow has as an operation
of its own. The second way makes the same eight numbers by the same single-precision operations, so its bits are the
same, and it works where tensorflow-addons does not install.

Source: Bodhis4ttva/LHC_Net at 4223798, ``Lib/Utils.py``.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from pipelines.lhc_net.protocol import ZOOM, View

Move = Callable[[tf.Tensor, float, float], tf.Tensor]
Turn = Callable[[tf.Tensor, float], tf.Tensor]


def transformed(images_NHWC: tf.Tensor, view: View, way: str) -> tf.Tensor:
    """Return one view of a batch, float32 of the same shape.

    Args:
        images_NHWC: float32.
        view: what to do.
        way: ``tensorflow-addons`` or ``tensorflow``.
    """
    move, turn = _through_addons() if way == "tensorflow-addons" else (_moved, _turned)
    size = images_NHWC.shape[1:3]
    if view.flipped:
        images_NHWC = tf.image.flip_left_right(images_NHWC)
    if view.zoomed:
        images_NHWC = tf.image.resize(tf.image.central_crop(images_NHWC, ZOOM), size, method="bilinear")
    if view.right or view.down:
        images_NHWC = move(images_NHWC, view.right, view.down)
    if view.radians:
        images_NHWC = turn(images_NHWC, view.radians)
    return images_NHWC


def _through_addons() -> tuple[Move, Turn]:
    import tensorflow_addons as tfa

    def move(images: tf.Tensor, right: float, down: float) -> tf.Tensor:
        return tfa.image.translate(images, [right, down], interpolation="bilinear", fill_mode="nearest")

    def turn(images: tf.Tensor, radians: float) -> tf.Tensor:
        return tfa.image.rotate(images, radians, interpolation="bilinear", fill_mode="nearest")

    return move, turn


def _moved(images: tf.Tensor, right: float, down: float) -> tf.Tensor:
    return _projected(images, tf.constant([[1, 0, -right, 0, 1, -down, 0, 0]], tf.float32))


def _turned(images: tf.Tensor, radians: float) -> tf.Tensor:
    """Turn about the centre of the pixels' grid, ``(width - 1) / 2`` and ``(height - 1) / 2``."""
    height, width = (tf.cast(size - 1, tf.float32) for size in images.shape[1:3])
    angle = tf.constant([radians], tf.float32)
    cosine, sine = tf.math.cos(angle), tf.math.sin(angle)
    x = (width - (cosine * width - sine * height)) / 2.0
    y = (height - (sine * width + cosine * height)) / 2.0
    nothing = tf.zeros_like(angle)
    return _projected(images, tf.stack([cosine, -sine, x, sine, cosine, y, nothing, nothing], axis=1))


def _projected(images: tf.Tensor, transforms: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.constant(images.shape[1:3], tf.int32),
        fill_value=tf.constant(0.0),
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
