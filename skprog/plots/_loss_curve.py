"""Losses over the epochs of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._checks import as_numbers, check_integer, check_option
from ._axes import BLUE, GREY, VERMILION, one_axes

if TYPE_CHECKING:
    from typing import Literal, Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator
    from skorch import NeuralNet


class LossCurveDisplay:
    """Training and validation loss over the epochs of a fit.

    Parameters
    ----------
    train_losses : array-like of shape (n_epochs,)
        Training loss of each epoch. NaN and infinity leave gaps.
    valid_losses : array-like of shape (n_epochs,), default=None
        Validation loss of each epoch. None draws the training loss alone.
    best_epoch : int, default=None
        Epoch to mark, counted from 1. None marks none.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes drawn on.
    figure_ : matplotlib Figure
        Figure that holds them.
    lines_ : list of matplotlib Line2D
        Line of the training loss and, if there is one, of the validation loss.

    See Also
    --------
    LRScheduleDisplay : The learning rate over the same epochs.

    Examples
    --------
    >>> from skprog.plots import LossCurveDisplay
    >>> losses = {"train_losses": [1.0, 0.5, 0.2], "valid_losses": [1.0, 0.6, 0.7]}
    >>> display = LossCurveDisplay(**losses, best_epoch=2).plot()
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['training', 'validation', 'best epoch: 2']
    """

    def __init__(
        self,
        train_losses: ArrayLike,
        *,
        valid_losses: ArrayLike | None = None,
        best_epoch: int | None = None,
    ) -> None:
        self.train_losses = train_losses
        self.valid_losses = valid_losses
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator | NeuralNet,
        *,
        scale: Literal["linear", "log"] = "linear",
        ax: Axes | None = None,
    ) -> Self:
        """Draw the losses of a fitted estimator.

        Parameters
        ----------
        estimator : estimator of skprog.estimators or net of skorch
            Fitted. Of several networks the first is drawn. With validation data the best epoch is
            marked, whose weights are kept.
        scale : {"linear", "log"}, default="linear"
            Scale of the losses.
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : LossCurveDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If ``estimator`` is no estimator.
        ValueError
            If it is not fitted or has no losses in its history.
        """
        check_is_fitted(estimator)
        history = getattr(estimator, "history_", [])
        if not any("train_loss" in epoch for epoch in history):
            raise ValueError(
                f"{type(estimator).__name__} has no train_loss in history_; give a fitted "
                "estimator of skprog.estimators, and of a pipeline or a search the one inside."
            )
        losses = {
            name: [epoch.get(name, np.nan) for epoch in history]
            for name in ("train_loss", "valid_loss")
        }
        valid_losses, best_epoch = losses["valid_loss"], None
        if np.isnan(valid_losses).all():
            valid_losses = None
        else:
            lowest = int(np.nanargmin(valid_losses)) + 1
            best_epoch = getattr(estimator, "best_epoch_", lowest)
        display = cls(losses["train_loss"], valid_losses=valid_losses, best_epoch=best_epoch)
        return display.plot(ax=ax, scale=scale)

    def plot(self, ax: Axes | None = None, *, scale: Literal["linear", "log"] = "linear") -> Self:
        """Draw a line for each loss.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.
        scale : {"linear", "log"}, default="linear"
            Scale of the losses.

        Returns
        -------
        display : LossCurveDisplay
            This display, with ``ax_``, ``figure_`` and ``lines_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        TypeError
            If ``ax`` is no Axes or ``best_epoch`` no integer.
        ValueError
            If losses are empty, not 1-d or differ in length, ``best_epoch`` is none of the epochs,
            or ``scale`` is unknown.
        """
        check_option("scale", scale, ("linear", "log"))
        losses = {"training": as_losses("train_losses", self.train_losses)}
        n_epochs = len(losses["training"])
        if self.valid_losses is not None:
            losses["validation"] = as_losses("valid_losses", self.valid_losses)
            if len(losses["validation"]) != n_epochs:
                raise ValueError(
                    f"valid_losses has {len(losses['validation'])} epochs but train_losses has "
                    f"{n_epochs}; give one value per epoch."
                )
        if self.best_epoch is not None and check_integer("best_epoch", self.best_epoch) > n_epochs:
            raise ValueError(
                f"best_epoch={self.best_epoch} exceeds the {n_epochs} epochs there are."
            )
        ax = self.ax_ = one_axes(self, ax, figsize=(6.8, 4.2))
        self.figure_ = ax.figure
        epochs = np.arange(1, n_epochs + 1)
        # A line of a single point would not show.
        style = {"lw": 1.6, "marker": "." if n_epochs <= 30 else ""}
        self.lines_ = []
        for (name, values), color in zip(losses.items(), (BLUE, VERMILION), strict=False):
            self.lines_ += ax.plot(epochs, values, color=color, label=name, **style)
        if self.best_epoch is not None:
            best = list(losses.values())[-1][self.best_epoch - 1]
            ax.axvline(self.best_epoch, color=GREY, lw=0.9, ls=":")
            mark = {"mfc": "white", "mec": GREY, "ms": 8, "ls": "none", "zorder": 4}
            ax.plot(self.best_epoch, best, "o", label=f"best epoch: {self.best_epoch}", **mark)
        from matplotlib.ticker import MaxNLocator

        ax.set(xlabel="Epoch", ylabel="Loss", yscale=scale)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)
        return self


def as_losses(name, losses):
    """Return one loss per epoch as float64, (n_epochs,), NaN where it is not finite."""
    losses = as_numbers(name, losses)
    if losses.ndim != 1 or len(losses) == 0:
        raise ValueError(f"{name} has shape {losses.shape}; give one per epoch, at least 1.")
    return np.where(np.isfinite(losses), losses, np.nan)
