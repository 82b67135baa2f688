from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from ..._checks import check_integer
from .._channels_last import channels_last
from ._blocks import (
    ConvBlock,
    TimeConv,
    TimeNorm,
    as_row,
    blank,
    check_layers,
    mean_over_time,
    read_series,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

N_MODULES_PER_SHORTCUT = 3


class InceptionTime(nn.Module):
    """One network of the InceptionTime ensemble [1]_.

    Inception modules of parallel convolutions of several lengths, with a shortcut over every three
    of them, then the mean over time and a linear layer.

    Parameters
    ----------
    n_channels : int
        Channels of a case.
    n_classes : int
        Logits returned, at least 2.
    n_filters : int, default=32
        Filters of each branch of a module.
    depth : int, default=6
        Inception modules.
    kernel_sizes : tuple of int, default=(40, 20, 10)
        Kernel of each convolutional branch, in timepoints.
    bottleneck : int or None, default=32
        Filters to which a module narrows its input before the convolutions, unless that has one
        channel only; None is no narrowing.

    Raises
    ------
    ValueError
        If a size is too small; in ``forward`` if series have another shape or ``lengths`` do not
        fit them.
    TypeError
        If a parameter has the wrong type.

    Notes
    -----
    The paper averages the class probabilities of five such networks.

    References
    ----------
    .. [1] H. Ismail Fawaz, B. Lucas, G. Forestier, C. Pelletier, D. F. Schmidt, J. Weber, G. I.
       Webb, L. Idoumghar, P.-A. Muller and F. Petitjean, "InceptionTime: finding AlexNet for time
       series classification", Data Mining and Knowledge Discovery 34, 2020.

    Examples
    --------
    >>> from skprog.networks import InceptionTime
    >>> network = InceptionTime(n_channels=1, n_classes=5)
    >>> sum(parameter.numel() for parameter in network.parameters())
    420837
    """

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        *,
        n_filters: int = 32,
        depth: int = 6,
        kernel_sizes: Sequence[int] = (40, 20, 10),
        bottleneck: int | None = 32,
    ) -> None:
        super().__init__()
        self.n_channels = check_integer("n_channels", n_channels)
        n_classes = check_integer("n_classes", n_classes, minimum=2)
        n_filters = check_integer("n_filters", n_filters)
        depth = check_integer("depth", depth)
        (kernel_sizes,) = check_layers(kernel_sizes=kernel_sizes)
        if bottleneck is not None:
            bottleneck = check_integer("bottleneck", bottleneck)
        n_out = (len(kernel_sizes) + 1) * n_filters
        modules: list[nn.Module] = []
        shortcuts: list[nn.Module] = []
        for i in range(depth):
            n_in = n_out if i else self.n_channels
            modules.append(_Inception(n_in, n_filters, kernel_sizes, bottleneck))
            if (i + 1) % N_MODULES_PER_SHORTCUT == 0:
                n_in = n_out if shortcuts else self.n_channels
                shortcuts.append(ConvBlock(n_in, n_out, 1, relu=False, bias=False))
        self.blocks = channels_last(nn.ModuleList(modules))
        self.shortcuts = channels_last(nn.ModuleList(shortcuts))
        self.head = nn.Linear(n_out, n_classes)

    def forward(self, X: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Map series (n_cases, n_channels, n_timepoints) to logits (n_cases, n_classes).

        ``lengths`` (n_cases,) tells the timepoints of series that are padded at their ends.
        """
        dtype = self.head.weight.dtype
        X, mask = read_series(X, lengths, n_channels=self.n_channels, dtype=dtype)
        X = start = as_row(X)
        shortcuts = iter(self.shortcuts)
        for i, block in enumerate(self.blocks, 1):
            X = block(X, mask)
            if i % N_MODULES_PER_SHORTCUT == 0:
                X = start = (X + next(shortcuts)(start, mask)).relu_()
        return self.head(mean_over_time(X, mask))


class _Inception(nn.Module):
    """Convolutions of several lengths and a pooling branch side by side."""

    def __init__(self, n_in, n_filters, kernel_sizes, bottleneck):
        super().__init__()
        self.bottleneck = None
        n_narrow = n_in
        if bottleneck is not None and n_in > 1:
            self.bottleneck = TimeConv(n_in, bottleneck, 1, bias=False)
            n_narrow = bottleneck
        self.convs = nn.ModuleList(
            TimeConv(n_narrow, n_filters, kernel_size, bias=False) for kernel_size in kernel_sizes
        )
        self.pool_conv = TimeConv(n_in, n_filters, 1, bias=False)
        self.norm = TimeNorm((len(kernel_sizes) + 1) * n_filters)

    def forward(self, X, mask=None):
        narrow = X if self.bottleneck is None else self.bottleneck(X)
        branches = [conv(narrow) for conv in self.convs]
        # Padding must never be the largest value, nor reach the convolution as an infinite one.
        pooled = F.max_pool2d(blank(X, mask, -torch.inf), (1, 3), 1, (0, 1))
        branches.append(self.pool_conv(blank(pooled, mask)))
        return self.norm(torch.cat(branches, dim=1), mask).relu_()
