from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from ..._checks import check_integer, check_number, check_option
from .._channels_last import channels_last
from ._blocks import ConvBlock, FinalState, as_row, check_layers, mean_over_time, read_series

if TYPE_CHECKING:
    from collections.abc import Sequence

# Units of a squeeze-and-excite block are its filters over this.
REDUCTION = 16


class LSTMFCN(nn.Module):
    """LSTM beside a fully convolutional network [1]_.

    The LSTM reads a case with its dimensions shuffled: one step per channel, of all its timepoints.
    Its last state and the mean over time of the convolutions go to the linear layer together.

    Parameters
    ----------
    n_channels : int
        Channels of a case.
    n_timepoints : int
        Length of a case.
    n_classes : int
        Logits returned, at least 2.
    lstm_units : int, default=128
        Units of the LSTM; the paper chooses among 8, 64 and 128 by data set.
    n_filters : tuple of int, default=(128, 256, 128)
        Filters of each convolutional block.
    kernel_sizes : tuple of int, default=(8, 5, 3)
        Kernel of each convolutional block, in timepoints.
    dropout : float, default=0.8
        Share of the LSTM's units dropped, in [0, 1).
    squeeze_excite : bool, default=False
        Weight the filters of all convolutional blocks but the last by what each case has of them,
        as MLSTM-FCN [2]_ does.

    Raises
    ------
    ValueError
        If a size is too small, the numbers of layers differ or an option is out of range; in
        ``forward`` if series have another shape.
    TypeError
        If a parameter has the wrong type.

    Notes
    -----
    The authors' code is in Keras, whose LSTM has one bias per gate where torch has two. Series of
    unequal length cannot be masked: their timepoints are the LSTM's features.

    References
    ----------
    .. [1] F. Karim, S. Majumdar, H. Darabi and S. Chen, "LSTM fully convolutional networks for time
       series classification", IEEE Access 6, 2018.
    .. [2] F. Karim, S. Majumdar, H. Darabi and S. Harford, "Multivariate LSTM-FCNs for time series
       classification", Neural Networks 116, 2019.

    Examples
    --------
    >>> from skprog.networks import LSTMFCN
    >>> network = LSTMFCN(n_channels=1, n_timepoints=140, n_classes=5)
    >>> sum(parameter.numel() for parameter in network.parameters())
    404229
    """

    def __init__(
        self,
        n_channels: int,
        n_timepoints: int,
        n_classes: int,
        *,
        lstm_units: int = 128,
        n_filters: Sequence[int] = (128, 256, 128),
        kernel_sizes: Sequence[int] = (8, 5, 3),
        dropout: float = 0.8,
        squeeze_excite: bool = False,
    ) -> None:
        super().__init__()
        self.n_channels = check_integer("n_channels", n_channels)
        self.n_timepoints = check_integer("n_timepoints", n_timepoints)
        n_classes = check_integer("n_classes", n_classes, minimum=2)
        lstm_units = check_integer("lstm_units", lstm_units)
        n_filters, kernel_sizes = check_layers(n_filters=n_filters, kernel_sizes=kernel_sizes)
        check_number("dropout", dropout, minimum=0, below=1)
        check_option("squeeze_excite", squeeze_excite, (True, False))
        self.lstm = FinalState(self.n_timepoints, lstm_units)
        self.dropout = nn.Dropout(dropout)
        blocks: list[nn.Module] = []
        n_in = self.n_channels
        for i, (n_out, kernel_size) in enumerate(zip(n_filters, kernel_sizes, strict=True), 1):
            block = ConvBlock(n_in, n_out, kernel_size)
            nn.init.kaiming_uniform_(block.conv.weight, nonlinearity="relu")
            nn.init.zeros_(block.conv.bias)
            blocks.append(block)
            if squeeze_excite and i < len(n_filters):
                blocks.append(_SqueezeExcite(n_out))
            n_in = n_out
        self.blocks = channels_last(nn.Sequential(*blocks))
        self.head = nn.Linear(lstm_units + n_in, n_classes)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Map series (n_cases, n_channels, n_timepoints) to logits (n_cases, n_classes)."""
        X, _ = read_series(
            X,
            n_channels=self.n_channels,
            n_timepoints=self.n_timepoints,
            dtype=self.head.weight.dtype,
        )
        state = self.dropout(self.lstm(X))
        return self.head(torch.cat([state, mean_over_time(self.blocks(as_row(X)))], dim=1))


class _SqueezeExcite(nn.Module):
    """Weights in (0, 1) for the filters of each case, from their means over time."""

    def __init__(self, n_filters):
        super().__init__()
        n_units = max(1, n_filters // REDUCTION)
        self.weigh = nn.Sequential(
            nn.Linear(n_filters, n_units, bias=False),
            nn.ReLU(),
            nn.Linear(n_units, n_filters, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, X):
        return X * self.weigh(mean_over_time(X))[:, :, None, None]
