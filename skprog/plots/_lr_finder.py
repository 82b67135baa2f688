"""Losses of a learning-rate range test and the rates that they suggest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._training import forked_generator, lr_range_of
from ._axes import BLUE, GREEN, GREY, ORANGE, SKY, VERMILION, import_pyplot, one_axes

if TYPE_CHECKING:
    from typing import Any, Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

    from ..model_selection import LRRange
    from ..sequences import RunSequences

MARKERS = {
    "valley": ("o", GREEN),
    "steep": ("^", GREY),
    "minimum": ("D", VERMILION),
    "slide": ("s", ORANGE),
}


class LRFinderDisplay:
    """Training loss over the learning rate, from a learning-rate range test [1]_.

    The curve of the estimator's own weight decay is drawn thick, with its losses before smoothing
    behind it and the suggested rates on it; the range from ``lr_min_`` to ``lr_max_`` is shaded.
    Where the loss never falls there is neither.

    Parameters
    ----------
    lr_range : LRRange
        Result of :func:`skprog.model_selection.lr_range_test`, or ``lr_range_`` of an estimator
        fitted with ``lr="auto"``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes drawn on.
    figure_ : matplotlib Figure
        Figure that holds them.
    lines_ : list of matplotlib Line2D
        Curve of each weight decay, that of the estimator first.

    See Also
    --------
    skprog.model_selection.lr_range_test : The test.

    References
    ----------
    .. [1] L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017.

    Examples
    --------
    The loss falls up to a rate of 1, and the range ends at a tenth of it.

    >>> import numpy as np
    >>> from skprog.model_selection import LRRange
    >>> from skprog.plots import LRFinderDisplay
    >>> lrs = np.geomspace(1e-5, 10, 61)
    >>> losses = 2 - np.exp(-np.log10(lrs) ** 2) + 100 * np.maximum(lrs - 1, 0)
    >>> display = LRFinderDisplay.from_range(LRRange({0.0: (lrs, losses)}, 0.0, n_batches=61))
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()][1:3]
    ['lr_min_ to lr_max_: 0.004 to 0.1', 'valley: 0.005']
    """

    def __init__(self, lr_range: LRRange) -> None:
        self.lr_range = lr_range

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: RunSequences | ArrayLike,
        y: ArrayLike,
        *,
        ax: Axes | None = None,
        **params: Any,
    ) -> Self:
        """Run a range test and draw it.

        Parameters
        ----------
        estimator : estimator of skprog.estimators or Pipeline
            Estimator that trains a network, fitted or not, or a pipeline that ends in one.
        X : array-like of shape (n_rows, ...) or RunSequences
            Training data, as for ``fit``.
        y : array-like of shape (n_rows,)
            Targets, as for ``fit``.
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.
        **params
            Arguments of :func:`skprog.model_selection.lr_range_test`.

        Returns
        -------
        display : LRFinderDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If ``estimator`` trains no network.
        ValueError
            As for :func:`skprog.model_selection.lr_range_test`.
        """
        with forked_generator(0):
            lr_range = lr_range_of(estimator, X, y, **params)
        return cls(lr_range).plot(ax=ax)

    @classmethod
    def from_range(cls, lr_range: LRRange, *, ax: Axes | None = None) -> Self:
        """Draw the result of a range test.

        Parameters
        ----------
        lr_range : LRRange
            Result of :func:`skprog.model_selection.lr_range_test`, or ``lr_range_`` of an estimator
            fitted with ``lr="auto"``.
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : LRFinderDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If ``lr_range`` is another thing.
        """
        return cls(lr_range).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw a curve for each weight decay.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : LRFinderDisplay
            This display, with ``ax_``, ``figure_`` and ``lines_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        TypeError
            If ``ax`` is no Axes or ``lr_range`` no result of a range test.
        """
        found = self.lr_range
        if not hasattr(found, "suggestions_"):
            raise TypeError(
                f"lr_range is a {type(found).__name__}; give what lr_range_test returns, or "
                "lr_range_ of an estimator fitted with lr='auto'."
            )
        ax = self.ax_ = one_axes(self, ax, figsize=(7.6, 4.4))
        self.figure_ = ax.figure
        own = found.weight_decay_
        lrs, losses = found.curves_[own]
        ax.plot(lrs, found.raw_losses_[own], ".", color=SKY, alpha=0.6, ms=5, mew=0, label="_raw")
        self._plot_curves(ax)
        if not np.isnan(found.suggestions_["minimum"]):
            label = f"lr_min_ to lr_max_: {found.lr_min_:.2g} to {found.lr_max_:.2g}"
            ax.axvspan(found.lr_min_, found.lr_max_, color=GREEN, alpha=0.12, lw=0, label=label)
        for name, (marker, color) in MARKERS.items():
            lr = found.suggestions_[name]
            if not np.isnan(lr):
                height = np.interp(np.log(lr), np.log(lrs), losses)
                style = {"color": color, "mec": "white", "ms": 8, "ls": "none", "zorder": 4}
                ax.plot(lr, height, marker, label=f"{name}: {lr:.2g}", **style)
        ax.set(xscale="log", xlabel="Learning rate", ylabel="Training loss, smoothed")
        # What diverges at the end would flatten the rest.
        shown = np.concatenate([curve[len(curve) // 10 :] for _, curve in found.curves_.values()])
        low, high = shown.min(), losses[: max(len(losses) // 2, 1)].max()
        if high > low:
            ax.set_ylim(low - 0.1 * (high - low), high + 0.5 * (high - low))
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False)
        return self

    def _plot_curves(self, ax):
        curves, own = self.lr_range.curves_, self.lr_range.weight_decay_
        others = [decay for decay in curves if decay != own]
        shades = import_pyplot(self).colormaps["plasma"](np.linspace(0.1, 0.8, len(others)))
        self.lines_ = []
        for decay, color in zip([own, *others], [BLUE, *shades], strict=True):
            style = {"lw": 2.2, "zorder": 3} if decay == own else {"lw": 1.3, "ls": "--"}
            label = f"weight decay {decay:g}"
            self.lines_ += ax.plot(*curves[decay], color=color, label=label, **style)
