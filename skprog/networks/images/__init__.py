"""Networks of images and micrographs."""

from ._micrograph_cnn import MicrographCNN
from ._resnets import ResNet18, ResNet34, ResNet50, ResNet101
from ._scaled_images import ScaledImages
from ._vgg import VGG19

__all__ = [
    "VGG19",
    "MicrographCNN",
    "ResNet18",
    "ResNet34",
    "ResNet50",
    "ResNet101",
    "ScaledImages",
]
