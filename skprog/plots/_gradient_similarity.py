"""How similar the gradients within each class are while a network trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._checks import as_numbers, check_finite
from ._axes import as_label, import_pyplot, one_axes

if TYPE_CHECKING:
    from typing import Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

# Beside the colours, which many classes leave close to each other.
STYLES = ("-", "--", ":")


class GradientSimilarityDisplay:
    """Mean angle between the gradients within each class over the epochs of a fit [1]_.

    The smaller the angle, the more alike are the directions in which the samples of a class pull
    the network. A class with more samples than any other is drawn in black; one without angles is
    left out.

    Parameters
    ----------
    angles : array-like of shape (n_epochs, n_classes)
        Mean angle between the gradients of two samples of a class in rad, NaN where there were
        fewer than two samples; the entries ``gradient_angles`` of a history.
    classes : array-like of shape (n_classes,), default=None
        Classes. None numbers them from 0.
    class_counts : array-like of int of shape (n_classes,), default=None
        Training samples of each class, which tell the largest. None draws all in colours.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes drawn on.
    figure_ : matplotlib Figure
        Figure that holds them.
    lines_ : list of matplotlib Line2D
        Line of each class that has angles, in the order of the classes.

    See Also
    --------
    skprog.callbacks.GradientSimilarity : Records the angles.

    Notes
    -----
    The panels of the paper, the plain loss beside the gradient harmonized one and a balanced set,
    are displays side by side: ``figure, axes = plt.subplots(1, 3, sharey=True,
    layout="constrained")``, then ``from_estimator(model, ax=ax)`` for each model and its axes,
    and ``ax.get_legend().remove()`` where the classes are the same.

    The paper divides the sum over all pairs of N samples by N; this is the mean, in rad.

    References
    ----------
    .. [1] Z. Ren, W. Su, T. Lin, R. Zhang, Y. Zhu, K. Yan and J. Hong, "Gradient harmonized loss:
       Improving the performance of intelligent diagnosis models in large imbalance scenarios",
       ICPHM 2022, Fig. 3.

    Examples
    --------
    A class of one sample has no angles.

    >>> from skprog.plots import GradientSimilarityDisplay
    >>> angles = [[0.0, 0.3, float("nan")], [0.1, 0.5, float("nan")]]
    >>> display = GradientSimilarityDisplay(angles, classes=["normal", "inner", "ball"]).plot()
    >>> [line.get_label() for line in display.lines_]
    ['normal', 'inner']
    """

    def __init__(
        self,
        angles: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        class_counts: ArrayLike | None = None,
    ) -> None:
        self.angles = angles
        self.classes = classes
        self.class_counts = class_counts

    @classmethod
    def from_estimator(cls, estimator: BaseEstimator, *, ax: Axes | None = None) -> Self:
        """Draw what a classifier recorded while it was fitted.

        Parameters
        ----------
        estimator : GHLClassifier or another classifier of skprog.estimators
            Fitted with ``callbacks=[GradientSimilarity()]``. Of several networks the first is
            drawn.
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : GradientSimilarityDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If ``estimator`` is no estimator.
        ValueError
            If it is not fitted or was fitted without the callback.
        """
        check_is_fitted(estimator)
        history = getattr(estimator, "history_", [])
        angles = [epoch["gradient_angles"] for epoch in history if "gradient_angles" in epoch]
        if not angles:
            raise ValueError(
                f"{type(estimator).__name__} has no gradient_angles in history_; fit a classifier "
                "of skprog.estimators with callbacks=[GradientSimilarity()], and of a pipeline or "
                "a search give the classifier inside."
            )
        # A net from a file has no loss.
        loss = getattr(estimator.net_, "criterion_", None)
        counts = getattr(loss, "class_counts", None)
        return cls(angles, classes=estimator.classes_, class_counts=counts).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw one line per class.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : GradientSimilarityDisplay
            This display, with ``ax_``, ``figure_`` and ``lines_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        TypeError
            If ``ax`` is no Axes.
        ValueError
            If ``angles`` is not 2-d, is empty, has no number or one outside [0, π], ``classes`` or
            ``class_counts`` has another length than there are classes, or counts are not integers
            of at least 0.
        """
        angles = _check_angles(self.angles)
        n_classes = angles.shape[1]
        classes = np.arange(n_classes) if self.classes is None else np.asarray(self.classes)
        if classes.shape != (n_classes,):
            raise ValueError(
                f"classes has shape {classes.shape} but angles has {n_classes} columns; give one "
                "class per column."
            )
        labels, largest = [as_label(name) for name in classes], None
        if self.class_counts is not None:
            counts = _check_counts(self.class_counts, n_classes)
            labels = [f"{label} ({n:.0f})" for label, n in zip(labels, counts, strict=True)]
            is_largest = counts == counts.max()
            largest = is_largest.argmax() if is_largest.sum() == 1 else None
        ax = self.ax_ = one_axes(self, ax, figsize=(7.6, 4.4))
        colormaps = import_pyplot(self).colormaps
        from matplotlib.ticker import MaxNLocator

        self.figure_ = ax.figure
        epochs = np.arange(1, len(angles) + 1)
        drawn = np.flatnonzero(~np.isnan(angles).all(axis=0))
        # By class, so that a class has one colour in all panels.
        colors = colormaps["turbo"](np.linspace(0.05, 0.95, n_classes))
        self.lines_ = []
        for c in drawn:
            style = {"color": colors[c], "ls": STYLES[c % len(STYLES)], "lw": 1.4, "ms": 5}
            if c == largest:
                style = {"color": "black", "ls": "-", "lw": 2.5, "ms": 9, "zorder": 3}
            self.lines_ += ax.plot(epochs, angles[:, c], marker=".", label=labels[c], **style)
        ax.set(xlabel="Epoch", ylabel="Mean gradient angle within the class (rad)")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        # Left automatic, as panels that share the axis grow it.
        ax.set_ylim(bottom=0, auto=True)
        ax.spines[["top", "right"]].set_visible(False)
        title = "Class" if self.class_counts is None else "Class (samples)"
        ax.legend(
            title=title, loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False, handlelength=3
        )
        return self


def _check_angles(angles):
    angles = as_numbers("angles", angles)
    if angles.ndim != 2 or angles.size == 0:
        raise ValueError(
            f"angles has shape {angles.shape}; give one row per epoch and one column per class."
        )
    if np.isnan(angles).all():
        raise ValueError(
            "angles holds NaN only; a class needs at least 2 samples in an epoch to have angles."
        )
    if np.nanmin(angles) < 0 or np.nanmax(angles) > np.pi:
        raise ValueError(
            f"angles span {np.nanmin(angles):g} to {np.nanmax(angles):g}; give angles in rad, in "
            "[0, π]."
        )
    return angles


def _check_counts(class_counts, n_classes):
    counts = as_numbers("class_counts", class_counts)
    if counts.shape != (n_classes,):
        raise ValueError(
            f"class_counts has shape {counts.shape} but angles has {n_classes} columns; give one "
            "count per column."
        )
    check_finite(counts, "class_counts")
    if (counts < 0).any() or (counts % 1).any():
        raise ValueError(f"class_counts={class_counts} must hold integers of at least 0.")
    return counts
