"""The threshold of each class over its share of the samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..losses import class_thresholds
from ._axes import BLUE, GREY, ORANGE, as_label, import_pyplot, one_axes

if TYPE_CHECKING:
    from typing import Any, Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

# Classes of one size that are named one by one.
N_NAMED = 3


class ClassThresholdDisplay:
    """Threshold of the gradient harmonized loss over a class's share of the samples [1]_.

    The curve is that of the given number of classes, with the classes themselves as points: as
    training starts and, when an annealing factor is given, as it ends. Below 0, where the loss
    clamps thresholds, the paper's formula goes on dashed.

    Parameters
    ----------
    class_counts : array-like of int of shape (n_classes,)
        Training samples of each class.
    alpha : float, default=1.0
        Scale of the thresholds in rad, at least 0.
    classes : array-like of shape (n_classes,), default=None
        Classes. None numbers them from 0.
    annealing : float or array-like of shape (n_classes,), default=1.0
        Factor of the thresholds at the end of training, in [0, 1]; at its start it is 1. Factors
        that differ between classes have points but no curve.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes drawn on.
    figure_ : matplotlib Figure
        Figure that holds them.

    See Also
    --------
    skprog.losses.class_thresholds : The thresholds drawn.

    References
    ----------
    .. [1] Z. Ren, W. Su, T. Lin, R. Zhang, Y. Zhu, K. Yan and J. Hong, "Gradient harmonized loss:
       Improving the performance of intelligent diagnosis models in large imbalance scenarios",
       ICPHM 2022, equations 12 and 13 and Fig. 2.

    Examples
    --------
    >>> from skprog.plots import ClassThresholdDisplay
    >>> display = ClassThresholdDisplay.from_counts([3200] + 11 * [16])
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()][-2:]
    ['0: 3200', '11 classes: 16 each']
    """

    def __init__(
        self,
        class_counts: ArrayLike,
        *,
        alpha: float = 1.0,
        classes: ArrayLike | None = None,
        annealing: float | ArrayLike = 1.0,
    ) -> None:
        self.class_counts = class_counts
        self.alpha = alpha
        self.classes = classes
        self.annealing = annealing

    @classmethod
    def from_estimator(cls, estimator: BaseEstimator, *, ax: Axes | None = None) -> Self:
        """Draw the thresholds at the start and at the end of a fit.

        Parameters
        ----------
        estimator : GHLClassifier or another classifier of skprog.estimators
            Fitted with ``loss="ghl"``. Of several networks the first is drawn.
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : ClassThresholdDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If ``estimator`` is no estimator.
        ValueError
            If it is not fitted or its loss has no thresholds.
        """
        check_is_fitted(estimator)
        loss: Any = getattr(getattr(estimator, "net_", None), "criterion_", None)
        if not all(hasattr(loss, name) for name in ("class_counts", "alpha", "annealing_factor")):
            raise ValueError(
                f"{type(estimator).__name__} has no loss with thresholds; fit a classifier of "
                "skprog.estimators with loss='ghl', and of a pipeline or a search give the "
                "classifier inside."
            )
        # The loss of a fit resumed at its end has not been told its factor.
        annealing = estimator.history_[-1].get("annealing_factor", loss.annealing_factor)
        return cls.from_counts(
            loss.class_counts,
            alpha=loss.alpha,
            classes=estimator.classes_,
            annealing=annealing,
            ax=ax,
        )

    @classmethod
    def from_counts(
        cls,
        class_counts: ArrayLike,
        *,
        alpha: float = 1.0,
        classes: ArrayLike | None = None,
        annealing: float | ArrayLike = 1.0,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the thresholds of a training set.

        Parameters
        ----------
        class_counts : array-like of int of shape (n_classes,)
            Training samples of each class.
        alpha : float, default=1.0
            Scale of the thresholds in rad, at least 0.
        classes : array-like of shape (n_classes,), default=None
            Classes. None numbers them from 0.
        annealing : float or array-like of shape (n_classes,), default=1.0
            Factor of the thresholds at the end of training, in [0, 1].
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : ClassThresholdDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            As for :meth:`plot`.
        """
        return cls(class_counts, alpha=alpha, classes=classes, annealing=annealing).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the curves and the classes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : ClassThresholdDisplay
            This display, with ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        TypeError
            If ``alpha`` is no number or ``ax`` is no Axes.
        ValueError
            If ``class_counts`` are not integers of at least 0 for 2 classes or more, ``alpha`` is
            negative, ``annealing`` lies outside [0, 1], or ``classes`` or ``annealing`` has
            another length than ``class_counts``.
        """
        start = class_thresholds(self.class_counts, self.alpha)
        end = class_thresholds(self.class_counts, self.alpha, self.annealing)
        n_classes = len(start)
        classes = np.arange(n_classes) if self.classes is None else np.asarray(self.classes)
        if classes.shape != (n_classes,):
            raise ValueError(
                f"classes has shape {classes.shape} but class_counts has {n_classes} counts; give "
                "one class per count."
            )
        ax = self.ax_ = one_axes(self, ax, figsize=(7.6, 4.4))
        colormaps = import_pyplot(self).colormaps
        self.figure_ = ax.figure
        counts = np.asarray(self.class_counts)
        factors = np.unique(self.annealing)
        is_annealed = bool((factors < 1).any())
        self._plot_curves(n_classes, factors, is_annealed)
        sizes = np.unique(counts)[::-1]
        colors = colormaps["turbo"](np.linspace(0.95, 0.05, len(sizes)))
        for size, color in zip(sizes, colors, strict=True):
            members = counts == size
            x = np.full(members.sum(), 100 * (size / counts.sum()))
            dots = {"ls": "", "marker": "o", "ms": 8, "color": color, "zorder": 4}
            label = as_label(_label(classes[members], size))
            if is_annealed:
                ax.plot(x, start[members], mfc="white", mew=1.5, **dots)
            ax.plot(x, end[members], label=label, **dots)
        ax.set(xlabel="Share of the samples (%)", ylabel="Threshold of the gradient angle (rad)")
        ax.set_xlim(-2, 102)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False)
        return self

    def _plot_curves(self, n_classes, factors, is_annealed):
        share = np.sort(np.append(np.linspace(0, 1, 501), 1 / n_classes))
        # Equation 12, its sigmoid(x) - 1/2 as tanh(x / 2) / 2.
        formula = self.alpha * np.tanh(2.5 * (n_classes * share - 1)) / 2
        curve = np.maximum(formula, 0)
        below = share <= 1 / n_classes
        percent = 100 * share
        self.ax_.axhline(0, color="0.8", lw=0.8, zorder=0)
        self.ax_.axvline(
            100 / n_classes,
            color=GREY,
            lw=1,
            ls=":",
            label=f"share if balanced: {100 / n_classes:.3g} %",
        )
        self.ax_.plot(
            percent[below],
            formula[below],
            color=BLUE,
            lw=1.5,
            ls="--",
            label="formula before clamping",
        )
        if not is_annealed:
            self.ax_.plot(percent, curve, color=BLUE, lw=2, label="threshold")
            return
        # No point of the curves has a marker but the legend, which tells hollow from filled.
        dots = {"lw": 2, "marker": "o", "ms": 8, "mec": GREY, "mew": 1.5, "markevery": []}
        self.ax_.plot(
            percent, curve, color=BLUE, mfc="white", label="start of training", zorder=3, **dots
        )
        label = f"end, annealing {factors[0]:.2g}"
        if len(factors) == 1:
            end = factors[0] * curve
            self.ax_.plot(percent, end, color=ORANGE, mfc=GREY, label=label, **dots)
        else:
            label = f"{label} to {factors[-1]:.2g}"
            self.ax_.plot([], [], ls="", mfc=GREY, label=label, **{**dots, "markevery": None})


def _label(names, size):
    if len(names) > N_NAMED:
        return f"{len(names)} classes: {size} each"
    return f"{', '.join(map(str, names))}: {size}{' each' if len(names) > 1 else ''}"
