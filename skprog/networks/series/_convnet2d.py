from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from ..._checks import check_integer, check_option
from .._channels_last import channels_last
from ._blocks import ConvStack, as_image, check_layers, mean_over_time, read_series

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal


class ConvNet2d(nn.Module):
    """Fully convolutional network [1]_ whose kernels pass over each channel by itself.

    A case is an image of n_channels rows. Kernels of one row share their weights over all rows, so
    the order of the channels does not matter to the logits.

    Parameters
    ----------
    n_channels : int
        Channels of a case.
    n_timepoints : int
        Length of a case; only "flatten_time" depends on it.
    n_classes : int
        Logits returned, at least 2.
    head : {"average", "flatten_time"}, default="average"
        What the linear layer sees: the mean over channels and time, or the mean over channels at
        every timepoint.
    n_filters : tuple of int, default=(128, 256, 128)
        Filters of each block.
    kernel_sizes : tuple of int, default=(8, 5, 3)
        Kernel of each block, in timepoints.

    Raises
    ------
    ValueError
        If a size is too small, the numbers of layers differ or ``head`` is unknown; in ``forward``
        if series have another shape, or ``lengths`` do not fit them or the head.
    TypeError
        If a parameter has the wrong type.

    Notes
    -----
    The benchmark of [2]_ describes this network as FCN with 2-d convolutions and gives no sizes;
    those of FCN are taken.

    References
    ----------
    .. [1] Z. Wang, W. Yan and T. Oates, "Time series classification from scratch with deep
       neural networks: a strong baseline", IJCNN 2017.
    .. [2] S. Salimath, F. Bugiotti and S. Wlodarczyk, "Responsible AI: Training deep learning
       model efficiently".

    Examples
    --------
    >>> from skprog.networks import ConvNet2d
    >>> network = ConvNet2d(n_channels=6, n_timepoints=30, n_classes=4)
    >>> sum(parameter.numel() for parameter in network.parameters())
    265220
    """

    def __init__(
        self,
        n_channels: int,
        n_timepoints: int,
        n_classes: int,
        *,
        head: Literal["average", "flatten_time"] = "average",
        n_filters: Sequence[int] = (128, 256, 128),
        kernel_sizes: Sequence[int] = (8, 5, 3),
    ) -> None:
        super().__init__()
        self.n_channels = check_integer("n_channels", n_channels)
        n_timepoints = check_integer("n_timepoints", n_timepoints)
        n_classes = check_integer("n_classes", n_classes, minimum=2)
        check_option("head", head, ("average", "flatten_time"))
        n_filters, kernel_sizes = check_layers(n_filters=n_filters, kernel_sizes=kernel_sizes)
        self.n_timepoints = n_timepoints if head == "flatten_time" else None
        blocks = ConvStack(1, n_filters, kernel_sizes)
        self.blocks = channels_last(blocks)
        self.head = nn.Linear(n_filters[-1] * (self.n_timepoints or 1), n_classes)

    def forward(self, X: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Map series (n_cases, n_channels, n_timepoints) to logits (n_cases, n_classes).

        ``lengths`` (n_cases,) tells the timepoints of series that are padded at their ends.
        """
        X, mask = read_series(
            X,
            lengths,
            n_channels=self.n_channels,
            n_timepoints=self.n_timepoints,
            dtype=self.head.weight.dtype,
        )
        if self.n_timepoints is None:
            return self.head(mean_over_time(self.blocks(as_image(X), mask), mask))
        if mask is not None and not mask.all():
            raise ValueError(
                "head='flatten_time' needs series of equal length; use head='average' for others."
            )
        return self.head(self.blocks(as_image(X)).mean(dim=2).flatten(1))
