"""Networks: torch modules that know tensors only."""

from ._cnn_lstm import CnnLstm
from ._diagnosis_cnn import DiagnosisCNN
from ._micrograph_cnn import MicrographCNN

__all__ = ["CnnLstm", "DiagnosisCNN", "MicrographCNN"]
