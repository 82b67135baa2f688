"""Scores of RUL predictions and of the maintenance decisions that follow from them, and scorers.

Scorers have the signature ``(estimator, X, y)``, read ``X.runs`` and are better when greater; other
settings than the default go in by ``functools.partial``.
"""

from ._decisions import maintenance_cost, replacement_error

# Not for users: the score of each window, which a model may look for the best prediction by.
from ._rul_scores import phm2012_of_each as phm2012_of_each
from ._rul_scores import phm2012_score, relative_change_difference
from ._scorers import (
    neg_failures_in_service_scorer,
    neg_maintenance_cost_scorer,
    neg_replacement_error_scorer,
    phm2012_scorer,
)

__all__ = [
    "maintenance_cost",
    "neg_failures_in_service_scorer",
    "neg_maintenance_cost_scorer",
    "neg_replacement_error_scorer",
    "phm2012_score",
    "phm2012_scorer",
    "relative_change_difference",
    "replacement_error",
]
