"""From a fitted estimator to one torch module from its rows to its predictions."""

import reprlib

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..estimators import NetEstimator


def last_step(estimator):
    """Return the fitted estimator of nets in which a pipeline ends."""
    step = estimator
    while isinstance(step, Pipeline):
        step = step.steps[-1][1]
    if not isinstance(step, NetEstimator):
        raise TypeError(
            f"{reprlib.repr(step)} has no network; give an estimator of skprog.estimators that has "
            "one, a pipeline that ends in one, or each member of a vote by itself."
        )
    check_is_fitted(step)
    return step


def as_graph(estimator):
    """Return the module that a fitted estimator turns into, on the CPU and in evaluation mode."""
    if not hasattr(estimator, "to_module"):
        raise TypeError(
            f"{type(estimator).__name__} has no graph; give a CnnLstmRUL or classifier."
        )
    return estimator.to_module().cpu().eval()
