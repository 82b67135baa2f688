"""Networks: torch modules that know tensors only."""

from ._cnn_lstm import CnnLstm

__all__ = ["CnnLstm"]
