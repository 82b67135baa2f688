"""Choosing hyperparameters: Hyperband, search spaces and the learning-rate range test."""

from .._training import LRRange
from ._hyperband import HyperbandSearchCV
from ._lr_range_test import lr_range_test
from ._search_spaces import cnn_lstm_search_space

__all__ = ["HyperbandSearchCV", "LRRange", "cnn_lstm_search_space", "lr_range_test"]
