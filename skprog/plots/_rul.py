"""Predicted and true RUL along each run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._checks import check_rul_pair
from .._runs import all_one_run, check_time, run_bounds
from ..decision import ema, find_max_life, replacement_rows
from ..metrics import replacement_error
from ._axes import BLUE, GREY, SKY, VERMILION, several_axes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

    from ..sequences import RunSequences


class RULDisplay:
    """Predicted and true RUL along each run, with the point of replacement.

    Make one with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    y_true, y_pred, smoothed : ndarray of shape (n_windows,)
        True, predicted and smoothed predicted RUL in s, in time order within a run.
    runs : ndarray of shape (n_windows,)
        Run of each window.
    time : ndarray of shape (n_windows,) or None
        Time of each window in s. None draws over the number of the window.
    rows : ndarray of shape (n_runs,)
        Window at which each run is replaced; -1 for a run that never is.
    error : ndarray of shape (n_runs,)
        Replacement error in percent of ``max_life``; see :func:`skprog.metrics.replacement_error`.
    failed_in_service : ndarray of shape (n_runs,), bool
        Whether the run fails before it is replaced.
    max_life : float
        Maximum expected life (MEL) in s.
    threshold : float, default=0.1
        RUL at which to replace, as a fraction of ``max_life``.

    Attributes
    ----------
    ax_ : ndarray of shape (n_runs,) of matplotlib Axes
        Axes of each run.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> import numpy as np
    >>> from skprog.plots import RULDisplay
    >>> y_true = 10.0 * np.arange(400)[::-1]
    >>> display = RULDisplay.from_predictions(y_true, 1.2 * y_true, max_life=5000)
    >>> display.ax_[0].get_title()
    'replaced 5 % of MEL late'
    """

    def __init__(
        self,
        *,
        y_true: np.ndarray,
        y_pred: np.ndarray,
        smoothed: np.ndarray,
        runs: np.ndarray,
        time: np.ndarray | None,
        rows: np.ndarray,
        error: np.ndarray,
        failed_in_service: np.ndarray,
        max_life: float,
        threshold: float = 0.1,
    ) -> None:
        self.y_true = y_true
        self.y_pred = y_pred
        self.smoothed = smoothed
        self.runs = runs
        self.time = time
        self.rows = rows
        self.error = error
        self.failed_in_service = failed_in_service
        self.max_life = max_life
        self.threshold = threshold

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: RunSequences,
        y: ArrayLike,
        *,
        max_life: float | None = None,
        threshold: float = 0.1,
        span: float = 30,
        ax: Axes | ArrayLike | None = None,
    ) -> Self:
        """Predict and draw.

        Parameters
        ----------
        estimator : estimator
            Fitted; ``predict(X)`` returns the RUL in s.
        X : RunSequences
            Rows to predict.
        y : array-like of shape (n_windows,)
            True RUL in s.
        max_life : float, default=None
            Maximum expected life in s. None takes ``max_life_`` of the estimator or of one inside
            it.
        threshold : float, default=0.1
            RUL at which to replace, as a fraction of ``max_life``.
        span : float, default=30
            Windows that the moving average spans; see :func:`skprog.decision.ema`.
        ax : matplotlib Axes or array-like of Axes, default=None
            One per run. None draws a new figure.

        Returns
        -------
        display : RULDisplay
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
            time=getattr(X, "time", None),
            max_life=find_max_life(estimator, max_life),
            threshold=threshold,
            span=span,
            failed=getattr(X, "failed", None),
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        runs: ArrayLike | None = None,
        time: ArrayLike | None = None,
        max_life: float,
        threshold: float = 0.1,
        span: float = 30,
        failed: ArrayLike | Mapping[Any, bool] | None = None,
        ax: Axes | ArrayLike | None = None,
    ) -> Self:
        """Draw predictions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_windows,)
            True and predicted RUL in s, in time order within a run.
        runs : array-like of shape (n_windows,), default=None
            Run of each window. None reads all windows as one run.
        time : array-like of shape (n_windows,), default=None
            Time of each window in s. None draws over the number of the window.
        max_life : float
            Maximum expected life in s.
        threshold : float, default=0.1
            RUL at which to replace, as a fraction of ``max_life``.
        span : float, default=30
            Windows that the moving average spans; see :func:`skprog.decision.ema`.
        failed : array-like of bool of shape (n_runs,) or (n_windows,), or mapping, default=None
            As for :func:`skprog.metrics.replacement_error`.
        ax : matplotlib Axes or array-like of Axes, default=None
            One per run. None draws a new figure.

        Returns
        -------
        display : RULDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If arrays differ in length, are empty or not finite, ``y_true`` is negative or rises
            within a run, ``time`` falls within one, runs are interleaved, a setting is out of
            range, or ``ax`` holds another number of axes.
        """
        y_true, y_pred = check_rul_pair(y_true, y_pred)
        ids = all_one_run(runs, len(y_true))
        time = None if time is None else check_time(time, ids)
        rule = {"max_life": max_life, "threshold": threshold, "span": span}
        result = replacement_error(y_true, y_pred, runs=ids, failed=failed, **rule)
        display = cls(
            y_true=y_true,
            y_pred=y_pred,
            smoothed=ema(y_pred, ids, span=span),
            runs=np.full(len(ids), "") if runs is None else ids,
            time=time,
            rows=replacement_rows(y_pred, ids, **rule),
            error=result.error,
            failed_in_service=result.failed_in_service,
            max_life=max_life,
            threshold=threshold,
        )
        return display.plot(ax=ax)

    def plot(self, ax: Axes | ArrayLike | None = None) -> Self:
        """Draw each run on axes of its own.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            One per run. None draws a new figure.

        Returns
        -------
        display : RULDisplay
            This display, with ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If ``ax`` holds another number of axes than there are runs.
        """
        bounds = run_bounds(self.runs)
        self.ax_, is_new = several_axes(
            self, ax, len(bounds), n_columns=3, size=(4.4, 3.3), sharey=True
        )
        self.figure_ = self.ax_[0].figure
        for i, (axes, (start, stop)) in enumerate(zip(self.ax_, bounds, strict=True)):
            self._plot_run(axes, start, stop, self.rows[i])
            verdict = _verdict(self.rows[i], self.error[i], self.failed_in_service[i])
            axes.set_title(
                ": ".join(filter(None, [str(self.runs[start]), verdict])), fontsize="medium"
            )
        for axes in self.ax_[::3] if is_new else self.ax_:
            axes.set_ylabel("RUL (s)")
            axes.set_ylim(bottom=min(0, self.y_pred.min()))
        if is_new and len(bounds) > 1:
            self.figure_.legend(*_legend_of(self.ax_), loc="outside lower center", ncols=6)
        else:
            self.ax_[0].legend(*_legend_of(self.ax_), fontsize="small")
        return self

    def _plot_run(self, ax, start, stop, row):
        x = np.arange(stop - start) if self.time is None else self.time[start:stop]
        limit = self.threshold * self.max_life
        rows = slice(start, stop)
        ax.plot(x, self.y_pred[rows], color=SKY, alpha=0.6, lw=0.8, label="predicted")
        ax.plot(x, self.smoothed[rows], color=BLUE, lw=1.8, label="predicted, smoothed")
        ax.plot(x, self.y_true[rows], color=GREY, lw=1.5, ls=(0, (5, 2)), label="true")
        ax.axhline(limit, color=GREY, lw=0.9, ls=":", label=f"{100 * self.threshold:g} % of MEL")
        right = np.flatnonzero(self.y_true[rows] <= limit)
        if len(right) and right[0] > 0:
            ax.plot(x[right[0]], limit, "o", mfc="white", mec=GREY, label="right time", zorder=4)
        if row >= 0:
            ax.axvline(x[row - start], color=VERMILION, lw=1.2)
            ax.plot(
                x[row - start], self.smoothed[row], "o", color=VERMILION, label="replaced", zorder=5
            )
        ax.set_xlabel("Window" if self.time is None else "Time (s)")
        ax.spines[["top", "right"]].set_visible(False)


def _verdict(row, error, failed):
    if failed:
        return "fails in service"
    if row < 0:
        return "has not failed, not replaced"
    if np.isnan(error):
        return "life too short for an error"
    side = "late" if error < 0 else "early"
    return f"replaced {abs(error):.0f} % of MEL {side}"


def _legend_of(axes):
    """Return the handles and labels of all axes, each label once."""
    handles = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    return list(handles.values()), list(handles)
