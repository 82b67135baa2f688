"""The adapter that makes a classifier of this package one of sktime's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sktime.classification.base import BaseClassifier

if TYPE_CHECKING:
    from typing import Any, Self

    from sklearn.base import BaseEstimator

__all__ = ["SktimeClassifier"]


class SktimeClassifier(BaseClassifier):
    """Classifier of time series of scikit-learn's kind, for use in sktime.

    It takes sktime's containers of panels and works in its benchmarks, searches and pipelines.

    Parameters
    ----------
    estimator : estimator
        Classifier that takes cases as an array of shape (n_cases, n_channels, n_timepoints), such
        as :class:`~skprog.estimators.TimeSeriesClassifier`, or a pipeline that ends in one. It is
        cloned before it is fitted. Its parameters are set and searched as ``estimator__max_epochs``
        and seed its randomness as ``estimator__random_state``.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone; there is none if the training cases were all of one class, which sktime
        then predicts by itself.
    classes_ : ndarray of shape (n_classes,)
        Classes.
    n_classes_ : int
        Number of classes.
    fit_time_ : int
        Duration of ``fit`` in ms.

    See Also
    --------
    skprog.estimators.TimeSeriesClassifier : Twelve networks to put inside.
    skprog.datasets.load_ucr : Sets of the UCR archive as arrays.

    Notes
    -----
    Series of unequal length are taken if the estimator says so by an attribute
    ``takes_unequal_lengths``, a pipeline if all its steps do. It is then given lists of arrays of
    shape (n_channels, n_timepoints).

    What sktime 1.2 does without saying so:

    - ``ClassificationBenchmark``, ``TSCGridSearchCV`` and ``evaluate`` mix up cases and labels if
      the indices of a split are not in rising order, as those of
      :class:`~sklearn.model_selection.ShuffleSplit` are not. Those of
      :class:`~sklearn.model_selection.KFold`, shuffled or not, and of
      :class:`~sklearn.model_selection.PredefinedSplit`, for the original split of a set, are.
    - The benchmark and ``evaluate`` pass no labels to a split, so that it cannot be stratified.
    - The benchmark calls all adapters alike unless they are given as a dict of names, and leaves
      out pairs of task and classifier that fail: see ``benchmark.failed_experiments``.
    - A benchmark that goes on from a ``.csv`` file loses scores where tasks differ in their number
      of folds; from a ``.json`` file it does not.
    - ``set_random_state`` sets the same seed whatever it is given. To compare seeds set
      ``estimator__random_state``.

    Examples
    --------
    Two learning rates, compared on two folds of the training cases.

    >>> from sklearn.metrics import accuracy_score
    >>> from sklearn.model_selection import KFold
    >>> from sktime.benchmarking.classification import ClassificationBenchmark
    >>> from skprog.datasets import load_ucr
    >>> from skprog.estimators import TimeSeriesClassifier
    >>> from skprog.sktime import SktimeClassifier
    >>> data = load_ucr("ItalyPowerDemand")
    >>> small = {"network_params": {"n_filters": (16, 16, 16)}, "max_epochs": 20, "random_state": 0}
    >>> models = {
    ...     f"lr={lr}": SktimeClassifier(TimeSeriesClassifier("fcn", lr=lr, **small))
    ...     for lr in (1e-6, 1e-2)
    ... }
    >>> benchmark = ClassificationBenchmark()
    >>> benchmark.add_estimator(models)
    >>> benchmark.add_task(
    ...     (data.X_train, data.y_train), KFold(2), [accuracy_score], task_id="Italy"
    ... )
    >>> results = benchmark.run().set_index("model_id")
    >>> benchmark.failed_experiments
    []
    >>> (results["accuracy_score_mean"] > 0.8).to_dict()
    {'lr=1e-06': False, 'lr=0.01': True}
    """

    _tags = {  # noqa: RUF012, sktime copies what it changes
        "authors": "The skprog developers",
        "maintainers": "The skprog developers",
        "python_dependencies": ["torch", "skorch"],
        "X_inner_mtype": "numpy3D",
        "y_inner_mtype": "numpy1D",
        "capability:multivariate": True,
        "capability:unequal_length": False,
        "capability:missing_values": False,
        "capability:categorical_in_X": False,
        "capability:multithreading": False,
        "capability:predict_proba": True,
    }

    def __init__(self, estimator: BaseEstimator) -> None:
        self.estimator = estimator
        super().__init__()
        self._set_capabilities()

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of the estimator included.

        Parameters
        ----------
        **params
            As ``get_params`` names them; of the estimator's the end of the name is enough where no
            other ends so (``max_epochs``).

        Returns
        -------
        self
            The classifier, as it was before any fit.

        Raises
        ------
        ValueError
            If a name is unknown.
        """
        super().set_params(**params)
        self._set_capabilities()
        return self

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Return the settings with which sktime tests the class.

        Parameters
        ----------
        parameter_set : str, default="default"
            Ignored: there is one set.

        Returns
        -------
        list of dict
            Constructor arguments, one dict per setting.
        """
        from .estimators import GHLClassifier, TimeSeriesClassifier

        small: dict[str, Any] = {"max_epochs": 1, "device": "cpu", "random_state": 0}
        ghl = GHLClassifier(n_filters=(4,), kernel_sizes=(5,), dense_units=8, **small)
        fcn = TimeSeriesClassifier("fcn", network_params={"n_filters": (4, 4, 4)}, **small)
        return [
            {"estimator": ghl},
            {"estimator": fcn},
            {"estimator": make_pipeline(FunctionTransformer(np.diff), clone(ghl))},
        ]

    def _set_capabilities(self) -> None:
        """Set the tags that depend on the estimator."""
        unequal = takes_unequal_lengths(self.estimator)
        seeds = [
            value
            for name, value in self.get_params().items()
            if name.rpartition("__")[2] == "random_state"
        ]
        self.set_tags(
            **{
                # A frame of all series becomes arrays ten times faster than one of each does.
                "X_inner_mtype": ["pd-multiindex", "numpy3D"] if unequal else "numpy3D",
                "capability:unequal_length": unequal,
                "capability:predict_proba": hasattr(self.estimator, "predict_proba"),
                "property:randomness": "stochastic" if None in seeds else "deterministic",
            }
        )

    def _fit(self, X: Any, y: np.ndarray) -> Self:
        check_classifier(self.estimator)
        self.estimator_ = clone(self.estimator).fit(as_cases(X), y)
        return self

    def _predict(self, X: Any) -> np.ndarray:
        return self.estimator_.predict(self._cases(X))

    def _predict_proba(self, X: Any) -> np.ndarray:
        if not hasattr(self.estimator_, "predict_proba"):
            return super()._predict_proba(X)
        return self.estimator_.predict_proba(self._cases(X))

    def _cases(self, X: Any) -> np.ndarray | list[np.ndarray]:
        """Return cases in a list where they may be of other lengths than those fitted."""
        X = as_cases(X)
        return list(X) if takes_unequal_lengths(self.estimator_) else X


def takes_unequal_lengths(estimator: Any) -> bool:
    """Tell whether an estimator, or each step of a pipeline, takes series of unequal length."""
    steps = [step for _, step in getattr(estimator, "steps", [("", estimator)])]
    return all(
        step in (None, "passthrough") or getattr(step, "takes_unequal_lengths", False)
        for step in steps
    )


def check_classifier(estimator: Any) -> None:
    """Refuse anything but an instance of a classifier of scikit-learn's kind."""
    if isinstance(estimator, type):
        raise TypeError(f"estimator is the class {estimator.__name__}; give an instance of it.")
    if isinstance(estimator, BaseClassifier):
        raise TypeError(f"{type(estimator).__name__} is a classifier of sktime's; use it as it is.")
    if not hasattr(estimator, "__sklearn_tags__") or not is_classifier(estimator):
        raise TypeError(
            f"estimator={estimator!r} is no classifier of scikit-learn's kind; give one such as "
            "TimeSeriesClassifier(), or a pipeline that ends in one."
        )


def as_cases(X: Any) -> np.ndarray | list[np.ndarray]:
    """Return a panel as an array (n_cases, n_channels, n_timepoints), or if unequal as a list."""
    if isinstance(X, np.ndarray):
        return X
    codes, _ = X.index.get_level_values(0).factorize()
    values = X.to_numpy()[np.argsort(codes, kind="stable")]
    lengths = np.bincount(codes)
    cases = [case.T for case in np.split(values, lengths.cumsum()[:-1])]
    return np.stack(cases) if len(set(lengths)) == 1 else cases
