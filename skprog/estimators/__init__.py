"""Estimators of scikit-learn's kind."""

from ._cnn_lstm_rul import CnnLstmRUL
from ._conformal_rul import ConformalRUL
from ._distributional_rul import DistributionalRUL
from ._dummy_rul import DummyRUL
from ._ghl import GHLClassifier
from ._image import ImageClassifier
from ._net_estimator import NetEstimator as NetEstimator
from ._sem import SEMClassifier
from ._time_series import TimeSeriesClassifier

# The base class, imported "as" itself, is for the floors above, not for users.
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
