"""The loss that all others weigh."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .._checks import check_option
from ._classes import check_batch, check_counts
from ._gradient_density import mean_gradient_angles

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import ArrayLike

BASES = ("cross_entropy", "mse", "rmse")


class ClassificationLoss(nn.Module):
    """Mean over samples of a loss between logits and classes, each class weighted.

    It is divided by the number of samples, not by the sum of their weights.

    Parameters
    ----------
    class_counts : array-like of int of shape (n_classes,)
        Training samples of each class.
    base : {"cross_entropy", "mse", "rmse"}, default="cross_entropy"
        Loss of a sample. "mse" and "rmse" compare the softmax with the one-hot class, averaged
        over classes.
    class_weight : array-like of shape (n_classes,), default=None
        Weight of each class; None weighs all alike.

    Examples
    --------
    >>> import torch
    >>> from skprog.losses import ClassificationLoss
    >>> loss = ClassificationLoss([8, 2], base="mse")
    >>> float(loss(torch.zeros(1, 2), torch.tensor([0])))
    0.25
    """

    class_weight: torch.Tensor

    def __init__(
        self,
        class_counts: ArrayLike,
        *,
        base: Literal["cross_entropy", "mse", "rmse"] = "cross_entropy",
        class_weight: ArrayLike | None = None,
    ) -> None:
        super().__init__()
        check_option("base", base, BASES)
        self.class_counts = check_counts(class_counts)
        self.base = base
        weight = np.ones(len(self.class_counts)) if class_weight is None else class_weight
        weight = np.asarray(weight, dtype=np.float64)
        if weight.shape != self.class_counts.shape:
            raise ValueError(
                f"class_weight has shape {weight.shape} but there are {len(self.class_counts)} "
                "classes; give one weight per class."
            )
        if not np.isfinite(weight).all() or (weight < 0).any():
            raise ValueError(f"class_weight={weight} must be finite and at least 0.")
        weight = weight * self._weigh_classes()
        with np.errstate(over="ignore"):
            weight = weight.astype(np.float32)
        if not (np.isfinite(weight).all() and weight @ np.minimum(self.class_counts, 1) > 0):
            raise ValueError(
                f"class_weight leads to weights of {weight}; give weights between 1e-30 and 1e30, "
                "or 0, with at least one class of samples above 0."
            )
        self.register_buffer("class_weight", torch.from_numpy(weight))

    def _weigh_classes(self):
        return np.ones(len(self.class_counts))

    def sample_weights(self, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor | float:
        """Weigh samples beyond their class.

        Parameters
        ----------
        logits : Tensor of shape (n_samples, n_classes)
            Outputs of the network.
        y : Tensor of shape (n_samples,)
            Class of each sample.

        Returns
        -------
        Tensor of shape (n_samples,) or float
            Weights.
        """
        return 1.0

    def forward(self, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Compute the loss.

        Parameters
        ----------
        logits : Tensor of shape (n_samples, n_classes)
            Outputs of the network.
        y : Tensor of shape (n_samples,)
            Class of each sample.

        Returns
        -------
        Tensor of shape ()
            Loss.
        """
        check_batch(logits, y, len(self.class_counts))
        weights = self.class_weight[y] * self.sample_weights(logits, y)
        return (weights * _losses(logits, y, self.base)).mean()

    def mean_gradient_angles(
        self, logits: torch.Tensor, y: torch.Tensor, *, max_samples: int | None = None
    ) -> np.ndarray:
        """Compute the mean angle between the gradients of each class.

        Parameters
        ----------
        logits : Tensor of shape (n_samples, n_classes)
            Outputs of the network.
        y : Tensor of shape (n_samples,)
            Class of each sample.
        max_samples : int, default=None
            Samples of a class compared at most, evenly spaced ones; None compares all.

        Returns
        -------
        ndarray of shape (n_classes,)
            As of :func:`mean_gradient_angles`.
        """
        return mean_gradient_angles(logits, y, max_samples=max_samples)


def _losses(logits, y, base):
    """Return the loss of each sample, (n_samples,)."""
    if base == "cross_entropy":
        return F.cross_entropy(logits, y, reduction="none")
    n_classes = logits.shape[1]
    errors = logits.softmax(dim=1) - F.one_hot(y, n_classes)
    if base == "mse":
        return errors.square().mean(dim=1)
    # Unlike a square root, the norm has a gradient at 0.
    return torch.linalg.vector_norm(errors, dim=1) / math.sqrt(n_classes)
