"""Estimators of scikit-learn's kind."""

# Base classes, which the floors above ask for.
from ._cnn_lstm_rul import CnnLstmRUL
from ._conformal_rul import ConformalRUL
from ._distributional_rul import DistributionalRUL
from ._dummy_rul import DummyRUL
from ._ghl import GHLClassifier
from ._image import ImageClassifier
from ._net_classifier import NetClassifier as NetClassifier
from ._net_estimator import NetEstimator as NetEstimator
from ._sem import SEMClassifier
from ._tiles import TileClassifier as TileClassifier
from ._time_series import TimeSeriesClassifier

__all__ = [
    "CnnLstmRUL",
    "ConformalRUL",
    "DistributionalRUL",
    "DummyRUL",
    "GHLClassifier",
    "ImageClassifier",
    "SEMClassifier",
    "TimeSeriesClassifier",
]
