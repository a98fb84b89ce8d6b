"""Deep-Emotion, a small convolutional network behind a spatial transformer.

Source: omarsayed7/Deep-Emotion at 0160ce9, ``deep_emotion.py``; an implementation by others of
arXiv:1902.01019. Names and shapes of the 25 state-dict entries are those of its published checkpoints.

Deviations: none in what is computed. The functional dropout before ``fc1``, which the original never
turns off, is a module with a switch; the sampling grid says ``align_corners=False``, which was implicit.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

# Shapes: N batch, H = W = 48.


class AffineCrop(nn.Module):
    """Resample an image by an affine map: bilinear, zeros outside, pixel corners not aligned."""

    def forward(self, image_N1HW: torch.Tensor, theta_N23: torch.Tensor) -> torch.Tensor:
        """Return the resampled image, same shape."""
        grid = F.affine_grid(theta_N23, list(image_N1HW.shape), align_corners=False)
        return F.grid_sample(image_N1HW, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


class SwitchedDropout(nn.Module):
    """Dropout that can be left on in evaluation, as the published code leaves it (defect D-DROPOUT)."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.on_in_evaluation = False

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the features, each zeroed with the probability and scaled where the switch or training is on."""
        return F.dropout(features, self.probability, training=self.training or self.on_in_evaluation)


class DeepEmotion(nn.Module):
    """float32 (N, 1, 48, 48) in [-1, 1] to logits (N, 7): Angry, Disgust, Fear, Happy, Sad, Surprise, Neutral."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, 3)
        self.conv2 = nn.Conv2d(10, 10, 3)
        self.pool2 = nn.MaxPool2d(2, 2)
        self.conv3 = nn.Conv2d(10, 10, 3)
        self.conv4 = nn.Conv2d(10, 10, 3)
        self.pool4 = nn.MaxPool2d(2, 2)
        self.norm = nn.BatchNorm2d(10)
        self.dropout = SwitchedDropout(0.5)
        self.fc1 = nn.Linear(810, 50)
        self.fc2 = nn.Linear(50, 7)
        self.localization = nn.Sequential(
            nn.Conv2d(1, 8, kernel_size=7),
            nn.MaxPool2d(2, stride=2),
            nn.ReLU(),
            nn.Conv2d(8, 10, kernel_size=5),
            nn.MaxPool2d(2, stride=2),
            nn.ReLU(),
        )
        self.fc_loc = nn.Sequential(nn.Linear(640, 32), nn.ReLU(), nn.Linear(32, 6))
        self.crop = AffineCrop()
        # The transformer starts as the identity.
        last = self.fc_loc[2]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        with torch.no_grad():
            last.bias.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))

    def theta(self, image_N1HW: torch.Tensor) -> torch.Tensor:
        """Return the affine map of each image, (N, 2, 3)."""
        return self.fc_loc(self.localization(image_N1HW).flatten(1)).view(-1, 2, 3)

    def forward(self, image_N1HW: torch.Tensor) -> torch.Tensor:
        """Return logits (N, 7)."""
        features = self.crop(image_N1HW, self.theta(image_N1HW))
        features = F.relu(self.conv1(features))
        features = F.relu(self.pool2(self.conv2(features)))
        features = F.relu(self.conv3(features))
        features = F.relu(self.pool4(self.norm(self.conv4(features))))
        features = self.dropout(features.flatten(1))
        return self.fc2(F.relu(self.fc1(features)))


def build() -> DeepEmotion:
    """Return the untrained model."""
    return DeepEmotion()
