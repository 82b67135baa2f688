"""Matplotlib where it is used, axes and colours of all displays, and values to draw."""

import numpy as np

from .._checks import as_numbers, check_finite

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
    if ax is None:
        return plt.subplots(layout="constrained", **size)[1]
    _check_axes(plt, ax)
    return ax


def several_axes(display, ax, n_axes, *, n_columns, size, **share):
    """Return ``n_axes`` axes, (n_axes,), given or in a grid on a new figure, and whether new."""
    plt = import_pyplot(display)
    if ax is not None:
        axes = np.ravel(np.asarray(ax, dtype=object))
        _check_axes(plt, *axes)
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


def as_label(text):
    """Return text that matplotlib shows as it stands, neither read as maths nor left out."""
    text = str(text).replace("$", r"\$")
    # A legend leaves out labels that start with an underscore.
    return f"\u200b{text}" if text.startswith("_") else text


def _check_axes(plt, *axes):
    for ax in axes:
        if not isinstance(ax, plt.Axes):
            raise TypeError(
                f"ax={ax!r} must be matplotlib Axes; pass those that plt.subplots() returns, or "
                "None for a new figure."
            )


def check_values(name, values):
    """Return one finite number per window as float64, (n_windows,)."""
    values = as_numbers(name, values)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"{name} has shape {values.shape}; give one per window, at least 1.")
    check_finite(values, name)
    return values
