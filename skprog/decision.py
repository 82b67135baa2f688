"""From RUL predictions to the time of replacement: smooth each run, then compare with a threshold.

The flow is RUL in s -> :func:`ema` -> smoothed RUL <= ``threshold * max_life`` -> replace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter
from sklearn.base import BaseEstimator

from ._checks import as_numbers, check_finite, check_number
from ._runs import all_one_run, check_time, run_bounds, run_starts

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike

__all__ = ["MaintenanceRule", "ema", "replacement_time"]


def ema(rul: ArrayLike, runs: ArrayLike | None = None, *, span: float = 30) -> np.ndarray:
    """Smooth the RUL along each run by an exponential moving average.

    The first value of a run is kept; from then on ``s[i] = a * rul[i] + (1 - a) * s[i - 1]`` with
    ``a = 2 / (span + 1)``. Runs do not touch each other.

    Parameters
    ----------
    rul : array-like of shape (..., n_windows)
        RUL of each window in s, in time order within a run.
    runs : array-like of shape (n_windows,), default=None
        Run of each window. None reads all windows as one run.
    span : float, default=30
        Windows that the average spans, at least 1. It delays an alarm by about ``span / 2``
        windows; 1 does not smooth.

    Returns
    -------
    smoothed : ndarray of shape (..., n_windows), float64
        Smoothed RUL in s.

    Raises
    ------
    ValueError
        If ``rul`` is empty, not finite or no real number, ``runs`` has another length or is
        interleaved, or ``span`` is below 1.

    Examples
    --------
    >>> from skprog.decision import ema
    >>> ema([8.0, 4.0, 0.0, 6.0, 6.0], ["a", "a", "a", "b", "b"], span=3)
    array([8., 6., 3., 6., 6.])
    """
    check_number("span", span, minimum=1)
    rul, runs = _check_rul(rul, runs)
    alpha = 2 / (float(span) + 1)
    # Half of it, whose differences cannot overflow.
    rul = rul / 2
    smoothed = np.empty_like(rul)
    for start, stop in run_bounds(runs):
        first = rul[..., start : start + 1]
        # Taken from the first value, so that a constant stays what it is to the last bit.
        change = lfilter([alpha], [1, alpha - 1], rul[..., start:stop] - first)
        smoothed[..., start:stop] = 2 * (first + change)
    return smoothed


def replacement_time(
    rul: ArrayLike,
    runs: ArrayLike | None,
    time: ArrayLike,
    *,
    max_life: float,
    threshold: float = 0.1,
    span: float = 30,
) -> np.ndarray:
    """Find when each run's smoothed RUL first comes down to the threshold.

    Parameters
    ----------
    rul : array-like of shape (n_windows,)
        Predicted RUL of each window in s, in time order within a run.
    runs : array-like of shape (n_windows,) or None
        Run of each window. None reads all windows as one run.
    time : array-like of shape (n_windows,)
        Time of each window in s, which does not fall within a run.
    max_life : float
        Maximum expected life in s, learnt from training runs.
    threshold : float, default=0.1
        RUL at which to replace, as a fraction of ``max_life``.
    span : float, default=30
        Windows that the moving average spans; see :func:`ema`.

    Returns
    -------
    times : ndarray of shape (n_runs,)
        Time of the first window with smoothed RUL <= ``threshold * max_life`` in s, NaN where
        there is none; runs in order of appearance.

    Raises
    ------
    ValueError
        If the arrays differ in length, are empty or not finite, runs are interleaved, ``time``
        falls within a run, or ``max_life``, ``threshold`` or ``span`` is out of range.

    Examples
    --------
    >>> from skprog.decision import replacement_time
    >>> rul, time = [300.0, 200.0, 100.0, 900.0, 800.0], [0, 10, 20, 0, 10]
    >>> replacement_time(rul, ["a", "a", "a", "b", "b"], time, max_life=2000, span=1)
    array([10., nan])
    """
    rows = replacement_rows(rul, runs, max_life=max_life, threshold=threshold, span=span)
    time = check_time(time, all_one_run(runs, np.size(rul)))
    return np.where(rows < 0, np.nan, time[rows])


class MaintenanceRule(BaseEstimator):
    """Rule that replaces a unit once its smoothed RUL comes down to a share of the expected life.

    Parameters
    ----------
    threshold : float, default=0.1
        RUL at which to replace, as a fraction of ``max_life``. The paper takes 10 % [1]_.
    span : float, default=30
        Windows that the moving average spans; see :func:`ema`.
    max_life : float, default=None
        Maximum expected life in s, learnt from training runs. None takes ``max_life_`` of the
        estimator given to :meth:`apply`.

    References
    ----------
    .. [1] R. Cosin, L. S. F. Ribeiro and K. Castelo Branco, "Bearing failure prognostics using
       recurrent neural networks: a spectral data based architecture", SIBGRAPI 2023.

    Examples
    --------
    >>> from skprog.decision import MaintenanceRule
    >>> rule = MaintenanceRule(threshold=0.1, span=1, max_life=2000)
    >>> rule.decide([400.0, 300.0, 200.0, 250.0])
    array([False, False,  True,  True])
    """

    def __init__(
        self, threshold: float = 0.1, *, span: float = 30, max_life: float | None = None
    ) -> None:
        self.threshold = threshold
        self.span = span
        self.max_life = max_life

    def decide(self, rul: ArrayLike, runs: ArrayLike | None = None) -> np.ndarray:
        """Say for each window whether the unit is to be replaced.

        Parameters
        ----------
        rul : array-like of shape (n_windows,)
            Predicted RUL of each window in s, in time order within a run.
        runs : array-like of shape (n_windows,), default=None
            Run of each window. None reads all windows as one run.

        Returns
        -------
        replace : ndarray of shape (n_windows,), bool
            True from a run's first window at the threshold to its end.

        Raises
        ------
        ValueError
            If ``max_life`` is None, or see :func:`replacement_time`.
        """
        rows = self._rows(rul, runs, self.max_life)
        replace = np.zeros(np.size(rul), dtype=bool)
        bounds = run_bounds(all_one_run(runs, np.size(rul)))
        for row, (_, stop) in zip(rows, bounds, strict=True):
            if row >= 0:
                replace[row:stop] = True
        return replace

    def replacement_times(self, rul: ArrayLike, X: Any) -> dict[str, Any]:
        """Find when each run is to be replaced.

        Parameters
        ----------
        rul : array-like of shape (n_windows,)
            Predicted RUL of each row of ``X`` in s.
        X : RunSequences or Bunch
            Anything with ``runs`` and ``time``, both of shape (n_windows,).

        Returns
        -------
        times : dict
            Time of replacement in s per run id, in order of appearance; NaN for a run that never
            comes down to the threshold.

        Raises
        ------
        ValueError
            If ``X`` has no time, ``max_life`` is None, or see :func:`replacement_time`.
        """
        return self._times(rul, X, self.max_life)

    def apply(self, estimator: BaseEstimator, X: Any) -> dict[str, Any]:
        """Predict the RUL of each run and find when it is to be replaced.

        Parameters
        ----------
        estimator : estimator
            Fitted; ``predict(X)`` returns the RUL in s.
        X : RunSequences
            Windows to predict, with time.

        Returns
        -------
        times : dict
            As from :meth:`replacement_times`.

        Raises
        ------
        ValueError
            If ``X`` has no time, or neither the rule nor the estimator has a ``max_life``.
        """
        return self._times(estimator.predict(X), X, find_max_life(estimator, self.max_life))

    def _times(self, rul: ArrayLike, X: Any, max_life: float | None) -> dict[str, Any]:
        time = getattr(X, "time", None)
        if time is None:
            raise ValueError("X has no time; pass time= to RunSequences.from_runs.")
        given = {"max_life": _given(max_life), "threshold": self.threshold, "span": self.span}
        runs = np.asarray(X.runs)
        times = replacement_time(rul, runs, time, **given)
        return dict(zip(runs[run_starts(runs)].tolist(), times.tolist(), strict=True))

    def _rows(self, rul: ArrayLike, runs: ArrayLike | None, max_life: float | None) -> np.ndarray:
        given = {"max_life": _given(max_life), "threshold": self.threshold, "span": self.span}
        return replacement_rows(rul, runs, **given)


def replacement_rows(
    rul: ArrayLike,
    runs: ArrayLike | None,
    *,
    max_life: float,
    threshold: float,
    span: float,
) -> np.ndarray:
    """Return the row of each run's first window at the threshold, (n_runs,); -1 for none."""
    check_number("max_life", max_life, above=0)
    check_number("threshold", threshold, minimum=0, maximum=1)
    rul, runs = _check_rul(rul, runs)
    if rul.ndim != 1:
        raise ValueError(f"rul has shape {rul.shape}; give one RUL per window, (n_windows,).")
    at_threshold = ema(rul, runs, span=span) <= threshold * max_life
    bounds = run_bounds(runs)
    first = [start + int(at_threshold[start:stop].argmax()) for start, stop in bounds]
    return np.array([row if at_threshold[row] else -1 for row in first])


