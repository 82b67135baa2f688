"""Fitted estimators as files without pickle, as ONNX graphs, and what they cost to run."""

from ._footprint import Footprint, footprint
from ._onnx import export_onnx
from ._persistence import load, save

__all__ = ["Footprint", "export_onnx", "footprint", "load", "save"]
