from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from ..._checks import check_integer, check_number
from ._blocks import FinalState, read_series

if TYPE_CHECKING:
    import torch


class LSTM(nn.Module):
    """Long short-term memory [1]_ over the timepoints, a linear layer on its last state.

    Weights from the input are drawn from Glorot's normal distribution and those from the state are
    orthogonal; biases are 0, of the forget gate 1.

    Parameters
    ----------
    n_channels : int
        Channels of a case.
    n_classes : int
        Logits returned, at least 2.
    lstm_units : int, default=128
        Units of each LSTM layer.
    n_layers : int, default=1
        LSTM layers, each reading the one before.
    dropout : float, default=0.0
        Share of units dropped between LSTM layers and before the linear layer, in [0, 1).

    Raises
    ------
    ValueError
        If a size is too small or ``dropout`` is out of range; in ``forward`` if series have
        another shape or ``lengths`` do not fit them.
    TypeError
        If a parameter has the wrong type.

    References
    ----------
    .. [1] S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9(8),
       1997.

    Examples
    --------
    >>> from skprog.networks import LSTM
    >>> network = LSTM(n_channels=1, n_classes=5)
    >>> sum(parameter.numel() for parameter in network.parameters())
    67717
    """

    bidirectional = False

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        *,
        lstm_units: int = 128,
        n_layers: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.n_channels = check_integer("n_channels", n_channels)
        n_classes = check_integer("n_classes", n_classes, minimum=2)
        lstm_units = check_integer("lstm_units", lstm_units)
        n_layers = check_integer("n_layers", n_layers)
        check_number("dropout", dropout, minimum=0, below=1)
        self.lstm = FinalState(
            self.n_channels,
            lstm_units,
            n_layers=n_layers,
            dropout=dropout,
            bidirectional=self.bidirectional,
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear((1 + self.bidirectional) * lstm_units, n_classes)

    def forward(self, X: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Map series (n_cases, n_channels, n_timepoints) to logits (n_cases, n_classes).

        ``lengths`` (n_cases,) tells the timepoints of series that are padded at their ends.
        """
        dtype = self.head.weight.dtype
        X, _ = read_series(X, lengths, n_channels=self.n_channels, dtype=dtype)
        return self.head(self.dropout(self.lstm(X.transpose(1, 2), lengths)))
