"""Intervals of the RUL that hold for a whole run, whatever the model inside."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin
from sklearn.model_selection import GroupKFold, KFold, check_cv
from sklearn.utils import check_random_state, get_tags, indexable
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples, check_is_fitted

from .._checks import check_integer, check_number, check_rul, is_sequences, is_size, is_vector
from .._refit import fit_aside, of_one_fit
from .._runs import check_labels
from ._calibration import (
    are_complements,
    calibration_runs,
    finite_rul,
    fit_and_score,
    lower_bound_of_coverage,
    rank_of_coverage,
    runs_of_rows,
)

if TYPE_CHECKING:
    from typing import Any, Self

    from numpy.typing import ArrayLike

    from ..sequences import RunSequences

# Values of all calibration runs that are sorted at a time.
BLOCK_VALUES = 1 << 21


class ConformalRUL(MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """Remaining useful life with an interval, calibrated on runs held out.

    The windows of a run depend on each other, its runs do not. So each run held out gives one
    score, its largest absolute error, and the interval is that of CV+ [1]_ with runs in place of
    rows, as for hierarchical data [2]_: a run is covered when **all** of its windows are.

    Parameters
    ----------
    estimator : estimator
        Predicts the RUL in s; cloned for each fold.
    cv : None, int, splitter or iterable of (training, calibration), default=None
        Which runs are held out together. None leaves out one run at a time, a fit per run, so
        that every run trains and calibrates; an integer deals the runs to so many folds at random,
        by ``random_state``. A splitter gets the runs as ``groups``, must not part them, and must
        not look at the data, as ``GroupKFold`` does unless ``shuffle=True``. One that
        splits once, such as ``GroupShuffleSplit(1)``, makes it split conformal prediction.
    coverage : float, default=0.9
        Coverage aimed at, the share of runs to be covered, in (0, 1) and at most n/(n + 1) for n
        calibration runs. ``guarantee_`` says how much of it is guaranteed.
    n_jobs : int, default=None
        Fits at a time, as for :class:`joblib.Parallel`.
    random_state : int, RandomState or None, default=None
        Deals the runs to the folds when ``cv`` is an integer.

    Attributes
    ----------
    estimators_ : list of estimator
        The estimator fitted without each fold.
    runs_ : ndarray of shape (n_calibration,)
        Calibration runs.
    scores_ : ndarray of shape (n_calibration,)
        Largest absolute error of each of them in s, by the estimator that has not seen it.
    folds_ : ndarray of shape (n_calibration,)
        Position of that estimator in ``estimators_``.
    rank_ : int
        Rank of the bounds among those of the calibration runs, ceil((n + 1) ``coverage``).
    guarantee_ : float
        Lower bound of the probability that all windows of a new run are covered, see Notes.
    n_features_in_ : int
        As the estimators inside have it.
    feature_names_in_ : ndarray of shape (n_features,)
        As the estimators inside have it.

    See Also
    --------
    skprog.online.OnlineRUL : Gives the interval window by window.

    Notes
    -----
    **What is guaranteed.** Let the runs given to ``fit`` and the new one be exchangeable, such as
    drawn independently from one population, and observed alike: whole, at the same steps. Then,
    over the draw of all of them, the probability that the interval holds the true RUL at every
    window of the new run is at least ``guarantee_``, for any estimator inside. It is no statement
    about one bearing, one operating condition or one training set, and none about bearings of
    another kind. With n calibration runs and ``rank_`` r, it is the largest of

    - 1 - (n + 1 - r)/(m + 1), m the size of the largest fold; of a single split that is r/(n + 1),
      at least ``coverage``;
    - 1 - 2 (n + k - r)/(n + k) for k folds, by which twice a mean of p-values is one [3]_;
    - 1 - (2 (n - r) + m)/(n + m) for equal folds of m runs: Theorem 4 of [1]_ with ranks counted
      exactly. Leaving out one run at a time, it is n/(n + 1) for r = n and at least
      2 ``coverage`` - 1 always.

    The first two compare the new run with those of one fold by an estimator that has seen neither,
    and hold whatever other runs it was trained on. The last compares across folds, and counts only
    where each estimator was trained once on every row that its fold leaves. It also asks that what
    is learnt does not depend on the order of the runs. Trees and :class:`DummyRUL` learn the same
    from any order; a network of a fixed seed does so only up to the draw of its batches.

    **What learns belongs inside.** A scaler, PCA or selection of features in front, as in
    ``make_pipeline(SelectKBest(), ConformalRUL(...))``, has learnt from the runs that calibrate:
    their errors come out too small and the guarantee is void. Put it into ``estimator``, and in
    front only what computes each row by itself, as skprog's features do.

    In practice CV+ covers about ``coverage``. With few runs a width says how few they are: the
    error of one unlucky life sets it.

    **Bounds.** The lower bound is cut at 0, as no RUL lies below. The upper one is not cut at the
    maximum expected life: a new run may live longer. An interval is widened to hold
    ``predict(X)``, the mean of the estimators, which may else lie outside.

    The score is the same at all ages, since scores that shrink towards failure need a model of
    the error, which a dozen runs do not give.

    **Runs of plain arrays.** Rows of a plain array without ``groups`` are runs of their own, and
    the statement is about a row. ``GridSearchCV.fit(X, y, groups=runs)`` and its like hand
    ``groups`` to their splitter only, so that it comes to this without notice: give them
    RunSequences, which know their runs, or route the groups, by
    ``sklearn.set_config(enable_metadata_routing=True)`` and
    ``ConformalRUL(...).set_fit_request(groups=True)``.

    References
    ----------
    .. [1] R. F. Barber, E. J. Candès, A. Ramdas and R. J. Tibshirani, "Predictive inference with
       the jackknife+", Annals of Statistics, 2021.
    .. [2] Y. Lee, R. F. Barber and R. Willett, "Distribution-free inference with hierarchical
       data", arXiv:2306.06342, 2023.
    .. [3] V. Vovk and R. Wang, "Combining p-values via averaging", Biometrika, 2020.

    Examples
    --------
    Lives of 10 to 90 s. The mean of the other eight, 55 and 45 s, misses the shortest and the
    longest by 45 s.

    >>> import numpy as np
    >>> from skprog.estimators import ConformalRUL, DummyRUL
    >>> from skprog.sequences import RunSequences
    >>> lives = np.arange(10, 100, 10)
    >>> runs = np.repeat(lives, lives // 10 + 1)
    >>> time = np.concatenate([np.arange(0.0, life + 1, 10) for life in lives])
    >>> X = RunSequences.from_runs(np.zeros((len(runs), 1)), runs, n_steps=1, time=time)
    >>> model = ConformalRUL(DummyRUL(), coverage=0.9).fit(X, runs - time)
    >>> model.guarantee_
    0.9
    >>> model.predict_interval(X[:1]), model.predict(X[:1])
    (array([[  0., 100.]]), array([50.]))
    """

    _learnt: ClassVar = {
        "estimators_": lambda value: (
            type(value) is list and all(hasattr(each, "predict") for each in value)
        ),
        "runs_": is_vector,
        "scores_": lambda value: (
            is_vector(value, kinds="f")
            and value.dtype == np.float64
            and ((value >= 0) & (value < np.inf)).all()
        ),
        "folds_": lambda value: is_vector(value, kinds="i") and (value >= 0).all(),
        "rank_": is_size,
        "guarantee_": lambda value: type(value) is float and 0 <= value < 1,
    }

    def __init__(
        self,
        estimator: BaseEstimator,
        *,
        cv: Any = None,
        coverage: float = 0.9,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.cv = cv
        self.coverage = coverage
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(
        self, X: RunSequences | ArrayLike, y: ArrayLike, groups: ArrayLike | None = None
    ) -> Self:
        """Fit the estimator without each fold and score the runs held out.

        Parameters
        ----------
        X : RunSequences or array-like of shape (n_sequences, ...)
            As the estimator takes it.
        y : array-like of shape (n_sequences,)
            RUL in s, 0 or more.
        groups : array-like of shape (n_sequences,), default=None
            Run of each row; None takes ``X.runs`` where there are any. Searches do not pass it on
            unless it is routed, see Notes of the class. Of RunSequences, a group
            may join several runs, such as those of one machine.

        Returns
        -------
        self
            The estimator, fitted.

        Raises
        ------
        ValueError
            If ``coverage`` exceeds n/(n + 1), there are fewer than 2 runs, ``cv`` parts a run,
            lets it calibrate twice or sorts runs by length, ``groups`` are masked, missing or
            mixed, or part a run of ``X``, RUL is negative, lengths differ, the estimator refuses
            the data, or it predicts anything but one finite number per row. What was fitted before
            stays.
        TypeError
            If ``cv``, ``coverage`` or the estimator is of another type.
        """
        self.check_params()
        (X,) = indexable(X)
        n_rows = _num_samples(X)
        if n_rows == 0:
            raise ValueError("X has 0 rows; give whole runs, at least 2 of them.")
        y = check_labels(X, y) if is_sequences(X) else check_rul(y, n_rows)
        runs = runs_of_rows(X, groups, n_rows)
        splits = self._splits(X, y, runs)
        ids, folds, sizes = calibration_runs(splits, runs)
        rank = rank_of_coverage(len(ids), self.coverage)
        fitted = Parallel(n_jobs=self.n_jobs)(
            delayed(fit_and_score)(self.estimator, X, y, runs, train, valid)
            for train, valid in splits
        )
        scores = [run_scores for _, run_scores in fitted]
        with fit_aside(self) as aside:
            aside.estimators_ = [estimator for estimator, _ in fitted]
            aside.runs_ = ids
            aside.folds_ = folds
            aside.scores_ = np.array(
                [scores[fold][run] for fold, run in zip(folds, ids.tolist(), strict=True)]
            )
            aside.rank_ = rank
            aside.guarantee_ = lower_bound_of_coverage(rank, sizes, are_complements(splits, n_rows))
            for name in ("n_features_in_", "feature_names_in_"):
                vars(aside).pop(name, None)
                if hasattr(aside.estimators_[0], name):
                    setattr(aside, name, getattr(aside.estimators_[0], name))
        return self

    def predict(self, X: RunSequences | ArrayLike) -> np.ndarray:
        """Predict the RUL.

        Parameters
        ----------
        X : RunSequences or array-like of shape (n_sequences, ...)
            As in ``fit``.

        Returns
        -------
        ndarray of shape (n_sequences,)
            RUL in s, the mean of the estimators.

        Raises
        ------
        ValueError
            If an estimator refuses ``X`` or predicts anything but one finite number per row.
        """
        return self._predictions(X).mean(axis=0)

    @of_one_fit
    def predict_interval(self, X: RunSequences | ArrayLike) -> np.ndarray:
        """Predict an interval of the RUL.

        Parameters
        ----------
        X : RunSequences or array-like of shape (n_sequences, ...)
            As in ``fit``.

        Returns
        -------
        ndarray of shape (n_sequences, 2)
            Lower and upper bound in s.

        Raises
        ------
        ValueError
            If an estimator refuses ``X`` or predicts anything but one finite number per row.
        """
        return self.intervals(self._predictions(X))

    def check_learnt(self, learnt: dict[str, Any]) -> None:
        """Refuse scores, runs and folds that do not belong together."""
        n_runs, estimators = len(learnt["scores_"]), learnt["estimators_"]
        for key in ("runs_", "folds_"):
            if len(learnt[key]) != n_runs:
                raise ValueError(f"{key} has {len(learnt[key])} values for {n_runs} scores")
        if learnt["folds_"].max() >= len(estimators):
            raise ValueError(f"folds_ leads beyond the {len(estimators)} estimators")
        if learnt["rank_"] > n_runs:
            raise ValueError(f"rank_={learnt['rank_']} exceeds the {n_runs} scores")
        for each in estimators:
            check_is_fitted(each)

    def check_params(self) -> None:
        """Refuse parameters that are out of range or of the wrong type."""
        check_number("coverage", self.coverage, above=0, below=1)
        for method in ("fit", "predict"):
            if isinstance(self.estimator, type) or not hasattr(self.estimator, method):
                raise TypeError(
                    f"estimator={self.estimator!r} must be an estimator with fit and predict."
                )
        if isinstance(self.cv, Integral):
            check_integer("cv", self.cv, minimum=2)
        if isinstance(self.cv, GroupKFold) and not self.cv.shuffle:
            raise ValueError(
                f"cv={self.cv} sorts runs by length, so that no coverage is guaranteed; use "
                f"cv={self.cv.n_splits} or GroupKFold({self.cv.n_splits}, shuffle=True)."
            )

    def _predictions(self, X):
        """Return the RUL by each estimator, (n_estimators, n_rows)."""
        check_is_fitted(self)
        return np.stack([finite_rul(estimator, X) for estimator in self.estimators_])

    def intervals(self, predictions: np.ndarray) -> np.ndarray:
        """Return the intervals (n_rows, 2) of predictions (n_estimators, n_rows)."""
        n_runs = len(self.scores_)
        intervals = np.empty((predictions.shape[1], 2))
        n_blocks = -(-n_runs * len(intervals) // BLOCK_VALUES)
        for rows in np.array_split(np.arange(len(intervals)), max(n_blocks, 1)):
            centres = predictions[:, rows][self.folds_]
            lower = np.partition(centres - self.scores_[:, None], n_runs - self.rank_, axis=0)
            upper = np.partition(centres + self.scores_[:, None], self.rank_ - 1, axis=0)
            intervals[rows, 0] = lower[n_runs - self.rank_]
            intervals[rows, 1] = upper[self.rank_ - 1]
        mean = predictions.mean(axis=0)
        intervals[:, 0] = np.maximum(np.minimum(intervals[:, 0], mean), 0)
        intervals[:, 1] = np.maximum(intervals[:, 1], mean)
        return intervals

    def _splits(self, X, y, runs):
        """Return pairs of training and calibration rows."""
        ids, run_of_row = np.unique(runs, return_inverse=True)
        if len(ids) < 2:
            raise ValueError(
                f"X has {len(ids)} run in n_samples={len(runs)}; at least 2 are needed, one to "
                "train on and one to calibrate with."
            )
        if self.cv is not None and not isinstance(self.cv, Integral):
            # Lists of splits, too, and anything else is its ValueError.
            return list(check_cv(self.cv).split(X, y, runs))
        n_folds = len(ids) if self.cv is None else self.cv
        if n_folds > len(ids):
            raise ValueError(f"cv={n_folds} exceeds the {len(ids)} runs of X; use fewer folds.")
        deal = KFold(
            n_folds, shuffle=True, random_state=check_random_state(self.random_state)
        ).split(ids)
        return [
            (np.flatnonzero(~held_out), np.flatnonzero(held_out))
            for held_out in (np.isin(run_of_row, fold) for _, fold in deal)
        ]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.target_tags.positive_only = True
        if inner.regressor_tags is not None:
            tags.regressor_tags.poor_score = inner.regressor_tags.poor_score
        return tags
