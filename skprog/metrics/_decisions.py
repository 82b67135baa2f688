"""Scores of the maintenance decisions that follow from RUL predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import Bunch

from .._checks import check_number, check_rul_pair, warn
from .._runs import all_one_run, check_failed, check_falls, run_bounds
from ..decision import replacement_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import ArrayLike


def replacement_error(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    runs: ArrayLike | None = None,
    max_life: float,
    threshold: float = 0.1,
    span: float = 30,
    failed: ArrayLike | Mapping[Any, bool] | None = None,
) -> Bunch:
    """Compare the prescribed replacement of each run with the right one [1]_.

    A run is replaced at its first window with smoothed predicted RUL <= ``threshold * max_life``.
    The error is the true RUL there less ``threshold * max_life``, in percent of ``max_life``:
    positive is premature, negative late. Every run is taken to end by its failure, be its last true
    RUL 0 or a little above, unless ``failed`` says otherwise: without an alarm, a run that has not
    failed neither has an error nor counts as a failure.

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
    failed : array-like of bool of shape (n_runs,) or (n_windows,), or mapping, default=None
        Whether each run, in order of appearance, ends by failing, or a mapping from run to bool.
        None takes all for failed.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        Arrays of one value per run, in order of appearance, and two summaries:

        runs : ndarray of shape (n_runs,)
            Run ids.
        error : ndarray of shape (n_runs,)
            Error in percent of ``max_life``; ``-100 * threshold`` for a failure in service. NaN
            where it is undefined: the largest true RUL of the run is below the threshold, or the
            run has not failed and has no alarm.
        failed_in_service : ndarray of shape (n_runs,), bool
            Whether the run fails before it is replaced: no window with RUL > 0 is at the
            threshold. Never replacing at all has a small mean error; count these apart.
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
        within a run, runs are interleaved, ``failed`` is no bool per run, or ``max_life``,
        ``threshold`` or ``span`` is out of range.

    Warns
    -----
    UserWarning
        If a run ends at a RUL above the threshold and ``failed`` is None.

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
    check_falls("y_true", y_true, runs)
    rows = replacement_rows(y_pred, runs, max_life=max_life, threshold=threshold, span=span)
    starts, stops = np.transpose(run_bounds(runs))
    limit = threshold * max_life
    if failed is None:
        _warn_of_early_ends(runs[starts], y_true[stops - 1], limit)
    has_failed = check_failed(failed, runs)[starts]
    is_replaced = rows >= 0
    left = np.where(is_replaced, y_true[rows], 0.0)
    in_service = (left == 0) & has_failed
    error = 100 * (left - limit) / max_life
    error[(y_true[starts] < limit) | ~(is_replaced | has_failed)] = np.nan
    defined = ~np.isnan(error)
    return Bunch(
        runs=runs[starts],
        error=error,
        failed_in_service=in_service,
        mean_abs_error=_mean(np.abs(error[defined & ~in_service])),
        premature=_mean(error[defined] > 20),
    )


def maintenance_cost(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    runs: ArrayLike | None = None,
    max_life: float,
    threshold: float = 0.1,
    span: float = 30,
    late_factor: float = 4,
    failed: ArrayLike | Mapping[Any, bool] | None = None,
) -> float:
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
    failed : array-like of bool of shape (n_runs,) or (n_windows,), or mapping, default=None
        As for :func:`replacement_error`.

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
    rule = {"max_life": max_life, "threshold": threshold, "span": span}
    error = replacement_error(y_true, y_pred, runs=runs, failed=failed, **rule).error
    e = error[~np.isnan(error)] / 100
    return _mean(np.where(e >= 0, e, -late_factor * e))


def _warn_of_early_ends(ids, last, limit):
    early = np.flatnonzero(last > limit)
    if len(early):
        warn(
            f"run {ids[early[0]]} ends at a RUL of {last[early[0]]:.6g} s, above the threshold of "
            f"{limit:.6g} s, and counts as failed there ({len(early)} of {len(ids)} runs do); say "
            "which runs have failed by failed=, here or in RunSequences.from_runs."
        )


def _mean(values):
    return float(np.mean(values)) if len(values) else float("nan")
