"""Series as cases: their shape, and those of unequal length."""

import numpy as np

from .._checks import FLOATS, check_finite, check_plain, warn


def check_series(X, estimator):
    """Refuse anything but cases of one or more channels of a series."""
    if X.ndim not in (2, 3):
        raise ValueError(
            f"X has {X.ndim} dimensions; {type(estimator).__name__} takes (n_cases, n_channels, "
            "n_timepoints) or (n_cases, n_timepoints)."
        )
    if X.ndim == 3 and X.shape[1] > X.shape[2]:
        warn(
            f"X has more channels ({X.shape[1]}) than timepoints ({X.shape[2]}); if they are "
            "swapped, pass X.swapaxes(1, 2)."
        )


def as_series(X):
    """Return series as (n_cases, n_channels, n_timepoints)."""
    return X if X.ndim == 3 else X[:, np.newaxis]


def holds_series(X):
    """Tell whether X is a list of series, or an array of them, rather than one array."""
    is_objects = isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1
    is_list = is_objects or isinstance(X, list | tuple)
    return is_list and len(X) > 0 and isinstance(X[0], np.ndarray | list | tuple)


def ends_in_nan(X):
    """Tell whether an array of floats holds NaN, as series of unequal length do at their ends."""
    is_float = isinstance(X, np.ndarray) and X.dtype.kind == "f" and X.size > 0
    # The minimum is NaN where any value is.
    return is_float and bool(np.isnan(X.min()))


def joined(X):
    """Return a list of series of unequal length as one array in which they end in NaN.

    Parameters
    ----------
    X : list of array-like of shape (n_channels, n_timepoints) or (n_timepoints,)
        Series. Anything else comes back as it is.

    Returns
    -------
    ndarray of shape (n_cases, n_channels, n_timepoints)
        Series that end in NaN where they are shorter than the longest.
    """
    is_objects = isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1
    if not (is_objects or isinstance(X, list | tuple)):
        return X
    if not len(X):
        raise ValueError("X has 0 cases; at least 1 is required.")
    check_plain("X", X)
    try:
        series = [np.asarray(each) for each in X]
    except ValueError:  # ragged itself, which the check of X as a whole puts into words
        return X
    if len({each.shape for each in series}) == 1:
        is_numeric = all(each.dtype.kind in "fiub" and each.ndim for each in series)
        return np.stack(series) if is_objects or is_numeric else X
    for i, each in enumerate(series):
        if each.dtype.kind not in "fiub" or each.ndim not in (1, 2):
            raise ValueError(
                f"X[{i}] has shape {each.shape} and dtype {each.dtype}; give numbers of shape "
                "(n_channels, n_timepoints) or (n_timepoints,)."
            )
    series = [np.atleast_2d(each) for each in series]
    n_channels = series[0].shape[0]
    other = next((i for i, each in enumerate(series) if len(each) != n_channels), None)
    if other is not None:
        raise ValueError(
            f"X[{other}] has {len(series[other])} channels but X[0] has {n_channels}; series are "
            "(n_channels, n_timepoints) and may differ in length only. If their axes are swapped, "
            "pass x.T of each."
        )
    dtype = np.result_type(*series)
    shape = len(series), n_channels, max(each.shape[1] for each in series)
    array = np.full(shape, np.nan, dtype=dtype if dtype in FLOATS else FLOATS[0])
    with np.errstate(over="ignore"):
        for row, each in zip(array, series, strict=True):
            row[:, : each.shape[1]] = each
    return array


def series_lengths(X):
    """Return the length in timepoints of each of some series that end in NaN, (n_cases,).

    Parameters
    ----------
    X : ndarray of shape (n_cases, n_channels, n_timepoints)
        Series; NaN before the end of one is refused, and a series of no timepoints.
    """
    missing = np.isnan(X)
    lengths = X.shape[2] - np.argmin(missing.all(axis=1)[:, ::-1], axis=1)
    # Where all is missing there is no end to find, and all counts as inside.
    inside = np.arange(X.shape[2]) < lengths[:, np.newaxis]
    bad = (missing & inside[:, np.newaxis]).any(axis=(1, 2))
    if bad.any():
        row = int(bad.argmax())
        if missing[row].all():
            raise ValueError(f"X[{row}] has no timepoints but NaN; drop such series.")
        raise ValueError(
            f"Input X contains NaN within series {row}; only timepoints at the end that are NaN in "
            "all channels are padding. Drop or repair such series."
        )
    return lengths


def without_padding(X):
    """Return series that end in NaN with zeros in its place, and their lengths."""
    lengths = series_lengths(X)
    X = np.nan_to_num(X, copy=True, nan=0.0, posinf=np.inf, neginf=-np.inf)
    check_finite(X)
    return X, lengths
