from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from ..._checks import check_integer, check_option
from .._channels_last import channels_last
from ._blocks import ConvBlock, TimeConv, as_row, check_layers, read_series

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

N_POSITIONS = 50


class XceptionTime(nn.Module):
    """Network of depthwise separable convolutions for time series [1]_.

    Four Xception modules, each twice as wide as the one before, with a shortcut over every two of
    them. Maps are averaged to 50 positions in time, narrowed to one filter per class and averaged
    again.

    Parameters
    ----------
    n_channels : int
        Channels of a case.
    n_classes : int
        Logits returned, at least 2.
    n_filters : int, default=16
        Filters of each branch of the first module.
    kernel_sizes : tuple of int, default=(39, 19, 9)
        Kernel of each separable branch, in timepoints.
    last_unit : {"relu", "linear"}, default="relu"
        What makes the class maps: a 1 x 1 convolution with batch normalisation and ReLU, after
        which no logit is negative, or the convolution and a bias alone.

    Raises
    ------
    ValueError
        If a size is too small or ``last_unit`` is unknown; in ``forward`` if series have another
        shape.
    TypeError
        If a parameter has the wrong type.

    Notes
    -----
    The authors published no code; what the paper leaves open is as in tsai, a package of time
    series networks. Series of unequal length cannot be masked: the 50 positions are spread over
    the padding, too.

    References
    ----------
    .. [1] E. Rahimian, S. Zabihi, S. F. Atashzar, A. Asif and A. Mohammadi, "XceptionTime: a novel
       deep architecture based on depthwise separable convolutions for hand gesture
       classification", arXiv 1911.03803, 2019.

    Examples
    --------
    >>> from skprog.networks import XceptionTime
    >>> network = XceptionTime(n_channels=1, n_classes=5)
    >>> sum(parameter.numel() for parameter in network.parameters())
    399610
    """

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        *,
        n_filters: int = 16,
        kernel_sizes: Sequence[int] = (39, 19, 9),
        last_unit: Literal["relu", "linear"] = "relu",
    ) -> None:
        super().__init__()
        self.n_channels = check_integer("n_channels", n_channels)
        n_classes = check_integer("n_classes", n_classes, minimum=2)
        n_filters = check_integer("n_filters", n_filters)
        (kernel_sizes,) = check_layers(kernel_sizes=kernel_sizes)
        check_option("last_unit", last_unit, ("relu", "linear"))
        n_branches = len(kernel_sizes) + 1
        n_in = self.n_channels
        pairs = []
        for width in (n_filters, 4 * n_filters):
            n_out = n_branches * 2 * width
            pairs.append(_XceptionPair(n_in, width, kernel_sizes))
            n_in = n_out
        self.blocks = channels_last(nn.Sequential(*pairs))
        last = ConvBlock(n_in // 4, n_classes, 1, bias=False)
        if last_unit == "linear":
            last = TimeConv(n_in // 4, n_classes, 1)
        self.head = channels_last(
            nn.Sequential(
                nn.AdaptiveAvgPool2d((1, N_POSITIONS)),
                ConvBlock(n_in, n_in // 2, 1, bias=False),
                ConvBlock(n_in // 2, n_in // 4, 1, bias=False),
                last,
            )
        )

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Map series (n_cases, n_channels, n_timepoints) to logits (n_cases, n_classes)."""
        dtype = self.head[1].conv.weight.dtype
        X, _ = read_series(X, n_channels=self.n_channels, dtype=dtype)
        return self.head(self.blocks(as_row(X))).mean(dim=(2, 3))


class _XceptionPair(nn.Module):
    """Two Xception modules, the second of twice the width, beside a shortcut."""

    def __init__(self, n_in, n_filters, kernel_sizes):
        super().__init__()
        n_between = (len(kernel_sizes) + 1) * n_filters
        self.first = _Xception(n_in, n_filters, kernel_sizes)
        self.second = _Xception(n_between, 2 * n_filters, kernel_sizes)
        self.shortcut = ConvBlock(n_in, 2 * n_between, 1, relu=False, bias=False)

    def forward(self, X):
        return (self.second(self.first(X)) + self.shortcut(X)).relu_()


class _Xception(nn.Module):
    """Separable convolutions of several lengths and a pooling branch side by side."""

    def __init__(self, n_in, n_filters, kernel_sizes):
        super().__init__()
        self.bottleneck = TimeConv(n_in, n_filters, 1, bias=False)
        self.convs = nn.ModuleList(
            nn.Sequential(
                TimeConv(n_filters, n_filters, kernel_size, bias=False, groups=n_filters),
                TimeConv(n_filters, n_filters, 1, bias=False),
            )
            for kernel_size in kernel_sizes
        )
        self.pool_conv = TimeConv(n_in, n_filters, 1, bias=False)

    def forward(self, X):
        narrow = self.bottleneck(X)
        branches = [conv(narrow) for conv in self.convs]
        branches.append(self.pool_conv(F.max_pool2d(X, (1, 3), 1, (0, 1))))
        return torch.cat(branches, dim=1)
