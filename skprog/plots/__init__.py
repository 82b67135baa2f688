"""Displays: data in the constructor, drawn by ``plot``; they need matplotlib."""

from ._predicted_vs_true import PredictedVsTrueDisplay
from ._relative_change import RelativeChangeDisplay
from ._rul import RULDisplay
from ._rul_index import RULIndexDisplay
from ._spectrogram import SpectrogramDisplay

__all__ = [
    "PredictedVsTrueDisplay",
    "RULDisplay",
    "RULIndexDisplay",
    "RelativeChangeDisplay",
    "SpectrogramDisplay",
]
