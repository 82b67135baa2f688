"""Estimators of scikit-learn's kind."""

# Base classes, which the floors above ask for.
from ._base import NetEstimator as NetEstimator
from ._classifier_base import NetClassifier as NetClassifier
from ._cnn_lstm_rul import CnnLstmRUL
from ._conformal_rul import ConformalRUL
from ._distributional_rul import DistributionalRUL
from ._dummy_rul import DummyRUL
from ._ghl import GHLClassifier
from ._image import ImageClassifier
from ._sem import SEMClassifier
from ._tile_base import TileClassifier as TileClassifier
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
