"""What the displays share: matplotlib where it is used, axes, colours, RUL arrays."""

import numpy as np

from .._checks import check_finite

# Okabe and Ito's palette, which readers with a colour vision deficiency can tell apart.
BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
ORANGE = "#E69F00"
VERMILION = "#D55E00"
GREY = "0.35"


def import_pyplot(display):
    """Return matplotlib.pyplot, or say which extra brings it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f'{type(display).__name__} needs matplotlib; pip install "skprog[plot]".'
        ) from error
    return plt


def one_axes(display, ax, **size):
    """Return the axes given, or those of a new figure."""
    plt = import_pyplot(display)
    return plt.subplots(layout="constrained", **size)[1] if ax is None else ax


def several_axes(display, ax, n_axes, *, n_columns, size, **share):
    """Return ``n_axes`` axes, (n_axes,), given or in a grid on a new figure, and whether new."""
    plt = import_pyplot(display)
    if ax is not None:
        axes = np.ravel(np.asarray(ax, dtype=object))
        if len(axes) != n_axes:
            raise ValueError(
                f"ax holds {len(axes)} axes but {n_axes} are drawn; give {n_axes} or None."
            )
        return axes, False
    n_columns = min(n_columns, n_axes)
    n_rows = -(-n_axes // n_columns)
    _, axes = plt.subplots(
        n_rows,
        n_columns,
        figsize=(size[0] * n_columns, size[1] * n_rows),
        layout="constrained",
        squeeze=False,
        **share,
    )
    for unused in axes.flat[n_axes:]:
        unused.remove()
    return axes.ravel()[:n_axes], True


def check_rul(name, rul):
    """Return RUL values in s as a float array, (n_windows,)."""
    rul = np.asarray(rul, dtype=float)
    if rul.ndim != 1 or len(rul) == 0:
        raise ValueError(f"{name} has shape {rul.shape}; give one RUL per window, at least 1.")
    check_finite(rul, name)
    return rul


def check_rul_pair(y_true, y_pred, names=("y_true", "y_pred")):
    """Return true and predicted RUL in s as float arrays of equal length."""
    y_true, y_pred = (check_rul(*each) for each in zip(names, (y_true, y_pred), strict=True))
    if len(y_true) != len(y_pred):
        raise ValueError(
            f"{names[0]} has {len(y_true)} values and {names[1]} {len(y_pred)}; "
            "give one of each per window."
        )
    return y_true, y_pred
