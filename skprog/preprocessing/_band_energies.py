"""A few numbers per window, for models of feature vectors such as trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from .._checks import check_integer, is_params, is_size
from .._refit import of_one_fit
from ._spectrograms import check_at_most, fit_frequencies, transform_spectrograms
from ._windows import blocks

if TYPE_CHECKING:
    from typing import Any, Self

    from numpy.typing import ArrayLike

    from ..sequences import RunSequences


class BandEnergies(TransformerMixin, BaseEstimator):
    """Mean and spread of the log power density in frequency bands, for each window.

    Parameters
    ----------
    n_bands : int, default=12
        Bands of near-equal width. Each gives the mean over its bins and segments, and the
        standard deviation over segments of the mean over its bins: how unsteady it is.

    Attributes
    ----------
    n_freqs_in_ : int
        Bins seen during ``fit``.

    See Also
    --------
    WelchSpectrogram : Computes the spectrograms.
    skprog.estimators.DistributionalRUL : Predicts the RUL from such features.

    Notes
    -----
    Input has three axes or more, so there is no ``get_feature_names_out`` or ``set_output``.
    Logarithms are averaged, so that a mean is that of the density in decades.

    Examples
    --------
    >>> import numpy as np
    >>> from skprog.preprocessing import BandEnergies
    >>> S = np.array([[[-4.0, -4.0], [-4.0, -4.0], [-3.0, -1.0], [-3.0, -1.0]]])
    >>> BandEnergies(n_bands=2).fit_transform(S)
    array([[-4., -2.,  0.,  1.]], dtype=float32)
    """

    _learnt: ClassVar = {"n_freqs_in_": is_size, "_fitted_params": is_params}

    def __init__(self, n_bands: int = 12) -> None:
        self.n_bands = n_bands

    def fit(self, X: RunSequences | ArrayLike, y: None = None) -> Self:
        """Check the spectrograms.

        Parameters
        ----------
        X : array-like of shape (n_windows, ..., n_freqs, n_segments) or RunSequences
            Spectrograms of log power density.
        y : None
            Ignored.

        Returns
        -------
        BandEnergies
            Itself.

        Raises
        ------
        ValueError
            If ``n_bands`` is below 1 or exceeds ``n_freqs``, or spectrograms have too few axes,
            unequal shapes, are empty, complex, or hold NaN or infinity.
        TypeError
            If ``X`` is sparse or ``n_bands`` is not an integer.
        """
        fit_frequencies(self, X, "n_bands")
        return self

    @of_one_fit
    def transform(self, X: RunSequences | ArrayLike) -> RunSequences | np.ndarray:
        """Compute the features.

        Parameters
        ----------
        X : array-like of shape (n_windows, ..., n_freqs, n_segments) or RunSequences
            Spectrograms with the bins seen during ``fit``; other axes may differ.

        Returns
        -------
        ndarray of shape (n_windows, ..., 2 n_bands), float32, or RunSequences of such windows
            Means, then standard deviations.

        Raises
        ------
        ValueError
            If ``n_freqs`` or ``n_bands`` differs from ``fit``, or spectrograms hold NaN or
            infinity.
        """
        return transform_spectrograms(self, X, self.per_window)

    def check_params(self) -> None:
        """Refuse a parameter that is out of range or of the wrong type."""
        check_integer("n_bands", self.n_bands)

    def check_learnt(self, learnt: dict[str, Any]) -> None:
        """Refuse fewer bins than the parameter asks for."""
        check_at_most("n_bands", self.n_bands, learnt["n_freqs_in_"])

    def per_window(self, S: np.ndarray) -> np.ndarray:
        """Return the features of checked spectrograms (..., n_freqs, n_segments), one by one."""
        n_freqs, n_segments = S.shape[-2:]
        n_bands = int(self.n_bands)
        edges = np.linspace(0, n_freqs, n_bands + 1).astype(int)
        widths = np.diff(edges)[:, None]
        features = np.empty((*S.shape[:-2], 2 * n_bands), dtype=np.float32)
        rows = features.reshape(-1, 2 * n_bands)
        with np.errstate(over="ignore", invalid="ignore"):
            for part, block in blocks(S, 2, 4 * n_freqs * n_segments):
                bands = np.add.reduceat(block, edges[:-1], axis=1) / widths
                rows[part, :n_bands] = bands.mean(axis=2)
                rows[part, n_bands:] = bands.std(axis=2)
        return features

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
