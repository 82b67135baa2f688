"""Patches of grey images at their own resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from .._checks import as_generator, check_images, check_integer, check_option

if TYPE_CHECKING:
    from typing import Literal, Self

    from numpy.typing import ArrayLike

STRATEGIES = ("representative", "max_variance", "center", "random", "all")
N_BINS = 64


class PatchSelector(TransformerMixin, BaseEstimator):
    """Square patches cut from grey images of any size, one per image or all of them.

    An image is cut into tiles that do not overlap, without resampling, because the width of a fibre
    in pixels is information. Rows and columns that fill no tile are left out in equal parts on both
    sides. The paper [1]_ keeps one representative tile of 64 and does not say how it is found.

    Parameters
    ----------
    patch_size : int, default=128
        Height and width of a patch in pixels.
    strategy : {"representative", "max_variance", "center", "random", "all"}, \
default="representative"
        Which patch to keep:

        - "representative": the tile whose intensity histogram is nearest the image's.
        - "max_variance": the tile whose intensities have the largest variance.
        - "center": the patch in the middle of the image, which need not be a tile.
        - "random": a tile drawn at random, image after image.
        - "all": every tile, row by row from the top left.

        Of tiles that are equal in this the first is kept.
    random_state : int, RandomState instance, Generator or None, default=None
        Seed of "random". An integer draws the same tiles in every call.

    Notes
    -----
    Histograms have 64 bins over the range of their own image. They are compared by the Wasserstein
    distance of order 1, the area between the two cumulative histograms, because it takes a grey
    that is one bin off for a small difference.

    A tile that has the greys of its image need not show what is rare in it: a defect that few tiles
    hold is found by "all".

    It learns nothing: ``transform`` works without ``fit``, and on images of any other size. Input
    has three axes, so there is no ``get_feature_names_out`` or ``set_output``.

    References
    ----------
    .. [1] C. Ieracitano, F. Pantó, N. Mammone, A. Paviglianiti, P. Frontera and F. C. Morabito,
       "Toward an automatic classification of SEM images of nanomaterials via a deep learning
       approach", Neural Approaches to Dynamics of Signal Exchanges, Springer 2020.

    Examples
    --------
    The tile with a single bright pixel has the largest variance.

    >>> import numpy as np
    >>> from skprog.preprocessing import PatchSelector
    >>> X = np.zeros((1, 7, 8), dtype=np.uint8)
    >>> X[0, 5, 2] = 9
    >>> selector = PatchSelector(patch_size=2, strategy="max_variance")
    >>> patches, positions = selector.transform(X, return_positions=True)
    >>> patches
    array([[[0, 0],
            [9, 0]]], dtype=uint8)
    >>> positions
    array([[4, 2]])
    """

    _learnt: ClassVar[dict] = {}

    def __init__(
        self,
        patch_size: int = 128,
        strategy: Literal[
            "representative", "max_variance", "center", "random", "all"
        ] = "representative",
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
    ) -> None:
        self.patch_size = patch_size
        self.strategy = strategy
        self.random_state = random_state

    def fit(self, X: ArrayLike | list, y: None = None) -> Self:
        """Check parameters and images.

        Parameters
        ----------
        X : array-like of shape (n_images, height, width) or list of (height, width) arrays
            Grey images.
        y : None
            Ignored.

        Returns
        -------
        PatchSelector
            Itself.

        Raises
        ------
        ValueError
            If ``patch_size`` is below 1 or exceeds the height or width of an image, ``strategy`` is
            unknown, ``random_state`` is negative, or an image has another rank than 2, one value
            throughout, NaN or infinity, or there is none.
        TypeError
            If ``patch_size`` is not an integer, ``random_state`` no seed, or ``X`` neither an array
            nor a list.
        """
        self._check(X)
        return self

    def transform(
        self, X: ArrayLike | list, return_positions: bool = False
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Cut the patches.

        Parameters
        ----------
        X : array-like of shape (n_images, height, width) or list of (height, width) arrays
            Grey images, in a list of one size or several.
        return_positions : bool, default=False
            Also say where the patches lie.

        Returns
        -------
        patches : ndarray of shape (n_images, patch_size, patch_size)
            Patches. With ``strategy="all"`` of shape (n_images, n_tiles, patch_size, patch_size),
            or for images of unequal size a list of (n_tiles_i, patch_size, patch_size) arrays.
            Unsigned integers of 8 and 16 bits, float16 and float32 are kept, everything else
            becomes float32; one array of unlike images takes the type that holds them all.
        positions : ndarray of shape (n_images, 2)
            Row and column in pixels of the upper left pixel of each patch. With ``strategy="all"``
            of shape (n_images, n_tiles, 2), or for images of unequal size a list of (n_tiles_i, 2)
            arrays. Only if ``return_positions=True``.

        Raises
        ------
        ValueError
            If a parameter or an image is wrong, as in ``fit``.
        TypeError
            If ``return_positions`` is not a bool, or as in ``fit``.
        """
        if not isinstance(return_positions, bool | np.bool_):
            raise TypeError(f"return_positions={return_positions!r} must be True or False.")
        images = self._check(X)
        size = int(self.patch_size)
        if self.strategy == "all":
            patches, positions = _cut_all(images, size)
        else:
            generator = as_generator(self.random_state) if self.strategy == "random" else None
            corners = [_choose(image, size, self.strategy, generator) for image in images]
            patches = _stack([_cut(*pair, size) for pair in zip(images, corners, strict=True)])
            positions = np.array(corners)
        return (patches, positions) if return_positions else patches

    def check_params(self) -> None:
        """Refuse parameters that are out of range or of the wrong type."""
        check_integer("patch_size", self.patch_size)
        check_option("strategy", self.strategy, STRATEGIES)
        # To make a generator of a RandomState would draw from it.
        if not isinstance(self.random_state, np.random.RandomState):
            as_generator(self.random_state)

    def _check(self, X):
        self.check_params()
        patch_size = int(self.patch_size)
        images = check_images(X)
        for i, image in enumerate(images):
            if min(image.shape) < patch_size:
                raise ValueError(
                    f"X[{i}] has shape {image.shape} but patch_size={patch_size}; use a smaller "
                    "patch_size or leave the image out."
                )
        return images

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32", "float16"]
        return tags


