from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from skorch.callbacks import Callback

if TYPE_CHECKING:
    from typing import Any, Self

    from skorch import NeuralNet


class F1Annealing(Callback):
    """Tell the loss after each epoch how well each class is told, for the next one.

    F1-scores are those of the predictions made while training, so that they cost no pass of their
    own. The loss has ``anneal``, which takes them; see
    :class:`skprog.losses.GradientHarmonizedLoss`. Each epoch of the history gets the F1-scores
    as ``train_f1`` and the factors that the loss used in it as ``annealing_factor``, lists by
    class.

    Attributes
    ----------
    f1_scores_ : list of float
        F1-score of each class in the last epoch; None before any.
    """

    def initialize(self) -> Self:
        self.f1_scores_ = None
        return self

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        if not hasattr(net.criterion_, "anneal"):
            raise ValueError(
                f"F1Annealing needs a loss that anneals, such as GradientHarmonizedLoss, not "
                f"{type(net.criterion_).__name__}."
            )
        # Said anew in each epoch, as a fit that resumes has a new loss.
        if self.f1_scores_ is not None:
            net.criterion_.anneal(self.f1_scores_)
        factor = getattr(net.criterion_, "annealing_factor", None)
        net.history.record("annealing_factor", None if factor is None else list(map(float, factor)))
        self.confusion_: Any = None

    def on_batch_end(
        self,
        net: NeuralNet,
        batch: Any,
        training: bool,
        y_pred: Any = None,
        **kwargs: Any,
    ) -> None:
        if not training:
            return
        n_classes = y_pred.shape[1]
        pairs = batch[1].to(y_pred.device) * n_classes + y_pred.detach().argmax(dim=1)
        counts = torch.bincount(pairs, minlength=n_classes**2)
        self.confusion_ = counts if self.confusion_ is None else self.confusion_ + counts

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        n_classes = len(net.criterion_.class_counts)
        confusion = self.confusion_.reshape(n_classes, n_classes).cpu().numpy()
        self.confusion_ = None
        wrong_or_right = confusion.sum(axis=0) + confusion.sum(axis=1)
        f1_scores = 2 * confusion.diagonal() / np.maximum(wrong_or_right, 1)
        self.f1_scores_ = f1_scores.tolist()
        net.history.record("train_f1", self.f1_scores_)
