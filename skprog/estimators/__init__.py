"""Estimators of scikit-learn's kind."""

from ._cnn_lstm_rul import CnnLstmRUL
from ._dummy_rul import DummyRUL

__all__ = ["CnnLstmRUL", "DummyRUL"]
