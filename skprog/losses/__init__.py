"""Losses for imbalanced classes: the gradient harmonized loss and those it is compared with."""

from ._base import ClassificationLoss
from ._blocks import class_thresholds, gradient_density, gradient_directions, mean_gradient_angles
from ._class_balanced import ClassBalancedLoss
from ._class_cost import ClassCostLoss
from ._focal import FocalLoss
from ._gradient_harmonized import GradientHarmonizedLoss

__all__ = [
    "ClassBalancedLoss",
    "ClassCostLoss",
    "ClassificationLoss",
    "FocalLoss",
    "GradientHarmonizedLoss",
    "class_thresholds",
    "gradient_density",
    "gradient_directions",
    "mean_gradient_angles",
]
