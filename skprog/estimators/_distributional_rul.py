"""The RUL from its distribution, and the prediction that a score rewards most."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from .._checks import (
    check_integer,
    check_number,
    check_option,
    check_rows,
    is_count,
    is_seconds,
    is_sequences,
    is_shape,
    is_size,
    is_vector,
)
from .._refit import fit_aside, of_one_fit
from .._runs import check_labels
from ..metrics import phm2012_of_each

if TYPE_CHECKING:
    from typing import Literal, Self

    from numpy.typing import ArrayLike

    from ..sequences import RunSequences

# Candidates of the best prediction between the centres of two neighbouring bins.
CANDIDATES_PER_BIN = 5


class DistributionalRUL(MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """Remaining useful life from the distribution that a classifier of RUL bins predicts.

    The RUL is sorted into bins that widen with it. The probabilities of the bins are the
    distribution of the RUL, of which ``predict`` returns a statistic: by default the value that
    the PHM 2012 score, which punishes a late prediction more than an early one, rewards most.

    Parameters
    ----------
    classifier : classifier
        Has ``predict_proba``, and takes ``sample_weight`` unless ``balance`` is None; cloned.
    statistic : {"phm2012", "mean", "median"} or float, default="phm2012"
        What to predict: the value of the highest expected
        :func:`~skprog.metrics.phm2012_score`, the mean, the median, or a quantile in (0, 1).
    n_bins : int, default=25
        Bins; the first ends at 1/140 of ``max_life_``, the others grow geometrically up to it.
    n_steps : int, default=1
        Last steps of RunSequences whose features are averaged; of shorter ones all.
    context : bool, default=False
        Take the age of the unit in s and the columns of ``X.context``, if there are any, as further
        features; ``X`` is a RunSequences with time then.
    balance : {"runs", None}, default="runs"
        Weigh the windows so that every run counts alike, however long; None weighs all windows
        alike. Rows of a plain array are runs of their own.
    max_life : float or None, default=None
        Maximum expected life in s; None takes the largest RUL given to ``fit``.

    Attributes
    ----------
    classifier_ : classifier
        The fitted classifier; its classes number the bins.
    bin_edges_ : ndarray of shape (n_bins + 1,)
        Edges of the bins in s.
    max_life_ : float
        Maximum expected life in s; predictions lie in ``[0, max_life_]``.
    n_features_in_ : int
        Length of the second axis of ``X``.
    shape_in_ : tuple of int
        Shape of a row of ``X``.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when ``X`` was a DataFrame of named columns.

    See Also
    --------
    skprog.preprocessing.BandEnergies : Features for it.
    skprog.recipes.bearing_rul_pipeline : What it was made for.

    Notes
    -----
    ``X`` is a RunSequences or an array of shape (n_rows, ...), of which all axes but the first are
    features. Fitted on RunSequences, it takes their stacked arrays as well.

    A classifier of bins takes no notice of their order. Trees lose little by that: what a leaf
    holds is an empirical distribution, as in a quantile regression forest [1]_.

    References
    ----------
    .. [1] N. Meinshausen, "Quantile regression forests", Journal of Machine Learning Research,
       2006.

    Examples
    --------
    A feature that says nothing, and RUL spread evenly. Errors count relative to the RUL, so that
    the score rewards most what suits the longer ones.

    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from skprog.estimators import DistributionalRUL
    >>> X, y = np.zeros((1000, 1)), np.linspace(0, 1000, 1000)
    >>> for statistic in ("mean", "median", "phm2012"):
    ...     model = DistributionalRUL(DummyClassifier(strategy="prior"), statistic=statistic)
    ...     print(statistic, model.fit(X, y).predict(X[:1]).round(-1))
    mean [500.]
    median [500.]
    phm2012 [600.]
    """

    _learnt: ClassVar = {
        "n_features_in_": is_size,
        "shape_in_": is_shape,
        "max_life_": is_seconds,
        "bin_edges_": lambda value: (
            is_vector(value, kinds="f", least=2)
            and value.dtype == np.float64
            and (np.diff(value) > 0).all()
        ),
        "classifier_": lambda value: hasattr(value, "predict_proba"),
        "_n_steps": lambda value: value is None or is_size(value),
        "_n_context": is_count,
    }

    def __init__(
        self,
        classifier: BaseEstimator,
        *,
        statistic: float | Literal["phm2012", "mean", "median"] = "phm2012",
        n_bins: int = 25,
        n_steps: int = 1,
        context: bool = False,
        balance: Literal["runs"] | None = "runs",
        max_life: float | None = None,
    ) -> None:
        self.classifier = classifier
        self.statistic = statistic
        self.n_bins = n_bins
        self.n_steps = n_steps
        self.context = context
        self.balance = balance
        self.max_life = max_life

    def fit(self, X: RunSequences | ArrayLike, y: ArrayLike) -> Self:
        """Fit the classifier to the bins of the RUL.

        Parameters
        ----------
        X : RunSequences or array-like of shape (n_rows, ...)
            Features, see Notes of the class.
        y : array-like of shape (n_rows,)
            RUL in s.

        Returns
        -------
        self
            The estimator, fitted.

        Raises
        ------
        ValueError
            If a parameter is out of range, the classifier takes no ``sample_weight``, ``context``
            is asked of an ``X`` without time, ``X`` is empty or not finite, a RUL is negative or 0
            throughout, or lengths differ. What was fitted before stays.
        TypeError
            If ``classifier`` is none, or a parameter has the wrong type.
        """
        self.check_params()
        with fit_aside(self) as aside:
            aside._learn_distribution(X, y)
        return self

    @of_one_fit
    def predict(self, X: RunSequences | ArrayLike) -> np.ndarray:
        """Predict the RUL.

        Parameters
        ----------
        X : RunSequences or array-like of shape (n_rows, ...)
            Rows of the shape fitted.

        Returns
        -------
        ndarray of shape (n_rows,)
            RUL in s, in ``[0, max_life_]``.

        Raises
        ------
        ValueError
            If rows have another shape or other columns of context than in ``fit``, are empty, or
            hold NaN or infinity.
        """
        probabilities = self.predict_distribution(X)
        self._check_statistic()
        centres = self._centres()
        if self.statistic == "mean":
            return probabilities @ centres
        if self.statistic == "phm2012":
            steps = np.arange((len(centres) - 1) * CANDIDATES_PER_BIN + 1) / CANDIDATES_PER_BIN
            candidates = np.interp(steps, np.arange(len(centres)), centres)
            pairs = np.broadcast_arrays(centres[:, None], candidates)
            scores = phm2012_of_each(*(each.ravel() for each in pairs)).reshape(pairs[0].shape)
            return candidates[(probabilities @ scores).argmax(axis=1)]
        return self._quantile(
            probabilities, 0.5 if self.statistic == "median" else float(self.statistic)
        )

    @of_one_fit
    def predict_distribution(self, X: RunSequences | ArrayLike) -> np.ndarray:
        """Predict the distribution of the RUL.

        Parameters
        ----------
        X : RunSequences or array-like of shape (n_rows, ...)
            Rows of the shape fitted.

        Returns
        -------
        ndarray of shape (n_rows, n_bins)
            Probability that the RUL lies between two neighbouring ``bin_edges_``.

        Raises
        ------
        ValueError
            As for :meth:`predict`.
        """
        check_is_fitted(self)
        X = check_rows(self, X, reset=False)
        probabilities = np.zeros((len(X), len(self.bin_edges_) - 1))
        probabilities[:, self.classifier_.classes_] = self.classifier_.predict_proba(
            self._features(X)
        )
        return probabilities

    def _learn_distribution(self, X, y):
        vars(self).pop("feature_names_in_", None)
        X = check_rows(self, X, reset=True)
        y = check_labels(X, y)
        self.max_life_ = float(y.max() if self.max_life is None else self.max_life)
        if self.max_life_ == 0:
            raise ValueError("y is 0 throughout; give RUL in s up to the life of a unit.")
        self.bin_edges_ = np.concatenate(
            [[0], np.geomspace(self.max_life_ / 140, self.max_life_, int(self.n_bins))]
        )
        self._n_context = _age_and_context(X).shape[1] if self.context else 0
        bins = np.searchsorted(self.bin_edges_[1:-1], y, side="right")
        self._n_steps = min(int(self.n_steps), X.shape[1]) if is_sequences(X) else None
        weights = {}
        if self.balance == "runs" and is_sequences(X):
            if not has_fit_parameter(self.classifier, "sample_weight"):
                raise ValueError(
                    f"{type(self.classifier).__name__} takes no sample_weight; set balance=None."
                )
            _, run, counts = np.unique(X.runs, return_inverse=True, return_counts=True)
            # Of mean 1, so that what a classifier compares with weights keeps its meaning.
            weights["sample_weight"] = len(X) / (len(counts) * counts[run])
        with warnings.catch_warnings():
            # Bins of a regression target they are.
            warnings.filterwarnings("ignore", "The number of unique classes is greater")
            self.classifier_ = clone(self.classifier).fit(self._features(X), bins, **weights)

    def check_params(self) -> None:
        """Refuse parameters that are out of range or of the wrong type."""
        for method in ("fit", "predict_proba"):
            if isinstance(self.classifier, type) or not hasattr(self.classifier, method):
                raise TypeError(
                    f"classifier={self.classifier!r} must be a classifier with predict_proba."
                )
        self._check_statistic()
        check_integer("n_bins", self.n_bins, minimum=2)
        check_integer("n_steps", self.n_steps)
        check_option("context", self.context, (True, False))
        check_option("balance", self.balance, ("runs", None))
        if self.max_life is not None:
            check_number("max_life", self.max_life, above=0)

    def _check_statistic(self):
        if isinstance(self.statistic, str):
            check_option("statistic", self.statistic, ("phm2012", "mean", "median"))
        else:
            check_number("statistic", self.statistic, above=0, below=1)

    def _features(self, X):
        """Return feature vectors (n_rows, n_features)."""
        if self._n_context == 0:
            return self._values(X)
        known = _age_and_context(X)
        if known.shape[1] != self._n_context:
            raise ValueError(
                f"X has {known.shape[1] - 1} columns of context but {type(self).__name__} was "
                f"fitted on {self._n_context - 1}; pass the same context= to from_runs."
            )
        return np.column_stack([self._values(X), known])

    def _values(self, X):
        """Return what the windows say, (n_rows, n_values)."""
        if self._n_steps is None:
            return np.asarray(X).reshape(len(X), -1)
        if not is_sequences(X):
            return X[:, -self._n_steps :].mean(axis=1).reshape(len(X), -1)
        windows = X.windows.reshape(len(X.windows), -1)
        # No array of all steps is made.
        return sum(windows[steps] for steps in X.index.T[-self._n_steps :]) / self._n_steps

    def _centres(self):
        return (self.bin_edges_[:-1] + self.bin_edges_[1:]) / 2

    def _quantile(self, probabilities, quantile):
        """Return quantiles (n_rows,), the RUL being spread evenly within a bin."""
        upper = probabilities.cumsum(axis=1)
        rows = np.arange(len(probabilities))
        # The last bin takes what rounding leaves.
        bins = np.minimum((upper < quantile).sum(axis=1), probabilities.shape[1] - 1)
        share = 1 - (upper[rows, bins] - quantile) / probabilities[rows, bins]
        low, high = self.bin_edges_[bins], self.bin_edges_[bins + 1]
        return low + np.clip(share, 0, 1) * (high - low)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.target_tags.positive_only = True
        tags.regressor_tags.poor_score = True
        return tags


def _age_and_context(X):
    """Return age in s and context of RunSequences, (n_rows, 1 + n_context)."""
    if not is_sequences(X) or X.age is None:
        raise ValueError(
            "context=True needs the age of the unit; pass RunSequences.from_runs(..., time=), or "
            "set context=False."
        )
    return np.column_stack([X.age, *([] if X.context is None else [X.context])])
