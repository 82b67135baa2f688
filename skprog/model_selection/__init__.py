"""Choosing hyperparameters: the learning-rate range test."""

from .._lr_range import LRRange
from ._lr_range_test import lr_range_test

__all__ = ["LRRange", "lr_range_test"]
