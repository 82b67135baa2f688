"""Displays: data in the constructor, drawn by ``plot``; they need matplotlib."""

from ._amplification import AmplificationDisplay
from ._class_threshold import ClassThresholdDisplay
from ._defect_map import DefectMapDisplay
from ._feature_map import FeatureMapDisplay
from ._gradient_similarity import GradientSimilarityDisplay
from ._loss_curve import LossCurveDisplay
from ._lr_finder import LRFinderDisplay
from ._lr_schedule import LRScheduleDisplay
from ._predicted_vs_true import PredictedVsTrueDisplay
from ._relative_change import RelativeChangeDisplay
from ._rul import RULDisplay
from ._rul_index import RULIndexDisplay
from ._spectrogram import SpectrogramDisplay

__all__ = [
    "AmplificationDisplay",
    "ClassThresholdDisplay",
    "DefectMapDisplay",
    "FeatureMapDisplay",
    "GradientSimilarityDisplay",
    "LRFinderDisplay",
    "LRScheduleDisplay",
    "LossCurveDisplay",
    "PredictedVsTrueDisplay",
    "RULDisplay",
    "RULIndexDisplay",
    "RelativeChangeDisplay",
    "SpectrogramDisplay",
]
