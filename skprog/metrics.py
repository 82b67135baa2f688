"""Scores of RUL predictions and of the maintenance decisions that follow from them.

Scorers have the signature ``(estimator, X, y)``, read ``X.runs`` and are better when greater; other
settings than the default go in by ``functools.partial``.
"""

import numpy as np
from sklearn.utils import Bunch

from ._checks import as_numbers, check_finite, check_number, check_option
from ._runs import all_one_run, check_order, check_runs, run_bounds
from .decision import find_max_life, replacement_rows

__all__ = [
    "maintenance_cost",
    "neg_failures_in_service_scorer",
    "neg_maintenance_cost_scorer",
    "neg_replacement_error_scorer",
    "phm2012_score",
    "phm2012_scorer",
    "relative_change_difference",
    "replacement_error",
]


def phm2012_score(y_true, y_pred, *, runs=None, protocol="life"):
    """Compute the score of the IEEE PHM 2012 challenge [1]_.

    With ``Er = 100 * (y_true - y_pred) / y_true``, a prediction scores ``0.5 ** (-Er / 5)`` when
    it is late (``Er <= 0``) and ``0.5 ** (Er / 20)`` when it is early. Late is the severe side.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_windows,)
        True and predicted RUL in s.
    runs : array-like of shape (n_windows,), default=None
        Run of each window. None reads all windows as one run under "life", and each as a unit of
        its own under "truncation".
    protocol : {"life", "truncation"}, default="life"
        "life" takes the mean over the windows of a run with RUL > 0, then over runs, leaving out
        runs without such a window. "truncation" is the challenge's own: one prediction per unit,
        mean over units. Figures of the two do not compare.

    Returns
    -------
    score : float
        Mean score in [0, 1]; 1 is perfect.

    Raises
    ------
    ValueError
        If the arrays are empty, not finite or of unequal length, ``y_true`` is negative, runs are
        interleaved, no window has RUL > 0 ("life"), or a run has several ("truncation").

    Notes
    -----
    A true RUL of 0 has no percent error: under "truncation" it scores 1 if predicted exactly and
    0 otherwise, which are the limits.

    References
    ----------
    .. [1] P. Nectoux, R. Gouriveau, K. Medjaher, E. Ramasso, B. Chebel-Morello, N. Zerhouni and
       C. Varnier, "PRONOSTIA: An experimental platform for bearings accelerated degradation
       tests", IEEE International Conference on Prognostics and Health Management, 2012.

    Examples
    --------
    >>> from skprog.metrics import phm2012_score
    >>> round(phm2012_score([100.0], [110.0]), 3), round(phm2012_score([100.0], [80.0]), 3)
    (0.25, 0.5)
    """
    check_option("protocol", protocol, ("life", "truncation"))
    y_true, y_pred = check_rul_pair(y_true, y_pred)
    if protocol == "truncation":
        if runs is not None:
            _check_one_window_per_run(check_runs(runs, len(y_true)))
        return float(phm2012_of_each(y_true, y_pred).mean())
    runs = all_one_run(runs, len(y_true))
    alive = y_true > 0
    if not alive.any():
        raise ValueError("no window has RUL > 0, so nothing is left to score; add earlier windows.")
    points = phm2012_of_each(y_true[alive], y_pred[alive])
    means = [points[start:stop].mean() for start, stop in run_bounds(runs[alive])]
    return float(np.mean(means))


def relative_change_difference(y_true, y_pred, *, runs=None):
    """Compute ``(y_pred - y_true) / max(|y_pred|, |y_true|)``, the relative change difference.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_windows,)
        True and predicted RUL in s.
    runs : array-like of shape (n_windows,), default=None
        Run of each window. None returns the value of each window.

    Returns
    -------
    rcd : ndarray of shape (n_windows,) or (n_runs,)
        Value of each window, or the mean of each run in order of appearance. It lies in [-1, 1]
        where predictions are 0 or more; above 0 the prediction is too long (late). 0 against 0
        gives 0.

    Raises
    ------
    ValueError
        If the arrays are empty, not finite or of unequal length, ``y_true`` is negative, or runs
        are interleaved.

    Notes
    -----
    The paper that names this metric [1]_ gives no formula; this is the reading that is bounded and
    treats both sides alike.

    References
    ----------
    .. [1] R. Cosin, L. S. F. Ribeiro and K. Castelo Branco, "Bearing failure prognostics using
       recurrent neural networks: a spectral data based architecture", SIBGRAPI 2023.

    Examples
    --------
    >>> from skprog.metrics import relative_change_difference
    >>> relative_change_difference([100.0, 100.0, 0.0], [50.0, 200.0, 0.0])
    array([-0.5,  0.5,  0. ])
    """
    y_true, y_pred = check_rul_pair(y_true, y_pred)
    scale = np.maximum(np.abs(y_true), np.abs(y_pred))
    scale[scale == 0] = 1
    # Divided first: a difference of two huge numbers may overflow.
    rcd = y_pred / scale - y_true / scale
    if runs is None:
        return rcd
    bounds = run_bounds(check_runs(runs, len(rcd)))
    return np.array([rcd[start:stop].mean() for start, stop in bounds])


