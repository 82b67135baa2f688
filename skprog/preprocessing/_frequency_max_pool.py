"""Largest of neighbouring frequency bins."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from .._checks import check_integer, is_params, is_size
from .._refit import of_one_fit
from ._spectrograms import check_at_most, fit_frequencies, transform_spectrograms
from ._windows import blocks, store

if TYPE_CHECKING:
    from typing import Any, Self

    from numpy.typing import ArrayLike

    from ..sequences import RunSequences


class FrequencyMaxPool(TransformerMixin, BaseEstimator):
    """Keep the largest of every few neighbouring frequency bins.

    Parameters
    ----------
    pool_size : int, default=4
        Bins per group. Bins left over at the top of the axis are dropped.

    Attributes
    ----------
    n_freqs_in_ : int
        Bins seen during ``fit``.

    See Also
    --------
    WelchSpectrogram : Computes the spectrograms.

    Notes
    -----
    Input has three axes or more, so there is no ``get_feature_names_out`` or ``set_output``.

    Examples
    --------
    >>> import numpy as np
    >>> from skprog.preprocessing import FrequencyMaxPool
    >>> S = np.arange(8.0).reshape(1, 1, 8, 1)
    >>> FrequencyMaxPool(pool_size=4).fit_transform(S).ravel()
    array([3., 7.], dtype=float32)
    """

    _learnt: ClassVar = {"n_freqs_in_": is_size, "_fitted_params": is_params}

    def __init__(self, pool_size: int = 4) -> None:
        self.pool_size = pool_size

    def fit(self, X: RunSequences | ArrayLike, y: None = None) -> Self:
        """Check the spectrograms.

        Parameters
        ----------
        X : array-like of shape (n_windows, ..., n_freqs, n_segments) or RunSequences
            Spectrograms.
        y : None
            Ignored.

        Returns
        -------
        FrequencyMaxPool
            Itself.

        Raises
        ------
        ValueError
            If ``pool_size`` is below 1 or exceeds ``n_freqs``, or spectrograms have too few axes,
            unequal shapes, are empty, complex, or hold NaN or infinity.
        TypeError
            If ``X`` is sparse or ``pool_size`` is not an integer.
        """
        fit_frequencies(self, X, "pool_size")
        return self

    @of_one_fit
    def transform(self, X: RunSequences | ArrayLike) -> RunSequences | np.ndarray:
        """Pool the spectrograms.

        Parameters
        ----------
        X : array-like of shape (n_windows, ..., n_freqs, n_segments) or RunSequences
            Spectrograms with the bins seen during ``fit``; other axes may differ.

        Returns
        -------
        ndarray of shape (n_windows, ..., n_freqs // pool_size, n_segments) or RunSequences
            Pooled spectrograms; float16 and float32 are kept, everything else becomes float32.

        Raises
        ------
        ValueError
            If ``n_freqs`` or ``pool_size`` differs from ``fit``, or spectrograms hold NaN or
            infinity.
        """
        return transform_spectrograms(self, X, self.per_window)

    def check_params(self) -> None:
        """Refuse a parameter that is out of range or of the wrong type."""
        check_integer("pool_size", self.pool_size)

    def check_learnt(self, learnt: dict[str, Any]) -> None:
        """Refuse fewer bins than the parameter asks for."""
        check_at_most("pool_size", self.pool_size, learnt["n_freqs_in_"])

    def per_window(self, S: np.ndarray) -> np.ndarray:
        """Pool checked spectrograms (..., n_freqs, n_segments), each by itself."""
        n_freqs, n_segments = S.shape[-2:]
        pool_size = int(self.pool_size)
        n_bands = n_freqs // pool_size
        pooled = np.empty((*S.shape[:-2], n_bands, n_segments), dtype=S.dtype)
        rows = pooled.reshape(-1, n_bands, n_segments)
        with np.errstate(over="ignore", invalid="ignore"):
            # Blocks of a sixteenth, which the inner cache holds through the passes below.
            for part, block in blocks(S, 2, 64 * n_freqs * n_segments):
                kept = block[:, : n_bands * pool_size]
                groups = kept.reshape(-1, n_bands, pool_size, n_segments)
                # Bin by bin: NumPy is 15 times slower when it reduces an axis this short.
                largest = np.maximum(groups[:, :, 0], groups[:, :, -1])
                for i in range(1, pool_size - 1):
                    np.maximum(largest, groups[:, :, i], out=largest)
                store(largest, rows[part])
        return pooled

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32", "float16"]
        return tags
