"""What the cyclic schedules share: the cycle's formula and its place in a training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from skorch.callbacks import Callback

from .._checks import check_integer, check_number, check_option
from ._conflicts import other_schedules

if TYPE_CHECKING:
    from typing import Any, Self

    from skorch import NeuralNet

MOMENTA = (0.95, 0.85)


class Cycle(Callback):
    """Set the learning rate of each batch by one cycle over the batches of a training.

    A subclass has the parameters ``lr_max, lr_min, lr_final, n_updates, pct_start, three_phase``
    and ``cycle_momentum``.
    """

    sets_learning_rate = True

    def initialize(self) -> Self:
        self._check_params()
        self.group_scales_: Any = None
        return self

    def _check_params(self):
        for name in ("lr_max", "lr_min", "lr_final"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), above=0)
        if self.n_updates is not None:
            check_integer("n_updates", self.n_updates)
        check_option("three_phase", self.three_phase, (True, False))
        check_option("cycle_momentum", self.cycle_momentum, (True, False))
        check_number("pct_start", self.pct_start, above=0, below=1)
        if self.three_phase and self.pct_start > 0.5:
            raise ValueError(
                f"pct_start={self.pct_start} leaves no third phase, as the second is as long as "
                "the first; use at most 0.5 or three_phase=False."
            )
        if self.lr_max is not None:
            self._check_rates(*self._rates(self.lr_max))

    def schedule(
        self, n_batches: int, *, lr: float | None = None
    ) -> tuple[list[float], list[float] | None]:
        """Return the rates of a training that never restarts.

        Parameters
        ----------
        n_batches : int
            Batches of the training.
        lr : float, default=None
            Learning rate of the net, for ``lr_max=None``.

        Returns
        -------
        lrs, momenta : list of float
            Learning rate and momentum of each batch; momenta are None without
            ``cycle_momentum``.

        Raises
        ------
        ValueError
            If ``lr`` is missing or a parameter is out of range.
        """
        self._check_params()
        check_integer("n_batches", n_batches)
        if self.lr_max is None and lr is None:
            raise ValueError("lr_max=None takes the learning rate of the net; give lr.")
        if self.lr_max is None:
            check_number("lr", lr, above=0)
        rates = self._check_rates(*self._rates(lr if self.lr_max is None else self.lr_max))
        interval, n_updates = self._interval(n_batches)
        places = [i // interval for i in range(n_batches)]
        lrs = [self._lr(place, n_updates, *rates) for place in places]
        momenta = [self._momentum(place, n_updates) for place in places]
        return lrs, momenta if self.cycle_momentum else None

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        self.n_batches_ = None

    def on_epoch_begin(self, net: NeuralNet, dataset_train: Any = None, **kwargs: Any) -> None:
        # Batches left over where a training resumed with more epochs get a cycle of their own.
        if self.n_batches_ is None or self.n_trained_ >= self.n_batches_:
            self._begin(net, dataset_train)
        net.history.record("lr", self._next_lr())

    def on_batch_begin(self, net: NeuralNet, training: bool = False, **kwargs: Any) -> None:
        if not training:
            return
        lr = self._next_lr()
        net.history.record_batch("lr", lr)
        for group, scale in zip(net.optimizer_.param_groups, self.group_scales_, strict=True):
            group["lr"] = lr * scale
        if self.cycle_momentum:
            momentum = self._momentum(self._place(), self.n_updates_)
            net.history.record_batch("momentum", momentum)
            for group in net.optimizer_.param_groups:
                if "betas" in group:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum

    def on_batch_end(self, net: NeuralNet, training: bool = False, **kwargs: Any) -> None:
        self.n_trained_ += bool(training)

    def _begin(self, net, dataset_train):
        """Plan the cycle of a training that begins."""
        groups = net.optimizer_.param_groups
        if self.cycle_momentum and not all("betas" in g or "momentum" in g for g in groups):
            raise ValueError(
                f"{type(net.optimizer_).__name__} has neither betas nor momentum to cycle; set "
                "cycle_momentum=False."
            )
        others = other_schedules(net, self)
        if others:
            raise ValueError(
                f"callbacks hold two schedules of the learning rate, {type(self).__name__} and "
                f"{others[0]}; give one."
            )
        lr_net = net.lr_range_.lr_max_ if hasattr(net, "lr_range_") else net.lr
        if self.group_scales_ is None:
            # Parameters that are given another rate than the rest keep their share of it.
            self.group_scales_ = [group["lr"] / lr_net for group in groups]
        self.n_batches_ = _count_batches(net, dataset_train)
        self.n_trained_ = 0
        self.cycle_start_ = 0
        self.interval_, self.n_updates_ = self._interval(self.n_batches_)
        lr_max = lr_net if self.lr_max is None else self.lr_max
        self.peak_, self.start_, self.end_ = self._check_rates(*self._rates(lr_max))

    def _rates(self, lr_max):
        """Return peak, start and end of the first cycle."""
        lr_min = lr_max / 25 if self.lr_min is None else self.lr_min
        return lr_max, lr_min, lr_min / 1e4 if self.lr_final is None else self.lr_final

    def _check_rates(self, lr_max, lr_min, lr_final):
        if not lr_final <= lr_min <= lr_max:
            raise ValueError(
                f"lr_final={lr_final:g}, lr_min={lr_min:g} and lr_max={lr_max:g} must rise in this "
                "order; None takes lr_max of the net, lr_min = lr_max/25 and lr_final = lr_min/1e4."
            )
        return lr_max, lr_min, lr_final

    def _interval(self, n_batches):
        """Return the batches per update and the updates that so many batches need."""
        interval = 1 if self.n_updates is None else max(round(n_batches / self.n_updates), 1)
        return interval, math.ceil(n_batches / interval)

    def _place(self):
        """Return the update, counted from 0, whose rate the next batch has."""
        place = (self.n_trained_ - self.cycle_start_) // self.interval_
        return min(place, self.n_updates_ - 1)

    def _next_lr(self):
        return self._lr(self._place(), self.n_updates_, self.peak_, self.start_, self.end_)

    def _lr(self, place, n_updates, peak, start, end):
        knots = [start, peak, start, end] if self.three_phase else [start, peak, end]
        return _anneal(place, self._phase_ends(n_updates), knots)

    def _momentum(self, place, n_updates):
        high, low = MOMENTA
        knots = [high, low, high, high] if self.three_phase else [high, low, high]
        return _anneal(place, self._phase_ends(n_updates), knots)

    def _phase_ends(self, n_updates):
        """Return the places, not whole ones, at which the phases end."""
        rise = float(self.pct_start * n_updates)
        falls = [2 * rise - 2] if self.three_phase else []
        return [rise - 1, *falls, n_updates - 1]


def _anneal(place, ends, knots):
    """Return the value at a place between knots, joined by half waves of a cosine."""
    # A cycle of a single update, which would begin and end at once, is at its peak.
    if ends[-1] == 0:
        return knots[1]
    phase = 0
    while place > ends[phase] and phase < len(ends) - 1:
        phase += 1
    begin = ends[phase - 1] if phase else 0.0
    # A rise of no length is over.
    share = (place - begin) / (ends[phase] - begin) if ends[phase] != begin else 1.0
    start, end = knots[phase : phase + 2]
    left = (1 + math.cos(math.pi * share)) / 2
    value = left * start + (1 - left) * end
    # Rounding may lead out of the bounds.
    return min(max(value, min(start, end)), max(start, end))


def _count_batches(net, dataset_train):
    """Return the training batches of the training that has begun its first epoch."""
    n_per_epoch = len(net.get_iterator(dataset_train, training=True))
    # Nets of skorch count the epochs of each training anew, the estimators' those of all.
    if not hasattr(net, "last_step_"):
        return net.max_epochs * n_per_epoch
    before = net.history[:-1]
    if net.last_step_ is None:
        return (net.max_epochs - len(before)) * n_per_epoch
    return net.last_step_ - sum(epoch["train_batch_count"] for epoch in before)
