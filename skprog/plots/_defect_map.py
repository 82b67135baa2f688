"""Where on a micrograph a classifier sees defects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._checks import as_numbers, check_number, check_plain
from ._axes import SKY, import_pyplot, one_axes

if TYPE_CHECKING:
    from typing import Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from ..estimators import SEMClassifier

# Opacity of the map where a defect is certain: the fibres stay visible under it.
OPACITY = 0.75


class DefectMapDisplay:
    """Map of the probability of a defect over the micrograph it was made from.

    The map is transparent where its probability is 0 and the more opaque the higher it is. The
    colour bar lies on mid-grey, as the map does on an image of that brightness.

    Parameters
    ----------
    image : array-like of shape (height, width)
        Grey image, drawn from its darkest to its brightest pixel.
    defect_map : array-like of shape (height, width)
        Probability of a defect at each pixel, in [0, 1].
    mask : array-like of bool of shape (height, width), default=None
        Where the defects are. None draws no outline of them.
    threshold : float, default=None
        Probability in [0, 1] from which a pixel counts as a defect. None draws no outline of
        those that do.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes drawn on.
    figure_ : matplotlib Figure
        Figure that holds them.

    See Also
    --------
    skprog.plots.FeatureMapDisplay : What the filters of a block respond to.

    Examples
    --------
    >>> import numpy as np
    >>> from skprog.plots import DefectMapDisplay
    >>> image = np.random.default_rng(0).normal(size=(64, 96))
    >>> x = np.arange(96) / 95
    >>> display = DefectMapDisplay(image, np.tile(x, (64, 1)), mask=image > 9, threshold=0.5).plot()
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['mask: nowhere', 'map ≥ 0.5']
    """

    def __init__(
        self,
        image: ArrayLike,
        defect_map: ArrayLike,
        *,
        mask: ArrayLike | None = None,
        threshold: float | None = None,
    ) -> None:
        self.image = image
        self.defect_map = defect_map
        self.mask = mask
        self.threshold = threshold

    @classmethod
    def from_estimator(
        cls,
        estimator: SEMClassifier,
        image: ArrayLike,
        *,
        mask: ArrayLike | None = None,
        threshold: float | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Map the defects of one image and draw them.

        Parameters
        ----------
        estimator : SEMClassifier
            Fitted; ``defect_map`` takes a list of images and returns one map for each.
        image : array-like of shape (height, width)
            One grey image.
        mask : array-like of bool of shape (height, width), default=None
            Where the defects are. None draws no outline of them.
        threshold : float, default=None
            Probability in [0, 1] from which a pixel counts as a defect. None draws no outline of
            those that do.
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : DefectMapDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If ``estimator`` has no ``defect_map``, or as for :meth:`plot`.
        ValueError
            As for :meth:`plot`.
        """
        if not hasattr(estimator, "defect_map"):
            raise TypeError(
                f"estimator of type {type(estimator).__name__} has no defect_map; give a fitted "
                "SEMClassifier, and of a pipeline or a search the one inside."
            )
        # Before the estimator, which would call the image by another name and takes its time.
        shape = _check_plane("image", image).shape
        if mask is not None:
            _check_mask(mask, shape)
        if threshold is not None:
            check_number("threshold", threshold, minimum=0, maximum=1)
        defect_map = estimator.defect_map([image])[0]
        return cls(image, defect_map, mask=mask, threshold=threshold).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the image, the map over it and the outlines.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : DefectMapDisplay
            This display, with ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        TypeError
            If ``threshold`` is no number or ``ax`` is no Axes.
        ValueError
            If ``image`` or ``defect_map`` is not 2-d, is empty or not finite, the shapes of
            ``image``, ``defect_map`` and ``mask`` differ, the map or ``threshold`` lies outside
            [0, 1], or ``mask`` is not boolean.
        """
        image = _check_plane("image", self.image)
        defect_map = _check_map(self.defect_map, image.shape)
        # Colour, line style and pixels of each outline.
        outlines = {}
        if self.mask is not None:
            outlines["mask"] = (SKY, "-", _check_mask(self.mask, image.shape))
        if self.threshold is not None:
            check_number("threshold", self.threshold, minimum=0, maximum=1)
            outlines[f"map ≥ {self.threshold:g}"] = ("white", "--", defect_map >= self.threshold)
        height, width = image.shape
        size = (6.4, np.clip(5.2 * height / width, 2.0, 8.0) + 0.8)
        ax = self.ax_ = one_axes(self, ax, figsize=size)
        self.figure_ = ax.figure
        ax.imshow(image, cmap="gray")
        overlay = ax.imshow(defect_map, cmap=_fading(import_pyplot(self)), vmin=0, vmax=1)
        # Inside the axes, so that it is as high as an image of any shape.
        bar = ax.inset_axes([1.03, 0, 0.04, 1])
        bar.set_facecolor("0.5")
        self.figure_.colorbar(overlay, cax=bar, label="Probability of a defect")
        self._plot_outlines(outlines)
        # Outlines around the whole image would widen the axes.
        ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
        ax.set(xlabel="x (px)", ylabel="y (px)")
        return self

    def _plot_outlines(self, outlines):
        if not outlines:
            return
        from matplotlib.lines import Line2D
        from matplotlib.patheffects import withStroke

        handles = []
        style = {"linewidth": 1.2, "path_effects": [withStroke(linewidth=2.4, foreground="black")]}
        for label, (color, dashes, region) in outlines.items():
            if region.any():
                height, width = region.shape
                # A border of False closes the outlines that leave the image.
                outline = self.ax_.contour(
                    np.arange(-1, width + 1),
                    np.arange(-1, height + 1),
                    np.pad(region, 1),
                    levels=[0.5],
                    colors=[color],
                    linestyles=[dashes],
                )
                outline.set(**style)
            else:
                label = f"{label}: nowhere"
            handles.append(Line2D([], [], color=color, linestyle=dashes, label=label, **style))
        # Below the axis label, so that a title has the place above.
        self.ax_.legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, 0),
            borderaxespad=4.2,
            ncols=2,
            frameon=False,
        )


def _fading(plt):
    """Return a perceptually uniform colour map that is transparent at its low end."""
    from matplotlib.colors import ListedColormap

    colors = plt.colormaps["inferno"](np.linspace(0, 1, 256))
    colors[:, 3] = np.linspace(0, OPACITY, 256)
    return ListedColormap(colors)


def _check_plane(name, values):
    values = as_numbers(name, values)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(
            f"{name} has shape {values.shape}; give that of one grey image, (height, width)."
        )
    if not np.isfinite(values).all():
        raise ValueError(f"{name} contains NaN or infinity; repair it or leave it out.")
    return values


def _check_map(defect_map, shape):
    defect_map = _check_plane("defect_map", defect_map)
    if defect_map.shape != shape:
        raise ValueError(
            f"defect_map has shape {defect_map.shape} but image has {shape}; give the map of this "
            "image, one probability per pixel."
        )
    if defect_map.min() < 0 or defect_map.max() > 1:
        raise ValueError(
            f"defect_map spans {defect_map.min():g} to {defect_map.max():g}; give probabilities, "
            "in [0, 1]."
        )
    return defect_map


def _check_mask(mask, shape):
    check_plain("mask", mask)
    mask = np.asarray(mask)
    if mask.dtype != bool:
        raise ValueError(f"mask has dtype {mask.dtype}; give booleans, such as mask > 0.")
    if mask.shape != shape:
        raise ValueError(
            f"mask has shape {mask.shape} but image has {shape}; give the mask of this image."
        )
    return mask
