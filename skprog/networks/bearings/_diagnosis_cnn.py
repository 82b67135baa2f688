from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from ..._checks import check_integer, check_number, check_option
from .._channels_last import channels_last

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal


class DiagnosisCNN(nn.Module):
    """Convolutional network that tells the state of a machine from windows of vibration [1]_.

    Each convolution is followed by max-pooling and ReLU, and the last by a dense layer, ReLU and
    the output. Inputs are standardised by the buffers ``mean`` and ``scale``.

    Parameters
    ----------
    n_channels : int
        Channels of a window.
    n_timepoints : int
        Length of a window.
    n_classes : int
        Logits returned, at least 2.
    n_filters : tuple of int, default=(16, 16)
        Filters of each convolutional layer.
    kernel_sizes : tuple of int, default=(49, 21)
        Kernel of each convolutional layer, in timepoints.
    pool_size : int, default=4
        Max-pooling after each convolutional layer, in timepoints; 1 is none.
    dense_units : int, default=100
        Units of the dense layer.
    padding : {"valid", "same"}, default="valid"
        Padding of the convolutions.
    batch_norm : bool, default=False
        Normalise each convolution's output over the batch.
    global_pooling : {"average", "max"} or None, default=None
        Summarise each filter over time before the dense layer; None passes all timepoints on.
    dropout : float, default=0.0
        Share of units dropped before and after the dense layer, in [0, 1).

    Raises
    ------
    ValueError
        If a size is too small, the layers do not fit into a window or differ in number, or an
        option is unknown; in ``forward`` if windows have another shape.
    TypeError
        If a parameter has the wrong type.

    References
    ----------
    .. [1] Z. Ren, W. Su, T. Lin, R. Zhang, Y. Zhu, K. Yan and J. Hong, "Gradient harmonized loss:
       Improving the performance of intelligent diagnosis models in large imbalance scenarios",
       ICPHM 2022.

    Examples
    --------
    >>> import torch
    >>> from skprog.networks import DiagnosisCNN
    >>> network = DiagnosisCNN(n_channels=1, n_timepoints=1024, n_classes=12)
    >>> network(torch.zeros(2, 1, 1024)).shape
    torch.Size([2, 12])
    >>> sum(parameter.numel() for parameter in network.parameters())
    97104
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(
        self,
        n_channels: int,
        n_timepoints: int,
        n_classes: int,
        *,
        n_filters: Sequence[int] = (16, 16),
        kernel_sizes: Sequence[int] = (49, 21),
        pool_size: int = 4,
        dense_units: int = 100,
        padding: Literal["valid", "same"] = "valid",
        batch_norm: bool = False,
        global_pooling: Literal["average", "max"] | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        n_channels = check_integer("n_channels", n_channels)
        n_timepoints = check_integer("n_timepoints", n_timepoints)
        n_classes = check_integer("n_classes", n_classes, minimum=2)
        _check_layers(n_filters, kernel_sizes)
        pool_size = check_integer("pool_size", pool_size)
        dense_units = check_integer("dense_units", dense_units)
        check_option("padding", padding, ("valid", "same"))
        check_option("batch_norm", batch_norm, (True, False))
        check_option("global_pooling", global_pooling, ("average", "max", None))
        check_number("dropout", dropout, minimum=0, below=1)
        self.shape_in = n_channels, n_timepoints
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))
        layers: list[nn.Module] = []
        width, length = n_channels, n_timepoints
        for i, (n_out, kernel_size) in enumerate(zip(n_filters, kernel_sizes, strict=True)):
            # Plain integers: torch refuses those of NumPy, which a search may draw.
            n_out, kernel_size = int(n_out), int(kernel_size)
            name = f"convolutional layer {i + 1}"
            if padding == "same":
                layers.append(nn.ZeroPad2d(((kernel_size - 1) // 2, kernel_size // 2, 0, 0)))
            else:
                _check_length(f"the kernel of {name}", kernel_size, length)
                length -= kernel_size - 1
            layers.append(nn.Conv2d(width, n_out, (1, kernel_size), bias=not batch_norm))
            if batch_norm:
                layers.append(nn.BatchNorm2d(n_out))
            if pool_size > 1:
                _check_length(f"the pooling after {name}", pool_size, length)
                layers.append(nn.MaxPool2d((1, pool_size)))
                length //= pool_size
            layers.append(nn.ReLU())
            width = n_out
        if global_pooling is not None:
            pool = nn.AdaptiveAvgPool2d if global_pooling == "average" else nn.AdaptiveMaxPool2d
            layers.append(pool(1))
            length = 1
        # Two-dimensional layers with the channels last in memory train twice as fast as
        # one-dimensional ones.
        self.encoder = channels_last(nn.Sequential(*layers, nn.Flatten()))
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(width * length, dense_units),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(dense_units, n_classes),
        )

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Map windows (n_windows, n_channels, n_timepoints) to logits (n_windows, n_classes)."""
        if X.ndim != 3 or X.shape[1:] != self.shape_in:
            n_channels, n_timepoints = self.shape_in
            raise ValueError(
                f"X has shape {tuple(X.shape)}; give windows of shape (n_windows, {n_channels}, "
                f"{n_timepoints}), or build the network for others."
            )
        X = (X.to(self.scale.dtype) - self.mean) / self.scale
        return self.head(self.encoder(X.unsqueeze(2).to(memory_format=torch.channels_last)))


def _check_layers(n_filters, kernel_sizes):
    for name, sizes in (("n_filters", n_filters), ("kernel_sizes", kernel_sizes)):
        is_array = isinstance(sizes, np.ndarray) and sizes.ndim == 1
        if not (is_array or isinstance(sizes, list | tuple)) or not all(map(_is_size, sizes)):
            raise ValueError(
                f"{name}={sizes!r} must hold integers of at least 1, one per layer, in a list or "
                "a tuple."
            )
    if len(n_filters) != len(kernel_sizes):
        raise ValueError(
            f"n_filters has {len(n_filters)} layers but kernel_sizes {len(kernel_sizes)}; give "
            "one entry per layer in both."
        )


def _is_size(value):
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 1


def _check_length(what, size, length):
    if size > length:
        raise ValueError(
            f"{what} spans {size} timepoints but only {length} are left; use longer windows, "
            "smaller kernel_sizes or pool_size, or padding='same'."
        )
