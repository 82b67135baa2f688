from __future__ import annotations

from difflib import get_close_matches
from itertools import product
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.experimental import enable_halving_search_cv  # noqa: F401, unlocks the next import
from sklearn.model_selection import HalvingRandomSearchCV
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state, get_tags

from .._checks import check_integer
from .._refit import fit_aside
from ._rungs import ErrorScore, Rungs

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, Self

    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

    from ..sequences import RunSequences


class HyperbandSearchCV(BaseSearchCV):
    """Random search that trains many candidates briefly and the best of them fully [1]_.

    How briefly one may judge a candidate is not known beforehand, so brackets try several answers:
    bracket s begins with many candidates at ``max_resources // factor**s``, keeps one of every
    ``factor`` and trains it ``factor`` times as long, up to ``max_resources``; bracket 0 is a plain
    random search. Each bracket is a :class:`~sklearn.model_selection.HalvingRandomSearchCV`.

    Parameters
    ----------
    estimator : estimator
        Estimator or pipeline to tune; give it an integer ``random_state``, so that a candidate
        trains on as it began.
    param_distributions : dict or list of dicts
        Names to lists or distributions, as for
        :class:`~sklearn.model_selection.RandomizedSearchCV`; of a list, each candidate draws one.
    resource : str, default="max_epochs"
        Integer parameter of ``estimator`` that costs time, ``"cnnlstmrul__max_epochs"`` in a
        pipeline.
    max_resources : int, default=27
        Value of it at which candidates compete.
    factor : int, default=3
        One of so many candidates goes on; at least 2.
    n_iterations : int, default=1
        Times to run all brackets, each with new candidates.
    cv : int, splitter, iterable or None, default=None
        Splits, the same for all brackets; None takes 5 folds. A splitter that shuffles needs an
        integer ``random_state``.
    scoring : str, callable or None, default=None
        One metric, greater being better; None takes the estimator's ``score``.
    refit : bool, str or callable, default=True
        Fit the best candidate on all data, for ``predict``. A name counts as True, there being one
        metric; a callable takes ``cv_results_`` and returns ``best_index_``.
    error_score : "raise" or float, default=nan
        Score of a fit that fails or cannot be scored, with a warning that says why; whatever the
        number, such a candidate goes on last and is never the best. "raise" ends the search.
    n_jobs : int or None, default=None
        Fits at a time.
    random_state : int, RandomState or None, default=None
        Seeds the candidates.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    cv_results_ : dict of ndarrays
        A row for each candidate at each resource, with the columns of
        :class:`~sklearn.model_selection.HalvingRandomSearchCV` (``iter`` counts the rungs of a
        bracket) and ``bracket`` and ``iteration``. Rungs of which every fit failed come last.
    best_index_ : int
        Row of the best score among those at ``max_resources`` of which no fit failed.
    best_params_ : dict
        Parameters of that row, ``resource`` included.
    best_score_ : float
        Mean score of that row over the splits.
    best_estimator_ : estimator
        Estimator with these parameters, fitted on all data, with ``refit``; ``n_features_in_`` is
        passed on from it.
    scorer_ : callable
        Scorer in use.
    n_splits_ : int
        Number of splits.
    refit_time_ : float
        Time of that last fit in s.
    multimetric_ : bool
        False.
    classes_ : ndarray of shape (n_classes,)
        Classes of ``best_estimator_``, if it is a classifier.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where ``best_estimator_`` knows them.

    See Also
    --------
    cnn_lstm_search_space : Distributions for :class:`~skprog.estimators.CnnLstmRUL`.

    Notes
    -----
    With s_max the largest s of ``factor**s <= max_resources``, bracket s has
    ``ceil((s_max + 1) / (s + 1) * factor**s)`` candidates. Where the resource of its last rung is
    below ``max_resources``, as 18 and 24 are below 25 with factor 3, the candidates of this rung
    are scored once more at ``max_resources``; where it is below by ``factor`` or more, the best one
    of every ``factor`` of them.

    Lists of few values may have fewer combinations than a bracket has candidates; it then takes
    each once, with a warning, and scikit-learn's halving skips rungs on the way to
    ``max_resources``.

    References
    ----------
    .. [1] L. Li, K. Jamieson, G. DeSalvo, A. Rostamizadeh and A. Talwalkar, "Hyperband: a novel
       bandit-based approach to hyperparameter optimization", Journal of Machine Learning Research,
       2018.

    Examples
    --------
    Nine candidates see one epoch, three of them three, one of these nine; two other brackets
    begin later with fewer. Of all only those at nine epochs compete.

    >>> import numpy as np
    >>> from scipy.stats import loguniform
    >>> from skprog.estimators import CnnLstmRUL
    >>> from skprog.model_selection import HyperbandSearchCV
    >>> indicator = np.linspace(0, 1, 40)[:, None] + np.zeros(4)
    >>> rul = np.arange(40.0)[::-1]
    >>> model = CnnLstmRUL(lstm_units=8, lr_decay=1.0, random_state=0)
    >>> search = HyperbandSearchCV(
    ...     model, {"lr": loguniform(1e-5, 0.1)}, max_resources=9, cv=2, random_state=0
    ... )
    >>> results = search.fit(indicator[::2], rul[::2]).cv_results_
    >>> results["n_resources"][results["bracket"] == 2]
    array([1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 9])
    >>> search.best_params_["max_epochs"]
    9
    """

    _parameter_constraints = {  # noqa: RUF012, scikit-learn only reads it
        **BaseSearchCV._parameter_constraints,
        "param_distributions": [dict, list],
        "resource": [str],
        "random_state": ["random_state"],
    }
    # Read by the base class.
    pre_dispatch = "2*n_jobs"
    return_train_score = False

    def __init__(
        self,
        estimator: BaseEstimator,
        param_distributions: dict[str, Any] | list[dict[str, Any]],
        *,
        resource: str = "max_epochs",
        max_resources: int = 27,
        factor: int = 3,
        n_iterations: int = 1,
        cv: Any = None,
        scoring: str | Callable[..., float] | None = None,
        refit: bool | str | Callable[..., int] = True,
        error_score: float | Literal["raise"] = np.nan,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.param_distributions = param_distributions
        self.resource = resource
        self.max_resources = max_resources
        self.factor = factor
        self.n_iterations = n_iterations
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.error_score = error_score
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: RunSequences | ArrayLike, y: ArrayLike | None = None, **params: Any) -> Self:
        """Search, and fit the best candidate on all data.

        Parameters
        ----------
        X : array-like of shape (n_rows, ...) or RunSequences
            Training data, as for the estimator.
        y : array-like of shape (n_rows,), default=None
            Targets, as for the estimator.
        **params
            ``groups`` for the splitter, such as ``X.runs``; everything else goes to the
            estimator's ``fit``.

        Returns
        -------
        self
            The search, fitted.

        Raises
        ------
        ValueError
            If an argument is out of range, ``resource`` is no integer parameter of the estimator or
            is among those searched, ``y`` is missing, there are several metrics, splits change from
            call to call, every fit fails, or none at ``max_resources`` succeeds; in the last case
            ``cv_results_`` is there all the same, and nothing else. After any other error what was
            fitted before is kept.
        TypeError
            If an argument has the wrong type.

        Warns
        -----
        FitFailedWarning
            If fits fail, with their errors.
        """
        check_integer("max_resources", self.max_resources)
        check_integer("factor", self.factor, minimum=2)
        check_integer("n_iterations", self.n_iterations)
        if isinstance(self.scoring, list | tuple | set | dict):
            raise ValueError(
                f"scoring={self.scoring!r} holds several metrics, and one decides who goes on; "
                "give one name or callable, and score best_estimator_ by the others."
            )
        if y is None and get_tags(self.estimator).target_tags.required:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        with fit_aside(self) as aside:
            if isinstance(self.error_score, Real):
                aside.error_score = ErrorScore(self.error_score)
            try:
                super(HyperbandSearchCV, aside).fit(X, y, **params)
            except BaseException:
                results = vars(aside).get("cv_results_")
                # The best of an earlier search would not be of this one's table.
                if results is not vars(self).get("cv_results_"):
                    for name in [name for name in vars(self) if name.endswith("_")]:
                        delattr(self, name)
                    self.cv_results_ = results
                raise
            vars(aside).pop("_table", None)
            aside.error_score = self.error_score
        return self

    def _check_input_parameters(self, X, y, split_params):
        if self.param_distributions == []:
            raise ValueError(
                "param_distributions=[] holds nothing to search; give dicts of names to lists or "
                "distributions."
            )
        names = self.estimator.get_params()
        # The name itself would subsample rows in a halving search.
        if self.resource in names and self.resource != "n_samples":
            value = names[self.resource]
            if value is None or (isinstance(value, Integral) and not isinstance(value, bool)):
                return
            raise ValueError(
                f"resource={self.resource!r} is {value!r} in the estimator; name an integer "
                "parameter that costs time, such as 'max_epochs'."
            )
        last = self.resource.rpartition("__")[-1]
        near = [name for name in names if get_close_matches(last, [name.rpartition("__")[-1]])]
        raise ValueError(
            f"resource={self.resource!r} is no parameter of {type(self.estimator).__name__}; "
            + (f"near ones are {', '.join(map(repr, near))}." if near else "see its get_params().")
        )

    def _run_search(self, evaluate_candidates, callback_ctx=None):
        # Halving searches of scikit-learn before 1.9 take no context.
        context = {}
        if callback_ctx is not None:
            callback_ctx = callback_ctx.subcontext(task_name="search", max_subtasks=None)
            context["callback_ctx"] = callback_ctx.call_on_fit_task_begin(estimator=self)
        rungs = Rungs(self, evaluate_candidates)
        rng = check_random_state(self.random_state)
        with rungs.progress():
            for iteration, s in product(range(self.n_iterations), self._brackets()[::-1]):
                bracket = self._bracket(s, rng.randint(2**31 - 1))
                rungs.begin(iteration=iteration, bracket=s)
                bracket._run_search(rungs.evaluate, **context)
                rungs.finish(bracket, callback_ctx)
        rungs.add_failed()
        if callback_ctx is not None:
            callback_ctx.call_on_fit_task_end(estimator=self)

    def _brackets(self):
        """Return the numbers of the brackets, 0 to s_max."""
        s_max = 0
        while self.factor ** (s_max + 1) <= self.max_resources:
            s_max += 1
        return range(s_max + 1)

    def _bracket(self, s, seed):
        """Return the halving search of a bracket, ready to run on the splits of this one."""
        # The ceiling of the quotient, in integers.
        n_candidates = -(-len(self._brackets()) * self.factor**s // (s + 1))
        bracket = HalvingRandomSearchCV(
            self.estimator,
            self.param_distributions,
            n_candidates=n_candidates,
            factor=self.factor,
            resource=self.resource,
            max_resources=self.max_resources,
            min_resources=max(1, self.max_resources // self.factor**s),
            random_state=seed,
        )
        bracket._checked_cv_orig = self._checked_cv_orig
        bracket.n_splits_ = self.n_splits_
        bracket._check_input_parameters(None, None, {})
        return bracket

    def _format_results(self, candidate_params, n_splits, out, more_results=None):
        self._table = candidate_params, n_splits, out, more_results
        return super()._format_results(candidate_params, n_splits, out, more_results)

    def _scores(self, results):
        """Return the mean scores, (n_rows,), with NaN for rows of which a fit failed."""
        _, n_splits, out, _ = self._table
        failed = np.array([isinstance(fit["test_scores"], ErrorScore) for fit in out])
        failed = failed.reshape(-1, n_splits).any(axis=1)
        return np.where(failed, np.nan, results["mean_test_score"])

    def _select_best_index(self, refit, refit_metric, results):
        if callable(refit):
            return super()._select_best_index(refit, refit_metric, results)
        full = np.flatnonzero(results["n_resources"] == self.max_resources)
        scores = self._scores(results)[full]
        if np.isnan(scores).all():
            self.cv_results_ = results
            raise ValueError(
                f"none of the {len(full)} candidates at {self.resource}={self.max_resources} has a "
                "score: fits failed, as the warnings say, or scored NaN; see cv_results_, narrow "
                "param_distributions, and check the data."
            )
        return full[np.nanargmax(scores)]
