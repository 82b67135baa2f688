"""Learning rate and momentum over a training, planned or done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._checks import check_integer, check_option
from ._axes import BLUE, GREY, ORANGE, VERMILION, check_values, one_axes

if TYPE_CHECKING:
    from typing import Any, Literal, Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator
    from skorch import NeuralNet

    from ..callbacks import AdaptiveCycle, OneCycle


class LRScheduleDisplay:
    """Learning rate of each batch of a training, with the restarts of its cycle [1]_.

    A restart is marked at its new start, filled where the old cycle was past its peak.

    Parameters
    ----------
    lrs : array-like of shape (n_batches,)
        Learning rate of each batch.
    momenta : array-like of shape (n_batches,), default=None
        Momentum, or beta1, of each batch.
    epoch_ends : array-like of int of shape (n_epochs,), default=None
        Batches trained by the end of each epoch. None draws over batches instead of epochs.
    restarts : list of dict, default=None
        Entries ``event_lr_restart`` of a history, with ``epoch`` and ``before_peak``; they ask for
        ``epoch_ends``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes drawn on.
    figure_ : matplotlib Figure
        Figure that holds them.
    line_ : matplotlib Line2D
        Line of the learning rate.
    momentum_ax_ : matplotlib Axes or None
        Axes of the momentum on the right, where it is drawn.

    See Also
    --------
    skprog.callbacks.AdaptiveCycle : Restarts its cycle.
    skprog.callbacks.OneCycle : Does not.
    LossCurveDisplay : The losses over the same epochs.

    References
    ----------
    .. [1] S. Salimath, F. Bugiotti and S. Wlodarczyk, "Responsible AI: Training deep learning
       model efficiently", Fig. 8.

    Examples
    --------
    The rate rises over three tenths of 100 batches.

    >>> from skprog.callbacks import OneCycle
    >>> from skprog.plots import LRScheduleDisplay
    >>> display = LRScheduleDisplay.from_callback(OneCycle(lr_max=0.1), n_batches=100)
    >>> int(display.line_.get_ydata().argmax())
    29
    """

    def __init__(
        self,
        lrs: ArrayLike,
        *,
        momenta: ArrayLike | None = None,
        epoch_ends: ArrayLike | None = None,
        restarts: list[dict[str, Any]] | None = None,
    ) -> None:
        self.lrs = lrs
        self.momenta = momenta
        self.epoch_ends = epoch_ends
        self.restarts = restarts

    @classmethod
    def from_callback(
        cls,
        callback: OneCycle | AdaptiveCycle,
        n_batches: int,
        *,
        n_epochs: int | None = None,
        lr: float | None = None,
        scale: Literal["linear", "log"] = "linear",
        momentum: bool = False,
        ax: Axes | None = None,
    ) -> Self:
        """Draw what a callback would do in a training without restarts.

        Parameters
        ----------
        callback : OneCycle or AdaptiveCycle
            Callback.
        n_batches : int
            Batches of the training or, with ``n_epochs``, of each epoch.
        n_epochs : int, default=None
            Epochs of the training. None draws over batches.
        lr : float, default=None
            Learning rate of the net, for ``lr_max=None``.
        scale : {"linear", "log"}, default="linear"
            Scale of the learning rate.
        momentum : bool, default=False
            Draw the momentum too.
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : LRScheduleDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If ``callback`` has no schedule that is known beforehand.
        ValueError
            If a parameter of the callback is out of range, ``lr`` is missing, or there is no
            momentum to draw.
        """
        if isinstance(callback, type) or not hasattr(callback, "schedule"):
            raise TypeError(
                f"callback={callback!r} must be an instance of OneCycle or AdaptiveCycle."
            )
        check_integer("n_batches", n_batches)
        epoch_ends = None
        if n_epochs is not None:
            check_integer("n_epochs", n_epochs)
            epoch_ends = n_batches * np.arange(1, n_epochs + 1)
        lrs, momenta = callback.schedule(n_batches * (n_epochs or 1), lr=lr)
        display = cls(lrs, momenta=momenta, epoch_ends=epoch_ends)
        return display.plot(ax=ax, scale=scale, momentum=momentum)

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator | NeuralNet,
        *,
        scale: Literal["linear", "log"] = "linear",
        momentum: bool = False,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the learning rate that a fitted estimator was trained with.

        Parameters
        ----------
        estimator : estimator of skprog.estimators or net of skorch
            Fitted with a callback that records the learning rate, as :class:`OneCycle`,
            :class:`AdaptiveCycle` and :class:`ExponentialDecay` do. Of several networks the first
            is drawn.
        scale : {"linear", "log"}, default="linear"
            Scale of the learning rate.
        momentum : bool, default=False
            Draw the momentum too.
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : LRScheduleDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If ``estimator`` is no estimator.
        ValueError
            If it is not fitted, has no learning rates in its history, or there is no momentum to
            draw.
        """
        check_is_fitted(estimator)
        history = [epoch for epoch in getattr(estimator, "history_", []) if "lr" in epoch]
        epochs = [_trained_batches(epoch) for epoch in history]
        if not sum(map(len, epochs)):
            raise ValueError(
                f"{type(estimator).__name__} has no lr in history_; fit an estimator of "
                "skprog.estimators with callbacks=[OneCycle()] or [AdaptiveCycle()], and of a "
                "pipeline or a search give the one inside."
            )
        batches = [batch for epoch in epochs for batch in epoch]
        momenta = [batch["momentum"] for batch in batches if "momentum" in batch]
        events = [epoch.get("event_lr_restart") for epoch in history]
        display = cls(
            [batch["lr"] for batch in batches],
            momenta=momenta if len(momenta) == len(batches) else None,
            epoch_ends=np.cumsum([len(epoch) for epoch in epochs]),
            # Numbered anew, as epochs without a rate are left out.
            restarts=[{**event, "epoch": i} for i, event in enumerate(events, start=1) if event],
        )
        return display.plot(ax=ax, scale=scale, momentum=momentum)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        scale: Literal["linear", "log"] = "linear",
        momentum: bool = False,
    ) -> Self:
        """Draw the learning rate and, on request, the momentum.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.
        scale : {"linear", "log"}, default="linear"
            Scale of the learning rate.
        momentum : bool, default=False
            Draw the momentum too, on an axis of its own.

        Returns
        -------
        display : LRScheduleDisplay
            This display, with ``ax_``, ``figure_``, ``line_`` and ``momentum_ax_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        TypeError
            If ``ax`` is no Axes.
        ValueError
            If rates or momenta are empty, not finite or of different lengths, ``epoch_ends`` do
            not rise to the number of batches, restarts lack them, ``scale`` is unknown, or there
            is no momentum to draw.
        """
        check_option("scale", scale, ("linear", "log"))
        lrs = check_values("lrs", self.lrs)
        ends = self._check_ends(len(lrs))
        momenta = self._check_momenta(len(lrs)) if momentum else None
        ax = self.ax_ = one_axes(self, ax, figsize=(7.2, 4.2))
        self.figure_ = ax.figure
        places = _places(len(lrs), ends)
        held = {"drawstyle": "steps-post"}
        (self.line_,) = ax.plot(places, lrs, color=BLUE, lw=1.6, label="learning rate", **held)
        handles = [self.line_, *self._plot_restarts(ax, places, lrs, ends)]
        from matplotlib.ticker import MaxNLocator

        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(xlabel="Batch" if ends is None else "Epoch", ylabel="Learning rate", yscale=scale)
        ax.spines[["top", "right"]].set_visible(False)
        self.momentum_ax_ = None
        if momenta is not None:
            self.momentum_ax_ = ax.twinx()
            style = {"color": ORANGE, "lw": 1.2, "ls": "--", "label": "momentum", **held}
            handles += self.momentum_ax_.plot(places, momenta, **style)
            self.momentum_ax_.set_ylabel("Momentum")
            self.momentum_ax_.spines["top"].set_visible(False)
        if len(handles) > 1:
            # Above, as the lines of two axes leave no place inside.
            above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 2}
            ax.legend(handles=handles, frameon=False, **(above if momentum else {}))
        return self

    def _plot_restarts(self, ax, places, lrs, ends):
        """Mark restarts that a batch came after, and return a handle for each kind."""
        handles = []
        events = [event for event in self.restarts or () if event and event["epoch"] < len(ends)]
        for is_early, name in ((False, "restart"), (True, "restart before the peak")):
            epochs = [event["epoch"] for event in events if event["before_peak"] == is_early]
            if not epochs:
                continue
            rows = ends[np.array(epochs) - 1]
            fill = "white" if is_early else VERMILION
            style = {"color": VERMILION, "mfc": fill, "ls": "none", "zorder": 4}
            label = f"{name} ({len(epochs)})"
            handles += ax.plot(places[rows], lrs[rows], "o", label=label, **style)
            for epoch in epochs:
                ax.axvline(epoch, color=GREY, lw=0.7, ls=":")
        return handles

    def _check_momenta(self, n_batches):
        if self.momenta is None:
            raise ValueError("momentum=True has no momenta to draw; use momentum=False.")
        momenta = check_values("momenta", self.momenta)
        if len(momenta) != n_batches:
            raise ValueError(
                f"momenta has {len(momenta)} batches but lrs has {n_batches}; give one per batch."
            )
        return momenta

    def _check_ends(self, n_batches):
        if self.epoch_ends is None:
            if self.restarts:
                raise ValueError("restarts are counted in epochs; give epoch_ends too.")
            return None
        ends = np.asarray(self.epoch_ends)
        if ends.ndim != 1 or (np.diff(ends, prepend=0) <= 0).any() or ends[-1] != n_batches:
            raise ValueError(
                f"epoch_ends={self.epoch_ends} must rise to the number of batches, {n_batches}."
            )
        return ends


def _places(n_batches, ends):
    """Return where each batch begins on the axis, in batches or epochs, (n_batches,)."""
    batches = np.arange(n_batches)
    return batches if ends is None else np.interp(batches, [0, *ends], range(len(ends) + 1))


def _trained_batches(epoch):
    """Return the entries of an epoch's training batches, alike where the epoch has the rate."""
    batches = [batch for batch in epoch["batches"] if "lr" in batch]
    return batches or epoch.get("train_batch_count", 0) * [{"lr": epoch["lr"]}]
