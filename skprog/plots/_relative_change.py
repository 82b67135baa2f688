"""How far predictions are off, on training and on test data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..metrics import relative_change_difference
from ._axes import BLUE, GREY, ORANGE, check_values, one_axes

if TYPE_CHECKING:
    from typing import Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

    from ..sequences import RunSequences


class RelativeChangeDisplay:
    """Histogram of the relative change difference, test beside training data [1]_.

    Make one with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    rcd : array-like of shape (n_windows,)
        Relative change difference of the test data; see
        :func:`skprog.metrics.relative_change_difference`.
    rcd_train : array-like of shape (n_train_windows,), default=None
        The same of the training data. None draws test data only.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes drawn on.
    figure_ : matplotlib Figure
        Figure that holds them.

    References
    ----------
    .. [1] R. Cosin, L. S. F. Ribeiro and K. Castelo Branco, "Bearing failure prognostics using
       recurrent neural networks: a spectral data based architecture", SIBGRAPI 2023, Fig. 6.

    Examples
    --------
    >>> from skprog.plots import RelativeChangeDisplay
    >>> display = RelativeChangeDisplay.from_predictions([100.0, 80.0], [50.0, 80.0])
    >>> display.rcd
    array([-0.5,  0. ])
    """

    def __init__(self, rcd: ArrayLike, *, rcd_train: ArrayLike | None = None) -> None:
        self.rcd = rcd
        self.rcd_train = rcd_train

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: RunSequences | ArrayLike,
        y: ArrayLike,
        *,
        X_train: RunSequences | ArrayLike | None = None,
        y_train: ArrayLike | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Predict and draw.

        Parameters
        ----------
        estimator : estimator
            Fitted; ``predict(X)`` returns the RUL in s.
        X : RunSequences or array-like
            Test rows.
        y : array-like of shape (n_windows,)
            True RUL of the test rows in s.
        X_train : RunSequences or array-like, default=None
            Training rows.
        y_train : array-like of shape (n_train_windows,), default=None
            True RUL of the training rows in s.
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : RelativeChangeDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If only one of ``X_train`` and ``y_train`` is given, or as for
            :meth:`from_predictions`.
        """
        if (X_train is None) != (y_train is None):
            raise ValueError("X_train and y_train belong together; give both or neither.")
        y_train_pred = None if X_train is None else estimator.predict(X_train)
        return cls.from_predictions(
            y, estimator.predict(X), y_train=y_train, y_train_pred=y_train_pred, ax=ax
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        y_train: ArrayLike | None = None,
        y_train_pred: ArrayLike | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw predictions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_windows,)
            True and predicted RUL of the test data in s.
        y_train, y_train_pred : array-like of shape (n_train_windows,), default=None
            True and predicted RUL of the training data in s.
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : RelativeChangeDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If only one of ``y_train`` and ``y_train_pred`` is given, or arrays are empty, not
            finite or of unequal length.
        """
        if (y_train is None) != (y_train_pred is None):
            raise ValueError("y_train and y_train_pred belong together; give both or neither.")
        rcd = relative_change_difference(y_true, y_pred)
        rcd_train = None
        if y_train is not None and y_train_pred is not None:
            rcd_train = relative_change_difference(y_train, y_train_pred)
        return cls(rcd, rcd_train=rcd_train).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the histograms as shares of the windows, in 40 bins over [-1, 1].

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : RelativeChangeDisplay
            This display, with ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If values are empty or not finite.
        """
        rcd = check_values("rcd", self.rcd)
        rcd_train = self.rcd_train
        if rcd_train is not None:
            rcd_train = check_values("rcd_train", rcd_train)
        ax = self.ax_ = one_axes(self, ax, figsize=(6.4, 4.0))
        self.figure_ = ax.figure
        for name, values, color in (("training", rcd_train, BLUE), ("test", rcd, ORANGE)):
            if values is None:
                continue
            # Predictions below 0 lie beyond -1; they count in the first bin.
            share = np.full(len(values), 100 / len(values))
            ax.hist(
                np.clip(values, -1, 1),
                np.linspace(-1, 1, 41),
                weights=share,
                color=color,
                alpha=0.6,
                label=f"{name} ({len(values)} windows)",
            )
        ax.axvline(0, color=GREY, lw=1, ls="--")
        ax.set(xlabel="Relative change difference", ylabel="Share of windows (%)", xlim=(-1, 1))
        ax.text(0.02, 1.02, "← predicted too short", transform=ax.transAxes, color=GREY)
        ax.text(0.98, 1.02, "predicted too long →", transform=ax.transAxes, color=GREY, ha="right")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)
        return self
