"""Scorers of estimators, with the signature ``(estimator, X, y)``; they read ``X.runs``.

All are better when greater; other settings than the default go in by ``functools.partial``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._runs import check_labels
from ..decision import find_max_life
from ._decisions import maintenance_cost, replacement_error
from ._rul_scores import phm2012_score

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

    from ..sequences import RunSequences


def phm2012_scorer(
    estimator: BaseEstimator,
    X: RunSequences,
    y: ArrayLike,
    *,
    protocol: Literal["life", "truncation"] = "life",
) -> float:
    """Score an estimator by :func:`phm2012_score`.

    Parameters
    ----------
    estimator : estimator
        Fitted; ``predict(X)`` returns the RUL in s.
    X : RunSequences
        Rows to predict.
    y : array-like of shape (n_windows,)
        True RUL in s.
    protocol : {"life", "truncation"}, default="life"
        See :func:`phm2012_score`.

    Returns
    -------
    score : float
        In [0, 1], 1 is perfect.

    Raises
    ------
    TypeError
        If ``X`` has no ``runs``.
    ValueError
        As for :func:`phm2012_score`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GroupKFold, cross_val_score
    >>> from skprog.estimators import DummyRUL
    >>> from skprog.metrics import phm2012_scorer
    >>> from skprog.sequences import RunSequences
    >>> runs, time = np.repeat(["a", "b"], 3), [0.0, 10.0, 20.0] * 2
    >>> X = RunSequences.from_runs(np.zeros((6, 2)), runs, n_steps=2, time=time)
    >>> y = np.array([20.0, 10.0, 0.0] * 2)
    >>> cross_val_score(
    ...     DummyRUL(), X, y, groups=X.runs, cv=GroupKFold(2), scoring=phm2012_scorer
    ... )
    array([1., 1.])
    """
    truth = _truth(X, y)
    return phm2012_score(truth.y, estimator.predict(X), runs=truth.runs, protocol=protocol)


def neg_replacement_error_scorer(
    estimator: BaseEstimator,
    X: RunSequences,
    y: ArrayLike,
    *,
    max_life: float | None = None,
    threshold: float = 0.1,
    span: float = 30,
) -> float:
    """Score an estimator by the mean absolute :func:`replacement_error`, negated.

    Runs that fail in service are left out. So read it beside
    :func:`neg_failures_in_service_scorer`, and choose models by
    :func:`neg_maintenance_cost_scorer`, which has both.

    Parameters
    ----------
    estimator : estimator
        Fitted; ``predict(X)`` returns the RUL in s.
    X : RunSequences
        Rows to predict.
    y : array-like of shape (n_windows,)
        True RUL in s.
    max_life : float, default=None
        Maximum expected life in s. None takes ``max_life_`` of the estimator or of one inside it.
    threshold : float, default=0.1
        RUL at which to replace, as a fraction of ``max_life``.
    span : float, default=30
        Windows that the moving average spans.

    Returns
    -------
    score : float
        In percent of ``max_life``, at most 0; NaN if no run with an error is replaced in time.

    Raises
    ------
    TypeError
        If ``X`` has no ``runs``.
    ValueError
        If no ``max_life`` is found, or as for :func:`replacement_error`.
    """
    result = _replacement(estimator, X, y, max_life=max_life, threshold=threshold, span=span)
    return -result.mean_abs_error


def neg_failures_in_service_scorer(
    estimator: BaseEstimator,
    X: RunSequences,
    y: ArrayLike,
    *,
    max_life: float | None = None,
    threshold: float = 0.1,
    span: float = 30,
) -> float:
    """Score an estimator by the share of runs that fail before they are replaced, negated.

    Parameters
    ----------
    estimator : estimator
        Fitted; ``predict(X)`` returns the RUL in s.
    X : RunSequences
        Rows to predict.
    y : array-like of shape (n_windows,)
        True RUL in s.
    max_life : float, default=None
        Maximum expected life in s. None takes ``max_life_`` of the estimator or of one inside it.
    threshold : float, default=0.1
        RUL at which to replace, as a fraction of ``max_life``.
    span : float, default=30
        Windows that the moving average spans.

    Returns
    -------
    score : float
        In [-1, 0]; 0 is best.

    Raises
    ------
    TypeError
        If ``X`` has no ``runs``.
    ValueError
        If no ``max_life`` is found, or as for :func:`replacement_error`.
    """
    result = _replacement(estimator, X, y, max_life=max_life, threshold=threshold, span=span)
    return -float(result.failed_in_service.mean())


def neg_maintenance_cost_scorer(
    estimator: BaseEstimator,
    X: RunSequences,
    y: ArrayLike,
    *,
    max_life: float | None = None,
    threshold: float = 0.1,
    span: float = 30,
    late_factor: float = 4,
) -> float:
    """Score an estimator by :func:`maintenance_cost`, negated.

    Parameters
    ----------
    estimator : estimator
        Fitted; ``predict(X)`` returns the RUL in s.
    X : RunSequences
        Rows to predict.
    y : array-like of shape (n_windows,)
        True RUL in s.
    max_life : float, default=None
        Maximum expected life in s. None takes ``max_life_`` of the estimator or of one inside it.
    threshold : float, default=0.1
        RUL at which to replace, as a fraction of ``max_life``.
    span : float, default=30
        Windows that the moving average spans.
    late_factor : float, default=4
        How much dearer late is than early.

    Returns
    -------
    score : float
        As a fraction of ``max_life``, at most 0; NaN if no run has an error.

    Raises
    ------
    TypeError
        If ``X`` has no ``runs``.
    ValueError
        If no ``max_life`` is found, or as for :func:`maintenance_cost`.
    """
    truth = _truth(X, y)
    return -maintenance_cost(
        truth.y,
        estimator.predict(X),
        runs=truth.runs,
        failed=truth.failed,
        max_life=find_max_life(estimator, max_life),
        threshold=threshold,
        span=span,
        late_factor=late_factor,
    )


def _replacement(estimator, X, y, **rule):
    truth = _truth(X, y)
    rule["max_life"] = find_max_life(estimator, rule["max_life"])
    return replacement_error(
        truth.y, estimator.predict(X), runs=truth.runs, failed=truth.failed, **rule
    )


class _Truth(NamedTuple):
    """RUL in s and run of each row, and whether that fails, None if nobody said."""

    y: np.ndarray
    runs: np.ndarray
    failed: np.ndarray | None


def _truth(X, y):
    if not hasattr(X, "runs"):
        raise TypeError(
            f"X of type {type(X).__name__} has no runs; give the scorer a RunSequences."
        )
    return _Truth(check_labels(X, y, to_fit=False), X.runs, getattr(X, "failed", None))
