from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from ..._checks import check_integer
from .._channels_last import channels_last
from ._blocks import ConvStack, as_row, check_layers, mean_over_time, read_series

if TYPE_CHECKING:
    from collections.abc import Sequence


class FCN(nn.Module):
    """Fully convolutional network for time series [1]_.

    Blocks of convolution, batch normalisation and ReLU, then the mean over time and a linear layer.

    Parameters
    ----------
    n_channels : int
        Channels of a case.
    n_classes : int
        Logits returned, at least 2.
    n_filters : tuple of int, default=(128, 256, 128)
        Filters of each block.
    kernel_sizes : tuple of int, default=(8, 5, 3)
        Kernel of each block, in timepoints.

    Raises
    ------
    ValueError
        If a size is too small or the numbers of layers differ; in ``forward`` if series have
        another shape or ``lengths`` do not fit them.
    TypeError
        If a parameter has the wrong type.

    References
    ----------
    .. [1] Z. Wang, W. Yan and T. Oates, "Time series classification from scratch with deep
       neural networks: a strong baseline", IJCNN 2017.

    Examples
    --------
    >>> from skprog.networks import FCN
    >>> network = FCN(n_channels=1, n_classes=5)
    >>> sum(parameter.numel() for parameter in network.parameters())
    265349
    """

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        *,
        n_filters: Sequence[int] = (128, 256, 128),
        kernel_sizes: Sequence[int] = (8, 5, 3),
    ) -> None:
        super().__init__()
        self.n_channels = check_integer("n_channels", n_channels)
        n_classes = check_integer("n_classes", n_classes, minimum=2)
        n_filters, kernel_sizes = check_layers(n_filters=n_filters, kernel_sizes=kernel_sizes)
        blocks = ConvStack(self.n_channels, n_filters, kernel_sizes)
        self.blocks = channels_last(blocks)
        self.head = nn.Linear(n_filters[-1], n_classes)

    def forward(self, X: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Map series (n_cases, n_channels, n_timepoints) to logits (n_cases, n_classes).

        ``lengths`` (n_cases,) tells the timepoints of series that are padded at their ends.
        """
        dtype = self.head.weight.dtype
        X, mask = read_series(X, lengths, n_channels=self.n_channels, dtype=dtype)
        return self.head(mean_over_time(self.blocks(as_row(X), mask), mask))
