from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..._checks import check_integer, check_option
from .._channels_last import channels_last
from ._blocks import ResidualBlock, as_cube, check_layers, mean_over_time, read_series

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal


class DResNet(nn.Module):
    """Residual network over all cyclic orders of the channels [1]_.

    A case becomes a cube of n_channels rows, each of which holds all channels, in the order that
    begins with its own. Kernels do not cross rows. The cube takes n_channels² · n_timepoints
    values per case, the map of each convolution n_filters · n_channels · n_timepoints.

    Parameters
    ----------
    n_channels : int
        Channels of a case.
    n_classes : int
        Logits returned, at least 2.
    n_filters : tuple of int, default=(128, 256, 256)
        Filters of each residual block.
    kernel_sizes : tuple of int, default=(8, 5, 3)
        Kernel of each convolution of a residual block, in timepoints.
    residual : {"repo", "standard"}, default="repo"
        "repo" is the block of the authors' code: ReLU before the sum and none after it, and no
        shortcut where a block keeps its width. "standard" adds the input there and has ReLU after
        the sum in place of the one before it.

    Raises
    ------
    ValueError
        If a size is too small or ``residual`` is unknown; in ``forward`` if series have another
        shape or ``lengths`` do not fit them.
    TypeError
        If a parameter has the wrong type.

    Notes
    -----
    The paper describes the standard block. Both have as many parameters.

    References
    ----------
    .. [1] P. Boniol, M. Meftah, E. Remy and T. Palpanas, "dCAM: Dimension-wise class activation
       map for explaining multivariate data series classification", SIGMOD 2022.

    Examples
    --------
    >>> from skprog.networks import DResNet
    >>> network = DResNet(n_channels=6, n_classes=4)
    >>> sum(parameter.numel() for parameter in network.parameters())
    2013700
    """

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        *,
        n_filters: Sequence[int] = (128, 256, 256),
        kernel_sizes: Sequence[int] = (8, 5, 3),
        residual: Literal["repo", "standard"] = "repo",
    ) -> None:
        super().__init__()
        self.n_channels = check_integer("n_channels", n_channels)
        n_classes = check_integer("n_classes", n_classes, minimum=2)
        check_option("residual", residual, ("repo", "standard"))
        (n_filters,) = check_layers(n_filters=n_filters)
        (kernel_sizes,) = check_layers(kernel_sizes=kernel_sizes)
        widths = (self.n_channels, *n_filters)
        is_standard = residual == "standard"
        block_params = {
            "same_width": "identity" if is_standard else "none",
            "relu": "after" if is_standard else "before",
        }
        blocks = [ResidualBlock(*pair, kernel_sizes, **block_params) for pair in pairwise(widths)]
        self.blocks = channels_last(nn.ModuleList(blocks))
        self.head = nn.Linear(n_filters[-1], n_classes)

    def forward(self, X: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Map series (n_cases, n_channels, n_timepoints) to logits (n_cases, n_classes).

        ``lengths`` (n_cases,) tells the timepoints of series that are padded at their ends.
        """
        dtype = self.head.weight.dtype
        X, mask = read_series(X, lengths, n_channels=self.n_channels, dtype=dtype)
        X = as_cube(X)
        for block in self.blocks:
            X = block(X, mask)
        return self.head(mean_over_time(X, mask))
