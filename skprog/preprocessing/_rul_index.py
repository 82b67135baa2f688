"""Remaining useful life as an index between 0 and 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from .._checks import as_numbers, check_finite, check_number, check_plain, is_params, is_seconds
from .._refit import fit_aside, of_one_fit
from ._fitted_params import check_same_params

if TYPE_CHECKING:
    from typing import Any, Self

    from numpy.typing import ArrayLike

MAX_W = 1e6


class RULIndex(TransformerMixin, BaseEstimator):
    """Remaining useful life as an index that is fine near failure and coarse far from it [1]_.

    The index of a RUL is wM/(RUL + wM), M the maximum expected life (MEL): 1 at failure and
    w/(1 + w) at RUL = M.

    Parameters
    ----------
    w : float, default=0.25
        Weight of the maximum expected life, at most 1e6; the smaller, the more of the index's
        range belongs to the last part of life.
    max_life : float, default=None
        Maximum expected life in s; None learns it from the data of ``fit``.

    Attributes
    ----------
    max_life_ : float
        Maximum expected life in s: ``max_life``, or the largest RUL seen, over all columns.
    n_features_in_ : int
        Columns seen during ``fit``, when there were columns.
    feature_names_in_ : ndarray of shape (n_columns,)
        Names of the columns, when they were a DataFrame's.

    Notes
    -----
    RUL is a target, so ``fit`` and ``transform`` take it in the first place, 1-d or as columns,
    which is how :class:`~sklearn.compose.TransformedTargetRegressor` passes it. All columns share
    one ``max_life_``. Output is float64.

    References
    ----------
    .. [1] "Bearing failure prognostics using recurrent neural networks: a spectral data based
       architecture".

    Examples
    --------
    The index at failure, at a tenth of the maximum expected life and at all of it:

    >>> import numpy as np
    >>> from skprog.preprocessing import RULIndex
    >>> rul_index = RULIndex().fit([0.0, 2771.0, 27_710.0])
    >>> np.round(rul_index.transform([0.0, 2771.0, 27_710.0]), 4)
    array([1.    , 0.7143, 0.2   ])
    >>> rul_index.inverse_transform([1.0, 0.2, 0.01])
    array([    0., 27710., 27710.])
    """

    _learnt: ClassVar = {"max_life_": is_seconds, "_fitted_params": is_params}

    def __init__(self, w: float = 0.25, max_life: float | None = None) -> None:
        self.w = w
        self.max_life = max_life

    def fit(self, X: ArrayLike, y: None = None) -> Self:
        """Learn the maximum expected life.

        Parameters
        ----------
        X : array-like of shape (n_sequences,) or (n_sequences, n_columns)
            RUL in s.
        y : None
            Ignored with columns; refused with 1-d ``X``.

        Returns
        -------
        RULIndex
            Itself.

        Raises
        ------
        ValueError
            If a parameter is out of range, RUL is negative, NaN, infinite, complex or empty, or is
            0 throughout without ``max_life``.
        TypeError
            If RUL is sparse or a parameter is not a number.
        """
        self.check_params()
        with fit_aside(self) as aside:
            rul = aside._check_rul(X, reset=True, has_target=y is not None)
            max_life = float(rul.max() if self.max_life is None else self.max_life)
            if max_life == 0:
                raise ValueError(
                    "RUL is 0 throughout, no maximum expected life; give max_life in s."
                )
            _check_scale(self.w, max_life)
            aside.max_life_ = max_life
            aside._fitted_params = self.get_params()
        return self

    @of_one_fit
    def transform(self, X: ArrayLike) -> np.ndarray:
        """Turn RUL into the index.

        Parameters
        ----------
        X : array-like of shape (n_sequences,) or (n_sequences, n_columns)
            RUL in s.

        Returns
        -------
        ndarray of the shape of X
            Index, 1 at failure. RUL above ``max_life_`` gives less than w/(1 + w).

        Raises
        ------
        ValueError
            If RUL is negative, NaN, infinite, complex, empty or of other columns than in ``fit``,
            or a parameter was set since.
        """
        check_is_fitted(self)
        check_same_params(self)
        scale = float(self.w) * self.max_life_
        return scale / (self._check_rul(X, reset=False) + scale)

    @of_one_fit
    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Turn the index back into RUL.

        Parameters
        ----------
        X : array-like of any shape
            Index, clipped to [w/(1 + w), 1].

        Returns
        -------
        ndarray of the shape of X
            RUL in s, within [0, ``max_life_``].

        Raises
        ------
        ValueError
            If the index is NaN or infinite, or a parameter was set since ``fit``.
        """
        check_is_fitted(self)
        check_same_params(self)
        index = as_numbers("RUL index", X)
        check_finite(index, "RUL index")
        return rul_of_index(index, w=float(self.w), max_life=self.max_life_)

    def check_params(self) -> None:
        """Refuse parameters that are out of range or of the wrong type."""
        check_number("w", self.w, above=0)
        if self.w > MAX_W:
            raise ValueError(
                f"w={self.w} must be at most {MAX_W:g}; beyond, the index is about 1 for every RUL."
            )
        if self.max_life is not None:
            check_number("max_life", self.max_life, above=0)

    def check_learnt(self, learnt: dict[str, Any]) -> None:
        """Refuse a maximum expected life beyond what float64 holds, or another than was given."""
        given = learnt["max_life_"] if self.max_life is None else float(self.max_life)
        if learnt["max_life_"] != given:
            raise ValueError("max_life_ of RULIndex does not follow from its parameters")
        _check_scale(self.w, learnt["max_life_"])

    def _check_rul(self, X, *, reset, has_target=False):
        check_plain("RUL", X)
        rul = check_array(
            X,
            dtype=np.float64,
            ensure_2d=False,
            ensure_all_finite=False,
            input_name="RUL",
            estimator=self,
        )
        if rul.ndim == 2:
            validate_data(self, X, reset=reset, skip_check_array=True)
        elif has_target or (not reset and hasattr(self, "n_features_in_")):
            raise ValueError(
                f"RUL has shape {rul.shape} where columns are expected. Reshape your data with "
                "X.reshape(-1, 1), and fit on RUL alone, without a target."
            )
        elif reset:
            vars(self).pop("n_features_in_", None)
            vars(self).pop("feature_names_in_", None)
        check_finite(rul, "RUL")
        if rul.min() < 0:
            raise ValueError(
                f"Negative values in data passed as RUL: {rul.min()} s; RUL is 0 at failure and "
                "positive before."
            )
        return rul

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags


def rul_of_index(index, *, w, max_life):
    """Return RUL in s, within [0, max_life], of an index: arrays of NumPy or tensors of torch."""
    # Bounds of one type, as torch.onnx knows no clip by a float and an integer.
    index = index.clip(w / (1 + w), 1.0)
    return (w * max_life * (1 - index) / index).clip(max=max_life)


def _check_scale(w, max_life):
    scale = float(w) * max_life
    if not np.finfo(float).tiny <= scale <= np.finfo(float).max:
        raise ValueError(
            f"w={w} times the maximum expected life of {max_life} s is {scale}, beyond what "
            "float64 holds precisely; use another w or max_life."
        )
