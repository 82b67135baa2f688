"""Callbacks for skorch nets and for the estimators' ``callbacks`` argument."""

from ._best_weights import BestWeights
from ._exponential_decay import ExponentialDecay
from ._f1_annealing import F1Annealing
from ._fit_checkpoint import FitCheckpoint
from ._gradient_similarity import GradientSimilarity
from ._progress_bar import ProgressBar

__all__ = [
    "BestWeights",
    "ExponentialDecay",
    "F1Annealing",
    "FitCheckpoint",
    "GradientSimilarity",
    "ProgressBar",
]
