"""The benchmark's models that torchvision and pytorchcv have, built as the published factories build them.

Source: phamquiluan/ResidualMaskingNetwork at 9141618, ``models/__init__.py`` and the files that it names. Nothing is
downloaded: what a model starts from is a matter of training (defects R-PRETRAIN, R-BACKBONE).

Deviations: none in what is computed. GoogLeNet and Inception-v3 change their input's scale as they do when built with a
download (R-TRANSFORM). VGG19 and AlexNet skip their pooling where it is an identity (R-NONDET).
"""

from __future__ import annotations

import torch
from pytorchcv.model_provider import get_model
from torch import nn
from torchvision import models
from torchvision.models.resnet import BasicBlock, ResNet

NUM_CLASSES = 7


class ExactAdaptivePool(nn.AdaptiveAvgPool2d):
    """Adaptive average pooling that hands on a map which has the wanted size already.

    The mean of one value is that value, and the pooling's gradient has no deterministic kernel on CUDA (R-NONDET).
    """

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        """Return the pooled map."""
        return x_NCHW if tuple(x_NCHW.shape[-2:]) == self.output_size else super().forward(x_NCHW)


class CentreLossResNet18(ResNet):
    """ResNet18 that also has the two features which the centre loss pulls together; its logits do not use them.

    float32 (N, 3, H, W) in [0, 1] to logits (N, 7). The published trainer unpacks two values and the published
    network returns one (R-CENTER): training asks :meth:`logits_and_features`.
    """

    def __init__(self) -> None:
        super().__init__(BasicBlock, [2, 2, 2, 2], num_classes=NUM_CLASSES)
        self.center_loss_fc = nn.Linear(512, 2)

    def logits_and_features(self, image_N3HW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits and the features, (N, 7) and (N, 2)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(image_N3HW))))
        x = self.avgpool(self.layer4(self.layer3(self.layer2(self.layer1(x))))).flatten(1)
        return self.fc(x), self.center_loss_fc(x)

    def forward(self, image_N3HW: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        return self.logits_and_features(image_N3HW)[0]


def resnet18() -> nn.Module:
    """Return ResNet18."""
    return models.resnet18(weights=None, num_classes=NUM_CLASSES)


def resnet18_centerloss() -> nn.Module:
    """Return ResNet18 with features for the centre loss."""
    return CentreLossResNet18()


def resnet34() -> nn.Module:
    """Return ResNet34."""
    return models.resnet34(weights=None, num_classes=NUM_CLASSES)


def resnet50() -> nn.Module:
    """Return ResNet50."""
    return models.resnet50(weights=None, num_classes=NUM_CLASSES)


def resnet101() -> nn.Module:
    """Return ResNet101."""
    return models.resnet101(weights=None, num_classes=NUM_CLASSES)


def resnet152() -> nn.Module:
    """Return ResNet152."""
    return models.resnet152(weights=None, num_classes=NUM_CLASSES)


def vgg19() -> nn.Module:
    """Return VGG19 without batch norm."""
    network = models.vgg19(weights=None, num_classes=NUM_CLASSES, init_weights=False)
    network.avgpool = ExactAdaptivePool((7, 7))
    return network


def alexnet() -> nn.Module:
    """Return AlexNet, the default of the published trainer's packaged configuration."""
    network = models.alexnet(weights=None, num_classes=NUM_CLASSES)
    network.avgpool = ExactAdaptivePool((6, 6))
    return network


def googlenet() -> nn.Module:
    """Return GoogLeNet without its auxiliary heads."""
    return models.googlenet(
        weights=None, num_classes=NUM_CLASSES, transform_input=True, aux_logits=False, init_weights=False
    )


def inception_v3() -> nn.Module:
    """Return Inception-v3 with its auxiliary head of 1000 outputs, which training runs and throws away."""
    network = models.inception_v3(weights=None, transform_input=True, aux_logits=True, init_weights=False)
    network.fc = nn.Linear(2048, NUM_CLASSES)
    return network


def densenet121() -> nn.Module:
    """Return DenseNet121."""
    return models.densenet121(weights=None, num_classes=NUM_CLASSES)


def cbam_resnet50() -> nn.Module:
    """Return ResNet50 with convolutional block attention."""
    return get_model("cbam_resnet50", pretrained=False, num_classes=NUM_CLASSES)


def bam_resnet50() -> nn.Module:
    """Return ResNet50 with bottleneck attention."""
    return get_model("bam_resnet50", pretrained=False, num_classes=NUM_CLASSES)


def efficientnet_b2b() -> nn.Module:
    """Return EfficientNet-B2 with TensorFlow's padding."""
    network = get_model("efficientnet_b2b", pretrained=False)
    network.output = nn.Sequential(nn.Dropout(0.3), nn.Linear(1408, NUM_CLASSES))
    return network


def resattnet56() -> nn.Module:
    """Return the residual attention network of depth 56."""
    return get_model("resattnet56", pretrained=False, num_classes=NUM_CLASSES)
