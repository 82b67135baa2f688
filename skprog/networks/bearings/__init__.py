"""Networks of the vibration of bearings: remaining life, and faults."""

from ._cnn_lstm import CnnLstm
from ._diagnosis_cnn import DiagnosisCNN

__all__ = [
    "CnnLstm",
    "DiagnosisCNN",
]
