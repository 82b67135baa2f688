"""The pinball loss of quantiles, the gradient harmonized loss and those it is compared with."""

from ._base import ClassificationLoss
from ._blocks import class_thresholds, gradient_density, gradient_directions, mean_gradient_angles
from ._class_balanced import ClassBalancedLoss
from ._class_cost import ClassCostLoss
from ._focal import FocalLoss
from ._gradient_harmonized import GradientHarmonizedLoss
from ._pinball import PinballLoss

__all__ = [
    "ClassBalancedLoss",
    "ClassCostLoss",
    "ClassificationLoss",
    "FocalLoss",
    "GradientHarmonizedLoss",
    "PinballLoss",
    "class_thresholds",
    "gradient_density",
    "gradient_directions",
    "mean_gradient_angles",
]
