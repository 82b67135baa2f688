"""Windows at the door of a transformer, and work on them in blocks.

torch is imported where it is used: what needs none of it loads without the seconds it takes.
"""

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from .._checks import (
    FLOATS,
    check_finite,
    check_finite_windows,
    check_plain,
    check_sequences,
    float_type,
    is_sequences,
)

# Measured: smaller blocks cost more calls, larger ones leave the second-level cache.
CACHE_BYTES = 1 << 22
SQRT_HALF = np.float32(np.sqrt(0.5))


def check_windows(estimator, X, axes, *, reset, dtypes=FLOATS):
    """Return windows as floating-point numbers, whether RunSequences or an array.

    Parameters
    ----------
    estimator : estimator
        Transformer that is given them.
    X : array-like of shape (n_windows, ..., *axes) or RunSequences
        Windows.
    axes : tuple of str
        Names of the last axes, which make up a window's values; at least one axis of rows comes
        before them.
    reset : bool
        Look for NaN and infinity, which is else left to :func:`blocks`, and keep what validation
        learns of features.
    dtypes : tuple of type, default=(float32, float16)
        Types that are kept; everything else becomes float32, or float64 if that is kept.
    """
    n_axes = len(axes)
    rows = X
    if is_sequences(X):
        X = check_sequences(X, dtypes)
        shape = X.windows.shape
    else:
        X = _as_floats(estimator, X, dtypes)
        shape = X.shape
    if len(shape) <= n_axes:
        raise ValueError(
            f"{type(estimator).__name__} takes X of shape (n_windows, ..., {', '.join(axes)}) but "
            f"these windows have shape {shape}; for a single window pass X[np.newaxis]."
        )
    if 0 in shape:
        raise ValueError(f"X has shape {shape} and so no values; at least 1 is required.")
    if X.ndim == 2:
        validate_data(estimator, rows, reset=reset, skip_check_array=True)
    elif reset:
        vars(estimator).pop("n_features_in_", None)
        vars(estimator).pop("feature_names_in_", None)
    if reset:
        (check_finite_windows if is_sequences(X) else check_finite)(X)
        check_range(X.windows if is_sequences(X) else X)
    return X


def check_range(X):
    """Refuse NaN, infinity, and what is so in float32."""
    if X.dtype in FLOATS:
        check_finite(X)
    elif not max(abs(X.min()), abs(X.max())) <= np.finfo(FLOATS[0]).max:
        with np.errstate(over="ignore"):
            check_finite(X.astype(FLOATS[0]))


def _as_floats(estimator, X, dtypes):
    check_plain("X", X)
    try:
        with np.errstate(over="ignore"):
            return check_array(
                X,
                dtype=float_type(np.asarray(X).dtype, dtypes),
                allow_nd=True,
                ensure_all_finite=False,
                input_name="X",
                estimator=estimator,
            )
    except ValueError as error:
        if "array element with a sequence" not in str(error):
            raise
        raise ValueError("X has windows of unequal length; cut them to one length first.") from None


def check_same_size(estimator, axis, size, fitted):
    """Refuse windows of another size along an axis than seen during fit."""
    if size != fitted:
        raise ValueError(
            f"X has {axis}={size} but {type(estimator).__name__} was fitted on {axis}={fitted}; "
            "prepare both alike or fit again."
        )


def map_windows(f, X):
    """Apply ``f``, from windows to as many rows, to RunSequences or an array."""
    return X.map(f) if is_sequences(X) else f(X)


def blocks(X, n_axes, n_bytes, *, centred=False):
    """Yield slices and float32 blocks of the windows' last axes, refusing NaN and infinity.

    Parameters
    ----------
    X : ndarray of shape (..., *axes)
        Windows, of which the leading axes are flattened.
    n_axes : int
        Axes of a window's values.
    n_bytes : int
        What the work on one row takes, which sets how many rows make up a block.
    centred : bool, default=False
        Take the mean along the last axis off, in the type of ``X``.
    """
    rows = X.reshape(-1, *X.shape[X.ndim - n_axes :])
    n_rows = max(1, CACHE_BYTES // n_bytes)
    for start in range(0, len(rows), n_rows):
        part = slice(start, start + n_rows)
        block = rows[part]
        if centred and block.dtype not in FLOATS:
            with np.errstate(invalid="ignore", over="ignore"):
                block = block - block.mean(axis=-1, keepdims=True)
        block = _as_float32(block)
        # The sum is finite unless a value is not or the sum overflows.
        if not np.isfinite(block.sum()):
            check_finite(X if X.dtype in FLOATS else X.astype(FLOATS[0]))
        if centred:
            block = block - block.mean(axis=-1, keepdims=True)
        yield part, block


def _as_float32(rows):
    """Return rows as float32."""
    # From float16 NumPy takes ten times as long as torch, which takes no reversed axes, none of odd
    # steps, such as a field of records has, and warns of what is read-only.
    is_plain = all(stride >= 0 and stride % rows.itemsize == 0 for stride in rows.strides)
    if rows.dtype == np.float16 and rows.flags.writeable and is_plain:
        import torch

        return torch.from_numpy(rows).float().numpy()
    return rows.astype(np.float32, copy=False)


def store(values, rows):
    """Write float32 values into rows of float32 or float16."""
    import torch

    # Into float16 NumPy takes 30 times as long.
    torch.from_numpy(rows).copy_(torch.from_numpy(values))