def replacement_error(y_true, y_pred, *, runs=None, max_life, threshold=0.1, span=30):
    """Compare the prescribed replacement of each run with the right one [1]_.

    A run is replaced at its first window with smoothed predicted RUL <= ``threshold * max_life``.
    The error is the true RUL there less ``threshold * max_life``, in percent of ``max_life``:
    positive is premature, negative late. A run whose last true RUL is above 0 is cut before its
    failure: without an alarm it neither has an error nor counts as a failure.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_windows,)
        True and predicted RUL in s, in time order within a run, best up to its failure.
    runs : array-like of shape (n_windows,), default=None
        Run of each window. None reads all windows as one run.
    max_life : float
        Maximum expected life in s, learnt from training runs.
    threshold : float, default=0.1
        RUL at which to replace, as a fraction of ``max_life``.
    span : float, default=30
        Windows that the moving average spans; see :func:`skprog.decision.ema`.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        Arrays of one value per run, in order of appearance, and two summaries:

        runs : ndarray of shape (n_runs,)
            Run ids.
        error : ndarray of shape (n_runs,)
            Error in percent of ``max_life``; ``-100 * threshold`` for a failure in service. NaN
            where it is undefined: the largest true RUL of the run is below the threshold, or the
            run is cut before its failure and has no alarm.
        failed_in_service : ndarray of shape (n_runs,), bool
            Whether the run fails before it is replaced: it ends at RUL 0 and no window with
            RUL > 0 is at the threshold. Never replacing at all has a small mean error; count
            these apart.
        mean_abs_error : float
            Mean of ``|error|`` over runs with an error that did not fail in service, in percent of
            ``max_life``; NaN if there are none.
        premature : float
            Share of runs with an error above 20 % among those with an error, in [0, 1]; NaN if
            there are none.

    Raises
    ------
    ValueError
        If the arrays are empty, not finite or of unequal length, ``y_true`` is negative or rises
        within a run, runs are interleaved, or ``max_life``, ``threshold`` or ``span`` is out of
        range.

    References
    ----------
    .. [1] R. Cosin, L. S. F. Ribeiro and K. Castelo Branco, "Bearing failure prognostics using
       recurrent neural networks: a spectral data based architecture", SIBGRAPI 2023.

    Examples
    --------
    The second run is never replaced and fails in service.

    >>> from skprog.metrics import replacement_error
    >>> y_true = [300.0, 200.0, 100.0, 0.0, 200.0, 100.0, 0.0]
    >>> y_pred = [300.0, 100.0, 100.0, 0.0, 900.0, 900.0, 900.0]
    >>> runs = ["a", "a", "a", "a", "b", "b", "b"]
    >>> result = replacement_error(y_true, y_pred, runs=runs, max_life=1000, span=1)
    >>> result.error, result.failed_in_service
    (array([ 10., -10.]), array([False,  True]))
    >>> result.mean_abs_error
    10.0
    """
    y_true, y_pred = check_rul_pair(y_true, y_pred)
    runs = all_one_run(runs, len(y_true))
    check_order("y_true", y_true, runs, "rises")
    rows = replacement_rows(y_pred, runs, max_life=max_life, threshold=threshold, span=span)
    starts, stops = np.transpose(run_bounds(runs))
    limit = threshold * max_life
    left = y_true[np.where(rows < 0, stops - 1, rows)]
    failed = left == 0
    error = 100 * (left - limit) / max_life
    is_cut = (rows < 0) & ~failed
    error[(y_true[starts] < limit) | is_cut] = np.nan
    defined = ~np.isnan(error)
    return Bunch(
        runs=runs[starts],
        error=error,
        failed_in_service=failed,
        mean_abs_error=_mean(np.abs(error[defined & ~failed])),
        premature=_mean(error[defined] > 20),
    )


