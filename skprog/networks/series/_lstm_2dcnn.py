from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from ..._checks import check_integer, check_number, check_option
from .._channels_last import channels_last
from ._blocks import ConvStack, FinalState, as_image, check_layers, mean_over_time, read_series

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal


class LSTM2dCNN(nn.Module):
    """LSTM beside a small 2-d convolutional network whose kernels stay within a channel [1]_.

    Parameters
    ----------
    n_channels : int
        Channels of a case.
    n_timepoints : int
        Length of a case.
    n_classes : int
        Logits returned, at least 2.
    reshape : {"average", "flatten"}, default="average"
        How the maps meet the LSTM's last state. "average" takes their mean over channels and time,
        and the LSTM reads a case with its dimensions shuffled: one step per channel, of all its
        timepoints. "flatten" takes their mean over channels at every timepoint, and the LSTM reads
        one step per timepoint.
    lstm_units : int, default=128
        Units of the LSTM.
    n_filters : tuple of int, default=(32, 64, 32)
        Filters of each convolutional block.
    kernel_sizes : tuple of int, default=(8, 5, 3)
        Kernel of each convolutional block, in timepoints.
    dropout : float, default=0.5
        Share of the units of both branches dropped before the linear layer, in [0, 1).

    Raises
    ------
    ValueError
        If a size is too small, the numbers of layers differ or an option is out of range; in
        ``forward`` if series have another shape.
    TypeError
        If a parameter has the wrong type.

    Notes
    -----
    The paper draws the branches and gives no sizes; both readings are proposals. Series of unequal
    length cannot be masked: the size of a layer is their number of timepoints.

    References
    ----------
    .. [1] S. Salimath, F. Bugiotti and S. Wlodarczyk, "Responsible AI: Training deep learning
       model efficiently".

    Examples
    --------
    >>> from skprog.networks import LSTM2dCNN
    >>> network = LSTM2dCNN(n_channels=1, n_timepoints=140, n_classes=5)
    >>> sum(parameter.numel() for parameter in network.parameters())
    156069
    """

    def __init__(
        self,
        n_channels: int,
        n_timepoints: int,
        n_classes: int,
        *,
        reshape: Literal["average", "flatten"] = "average",
        lstm_units: int = 128,
        n_filters: Sequence[int] = (32, 64, 32),
        kernel_sizes: Sequence[int] = (8, 5, 3),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.n_channels = check_integer("n_channels", n_channels)
        self.n_timepoints = check_integer("n_timepoints", n_timepoints)
        n_classes = check_integer("n_classes", n_classes, minimum=2)
        check_option("reshape", reshape, ("average", "flatten"))
        self.is_flat = reshape == "flatten"
        lstm_units = check_integer("lstm_units", lstm_units)
        n_filters, kernel_sizes = check_layers(n_filters=n_filters, kernel_sizes=kernel_sizes)
        check_number("dropout", dropout, minimum=0, below=1)
        self.lstm = FinalState(self.n_channels if self.is_flat else self.n_timepoints, lstm_units)
        self.blocks = channels_last(ConvStack(1, n_filters, kernel_sizes))
        self.dropout = nn.Dropout(dropout)
        n_features = n_filters[-1] * (self.n_timepoints if self.is_flat else 1)
        self.head = nn.Linear(lstm_units + n_features, n_classes)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Map series (n_cases, n_channels, n_timepoints) to logits (n_cases, n_classes)."""
        X, _ = read_series(
            X,
            n_channels=self.n_channels,
            n_timepoints=self.n_timepoints,
            dtype=self.head.weight.dtype,
        )
        state = self.lstm(X.transpose(1, 2) if self.is_flat else X)
        maps = self.blocks(as_image(X))
        features = maps.mean(dim=2).flatten(1) if self.is_flat else mean_over_time(maps)
        return self.head(self.dropout(torch.cat([state, features], dim=1)))
