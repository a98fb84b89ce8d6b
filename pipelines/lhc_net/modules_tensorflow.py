"""LHC, local multi-head channel self-attention, in TensorFlow.

Source: arXiv:2111.07224, section 3; Bodhis4ttva/LHC_Net at 4223798, ``Lib/LHC_Net.py``. Attributes are called as in the
published object checkpoints: ``Wqk`` (a list), ``Wp``, ``Wv``.

Deviations: none.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.keras import layers

# Shapes: N batch, H height, W width, C channels, S = H W pixels, h heads, s = S / h pixels of a head.


class LHCModule(layers.Layer):
    """float32 (N, H, W, C) to the same shape: what is to be added to the input.

    Args:
        channels: C.
        resolution: H = W.
        heads: h; a head is a run of pixels, a horizontal band of the image.
        embedding: width of queries and keys.
        normalisation: the constant part of the exponent that the attention is scaled by (``norm_c``).
    """

    def __init__(
        self, channels: int, resolution: int, heads: int, embedding: int, normalisation: float = 1.0, **options: Any
    ) -> None:
        super().__init__(**options)
        self.channels, self.resolution, self.heads = channels, resolution, heads
        self.embedding, self.normalisation = embedding, normalisation
        self.Wqk = [layers.Dense(embedding) for _ in range(heads)]
        self.Wp = layers.Dense(channels, activation="sigmoid")
        self.Wv = layers.Conv2D(channels, 3, padding="same")
        self.average = layers.AveragePooling2D(3, strides=1, padding="same")
        self.maximum = layers.MaxPooling2D(3, strides=1, padding="same")

    def call(self, x_NHWC: tf.Tensor) -> tf.Tensor:
        """Return the attention's output, (N, H, W, C)."""
        queries = self._heads(self.average(x_NHWC))
        keys = self._heads(self.maximum(x_NHWC))
        values = self._heads(self.average(self.Wv(x_NHWC)))
        outputs = []
        for head in range(self.heads):
            query, key = self.Wqk[head](queries[:, head]), self.Wqk[head](keys[:, head])
            scores_NCC = tf.matmul(query, key, transpose_b=True)
            exponent_NC = self.Wp(tf.reduce_mean(scores_NCC, axis=-1)) + self.normalisation
            scale_NC1 = tf.pow(tf.cast(self.embedding, x_NHWC.dtype), exponent_NC)[..., tf.newaxis]
            outputs.append(tf.matmul(tf.nn.softmax(scores_NCC / scale_NC1, axis=-1), values[:, head]))
        joined_NCS = tf.concat(outputs, axis=-1)
        shape = (-1, self.resolution, self.resolution, self.channels)
        return tf.reshape(tf.transpose(joined_NCS, (0, 2, 1)), shape)

    def _heads(self, x_NHWC: tf.Tensor) -> tf.Tensor:
        """Return (N, h, C, s)."""
        pixels = self.resolution**2
        flat_NCS = tf.transpose(tf.reshape(x_NHWC, (-1, pixels, self.channels)), (0, 2, 1))
        split = tf.reshape(flat_NCS, (-1, self.channels, self.heads, pixels // self.heads))
        return tf.transpose(split, (0, 2, 1, 3))


class Controller(layers.Layer):
    """One trained number that weighs a module's output by ``1 + tanh(w)``."""

    def __init__(self, initial: float, **options: Any) -> None:
        super().__init__(**options)
        self.initial = initial

    def build(self, shape: Any) -> None:
        """Make the number."""
        self.w = self.add_weight("w", shape=(), initializer=tf.keras.initializers.Constant(self.initial))

    def call(self, output_NHWC: tf.Tensor) -> tf.Tensor:
        """Return the weighed output."""
        return (1 + tf.tanh(self.w)) * output_NHWC
