from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .._checks import check_integer, check_number, check_option
from ._cycle import Cycle

if TYPE_CHECKING:
    from typing import Any, Literal

    from skorch import NeuralNet


class AdaptiveCycle(Cycle):
    """Restart a falling cycle of the learning rate lower where a loss stops falling [1]_.

    The training begins as with :class:`OneCycle`. After more than ``patience`` epochs in a row
    without a better loss a new cycle begins over the batches left, whose peak is ``factor`` times
    the rate that the next batch would have had, and whose start is half its peak.

    Parameters
    ----------
    lr_max : float or None, default=None
        Highest learning rate; None takes the net's, which with ``lr="auto"`` is that of the range
        test.
    lr_min : float or None, default=None
        Learning rate at the start; None is ``lr_max / 25``.
    lr_final : float or None, default=None
        Learning rate at the end and the lowest of all; None is ``lr_min / 1e4``.
    n_updates : int or None, default=None
        Changes of the rate in a training, which is held in between, about so many: it is held for
        round(n_batches / n_updates) batches. None changes it every batch.
    patience : int, default=5
        Epochs in a row without a better loss that are let pass; the one after them restarts.
    factor : float, default=0.5
        Peak of the next cycle over the rate now, in (0, 1).
    pct_start : float, default=0.3
        Share of a cycle's updates in which the rate rises, in (0, 1).
    three_phase : bool, default=False
        Fall to the cycle's start as long as the rise took, then to ``lr_final``; takes
        ``pct_start`` of at most 0.5. False falls to ``lr_final`` at once.
    cycle_momentum : bool, default=True
        Let momentum or beta1 go the other way, from 0.95 to 0.85 and back.
    restart : {"remaining", "full"}, default="remaining"
        Length of a new cycle: the batches left, so that training ends at ``lr_final``, or those of
        the whole training, so that it ends before.
    reduce_from : {"current", "max"}, default="current"
        What ``factor`` multiplies: the rate that the next batch would have had, or the peak of
        the cycle.
    monitor : str, default="valid_loss"
        Entry of the history to minimise; "train_loss" needs no validation data.
    min_delta : float, default=0.0
        A loss is better if it is lower than the best by more than this. NaN and infinity are not.
    count_from : {"start", "peak"}, default="start"
        Epochs counted: all, or those that end at or after the peak of their cycle.

    See Also
    --------
    OneCycle : The cycle without restarts.
    skprog.plots.LRScheduleDisplay : Draws the rates before or after training.

    Notes
    -----
    The history says what happened. Each batch of training gets ``lr`` and ``momentum``, each
    epoch ``lr``, that of its first batch, and ``event_lr_restart``: None or, where a new cycle
    begins after it, a dict of the ``epoch``, ``old_lr`` and ``new_peak``, and ``before_peak``,
    which is true where the old cycle was still rising. Groups of parameters whose rate differs
    from the net's keep their share of it; the history has the rate of the net.

    The algorithm as printed clears its counter in each epoch and tests the same condition twice;
    this is how it reads with the text. The best loss is kept when a cycle restarts. There is no
    restart where the new peak would not exceed ``lr_final`` or ``pct_start`` of the updates left
    is less than 2; the start of a cycle is at least ``lr_final``.

    A training that goes on, as in ``partial_fit``, starts over with a cycle over its own batches.
    One that resumes from a checkpoint continues its cycle, and has another for epochs that were
    added: the state lies in attributes that end in an underscore, which pickles and
    :class:`FitCheckpoint` keep. A cycle of a single update is at its peak. In a net of skorch a
    cycle is planned for ``max_epochs``, since its callbacks are not told of
    ``fit(X, y, epochs=...)``.

    References
    ----------
    .. [1] S. Salimath, F. Bugiotti and S. Wlodarczyk, "Responsible AI: Training deep learning
       model efficiently", Algorithm 1.

    Examples
    --------
    A loss that never falls after the first epoch restarts the cycle after epochs 4 and 7.

    >>> import numpy as np
    >>> from skorch import NeuralNetRegressor
    >>> from skprog.callbacks import AdaptiveCycle
    >>> import torch
    >>> frozen = torch.nn.Linear(1, 1)
    >>> _ = torch.nn.init.zeros_(frozen.weight), torch.nn.init.zeros_(frozen.bias)
    >>> cycle = AdaptiveCycle(lr_max=0.1, patience=2, monitor="train_loss")
    >>> net = NeuralNetRegressor(
    ...     frozen, max_epochs=10, batch_size=4, train_split=None, callbacks=[cycle], verbose=0
    ... )
    >>> X = np.ones((40, 1), np.float32)
    >>> events = net.fit(X, 0 * X).history[:, "event_lr_restart"]
    >>> [event["epoch"] for event in events if event]
    [4, 7]
    """

    def __init__(
        self,
        lr_max: float | None = None,
        *,
        lr_min: float | None = None,
        lr_final: float | None = None,
        n_updates: int | None = None,
        patience: int = 5,
        factor: float = 0.5,
        pct_start: float = 0.3,
        three_phase: bool = False,
        cycle_momentum: bool = True,
        restart: Literal["remaining", "full"] = "remaining",
        reduce_from: Literal["current", "max"] = "current",
        monitor: str = "valid_loss",
        min_delta: float = 0.0,
        count_from: Literal["start", "peak"] = "start",
    ) -> None:
        self.lr_max = lr_max
        self.lr_min = lr_min
        self.lr_final = lr_final
        self.n_updates = n_updates
        self.patience = patience
        self.factor = factor
        self.pct_start = pct_start
        self.three_phase = three_phase
        self.cycle_momentum = cycle_momentum
        self.restart = restart
        self.reduce_from = reduce_from
        self.monitor = monitor
        self.min_delta = min_delta
        self.count_from = count_from

    def _check_params(self):
        super()._check_params()
        check_integer("patience", self.patience, minimum=0)
        check_number("factor", self.factor, above=0, below=1)
        check_number("min_delta", self.min_delta, minimum=0)
        check_option("restart", self.restart, ("remaining", "full"))
        check_option("reduce_from", self.reduce_from, ("current", "max"))
        check_option("count_from", self.count_from, ("start", "peak"))
        if not isinstance(self.monitor, str):
            raise TypeError(f"monitor={self.monitor!r} must be the name of a history entry.")

    def on_epoch_begin(
        self, net: NeuralNet, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any
    ) -> None:
        if dataset_valid is None and self.monitor.startswith("valid"):
            raise ValueError(
                f"{type(self).__name__}(monitor={self.monitor!r}) needs validation data; hold some "
                f"out or set monitor='train_{self.monitor.partition('_')[2]}'."
            )
        super().on_epoch_begin(net, dataset_train=dataset_train, **kwargs)

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        if self.monitor not in net.history[-1]:
            raise ValueError(
                f"monitor={self.monitor!r} is no entry of the history, which has "
                f"{', '.join(key for key in net.history[-1] if key != 'batches')}."
            )
        value = net.history[-1, self.monitor]
        if math.isfinite(value) and value < self.best_value_ - self.min_delta:
            self.best_value_: float = value
            self.n_waited_ = 0
        elif self.count_from == "start" or not self._is_rising():
            self.n_waited_ += 1
        event = self._restart(len(net.history)) if self.n_waited_ > self.patience else None
        net.history.record("event_lr_restart", event)

    def _begin(self, net, dataset_train):
        super()._begin(net, dataset_train)
        self.best_value_ = math.inf
        self.n_waited_ = 0

    def _restart(self, epoch):
        """Begin a new cycle, where that makes sense, and return what the history says of it."""
        n_batches_left = self.n_batches_ - self.n_trained_
        n_updates_left = math.ceil(n_batches_left / self.interval_)
        old_lr = self._next_lr()
        new_peak = self.factor * (old_lr if self.reduce_from == "current" else self.peak_)
        if self.pct_start * n_updates_left < 2 or new_peak <= self.end_:
            return None
        event = {
            "epoch": epoch,
            "old_lr": old_lr,
            "new_peak": new_peak,
            "before_peak": self._is_rising(),
        }
        if self.restart == "remaining":
            self.n_updates_ = n_updates_left
        self.cycle_start_ = self.n_trained_
        self.peak_ = new_peak
        self.start_ = max(0.5 * new_peak, self.end_)
        self.n_waited_ = 0
        return event

    def _is_rising(self):
        """Tell whether the last batch came before the peak of the cycle."""
        place = (self.n_trained_ - 1 - self.cycle_start_) // self.interval_
        return place < self._phase_ends(self.n_updates_)[0]
