"""What networks of images share: what they read, how they begin, and the end of all of them."""

from __future__ import annotations

import torch
from torch import nn

from ..._checks import check_integer
from .._channels_last import channels_last


class ImageNetwork(nn.Module):
    """Convolutional layers over images, the mean over all places, and a linear layer.

    Parameters
    ----------
    layers : nn.Module
        Maps (n_images, n_channels, height, width) to (n_images, n_features, n_rows, n_columns).
    n_channels, n_features, n_classes : int
        Channels of an image, features of a place, logits.
    least : int
        Height and width of the smallest image, in pixels.
    step : int
        Pixels, along a side, of a place in the last map that is normalised over the batch.
    """

    def __init__(
        self,
        layers: nn.Module,
        n_channels: int,
        n_features: int,
        n_classes: int,
        *,
        least: int,
        step: int,
    ) -> None:
        super().__init__()
        self.n_channels = n_channels
        self.least = least
        self.step = step
        # A fifth faster on a CPU with the channels last in memory.
        self.layers = channels_last(layers)
        self.head = nn.Linear(n_features, n_classes)
        for module in self.layers.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Map images (n_images, n_channels, height, width) to logits (n_images, n_classes)."""
        self._check(X)
        X = X.to(self.head.weight.dtype, memory_format=torch.channels_last)
        return self.head(self.layers(X).mean(dim=(2, 3)))

    def _check(self, X):
        if X.ndim != 4 or X.shape[1] != self.n_channels:
            raise ValueError(
                f"X has shape {tuple(X.shape)}; give images of shape (n_images, "
                f"{self.n_channels}, height, width), or build the network for others."
            )
        n_images, _, height, width = X.shape
        if min(height, width) < self.least:
            raise ValueError(
                f"X has images of {height} x {width} pixels but {type(self).__name__} needs at "
                f"least {self.least} x {self.least}; enlarge them or use another network."
            )
        if self.training and n_images == 1 and max(height, width) <= self.step:
            raise ValueError(
                f"X has 1 image of {height} x {width} pixels, too few for batch normalisation in "
                "training; use batches of at least 2."
            )


def check_sizes(n_channels, n_classes, width):
    """Return the sizes that every network of images takes as plain integers."""
    return (
        check_integer("n_channels", n_channels),
        check_integer("n_classes", n_classes, minimum=2),
        check_integer("width", width),
    )
