"""Scores of RUL predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._checks import check_option, check_rul_pair
from .._runs import all_one_run, check_runs, run_bounds

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import ArrayLike


def phm2012_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    runs: ArrayLike | None = None,
    protocol: Literal["life", "truncation"] = "life",
) -> float:
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


def relative_change_difference(
    y_true: ArrayLike, y_pred: ArrayLike, *, runs: ArrayLike | None = None
) -> np.ndarray:
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


def phm2012_of_each(y_true, y_pred):
    """Score each prediction, (n,); a true RUL of 0 takes the limits."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        percent = 100 * (1 - y_pred / y_true)
    percent[y_true == 0] = np.where(y_pred[y_true == 0] == 0, 0, -np.inf)
    # Both exponents are 0 or more, so that the power cannot overflow.
    return 0.5 ** np.where(percent <= 0, -percent / 5, percent / 20)


def _check_one_window_per_run(runs):
    ids, counts = np.unique(runs, return_counts=True)
    if counts.max() > 1:
        raise ValueError(
            f"run {ids[counts.argmax()]} has {counts.max()} windows; protocol='truncation' takes "
            "one prediction per run. Select it, or use protocol='life'."
        )
