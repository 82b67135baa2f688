from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from ..._checks import check_integer

if TYPE_CHECKING:
    from typing import Any


class ScaledImages(nn.Module):
    """Network of images whose channels are standardised first.

    Parameters
    ----------
    network : type
        Class of the network, which takes (n_images, n_channels, height, width).
    n_channels : int
        Channels of an image.
    params : dict, default=None
        Arguments of the network.

    Notes
    -----
    Mean and standard deviation of each channel are the buffers ``mean`` and ``scale``, 0 and 1 at
    first. Images of any type are cast to theirs.

    Examples
    --------
    >>> import torch
    >>> from skprog.networks import ScaledImages
    >>> network = ScaledImages(torch.nn.Flatten, n_channels=1)
    >>> network.scale.fill_(255)
    tensor([[[255.]]])
    >>> network(torch.tensor([[[[0, 255]]]], dtype=torch.uint8))
    tensor([[0., 1.]])
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(
        self, network: type[nn.Module], n_channels: int, *, params: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        n_channels = check_integer("n_channels", n_channels)
        self.register_buffer("mean", torch.zeros(n_channels, 1, 1))
        self.register_buffer("scale", torch.ones(n_channels, 1, 1))
        self.network = network(**(params or {}))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Map images (n_images, n_channels, height, width) to logits."""
        return self.network((X.to(self.mean.dtype) - self.mean) / self.scale)