def find_max_life(estimator: BaseEstimator, max_life: float | None = None) -> float:
    """Return ``max_life`` if given, else the one an estimator, or one inside it, has learnt."""
    if max_life is not None:
        return max_life
    found = _search_max_life(estimator)
    if found is None:
        raise ValueError(
            f"{type(estimator).__name__} has no max_life_; pass max_life in s, the largest RUL of "
            "the training runs."
        )
    return found


def _search_max_life(estimator: Any) -> float | None:
    if hasattr(estimator, "max_life_"):
        return estimator.max_life_
    if hasattr(estimator, "transformer_"):
        # What a TransformedTargetRegressor holds has learnt from transformed RUL, not from s.
        return getattr(estimator.transformer_, "max_life_", None)
    inner = [getattr(estimator, "best_estimator_", None)]
    if hasattr(estimator, "steps"):
        inner.append(estimator.steps[-1][1])
    group = getattr(estimator, "estimators_", [])
    # Not for lists: NumPy would take a Pipeline in one apart, step by step.
    inner.extend(group.ravel() if isinstance(group, np.ndarray) else group)
    lives = [_search_max_life(each) for each in inner if each is not None]
    return max((life for life in lives if life is not None), default=None)


def _given(max_life: float | None) -> float:
    if max_life is None:
        raise ValueError(
            "max_life is None; pass max_life=model.max_life_, or use apply(estimator, X)."
        )
    return max_life


def _check_rul(rul: ArrayLike, runs: ArrayLike | None) -> tuple[np.ndarray, np.ndarray]:
    rul = as_numbers("rul", rul)
    if rul.ndim == 0 or rul.size == 0:
        raise ValueError(f"rul of shape {rul.shape} holds none; at least 1 window is required.")
    check_finite(rul, "rul")
    return rul, all_one_run(runs, rul.shape[-1])
