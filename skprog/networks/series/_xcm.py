from __future__ import annotations

import torch
from torch import nn

from ..._checks import check_integer, check_number
from .._channels_last import channels_last
from ._blocks import ConvBlock, TimeConv, as_image, as_row, blank, mean_over_time, read_series


class XCM(nn.Module):
    """Explainable convolutional network for multivariate time series [1]_.

    One branch convolves each channel by itself, the other all channels together; each narrows its
    maps to one filter. A last convolution joins both, then the mean over time and a linear layer.

    Parameters
    ----------
    n_channels : int
        Channels of a case.
    n_timepoints : int
        Length of a case, of which kernels span a share.
    n_classes : int
        Logits returned, at least 2.
    n_filters : int, default=128
        Filters of each convolution.
    window_size : float, default=0.2
        Length of the kernels as a share of ``n_timepoints``, in (0, 1]; rounded down to whole
        timepoints, at least 1.

    Raises
    ------
    ValueError
        If a size is too small or ``window_size`` is out of range; in ``forward`` if series have
        another number of channels or ``lengths`` do not fit them.
    TypeError
        If a parameter has the wrong type.

    References
    ----------
    .. [1] K. Fauvel, T. Lin, V. Masson, É. Fromont and A. Termier, "XCM: an explainable
       convolutional neural network for multivariate time series classification", Mathematics
       9(23), 2021.

    Examples
    --------
    >>> from skprog.networks import XCM
    >>> network = XCM(n_channels=6, n_timepoints=30, n_classes=4)
    >>> sum(parameter.numel() for parameter in network.parameters())
    12678
    """

    def __init__(
        self,
        n_channels: int,
        n_timepoints: int,
        n_classes: int,
        *,
        n_filters: int = 128,
        window_size: float = 0.2,
    ) -> None:
        super().__init__()
        self.n_channels = check_integer("n_channels", n_channels)
        n_timepoints = check_integer("n_timepoints", n_timepoints)
        n_classes = check_integer("n_classes", n_classes, minimum=2)
        n_filters = check_integer("n_filters", n_filters)
        check_number("window_size", window_size, above=0, maximum=1)
        # Of 0.29 * 100, too, which is 28.999...
        kernel_size = max(1, int(window_size * n_timepoints + 1e-9))
        self.by_channel = _Narrowed(1, n_filters, kernel_size)
        self.by_time = _Narrowed(self.n_channels, n_filters, kernel_size)
        joined = ConvBlock(self.n_channels + 1, n_filters, kernel_size)
        self.joined = channels_last(joined)
        self.head = nn.Linear(n_filters, n_classes)

    def forward(self, X: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Map series (n_cases, n_channels, n_timepoints) to logits (n_cases, n_classes).

        ``lengths`` (n_cases,) tells the timepoints of series that are padded at their ends.
        """
        dtype = self.head.weight.dtype
        X, mask = read_series(X, lengths, n_channels=self.n_channels, dtype=dtype)
        by_channel = self.by_channel(as_image(X), mask)[:, 0]  # (n_cases, n_channels, n_timepoints)
        by_time = self.by_time(as_row(X), mask)[:, 0]  # (n_cases, 1, n_timepoints)
        X = self.joined(as_row(torch.cat([by_channel, by_time], dim=1)), mask)
        return self.head(mean_over_time(X, mask))


class _Narrowed(nn.Module):
    """Convolutional block and a 1 x 1 convolution to one filter."""

    def __init__(self, n_in, n_filters, kernel_size):
        super().__init__()
        self.block = channels_last(ConvBlock(n_in, n_filters, kernel_size))
        self.narrow = channels_last(TimeConv(n_filters, 1, 1))

    def forward(self, X, mask=None):
        return blank(self.narrow(self.block(X, mask)).relu_(), mask)
