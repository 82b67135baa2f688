from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

from skorch.callbacks import Callback

from .._checks import check_integer

if TYPE_CHECKING:
    from typing import Any, Self

    from skorch import NeuralNet


class BestWeights(Callback):
    """Keep the weights of the best epoch in memory and restore them after training.

    Training that goes on starts over: values of other validation data do not compare.

    Parameters
    ----------
    monitor : str, default="valid_loss"
        Entry of the history to minimise; NaN counts as no improvement.
    patience : int or None, default=None
        Stop after so many epochs without improvement; None never stops.

    Attributes
    ----------
    best_epoch_ : int
        Epoch with the lowest value, counted from 1; 0 before any.
    best_value_ : float
        That value.
    """

    def __init__(self, monitor: str = "valid_loss", *, patience: int | None = None) -> None:
        self.monitor = monitor
        self.patience = patience

    def initialize(self) -> Self:
        if self.patience is not None:
            check_integer("patience", self.patience)
        return self

    def __getstate__(self):
        # After training the net itself has these weights, and may have left the device.
        return {**vars(self), "best_state_": None}

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        self.n_before_ = len(net.history)
        self.best_epoch_ = 0
        self.best_value_ = math.inf
        self.best_state_ = None

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        epoch = len(net.history)
        value = net.history[-1, self.monitor]
        if value < self.best_value_:
            self.best_epoch_ = epoch
            self.best_value_ = value
            self.best_state_ = copy.deepcopy(net.module_.state_dict())
        n_waited = epoch - max(self.best_epoch_, self.n_before_)
        if self.patience is not None and n_waited >= self.patience:
            raise KeyboardInterrupt

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        if self.best_state_ is not None:
            net.module_.load_state_dict(self.best_state_)