def _tiles(image, size):
    """Return a view of the tiles, (n_rows, n_columns, size, size)."""
    n_rows, n_columns = (length // size for length in image.shape)
    top, left = (length % size // 2 for length in image.shape)
    grid = image[top : top + n_rows * size, left : left + n_columns * size]
    return grid.reshape(n_rows, size, n_columns, size).swapaxes(1, 2)


def _corners(shape, size):
    """Return row and column of the upper left pixel of each tile, (n_tiles, 2)."""
    axes = (np.arange(length // size) * size + length % size // 2 for length in shape)
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)


def _cut(image, corner, size):
    row, column = corner
    return image[row : row + size, column : column + size]


def _cut_all(images, size):
    """Return the tiles and the corners of each image, in arrays if all images have one size."""
    tiles = [_tiles(image, size) for image in images]
    corners = [_corners(image.shape, size) for image in images]
    if len({image.shape for image in images}) == 1:
        return _stack(tiles).reshape(len(images), -1, size, size), np.stack(corners)
    return [_stack(rows).reshape(-1, size, size) for rows in tiles], corners


def _stack(views):
    # np.stack alone would keep the memory order of the views.
    dtype = np.result_type(*{view.dtype for view in views})
    return np.stack(views, out=np.empty((len(views), *views[0].shape), dtype=dtype))


def _choose(image, size, strategy, generator):
    """Return row and column of the upper left pixel of one patch."""
    if strategy == "center":
        return [(length - size) // 2 for length in image.shape]
    corners = _corners(image.shape, size)
    if strategy == "random":
        return corners[generator.integers(len(corners))]
    if strategy == "max_variance":
        return corners[_variances(image, size).argmax()]
    return corners[_histogram_distances(image, size).argmin()]


def _variances(image, size):
    """Return the variance of each tile, a row of tiles at a time to keep the copies small."""
    rows = (row.reshape(len(row), -1).astype(np.float64) for row in _tiles(image, size))
    return np.concatenate([row.var(axis=1) for row in rows])


def _histogram_distances(image, size):
    """Return how far each tile's histogram is from the image's.

    Distances are whole numbers, the area times the pixels of both, so that ties are exact.
    """
    bins, counts = _bins(image, size)
    whole = counts.cumsum()
    distances = []
    for row in _tiles(bins, size):
        n_tiles = len(row)
        places = row.reshape(n_tiles, -1) + N_BINS * np.arange(n_tiles)[:, np.newaxis]
        counts = np.bincount(places.ravel(), minlength=N_BINS * n_tiles).reshape(n_tiles, N_BINS)
        gaps = counts.cumsum(axis=1) * image.size - whole * size**2
        distances.append(np.abs(gaps).sum(axis=1))
    return np.concatenate(distances)


def _bins(image, size):
    """Return each pixel's bin of the image's histogram, uint8, and the pixels in each bin."""
    lowest, highest = float(image.min()), float(image.max())
    bins = np.empty(image.shape, dtype=np.uint8)
    counts = np.zeros(N_BINS, dtype=np.int64)
    for top in range(0, len(image), size):
        strip = image[top : top + size].astype(np.float64)
        fraction = (strip - lowest) / (highest - lowest)
        part = np.minimum(fraction * N_BINS, N_BINS - 1).astype(np.uint8)
        bins[top : top + size] = part
        counts += np.bincount(part.ravel(), minlength=N_BINS)
    return bins, counts
