"""Which layers gradient amplification has chosen, and what came of it."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._checks import as_numbers, check_option
from ._axes import BLUE, SKY, VERMILION, as_label, one_axes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal, Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator
    from skorch import NeuralNet

STYLES = (
    {"color": VERMILION, "lw": 1.6},
    {"color": BLUE, "lw": 1.6},
    {"color": VERMILION, "lw": 1.0, "ls": "--"},
    {"color": SKY, "lw": 1.0, "ls": "--"},
)


class AmplificationDisplay:
    """Measures of the layers of a network and which were amplified, epoch by epoch [1]_.

    Parameters
    ----------
    normalised_measures : array-like of shape (n_layers, n_epochs)
        Normalised measure of each layer in each epoch, NaN where it was not measured.
    amplified : array-like of bool of shape (n_layers, n_epochs)
        Whether a layer was amplified in an epoch.
    layer_names : list of str, default=None
        Names of the layers; None numbers them from 0.
    curves : dict of str to array-like of shape (n_epochs,), default=None
        Scores or losses by name, such as those with and without amplification.
    curve_label : str, default="Loss"
        What the curves show.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes drawn on.
    figure_ : matplotlib Figure
        Figure that holds them.
    image_ : matplotlib AxesImage or None
        Heat map of the measures.
    points_ : matplotlib Line2D or None
        Marks of the amplified cells.
    lines_ : list of matplotlib Line2D
        Curves.

    See Also
    --------
    skprog.callbacks.GradientAmplification : Measures, chooses and amplifies.

    References
    ----------
    .. [1] S. Basodi, K. Pusuluri, X. Xiao and Y. Pan, "Intelligent gradient amplification for
       deep neural networks", arXiv:2305.18445, 2023, Fig. 11.

    Examples
    --------
    >>> import numpy as np
    >>> from skprog.plots import AmplificationDisplay
    >>> measures = [[np.nan, 1.4, np.nan], [np.nan, -0.7, np.nan], [np.nan, -0.7, np.nan]]
    >>> amplified = [[False, False, True], [False, False, False], [False, False, False]]
    >>> display = AmplificationDisplay(measures, amplified, layer_names=["a", "b", "c"]).plot()
    >>> display.points_.get_xdata().tolist(), display.points_.get_ydata().tolist()
    ([3], [0])
    """

    def __init__(
        self,
        normalised_measures: ArrayLike,
        amplified: ArrayLike,
        *,
        layer_names: Sequence[str] | None = None,
        curves: dict[str, ArrayLike] | None = None,
        curve_label: str = "Loss",
    ) -> None:
        self.normalised_measures = normalised_measures
        self.amplified = amplified
        self.layer_names = layer_names
        self.curves = curves
        self.curve_label = curve_label

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator | NeuralNet,
        *,
        plain: BaseEstimator | NeuralNet | None = None,
        score: str | None = None,
        kind: Literal["measures", "curves"] = "measures",
        ax: Axes | None = None,
    ) -> Self:
        """Draw what a fitted estimator has amplified.

        Parameters
        ----------
        estimator : estimator of skprog.estimators or net of skorch
            Fitted with :class:`~skprog.callbacks.GradientAmplification`. Of several networks the
            first is drawn.
        plain : estimator of skprog.estimators or net of skorch, default=None
            The same fitted without it, for the curves.
        score : str, default=None
            Entry of the history that the curves show, such as "accuracy" of skorch's
            ``EpochScoring("accuracy")``. None shows the losses.
        kind : {"measures", "curves"}, default="measures"
            What to draw.
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : AmplificationDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If ``estimator`` or ``plain`` is no estimator.
        ValueError
            If one of them is not fitted or its history lacks what is drawn.
        """
        check_is_fitted(estimator)
        history = [*getattr(estimator, "history_", getattr(estimator, "history", []))]
        kept = [epoch.get("normalised_measures") for epoch in history]
        if any(each is not None for each in kept) and not any(kept):
            raise ValueError("no layer was measured; train on into an amplified phase.")
        if not any(kept):
            raise ValueError(
                f"{type(estimator).__name__} has no measures in history_; fit it with "
                "callbacks=[GradientAmplification(...)], and of a pipeline or a search give the "
                "one inside."
            )
        measured = [epoch.get("normalised_measures", {}) for epoch in history]
        chosen = [set(epoch.get("amplified_layers", ())) for epoch in history]
        names = [*dict.fromkeys(name for each in measured for name in each)]
        curves = _curves("amplified", history, score)
        if plain is not None:
            check_is_fitted(plain)
            others = [*getattr(plain, "history_", getattr(plain, "history", []))]
            if not others:
                raise ValueError(
                    f"plain is a {type(plain).__name__} without history_; give an estimator of "
                    "skprog.estimators or a net of skorch, or the one inside a pipeline or search."
                )
            curves |= _curves("plain", others, score)
        display = cls(
            np.array([[each.get(name, np.nan) for each in measured] for name in names]),
            np.array([[name in each for each in chosen] for name in names], dtype=bool),
            layer_names=names,
            curves=curves,
            curve_label="Loss" if score is None else score.replace("_", " ").capitalize(),
        )
        return display.plot(ax=ax, kind=kind)

    def plot(
        self, ax: Axes | None = None, *, kind: Literal["measures", "curves"] = "measures"
    ) -> Self:
        """Draw the heat map of the measures or the curves.

        In the heat map a measure is shown in the epoch it was taken in and, faded, in those in
        which the choice it led to was amplified. Dots mark the layers amplified.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.
        kind : {"measures", "curves"}, default="measures"
            What to draw.

        Returns
        -------
        display : AmplificationDisplay
            This display, with ``ax_``, ``figure_``, ``image_``, ``points_`` and ``lines_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        TypeError
            If ``ax`` is no Axes.
        ValueError
            If shapes differ, nothing was measured, there are no curves, or ``kind`` is unknown.
        """
        check_option("kind", kind, ("measures", "curves"))
        self.image_ = self.points_ = None
        self.lines_: list[Any] = []
        if kind == "curves":
            self._plot_curves(ax)
        else:
            self._plot_measures(ax)
        from matplotlib.ticker import MaxNLocator

        self.ax_.set_xlabel("Epoch")
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True))
        return self

    def _plot_measures(self, ax):
        measures, amplified, names = self._check_measures()
        n_layers, n_epochs = measures.shape
        ax = self.ax_ = one_axes(self, ax, figsize=(7.2, 1.6 + 0.16 * n_layers))
        self.figure_ = ax.figure
        held, opacity = _held(measures, amplified)
        bound = np.nanmax(np.abs(measures)) or 1.0
        self.image_ = ax.imshow(
            held,
            cmap="RdBu_r",
            vmin=-bound,
            vmax=bound,
            alpha=opacity,
            aspect="auto",
            interpolation="none",
            extent=(0.5, n_epochs + 0.5, n_layers - 0.5, -0.5),
        )
        rows, columns = np.nonzero(amplified)
        style = {"color": "black", "ms": 2.5, "ls": "none", "label": "amplified"}
        (self.points_,) = ax.plot(columns + 1, rows, "o", **style)
        # Names of as many layers as can be read.
        step = -(-n_layers // 60)
        ax.set_yticks(range(0, n_layers, step), names[::step], fontsize="x-small")
        ax.set_ylabel("Layer")
        self.figure_.colorbar(self.image_, ax=ax, label="Normalised measure", alpha=1)
        if len(rows):
            above = {"loc": "lower left", "bbox_to_anchor": (0, 1)}
            ax.legend(frameon=False, markerscale=2, **above)

    def _plot_curves(self, ax):
        if not self.curves:
            raise ValueError("there are no curves to draw; give curves or use kind='measures'.")
        if not isinstance(self.curves, dict):
            raise TypeError(f"curves={self.curves!r} must be a dict of names and values.")
        curves = {name: as_numbers(name, values) for name, values in self.curves.items()}
        for name, values in curves.items():
            if values.ndim != 1 or not len(values):
                raise ValueError(f"curve {name!r} has shape {values.shape}; give one per epoch.")
        ax = self.ax_ = one_axes(self, ax, figsize=(6.8, 4.2))
        self.figure_ = ax.figure
        for i, (name, values) in enumerate(curves.items()):
            epochs = np.arange(1, len(values) + 1)
            self.lines_ += ax.plot(epochs, values, label=as_label(name), **STYLES[i % len(STYLES)])
        ax.set_ylabel(self.curve_label)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)

    def _check_measures(self):
        measures = as_numbers("normalised_measures", self.normalised_measures)
        amplified = np.asarray(self.amplified, dtype=bool)
        if measures.ndim != 2 or measures.shape != amplified.shape:
            raise ValueError(
                f"normalised_measures has shape {measures.shape} and amplified "
                f"{amplified.shape}; give (n_layers, n_epochs) of both."
            )
        if not np.isfinite(measures).any():
            raise ValueError("no layer was measured; train on into an amplified phase.")
        names = [*range(len(measures))] if self.layer_names is None else self.layer_names
        if len(names) != len(measures):
            raise ValueError(
                f"layer_names has {len(names)} names but there are {len(measures)} layers."
            )
        return measures, amplified, [as_label(name) for name in names]


def _held(measures, amplified):
    """Return measures held while their choice is amplified, and how opaque each cell is."""
    held = measures.copy()
    is_measured = np.isfinite(measures).any(axis=0)
    for epoch in range(1, measures.shape[1]):
        if not is_measured[epoch] and amplified[:, epoch].any():
            held[:, epoch] = held[:, epoch - 1]
    return held, np.where(is_measured, 1.0, 0.45) * np.isfinite(held)


def _curves(name, history, score):
    """Return the scores of a history, or its losses, by name."""
    if score is not None and not any(isinstance(epoch.get(score), Real) for epoch in history):
        raise ValueError(
            f"the history of the {name} fit has no numbers {score!r}; add EpochScoring({score!r}, "
            "lower_is_better=False) to callbacks, with validation_fraction=0.2 or on_train=True."
        )
    if score is not None:
        keys = {name: score}
    else:
        keys = {f"{name}, training": "train_loss", f"{name}, validation": "valid_loss"}
    curves = {
        label: np.array([epoch.get(key, np.nan) for epoch in history], dtype=float)
        for label, key in keys.items()
    }
    return {label: curve for label, curve in curves.items() if np.isfinite(curve).any()}
