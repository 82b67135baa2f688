"""Networks: torch modules that know tensors only."""

from ._cnn_lstm import CnnLstm
from ._diagnosis_cnn import DiagnosisCNN

__all__ = ["CnnLstm", "DiagnosisCNN"]
