"""The loss over true and predicted RUL, with and without the RUL index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._checks import check_number
from ..decision import find_max_life
from ..preprocessing import RULIndex
from ._axes import several_axes

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator


class RULIndexDisplay:
    """Squared error over true and predicted RUL: RUL itself against the RUL index [1]_.

    Parameters
    ----------
    max_life : float
        Maximum expected life (MEL) in s.
    w : float, default=0.25
        Weight of the RUL index; see :class:`skprog.preprocessing.RULIndex`.

    Attributes
    ----------
    ax_ : ndarray of shape (2,) of matplotlib Axes
        Axes of the linear target, RUL / MEL, and of the RUL index.
    figure_ : matplotlib Figure
        Figure that holds them.

    Notes
    -----
    Both targets are at most 1, so that both losses share one colour scale.

    References
    ----------
    .. [1] R. Cosin, L. S. F. Ribeiro and K. Castelo Branco, "Bearing failure prognostics using
       recurrent neural networks: a spectral data based architecture", SIBGRAPI 2023, Fig. 3.

    Examples
    --------
    >>> from skprog.plots import RULIndexDisplay
    >>> display = RULIndexDisplay(max_life=27_710)
    >>> display.max_life
    27710
    """

    def __init__(self, max_life: float, *, w: float = 0.25) -> None:
        self.max_life = max_life
        self.w = w

    @classmethod
    def from_estimator(
        cls, estimator: BaseEstimator, *, w: float = 0.25, ax: ArrayLike | None = None
    ) -> Self:
        """Draw the losses over the life that an estimator has learnt.

        Parameters
        ----------
        estimator : estimator
            Fitted, with ``max_life_``, or with an estimator inside that has it.
        w : float, default=0.25
            Weight of the RUL index.
        ax : array-like of 2 matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : RULIndexDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If no ``max_life_`` is found, or as for :meth:`plot`.
        """
        return cls(find_max_life(estimator), w=w).plot(ax=ax)

    def plot(self, ax: ArrayLike | None = None) -> Self:
        """Draw both losses side by side.

        Parameters
        ----------
        ax : array-like of 2 matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : RULIndexDisplay
            This display, with ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If ``w`` or ``max_life`` is not above 0, or ``ax`` holds another number of axes than 2.
        """
        check_number("w", self.w, above=0)
        check_number("max_life", self.max_life, above=0)
        self.ax_, _ = several_axes(
            self, ax, 2, n_columns=2, size=(4.6, 4.0), sharex=True, sharey=True
        )
        self.figure_ = self.ax_[0].figure
        rul = np.linspace(0, self.max_life, 201)
        index = RULIndex(w=self.w, max_life=self.max_life).fit_transform(rul[:, None]).ravel()
        targets = {"RUL / MEL": rul / self.max_life, "RUL index": index}
        for ax, (name, target) in zip(self.ax_, targets.items(), strict=True):
            error = np.abs(target[:, None] - target)
            image = ax.contourf(rul, rul, error, levels=np.linspace(0, 1, 21), cmap="viridis")
            ax.set(title=f"Target: {name}", xlabel="True RUL (s)", aspect="equal")
        self.ax_[0].set_ylabel("Predicted RUL (s)")
        # Coloured by the root, which shows the small losses; the ticks read as the loss.
        ticks = np.linspace(0, 1, 6)
        bar = self.figure_.colorbar(image, ax=list(self.ax_), ticks=ticks, shrink=0.85)
        bar.set_ticklabels([f"{tick**2:.2f}" for tick in ticks])
        bar.set_label("Squared error of the target")
        return self
