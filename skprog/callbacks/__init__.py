"""Callbacks for skorch nets and for the estimators' ``callbacks`` argument."""

from ._best_weights import BestWeights
from ._exponential_decay import ExponentialDecay
from ._fit_checkpoint import FitCheckpoint
from ._progress_bar import ProgressBar

__all__ = ["BestWeights", "ExponentialDecay", "FitCheckpoint", "ProgressBar"]
