"""Callbacks for skorch nets and for the estimators' ``callbacks`` argument."""

from ._adaptive_cycle import AdaptiveCycle
from ._best_weights import BestWeights
from ._exponential_decay import ExponentialDecay
from ._f1_annealing import F1Annealing
from ._fit_checkpoint import FitCheckpoint
from ._gradient_amplification import GradientAmplification
from ._gradient_measure import gradient_measure, normalise_measures
from ._gradient_similarity import GradientSimilarity
from ._one_cycle import OneCycle
from ._progress_bar import ProgressBar

__all__ = [
    "AdaptiveCycle",
    "BestWeights",
    "ExponentialDecay",
    "F1Annealing",
    "FitCheckpoint",
    "GradientAmplification",
    "GradientSimilarity",
    "OneCycle",
    "ProgressBar",
    "gradient_measure",
    "normalise_measures",
]
