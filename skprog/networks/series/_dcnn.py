from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from ..._checks import check_integer
from .._channels_last import channels_last
from ._blocks import ConvStack, TimeConv, as_cube, blank, check_layers, mean_over_time, read_series

if TYPE_CHECKING:
    from collections.abc import Sequence


class DCNN(nn.Module):
    """Convolutional network over all cyclic orders of the channels [1]_.

    A case becomes a cube of n_channels rows, each of which holds all channels, in the order that
    begins with its own. Kernels do not cross rows, and the mean over rows and time goes to the
    linear layer. The cube takes n_channels² · n_timepoints values per case, the map of each
    convolution n_filters · n_channels · n_timepoints.

    Parameters
    ----------
    n_channels : int
        Channels of a case.
    n_classes : int
        Logits returned, at least 2.
    n_filters : tuple of int, default=(128, 128, 256, 256, 256)
        Filters of each convolution.
    kernel_sizes : tuple of int, default=(3, 3, 3, 3, 3)
        Kernel of each convolution, in timepoints.

    Raises
    ------
    ValueError
        If a size is too small or the numbers of layers differ; in ``forward`` if series have
        another shape or ``lengths`` do not fit them.
    TypeError
        If a parameter has the wrong type.

    Notes
    -----
    As in the authors' code the last convolution has no batch normalisation. A layer that their
    code builds and never calls is left out.

    References
    ----------
    .. [1] P. Boniol, M. Meftah, E. Remy and T. Palpanas, "dCAM: Dimension-wise class activation
       map for explaining multivariate data series classification", SIGMOD 2022.

    Examples
    --------
    >>> from skprog.networks import DCNN
    >>> network = DCNN(n_channels=6, n_classes=4)
    >>> sum(parameter.numel() for parameter in network.parameters())
    546564
    """

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        *,
        n_filters: Sequence[int] = (128, 128, 256, 256, 256),
        kernel_sizes: Sequence[int] = (3, 3, 3, 3, 3),
    ) -> None:
        super().__init__()
        self.n_channels = check_integer("n_channels", n_channels)
        n_classes = check_integer("n_classes", n_classes, minimum=2)
        n_filters, kernel_sizes = check_layers(n_filters=n_filters, kernel_sizes=kernel_sizes)
        blocks = ConvStack(self.n_channels, n_filters[:-1], kernel_sizes[:-1])
        self.blocks = channels_last(blocks)
        n_in = (self.n_channels, *n_filters)[-2]
        last = TimeConv(n_in, n_filters[-1], kernel_sizes[-1])
        self.last = channels_last(last)
        self.head = nn.Linear(n_filters[-1], n_classes)

    def forward(self, X: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Map series (n_cases, n_channels, n_timepoints) to logits (n_cases, n_classes).

        ``lengths`` (n_cases,) tells the timepoints of series that are padded at their ends.
        """
        dtype = self.head.weight.dtype
        X, mask = read_series(X, lengths, n_channels=self.n_channels, dtype=dtype)
        X = self.last(self.blocks(as_cube(X), mask)).relu_()
        return self.head(mean_over_time(blank(X, mask), mask))