def maintenance_cost(y_true, y_pred, *, runs=None, max_life, threshold=0.1, span=30, late_factor=4):
    """Compute the mean cost of replacing too early or too late, both in one figure.

    With ``e`` a run's :func:`replacement_error` as a fraction of ``max_life``, its cost is ``e``
    if ``e >= 0`` (life thrown away) and ``-late_factor * e`` otherwise.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_windows,)
        True and predicted RUL in s, in time order within a run, best up to its failure.
    runs : array-like of shape (n_windows,), default=None
        Run of each window. None reads all windows as one run.
    max_life : float
        Maximum expected life in s, learnt from training runs.
    threshold : float, default=0.1
        RUL at which to replace, as a fraction of ``max_life``.
    span : float, default=30
        Windows that the moving average spans; see :func:`skprog.decision.ema`.
    late_factor : float, default=4
        How much dearer late is than early.

    Returns
    -------
    cost : float
        Mean cost over the runs whose error is defined, as a fraction of ``max_life``; 0 is best, a
        failure in service costs ``late_factor * threshold`` (0.4). NaN if no run has an error.

    Raises
    ------
    ValueError
        As for :func:`replacement_error`, or if ``late_factor`` is negative.

    Examples
    --------
    >>> from skprog.metrics import maintenance_cost
    >>> y_true = [300.0, 200.0, 100.0, 0.0]
    >>> maintenance_cost(y_true, [900.0, 900.0, 900.0, 900.0], max_life=1000)
    0.4
    >>> maintenance_cost(y_true, [100.0, 100.0, 100.0, 100.0], max_life=1000)
    0.2
    """
    check_number("late_factor", late_factor, minimum=0)
    error = replacement_error(
        y_true, y_pred, runs=runs, max_life=max_life, threshold=threshold, span=span
    ).error
    e = error[~np.isnan(error)] / 100
    return _mean(np.where(e >= 0, e, -late_factor * e))


def phm2012_scorer(estimator, X, y, *, protocol="life"):
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
    return phm2012_score(y, estimator.predict(X), runs=_runs_of(X), protocol=protocol)


def neg_replacement_error_scorer(estimator, X, y, *, max_life=None, threshold=0.1, span=30):
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


def neg_failures_in_service_scorer(estimator, X, y, *, max_life=None, threshold=0.1, span=30):
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
    return -_mean(result.failed_in_service)


def neg_maintenance_cost_scorer(
    estimator, X, y, *, max_life=None, threshold=0.1, span=30, late_factor=4
):
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
    return -maintenance_cost(
        y,
        estimator.predict(X),
        runs=_runs_of(X),
        max_life=find_max_life(estimator, max_life),
        threshold=threshold,
        span=span,
        late_factor=late_factor,
    )


def check_rul_pair(y_true, y_pred):
    """Return true and predicted RUL in s as float64, (n_windows,) each."""
    y_true, y_pred = as_numbers("y_true", y_true), as_numbers("y_pred", y_pred)
    if y_true.ndim != 1 or y_true.shape != y_pred.shape:
        raise ValueError(
            f"y_true has shape {y_true.shape} and y_pred {y_pred.shape}; both must be (n_windows,)."
        )
    if len(y_true) == 0:
        raise ValueError("y_true is empty; at least 1 window is required.")
    check_finite(y_true, "y_true")
    check_finite(y_pred, "y_pred")
    if y_true.min() < 0:
        raise ValueError(f"y_true holds the negative RUL {y_true.min()} s; RUL is 0 or more.")
    return y_true, y_pred


def phm2012_of_each(y_true, y_pred):
    """Score each prediction, (n,); a true RUL of 0 takes the limits."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        percent = 100 * (1 - y_pred / y_true)
    percent[y_true == 0] = np.where(y_pred[y_true == 0] == 0, 0, -np.inf)
    # Both exponents are 0 or more, so that the power cannot overflow.
    return 0.5 ** np.where(percent <= 0, -percent / 5, percent / 20)


def _replacement(estimator, X, y, *, max_life, **rule):
    max_life = find_max_life(estimator, max_life)
    return replacement_error(y, estimator.predict(X), runs=_runs_of(X), max_life=max_life, **rule)


def _runs_of(X):
    if not hasattr(X, "runs"):
        raise TypeError(
            f"X of type {type(X).__name__} has no runs; give the scorer a RunSequences."
        )
    return X.runs


def _mean(values):
    return float(np.mean(values)) if len(values) else float("nan")


def _check_one_window_per_run(runs):
    ids, counts = np.unique(runs, return_counts=True)
    if counts.max() > 1:
        raise ValueError(
            f"run {ids[counts.argmax()]} has {counts.max()} windows; protocol='truncation' takes "
            "one prediction per run. Select it, or use protocol='life'."
        )
