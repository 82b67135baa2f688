"""Runs held out, their scores, and what is guaranteed of a run never seen."""

import math

import numpy as np
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from .._checks import as_numbers, is_sequences
from .._runs import check_ids


def runs_of_rows(X, groups, n_rows):
    """Return the run of each row, (n_rows,)."""
    own = X.runs if is_sequences(X) else None
    if groups is None:
        return np.arange(n_rows) if own is None else own
    groups = check_ids("groups", groups, n_rows)
    if own is not None:
        for run in np.unique(own):
            if len(np.unique(groups[own == run])) > 1:
                raise ValueError(
                    f"groups part run {run} of X; give all its rows one group, or leave groups out."
                )
    return groups


def calibration_runs(splits, runs):
    """Return the runs that calibrate, the fold of each, and the size of each fold."""
    n_rows = dict(zip(*np.unique(runs, return_counts=True), strict=True))
    fold_of_run, sizes = {}, []
    for fold, (train, valid) in enumerate(splits):
        ids, counts = np.unique(runs[valid], return_counts=True)
        parted = set(ids) & set(np.unique(runs[train]))
        parted |= {run for run, count in zip(ids, counts, strict=True) if count != n_rows[run]}
        if parted:
            raise ValueError(
                f"cv parts run {min(parted)}; use a splitter of groups, such as "
                "LeaveOneGroupOut() or GroupShuffleSplit(1)."
            )
        twice = set(ids) & set(fold_of_run)
        if twice:
            raise ValueError(
                f"cv holds run {min(twice)} out twice; use a splitter whose folds do not overlap."
            )
        fold_of_run |= dict.fromkeys(ids, fold)
        sizes.append(len(ids))
    if not fold_of_run:
        raise ValueError(f"cv holds no run out; it has {len(splits)} splits.")
    ids = np.array(sorted(fold_of_run), dtype=runs.dtype)
    return ids, np.array([fold_of_run[run] for run in ids]), sizes


def rank_of_coverage(n_runs, coverage):
    """Return ceil((n_runs + 1) coverage), refusing more than n_runs."""
    # Less a rounding error, so that n/(n + 1) itself is not refused.
    rank = max(1, math.ceil((n_runs + 1) * float(coverage) - 1e-9))
    if rank > n_runs:
        largest = math.floor(1000 * n_runs / (n_runs + 1)) / 1000
        n_needed = math.ceil(coverage / (1 - coverage) - 1e-9)
        raise ValueError(
            f"coverage={coverage} needs {n_needed} calibration runs but there are {n_runs}; the "
            f"largest coverage available is {n_runs}/{n_runs + 1}: use coverage={largest} or less."
        )
    return rank


def are_complements(splits, n_rows):
    """Tell whether each split trains once on every row that it does not hold out."""
    rows = np.arange(n_rows)
    return all(
        np.array_equal(np.sort(np.concatenate([rows[train], rows[valid]])), rows)
        for train, valid in splits
    )


def lower_bound_of_coverage(rank, sizes, is_cross_validated):
    """Return a lower bound of the coverage of a new run, see Notes of the class."""
    n, k, m = sum(sizes), len(sizes), max(sizes)
    bounds = [1 - (n + 1 - rank) / (m + 1), 1 - 2 * (n + k - rank) / (n + k)]
    if is_cross_validated and min(sizes) == m:
        bounds.append(1 - (2 * (n - rank) + m) / (n + m))
    return max(0.0, *bounds)


def fit_and_score(estimator, X, y, runs, train, valid):
    """Return the estimator fitted to the training rows, and the score of each run held out."""
    estimator = clone(estimator).fit(_safe_indexing(X, train), y[train])
    errors = np.abs(y[valid] - finite_rul(estimator, _safe_indexing(X, valid)))
    held_out = runs[valid]
    scores = {run: float(errors[held_out == run].max()) for run in np.unique(held_out).tolist()}
    return estimator, scores


def finite_rul(estimator, X):
    """Return the RUL by an estimator, (n_rows,), refusing anything else."""
    name = type(estimator).__name__
    rul = as_numbers(f"what {name} predicts", estimator.predict(X))
    n_rows = _num_samples(X)
    if rul.shape not in ((n_rows,), (n_rows, 1)):
        raise ValueError(
            f"{name} predicts shape {rul.shape} for {n_rows} rows; use an estimator that predicts "
            "one RUL per row."
        )
    is_finite = np.isfinite(rul.ravel())
    if not is_finite.all():
        raise ValueError(
            f"{name} predicts NaN or infinity (first in row {is_finite.argmin()}); repair what it "
            "is given, or use another estimator."
        )
    return rul.ravel()
