"""A third direction of acceleration from two."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._checks import PRECISE_FLOATS, is_size
from .._refit import fit_aside, of_one_fit
from ._windows import SQRT_HALF, check_range, check_same_size, check_windows, map_windows

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike

    from ..sequences import RunSequences

AXES = ("n_channels=2", "n_timepoints")


class AccelRotation45(TransformerMixin, BaseEstimator):
    """Append the acceleration along 45 degrees, halfway between two perpendicular channels.

    With the horizontal and vertical acceleration h and v of a bearing as channels 0 and 1,
    channel 2 becomes (h + v)/√2.

    Attributes
    ----------
    n_timepoints_in_ : int
        Length of the windows seen during ``fit``.

    Notes
    -----
    Input has three axes or more, so there is no ``get_feature_names_out`` or ``set_output``.

    Examples
    --------
    An acceleration along 45 degrees is seen whole by the third channel.

    >>> import numpy as np
    >>> from skprog.preprocessing import AccelRotation45
    >>> X = np.array([[[3.0, 0.0], [3.0, 1.0]]])
    >>> AccelRotation45().fit_transform(X)[0, 2].round(4)
    array([4.2426, 0.7071])
    """

    kept_dtypes: ClassVar = PRECISE_FLOATS
    _learnt: ClassVar = {"n_timepoints_in_": is_size}

    def fit(self, X: RunSequences | ArrayLike, y: None = None) -> Self:
        """Check the windows.

        Parameters
        ----------
        X : array-like of shape (n_windows, ..., 2, n_timepoints) or RunSequences
            Windows of two perpendicular channels.
        y : None
            Ignored.

        Returns
        -------
        AccelRotation45
            Itself.

        Raises
        ------
        ValueError
            If windows have another number of channels than 2, too few axes, unequal length, are
            empty, complex, or hold NaN or infinity.
        TypeError
            If ``X`` is sparse.
        """
        with fit_aside(self) as aside:
            X = check_windows(aside, X, AXES, reset=True, dtypes=self.kept_dtypes)
            _check_channels(X)
            aside.n_timepoints_in_ = X.shape[-1]
        return self

    @of_one_fit
    def transform(self, X: RunSequences | ArrayLike) -> RunSequences | np.ndarray:
        """Append the channel.

        Parameters
        ----------
        X : array-like of shape (n_windows, ..., 2, n_timepoints) or RunSequences
            Windows of the length seen during ``fit``; leading axes may differ.

        Returns
        -------
        ndarray of shape (n_windows, ..., 3, n_timepoints) or RunSequences
            Windows; floats are kept, integers of more than 16 bits become float64, everything else
            float32.

        Raises
        ------
        ValueError
            If windows have another length than in ``fit``, another number of channels than 2,
            hold NaN or infinity, or the third channel overflows their type.
        """
        check_is_fitted(self)
        X = check_windows(self, X, AXES, reset=False, dtypes=self.kept_dtypes)
        _check_channels(X)
        check_same_size(self, "n_timepoints", X.shape[-1], self.n_timepoints_in_)
        return map_windows(self.per_window, X)

    def per_window(self, X: np.ndarray) -> np.ndarray:
        """Rotate checked windows (..., 2, n_timepoints), each by itself."""
        check_range(X)
        rotated = np.empty((*X.shape[:-2], 3, X.shape[-1]), dtype=X.dtype)
        rotated[..., :2, :] = X
        with np.errstate(over="ignore"):
            half = np.sqrt(0.5) if X.dtype == np.float64 else SQRT_HALF
            rotated[..., 2, :] = half * X[..., 0, :] + half * X[..., 1, :]
        if np.isinf(rotated[..., 2, :]).any():
            raise ValueError(
                f"(h + v)/√2 exceeds the largest {X.dtype}, {np.finfo(X.dtype).max:.6g}; pass "
                "float32 windows or scale them down."
            )
        return rotated

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32", "float16"]
        return tags


def _check_channels(X):
    n_channels = X.shape[-2]
    if n_channels != 2:
        swapped = " Channels and time look swapped: pass X.swapaxes(-1, -2)." * (X.shape[-1] == 2)
        raise ValueError(
            f"X has n_channels={n_channels} but AccelRotation45 takes 2, horizontal and vertical; "
            f"pass X[..., [0, 1], :] to choose two.{swapped}"
        )
