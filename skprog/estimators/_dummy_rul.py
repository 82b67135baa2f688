"""The baseline that a RUL model has to beat: it knows lives and ages, and no vibration."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from .._checks import (
    check_number,
    check_option,
    check_rows,
    is_seconds,
    is_sequences,
    is_shape,
    is_size,
    optional,
)
from .._refit import fit_aside, of_one_fit
from .._runs import check_labels

if TYPE_CHECKING:
    from typing import Any, Literal, Self

    from numpy.typing import ArrayLike

    from ..sequences import RunSequences

__all__ = ["DummyRUL"]


class DummyRUL(RegressorMixin, BaseEstimator):
    """Baseline that predicts the RUL from the age of a unit, or a constant.

    Parameters
    ----------
    strategy : {"mean_life", "constant"}, default="mean_life"
        "mean_life" predicts the mean life of the training runs less the age of the unit, at
        least 0. "constant" always predicts ``constant``.
    constant : float, default=None
        RUL in s that strategy "constant" predicts; 0 or more.
    by : str or int, default=None
        Column of ``X.context``, by name or position, that holds the operating condition: the mean
        life is then that of the training runs under the same condition, and of all training runs
        for a condition not seen in ``fit``. None takes all training runs. Strategy "constant"
        ignores it.

    Attributes
    ----------
    constant_ : float
        RUL in s that is predicted; only with strategy "constant".
    max_life_ : float
        Largest RUL of the training sequences in s.
    mean_life_ : float
        Mean life of all training runs in s; only with strategy "mean_life".
    mean_lives_ : dict of float to float
        Mean life in s by condition; empty when ``by`` is None. Only with strategy "mean_life".
    n_features_in_ : int
        Length of the second axis of ``X``.
    shape_in_ : tuple of int
        Shape of a row of ``X``.

    Notes
    -----
    The life of a training run is RUL plus age, whichever row of it is at hand; each run counts
    once. Rows of a plain array know neither run nor age: each is a run of its own of age 0, and
    the prediction is the mean of ``y``.

    Examples
    --------
    >>> import numpy as np
    >>> from skprog.estimators import DummyRUL
    >>> from skprog.sequences import RunSequences
    >>> runs, time = ["a", "a", "a", "b", "b"], [0.0, 10.0, 20.0, 0.0, 10.0]
    >>> X = RunSequences.from_runs(np.zeros((5, 2)), runs, n_steps=1, time=time)
    >>> model = DummyRUL().fit(X, [20.0, 10.0, 0.0, 10.0, 0.0])
    >>> model.mean_life_
    15.0
    >>> model.predict(X)
    array([15.,  5.,  0., 15.,  5.])
    """

    _learnt: ClassVar = {
        "n_features_in_": is_size,
        "shape_in_": is_shape,
        "max_life_": is_seconds,
        "constant_": optional(is_seconds),
        "mean_life_": optional(is_seconds),
        "mean_lives_": optional(
            lambda value: type(value) is dict and all(map(is_seconds, value.values()))
        ),
        "_by": optional(lambda value: type(value) in (str, int, type(None))),
    }

    def __init__(
        self,
        strategy: Literal["mean_life", "constant"] = "mean_life",
        *,
        constant: float | None = None,
        by: str | int | None = None,
    ) -> None:
        self.strategy = strategy
        self.constant = constant
        self.by = by

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        tags.regressor_tags.poor_score = True
        return tags

    def fit(self, X: RunSequences | ArrayLike, y: ArrayLike) -> Self:
        """Learn the mean life of the runs.

        Parameters
        ----------
        X : RunSequences or array-like of shape (n_sequences, n_steps, ...)
            Only runs, ages and context are read.
        y : array-like of shape (n_sequences,)
            RUL in s, 0 or more.

        Returns
        -------
        self : DummyRUL
            The fitted baseline.

        Raises
        ------
        TypeError
            If ``by`` or ``constant`` is of another type.
        ValueError
            If a parameter is not valid, ``X`` is a RunSequences without time or lacks the column
            ``by``, the condition varies within a run, RUL is negative, or lengths differ.
        """
        with fit_aside(self) as aside:
            aside._learn_rul(X, y)
        return self

    @of_one_fit
    def predict(self, X: RunSequences | ArrayLike) -> np.ndarray:
        """Predict the RUL.

        Parameters
        ----------
        X : RunSequences or array-like of shape (n_sequences, n_steps, ...)
            Rows of the shape seen in ``fit``.

        Returns
        -------
        rul : ndarray of shape (n_sequences,), float64
            RUL in s, 0 or more.

        Raises
        ------
        ValueError
            If rows have another shape than in ``fit``, or ``X`` is a RunSequences without time or
            lacks the column ``by``.
        """
        check_is_fitted(self)
        X = check_rows(self, X, reset=False)
        # Parameters set since fit wait for the next one.
        if hasattr(self, "constant_"):
            return np.full(len(X), self.constant_)
        life = np.full(len(X), self.mean_life_)
        if self.mean_lives_:
            conditions = _conditions(X, self._by)
            for condition, mean_life in self.mean_lives_.items():
                life[conditions == condition] = mean_life
        return np.maximum(life - _ages(X), 0)

    def check_learnt(self, learnt: dict[str, Any]) -> None:
        """Refuse what neither strategy learns: a constant, or lives and what they go by."""
        needed = {"constant_"} if "constant_" in learnt else {"mean_life_", "mean_lives_", "_by"}
        for key in sorted(needed - learnt.keys()):
            raise ValueError(f"{key} of {type(self).__name__} is missing")

    def _learn_rul(self, X, y):
        for name in ("constant_", "mean_life_", "mean_lives_"):
            vars(self).pop(name, None)
        check_option("strategy", self.strategy, ("mean_life", "constant"))
        X = check_rows(self, X, reset=True)
        y = check_labels(X, y)
        self.max_life_ = float(y.max())
        if self.strategy == "mean_life":
            self._learn_lives(X, y)
            return
        if self.constant is None:
            raise ValueError("strategy='constant' needs a RUL in s; set constant=5000.")
        check_number("constant", self.constant, minimum=0)
        self.constant_ = float(self.constant)

    def _learn_lives(self, X, y):
        ages = _ages(X)
        runs = X.runs if is_sequences(X) else np.arange(len(X))
        _, first, run = np.unique(runs, return_index=True, return_inverse=True)
        lives = np.bincount(run, y + ages) / np.bincount(run)
        self.mean_life_ = float(lives.mean())
        self.mean_lives_ = {}
        self._by = self.by
        if self.by is None:
            return
        conditions = _conditions(X, self.by)
        varies = conditions != conditions[first][run]
        if varies.any():
            raise ValueError(
                f"by={self.by!r} varies within run {runs[varies.argmax()]}; "
                "name a column that is constant in each run."
            )
        for condition in np.unique(conditions):
            same = conditions[first] == condition
            self.mean_lives_[float(condition)] = float(lives[same].mean())


def _conditions(X, by):
    if not isinstance(by, str | Integral) or isinstance(by, bool):
        raise TypeError(f"by={by!r} must be the name or position of a column of X.context.")
    context = getattr(X, "context", None)
    if context is None:
        raise ValueError(f"by={by!r} needs X.context; pass context= to RunSequences.from_runs.")
    names = X.context_names or ()
    if by in names:
        return context[:, names.index(by)]
    if isinstance(by, Integral) and 0 <= by < context.shape[1]:
        return context[:, by]
    raise ValueError(
        f"by={by!r} is no column of X.context, which has {context.shape[1]} columns"
        f"{' named ' + ', '.join(map(repr, names)) if names else ' without names'}."
    )


def _ages(X):
    if not is_sequences(X):
        return np.zeros(len(X))
    if X.age is None:
        raise ValueError("X has no time, so no ages; pass time= to RunSequences.from_runs.")
    return X.age
