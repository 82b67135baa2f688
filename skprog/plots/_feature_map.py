"""What the filters of one block respond to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._checks import as_numbers, check_finite, check_integer
from ._axes import several_axes

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike

    from ..estimators import SEMClassifier

# Of a whole figure, in inches.
WIDTH = 8.0


class FeatureMapDisplay:
    """Feature maps of one convolution block, each on axes of its own [1]_.

    Maps stand row by row in the order of the filters. Each is scaled to its own range, from black
    at its lowest to white at its highest value: a filter that responds weakly shows as much
    contrast as a strong one, and one that responds nowhere is black.

    Parameters
    ----------
    maps : array-like of shape (n_filters, height, width)
        Response of each filter to one image.
    block : int, default=None
        Number of the block, counted from 1, for the title. None leaves it out.

    Attributes
    ----------
    ax_ : ndarray of shape (n_filters,) of matplotlib Axes
        Axes of each map.
    figure_ : matplotlib Figure
        Figure that holds them.

    See Also
    --------
    skprog.plots.DefectMapDisplay : Where on an image a classifier sees defects.

    Notes
    -----
    The paper shows the blocks 1 and 3. Its Fig. 4 has 64 maps of the third.

    References
    ----------
    .. [1] C. Ieracitano, F. Pantó, N. Mammone, A. Paviglianiti, P. Frontera and F. C. Morabito,
       "Toward an automatic classification of SEM images of nanomaterials via a deep learning
       approach", in Neural Approaches to Dynamics of Signal Exchanges, Springer 2020, Fig. 4.

    Examples
    --------
    >>> import numpy as np
    >>> from skprog.plots import FeatureMapDisplay
    >>> maps = np.random.default_rng(0).random((16, 32, 32))
    >>> display = FeatureMapDisplay(maps, block=1).plot()
    >>> display.figure_.get_suptitle()
    'Block 1: 16 feature maps, 32 × 32'
    """

    def __init__(self, maps: ArrayLike, *, block: int | None = None) -> None:
        self.maps = maps
        self.block = block

    @classmethod
    def from_estimator(
        cls,
        estimator: SEMClassifier,
        image: ArrayLike,
        *,
        block: int = 1,
        ax: ArrayLike | None = None,
    ) -> Self:
        """Compute the feature maps of one image and draw them.

        Parameters
        ----------
        estimator : SEMClassifier
            Fitted; ``feature_maps`` takes one image and the number of a block.
        image : array-like of shape (height, width)
            One grey image.
        block : int, default=1
            Block to draw, counted from 1.
        ax : array-like of n_filters matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : FeatureMapDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If ``estimator`` has no ``feature_maps``, ``block`` is no integer, or as for
            :meth:`plot`.
        ValueError
            If ``image`` is not 2-d, the network has no such block, or as for :meth:`plot`.
        """
        if not hasattr(estimator, "feature_maps"):
            raise TypeError(
                f"estimator of type {type(estimator).__name__} has no feature_maps; give a fitted "
                "SEMClassifier, and of a pipeline or a search the one inside."
            )
        check_integer("block", block)
        shape = as_numbers("image", image).shape
        if len(shape) != 2:
            raise ValueError(f"image has shape {shape}; give one grey image, (height, width).")
        return cls(estimator.feature_maps(image, block), block=block).plot(ax=ax)

    def plot(self, ax: ArrayLike | None = None) -> Self:
        """Draw each map on axes of its own.

        Parameters
        ----------
        ax : array-like of n_filters matplotlib Axes, default=None
            Where to draw. None draws a new figure with a grid as square as it can be.

        Returns
        -------
        display : FeatureMapDisplay
            This display, with ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        TypeError
            If ``block`` is no integer or ``ax`` holds anything but Axes.
        ValueError
            If ``maps`` is not 3-d, is empty or not finite, ``block`` is below 1, or ``ax`` holds
            another number of axes than there are maps.
        """
        maps = as_numbers("maps", self.maps)
        if maps.ndim != 3 or maps.size == 0:
            raise ValueError(
                f"maps has shape {maps.shape}; give the maps of one block, "
                "(n_filters, height, width)."
            )
        check_finite(maps, "maps")
        if self.block is not None:
            check_integer("block", self.block)
        n_filters, height, width = maps.shape
        n_columns = int(np.ceil(np.sqrt(n_filters)))
        side = WIDTH / max(n_columns, 2)
        size = (side, side * np.clip(height / width, 0.25, 4))
        self.ax_, is_new = several_axes(self, ax, n_filters, n_columns=n_columns, size=size)
        self.figure_ = self.ax_[0].figure
        for axes, feature_map in zip(self.ax_, maps, strict=True):
            axes.imshow(feature_map, cmap="gray")
            axes.set_axis_off()
        block = "" if self.block is None else f"Block {self.block}"
        if is_new:
            what = f"{n_filters} feature map{'s'[: n_filters > 1]}, {height} × {width}"
            self.figure_.suptitle(": ".join(filter(None, [block, what])), fontsize="medium")
        else:
            self.ax_[0].set_title(block, fontsize="medium")
        return self
