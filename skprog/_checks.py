"""Checks of shape, dtype and range, and their wording.

Knows NumPy and scikit-learn only; every other module may import it.
"""

import math
import sys
import warnings
from numbers import Integral

import numpy as np
from sklearn.utils.validation import column_or_1d, validate_data

BLOCK_BYTES = 1 << 24
FLOATS = (np.float32, np.float16)
# Kept where differences are taken, such as from a mean that float32 would round by more.
PRECISE_FLOATS = (*FLOATS, np.float64)
# Bits of a float16 that are all set in NaN and infinity, and in no other number.
EXPONENT = np.uint16(0x7C00)
# What may stand between the line of a user and a warning.
PASSED_THROUGH = {"skprog", "sklearn", "skorch", "joblib", "contextlib"}
# Values along an axis: more would be no size but an attempt to fill the memory.
MAX_AXIS_LENGTH = 1 << 27


def warn(message, category=UserWarning):
    """Warn at the line of the user that led here, through however many calls of ours."""
    frame, stacklevel = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in PASSED_THROUGH:
        frame, stacklevel = frame.f_back, stacklevel + 1
    warnings.warn(message, category, stacklevel=stacklevel)


def check_integer(name, value, *, minimum=1):
    """Return an integer of at least ``minimum`` as an int, refusing anything else."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name}={value!r} must be an integer.")
    if value < minimum:
        raise ValueError(f"{name}={value} must be at least {minimum}.")
    return int(value)


def check_number(name, value, *, minimum=None, maximum=None, above=None, below=None):
    """Refuse anything but a finite number within the closed or open bounds given."""
    if not isinstance(value, Integral | float | np.floating) or isinstance(value, bool):
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
    try:
        is_finite = math.isfinite(value)
    except OverflowError:
        is_finite = False
    if not is_finite or not all(holds for holds, _ in bounds):
        wanted = " and ".join(["finite", *(text for _, text in bounds)])
        raise ValueError(f"{name}={value} must be {wanted}.")


def check_option(name, value, options):
    """Refuse a value that is not one of the options."""
    if isinstance(value, np.ndarray):
        raise TypeError(f"{name} is an array; give one of {', '.join(map(repr, options))}.")
    if value not in options:
        value = str(value) if isinstance(value, str) else value
        raise ValueError(f"{name}={value!r} is not one of {', '.join(map(repr, options))}.")


def check_finite(X, name="X"):
    """Refuse NaN and infinity, a block of rows at a time so that no full copy is made."""
    X = np.atleast_1d(X)
    if X.dtype.kind not in "fc" or X.size == 0:
        return
    n_rows = max(1, BLOCK_BYTES // X[:1].nbytes)
    for start in range(0, len(X), n_rows):
        finite = finite_rows(X[start : start + n_rows])
        if not finite.all():
            row = start + int(finite.argmin())
            refuse_row(X[row], row, name)


def finite_rows(X):
    """Tell which rows of an array are finite throughout, (n_rows,)."""
    if X.dtype == np.float16:
        # NumPy has no fast way for these: ten times the time.
        is_finite = X.view(np.uint16) & EXPONENT != EXPONENT
    else:
        is_finite = np.isfinite(X)
    return is_finite.all(axis=tuple(range(1, X.ndim)))


def refuse_row(values, row, name="X"):
    """Raise for the first row that is not finite."""
    if np.isnan(values).any():
        what = "NaN ("
    elif values.dtype == np.float64:
        what = "infinity ("
    else:
        largest = np.finfo(values.dtype).max
        what = f"infinity or a value too large for {values.dtype} (above {largest:.2g}; "
    raise ValueError(
        f"Input {name} contains {what}first in row {row}); drop or repair such rows first."
    )


def check_plain(name, values):
    """Refuse what would turn into plain numbers without notice: masked values and dates."""
    parts = values if isinstance(values, list | tuple) else [values]
    if any(map(np.ma.is_masked, parts)):
        raise ValueError(f"{name} has masked values; fill them or drop their rows first.")
    while isinstance(values, list | tuple) and len(values):
        values = values[0]
    try:
        dtype = np.asarray(values).dtype
        if dtype.kind in "mM":
            raise TypeError(f"dtype {dtype}")
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"{name} must be real numbers; convert it first ({error}).") from None


def as_numbers(name, values):
    """Return real numbers as a float64 array, refusing text, dates and complex numbers."""
    check_plain(name, values)
    try:
        values = np.asarray(values)
        if values.dtype.kind not in "fiubO":
            raise TypeError(f"dtype {values.dtype}")
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be real numbers; convert it first ({error}).") from None


def is_sequences(X):
    """Tell RunSequences, which a higher floor defines, by attribute."""
    return hasattr(X, "from_runs")


def float_type(dtype, kept=FLOATS):
    """Return the type to work on numbers in: theirs if it is kept, else float32.

    Where float64 is kept, it takes the place of float32 for numbers that the latter would round.
    """
    if dtype in kept:
        return dtype
    is_wide = dtype.itemsize > {"i": 2, "u": 2, "f": 4, "O": 0}.get(dtype.kind, np.inf)
    return np.dtype(np.float64 if is_wide and np.float64 in kept else FLOATS[0])


def check_sequences(X, dtypes=FLOATS):
    """Return RunSequences of floating-point numbers, refusing empty ones and other values."""
    if len(X) == 0:
        raise ValueError("X has 0 sequences; at least 1 is required.")
    if X.dtype.kind not in "fiub":
        raise ValueError(f"X has dtype {X.dtype}; sequences hold real numbers.")
    if X.dtype not in dtypes:
        with np.errstate(over="ignore"):
            X = X.map(lambda windows: windows.astype(float_type(X.dtype, dtypes)))
    return X


def check_rows(estimator, X, *, reset, finite=True, dtypes=FLOATS):
    """Return rows as numbers, whether RunSequences or an array of any rank.

    Arrays of one of ``dtypes`` are kept, float16 and float32 without, and everything else becomes
    float32, the first of them. ``reset=True`` keeps ``n_features_in_`` and ``shape_in_`` on the
    estimator, else they are compared. ``finite=False`` lets arrays hold NaN and infinity.
    """
    if is_sequences(X):
        X = check_sequences(X)
        check_finite_windows(X)
        if reset:
            estimator.n_features_in_ = X.shape[1]
            vars(estimator).pop("feature_names_in_", None)
    else:
        check_plain("X", X)
        with np.errstate(over="ignore"):
            X = validate_data(
                estimator, X, reset=reset, dtype=dtypes, allow_nd=True, ensure_all_finite=False
            )
        if finite:
            check_finite(X)
    if 0 in X.shape:
        raise ValueError(f"X has shape {X.shape} and so no values; at least 1 is required.")
    if reset:
        estimator.shape_in_ = X.shape[1:]
    elif X.shape[1:] != estimator.shape_in_:
        raise ValueError(
            f"X has rows of shape {X.shape[1:]} but {type(estimator).__name__} was fitted on rows "
            f"of shape {estimator.shape_in_}; prepare both alike."
        )
    return X


def check_finite_windows(X):
    """Refuse RunSequences with NaN or infinity, naming the first sequence that has one."""
    used = np.unique(X.index)
    parts = np.array_split(used, min(len(used), 1 + X.windows.nbytes // BLOCK_BYTES))
    bad = np.concatenate([part[~finite_rows(X.windows[part])] for part in parts])
    if len(bad):
        row = int(np.isin(X.index, bad).any(axis=1).argmax())
        refuse_row(X[row], row)


def check_rul(y, n_rows):
    """Return RUL in s as float64 of shape (n_rows,), refusing negative values."""
    if y is None:
        raise ValueError("fit requires y to be passed, but the target y is None.")
    check_plain("y", y)
    y = as_numbers("y", column_or_1d(y, warn=True))
    if len(y) != n_rows:
        raise ValueError(
            f"y has {len(y)} values but X has {n_rows} rows; give one RUL per row, which for "
            "RunSequences is y = rul[X.ends]."
        )
    check_finite(y, "y")
    if y.min() < 0:
        raise ValueError(
            f"Negative values in data passed as y: RUL {y.min()} s; RUL is 0 at failure and "
            "positive before."
        )
    return y


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


def check_images(images, name="X", *, minimum=1):
    """Return grey images as a list of arrays of shape (height, width), of one size or several.

    Unsigned integers of 8 and 16 bits, float16 and float32 are kept, everything else becomes
    float32.
    """
    if getattr(images, "ndim", None) == 2 and getattr(images, "dtype", "") != np.dtype(object):
        raise ValueError(
            f"{name} has shape {images.shape}; give images (n_images, height, width), which for a "
            f"single one is {name}[np.newaxis]."
        )
    is_scalar = isinstance(images, str | bytes) or getattr(images, "ndim", 1) == 0
    if is_scalar or not hasattr(images, "__len__"):
        raise TypeError(f"{name} of type {type(images).__name__} must be an array or a list.")
    if len(images) == 0:
        raise ValueError(f"{name} has 0 images; at least 1 is required.")
    return [_check_image(image, f"{name}[{i}]", minimum) for i, image in enumerate(images)]


def _check_image(image, name, minimum):
    check_plain(name, image)
    try:
        image = np.asarray(image)
    except ValueError as error:
        raise ValueError(f"{name} is no image of (height, width) numbers ({error}).") from None
    if image.dtype.kind not in "fiu":
        raise ValueError(f"{name} has dtype {image.dtype}; give numbers, such as uint8 or float32.")
    if image.ndim != 2:
        raise ValueError(
            f"{name} has shape {image.shape}; give grey images (height, width), of colours their "
            "mean over the last axis."
        )
    if min(image.shape) < minimum:
        raise ValueError(
            f"{name} has shape {image.shape} but at least {minimum} x {minimum} pixels are needed; "
            "leave smaller images out."
        )
    if image.dtype.newbyteorder("=") not in (np.uint8, np.uint16, *FLOATS):
        with np.errstate(over="ignore"):
            image = image.astype(FLOATS[0])
    lowest, highest = image.min(), image.max()
    if not np.isfinite(lowest) or not np.isfinite(highest):
        raise ValueError(f"{name} contains NaN or infinity; repair it or leave it out.")
    if lowest == highest:
        raise ValueError(f"{name} has the value {lowest} throughout; leave blank images out.")
    return image


def as_generator(random_state):
    """Return a generator seeded by ``random_state``, refusing what cannot seed one."""
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(2**32, dtype=np.uint32)
    try:
        if isinstance(random_state, bool | np.bool_):
            raise TypeError("NumPy would take True for 1")
        return np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"random_state={random_state!r} must be None, an integer of at least 0, a RandomState "
            "or a Generator."
        ) from None


def is_count(value):
    """Tell a plain integer from 0 to the longest axis that a file may ask for."""
    return type(value) is int and 0 <= value < MAX_AXIS_LENGTH


def is_size(value):
    """Tell the length of an axis, 1 or more."""
    return is_count(value) and value > 0


def is_seconds(value):
    """Tell a plain number of seconds, 0 or more."""
    return type(value) is float and 0 <= value < np.inf


def is_shape(value):
    """Tell the shape of a row, of one axis or more."""
    return type(value) is tuple and len(value) > 0 and all(map(is_size, value))


def is_vector(value, *, kinds=None, least=1):
    """Tell an array of one axis, of these kinds of dtype and at least so long."""
    is_array = isinstance(value, np.ndarray) and value.ndim == 1 and len(value) >= least
    return is_array and (kinds is None or value.dtype.kind in kinds)


def is_params(value):
    """Tell parameters by name."""
    return type(value) is dict and all(type(name) is str for name in value)


def optional(holds):
    """Mark the predicate of an attribute that a fit does not always learn."""

    def holds_where_learnt(value):
        return holds(value)

    holds_where_learnt.is_optional = True
    return holds_where_learnt
