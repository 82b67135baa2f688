"""The pinball loss of quantiles, the gradient harmonized loss and those it is compared with."""

from ._class_balanced import ClassBalancedLoss
from ._class_cost import ClassCostLoss
from ._classification import ClassificationLoss
from ._focal import FocalLoss
from ._gradient_density import (
    class_thresholds,
    gradient_density,
    gradient_directions,
    mean_gradient_angles,
)
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
