"""Predicted against true RUL, with the regions that matter for maintenance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._checks import check_number, check_rul_pair
from .._runs import check_runs, run_bounds
from ..decision import find_max_life
from ._axes import BLUE, GREEN, GREY, ORANGE, VERMILION, import_pyplot, one_axes

if TYPE_CHECKING:
    from typing import Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

    from ..sequences import RunSequences


class PredictedVsTrueDisplay:
    """Predicted against true RUL over the regions of the maintenance objective [1]_.

    The threshold cuts the plane into four: replaced in time (both at or below it), failure in
    service (only the true RUL is), premature replacement (only the prediction is), and far from
    failure, where a rough prediction is enough.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_windows,)
        True and predicted RUL in s.
    runs : array-like of shape (n_windows,), default=None
        Run of each window, to colour by. None draws all windows alike.
    max_life : float
        Maximum expected life (MEL) in s.
    threshold : float, default=0.1
        RUL at which to replace, as a fraction of ``max_life``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes drawn on.
    figure_ : matplotlib Figure
        Figure that holds them.

    Notes
    -----
    The paper draws its regions as a concept, without numbers; the replacement threshold as their
    border is the reading here.

    References
    ----------
    .. [1] R. Cosin, L. S. F. Ribeiro and K. Castelo Branco, "Bearing failure prognostics using
       recurrent neural networks: a spectral data based architecture", SIBGRAPI 2023, Figs. 2
       and 5.

    Examples
    --------
    >>> from skprog.plots import PredictedVsTrueDisplay
    >>> display = PredictedVsTrueDisplay.from_predictions([900, 50], [700, 400], max_life=1000)
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('True RUL (s)', 'Predicted RUL (s)')
    """

    def __init__(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        runs: ArrayLike | None = None,
        max_life: float,
        threshold: float = 0.1,
    ) -> None:
        self.y_true = y_true
        self.y_pred = y_pred
        self.runs = runs
        self.max_life = max_life
        self.threshold = threshold

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: RunSequences | ArrayLike,
        y: ArrayLike,
        *,
        max_life: float | None = None,
        threshold: float = 0.1,
        ax: Axes | None = None,
    ) -> Self:
        """Predict and draw.

        Parameters
        ----------
        estimator : estimator
            Fitted; ``predict(X)`` returns the RUL in s.
        X : RunSequences or array-like
            Rows to predict.
        y : array-like of shape (n_windows,)
            True RUL in s.
        max_life : float, default=None
            Maximum expected life in s. None takes ``max_life_`` of the estimator or of one inside
            it.
        threshold : float, default=0.1
            RUL at which to replace, as a fraction of ``max_life``.
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : PredictedVsTrueDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If no ``max_life`` is found, or as for :meth:`from_predictions`.
        """
        return cls.from_predictions(
            y,
            estimator.predict(X),
            runs=getattr(X, "runs", None),
            max_life=find_max_life(estimator, max_life),
            threshold=threshold,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        runs: ArrayLike | None = None,
        max_life: float,
        threshold: float = 0.1,
        ax: Axes | None = None,
    ) -> Self:
        """Draw predictions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_windows,)
            True and predicted RUL in s.
        runs : array-like of shape (n_windows,), default=None
            Run of each window, to colour by. None draws all windows alike.
        max_life : float
            Maximum expected life in s.
        threshold : float, default=0.1
            RUL at which to replace, as a fraction of ``max_life``.
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : PredictedVsTrueDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            As for :meth:`plot`.
        """
        display = cls(y_true, y_pred, runs=runs, max_life=max_life, threshold=threshold)
        return display.plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the regions and the predictions.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : PredictedVsTrueDisplay
            This display, with ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If arrays differ in length, are empty or not finite, ``y_true`` is negative, runs are
            interleaved, or a setting is out of range.
        """
        check_number("max_life", self.max_life, above=0)
        check_number("threshold", self.threshold, minimum=0, maximum=1)
        y_true, y_pred = check_rul_pair(self.y_true, self.y_pred)
        runs = None if self.runs is None else check_runs(self.runs, len(y_true))
        ax = self.ax_ = one_axes(self, ax, figsize=(7.6, 5.0))
        colormaps = import_pyplot(self).colormaps
        self.figure_ = ax.figure
        top = 1.03 * max(self.max_life, y_true.max(), y_pred.max())
        limit = self.threshold * self.max_life
        dots = {"ms": 4, "alpha": 0.6, "mew": 0}
        # Corner, width and height of each region.
        regions = {
            "replaced in time": (0, 0, limit, limit, GREEN),
            "failure in service": (0, limit, limit, top - limit, VERMILION),
            "premature replacement": (limit, 0, top - limit, limit, ORANGE),
            "far from failure": (limit, limit, top - limit, top - limit, "0.8"),
        }
        for name, (x, y, width, height, color) in regions.items():
            ax.fill_between(
                [x, x + width], y, y + height, color=color, alpha=0.3, lw=0, label=name, zorder=0
            )
        ax.plot([0, top], [0, top], color=GREY, lw=1, ls="--", label="predicted = true")
        if runs is None:
            ax.plot(y_true, y_pred, ".", color=BLUE, **dots)
        else:
            bounds = run_bounds(runs)
            colors = colormaps["turbo"](np.linspace(0.05, 0.95, len(bounds)))
            for (start, stop), color in zip(bounds, colors, strict=True):
                rows, name = slice(start, stop), str(runs[start])
                ax.plot(y_true[rows], y_pred[rows], ".", color=color, label=name, **dots)
        ax.set(xlabel="True RUL (s)", ylabel="Predicted RUL (s)", aspect="equal")
        ax.set(xlim=(0, top), ylim=(min(0, y_pred.min()), top))
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False, markerscale=3)
        return self
