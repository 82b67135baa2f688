from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from skorch.callbacks import Callback

from .._checks import check_integer

if TYPE_CHECKING:
    from typing import Any, Self

    from skorch import NeuralNet


class GradientSimilarity(Callback):
    """Record how similar the gradients within each class are, epoch by epoch [1]_.

    Each epoch of the history gets ``gradient_angles``, the mean angle in rad between the
    gradients of two training samples of a class, a list by class; NaN for a class of fewer than
    two samples. Gradients are those with respect to the logits, as they were in each sample's
    training step. The loss has ``mean_gradient_angles``, as every loss of :mod:`skprog.losses`.

    Parameters
    ----------
    max_samples : int, default=500
        Samples of a class compared at most, evenly spaced over the epoch.

    References
    ----------
    .. [1] Z. Ren et al., "Gradient harmonized loss", ICPHM 2022, equation 18 and Fig. 3. The
       equation divides by N where the mean takes N².
    """

    def __init__(self, max_samples: int = 500) -> None:
        self.max_samples = max_samples

    def initialize(self) -> Self:
        check_integer("max_samples", self.max_samples, minimum=2)
        return self

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        if not hasattr(net.criterion_, "mean_gradient_angles"):
            raise ValueError(
                f"GradientSimilarity needs a loss of skprog.losses, not "
                f"{type(net.criterion_).__name__}."
            )
        self.batches_: list[tuple] = []

    def on_batch_end(
        self,
        net: NeuralNet,
        batch: Any,
        training: bool,
        y_pred: Any = None,
        **kwargs: Any,
    ) -> None:
        if training:
            self.batches_.append((y_pred.detach(), batch[1].to(y_pred.device)))

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        logits, y = map(torch.cat, zip(*self.batches_, strict=True))
        self.batches_ = []
        angles = net.criterion_.mean_gradient_angles(logits, y, max_samples=self.max_samples)
        net.history.record("gradient_angles", angles.tolist())
