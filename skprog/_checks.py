"""Checks of shape, dtype and range, and their wording.

Knows NumPy and scikit-learn only; every other module may import it.
"""

from numbers import Integral, Real

import numpy as np
from sklearn.utils.validation import column_or_1d, validate_data

BLOCK_BYTES = 1 << 24
FLOATS = (np.float32, np.float16)


def check_integer(name, value, *, minimum=1):
    """Refuse anything but an integer of at least ``minimum``."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name}={value!r} must be an integer.")
    if value < minimum:
        raise ValueError(f"{name}={value} must be at least {minimum}.")


def check_number(name, value, *, minimum=None, maximum=None, above=None, below=None):
    """Refuse anything but a finite number within the closed or open bounds given."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name}={value!r} must be a number.")
    bounds = []
    if minimum is not None:
        bounds.append((value >= minimum, f"at least {minimum}"))
    if above is not None:
        bounds.append((value > above, f"above {above}"))
    if maximum is not None:
        bounds.append((value <= maximum, f"at most {maximum}"))
    if below is not None:
        bounds.append((value < below, f"below {below}"))
    if not np.isfinite(value) or not all(holds for holds, _ in bounds):
        wanted = " and ".join(["finite", *(text for _, text in bounds)])
        raise ValueError(f"{name}={value!r} must be {wanted}.")


def check_option(name, value, options):
    """Refuse a value that is not one of the options."""
    if value not in options:
        raise ValueError(f"{name}={value!r} is not one of {', '.join(map(repr, options))}.")


def check_finite(X, name="X"):
    """Refuse NaN and infinity, a block of rows at a time so that no full copy is made."""
    X = np.asarray(X)
    if X.dtype.kind not in "fc" or X.size == 0:
        return
    n_rows = max(1, BLOCK_BYTES // max(1, X[:1].nbytes)) if X.ndim else 1
    for start in range(0, len(X) if X.ndim else 1, n_rows):
        block = X[start : start + n_rows] if X.ndim else X
        finite = np.isfinite(block)
        if not finite.all():
            row = start + int(np.argwhere(~finite)[0][0]) if X.ndim else 0
            what = "NaN" if np.isnan(block).any() else "infinity"
            raise ValueError(
                f"Input {name} contains {what} (NaN or inf; first in row {row}); "
                "drop or repair such rows first."
            )


def check_runs(runs, n_windows):
    """Return run ids as an array of shape (n_windows,), refusing interleaved runs."""
    runs = np.asarray(runs)
    if runs.shape != (n_windows,):
        raise ValueError(
            f"runs has shape {runs.shape} but there are {n_windows} windows; "
            "give one run id per window."
        )
    n_blocks = 1 + np.count_nonzero(runs[1:] != runs[:-1])
    ids = np.unique(runs)
    if n_blocks > len(ids):
        starts = runs[np.r_[True, runs[1:] != runs[:-1]]]
        values, counts = np.unique(starts, return_counts=True)
        raise ValueError(
            f"runs are interleaved: run {values[counts > 1][0]!r} starts more than once; "
            "sort the windows by run, then by time."
        )
    return runs


def is_sequences(X):
    """Tell RunSequences, which floor 1 defines, by attribute."""
    return hasattr(X, "from_runs")


def check_rows(estimator, X, *, reset):
    """Return rows as floating-point numbers, whether RunSequences or an array of any rank.

    float16 and float32 are kept, everything else becomes float32. ``reset=True`` keeps
    ``n_features_in_`` and ``shape_in_`` on the estimator, else they are compared.
    """
    if is_sequences(X):
        if len(X) == 0:
            raise ValueError("X has 0 sequences; at least 1 is required.")
        if X.dtype not in FLOATS:
            X = X.map(lambda windows: windows.astype(FLOATS[0]))
        used = np.unique(X.index)
        for part in np.array_split(used, 1 + X.windows.nbytes // BLOCK_BYTES):
            check_finite(X.windows[part])
        if reset:
            estimator.n_features_in_ = X.shape[1]
    else:
        with np.errstate(over="ignore"):
            X = validate_data(
                estimator, X, reset=reset, dtype=FLOATS, allow_nd=True, ensure_all_finite=False
            )
        check_finite(X)
    if reset:
        estimator.shape_in_ = X.shape[1:]
    elif X.shape[1:] != estimator.shape_in_:
        raise ValueError(
            f"X has rows of shape {X.shape[1:]} but {type(estimator).__name__} was fitted on rows "
            f"of shape {estimator.shape_in_}; prepare both alike."
        )
    return X


def check_rul(y, n_rows):
    """Return RUL in s as float64 of shape (n_rows,), refusing negative values."""
    if y is None:
        raise ValueError("fit requires y to be passed, but the target y is None.")
    y = column_or_1d(y, warn=True).astype(np.float64)
    if len(y) != n_rows:
        raise ValueError(f"y has {len(y)} values but X has {n_rows} rows; give one RUL per row.")
    check_finite(y, "y")
    if y.min() < 0:
        raise ValueError(
            f"Negative values in data passed as y: RUL {y.min()} s; RUL is 0 at failure and "
            "positive before."
        )
    return y
