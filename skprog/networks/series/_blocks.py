"""What several networks of series are built from.

Maps are tensors of shape (n_cases, n_filters, n_rows, n_timepoints): 1-d convolutions are written
as 2-d ones over one row, which with the channels last in memory train faster. A mask of shape
(n_cases, 1, 1, n_timepoints) is true up to the end of each series; None stands for equal lengths.
"""

from numbers import Integral

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.grad import conv2d_input
from torch.nn.utils.fusion import fuse_conv_bn_weights

from .._lstm_autocast import lstm_autocast

# Rows of the matrices whose product is the gradient of a convolution's weights: few enough to stay
# in a cache.
N_ROWS = 1024
# Filters from which that is faster.
N_WIDE = 64


class TimeConv(nn.Conv2d):
    """Convolution along time that keeps the length: (kernel_size - 1) // 2 zeros left, rest right.

    Parameters
    ----------
    n_in, n_out : int
        Filters of the map before and after.
    kernel_size : int
        Kernel in timepoints.
    bias : bool, default=True
        Add a bias to each filter.
    groups : int, default=1
        Groups of filters that do not see each other.
    """

    def __init__(self, n_in, n_out, kernel_size, *, bias=True, groups=1):
        self.is_even = kernel_size % 2 == 0
        padding = 0 if self.is_even else (0, kernel_size // 2)
        super().__init__(n_in, n_out, (1, kernel_size), padding=padding, bias=bias, groups=groups)

    def forward(self, X):
        """Map (n_cases, n_in, n_rows, n_timepoints) to as many rows and timepoints."""
        X = self._padded(X)
        if self._is_faster_as_product(X):
            return ProductGradientConv.apply(X, self.weight, self.bias, self.padding)
        return super().forward(X)

    def normalised(self, X, norm):
        """Return what batch normalisation in evaluation makes of the convolution, in one step."""
        moments = norm.running_mean, norm.running_var, norm.eps
        fused = fuse_conv_bn_weights(self.weight, self.bias, *moments, norm.weight, norm.bias)
        return self._conv_forward(self._padded(X), *fused)

    def _padded(self, X):
        if not self.is_even:
            return X
        half = self.kernel_size[1] // 2
        return F.pad(X, (half - 1, half))

    def _is_faster_as_product(self, X):
        return (
            self.training
            and self.groups == 1
            and X.device.type == "cpu"
            and X.dtype == torch.float32
            and min(self.weight.shape[:2]) >= N_WIDE
            and not torch.is_autocast_enabled("cpu")
            and torch.backends.cpu.get_cpu_capability() == "AVX2"
        )


class ProductGradientConv(torch.autograd.Function):
    """Convolution along time whose gradient of the weights is a matrix product.

    With the channels last in memory, oneDNN on AVX2 is faster than with the channels first in all
    but this gradient, which takes it 1.7 times as long.
    """

    @staticmethod
    def forward(ctx, X, weight, bias, padding):
        ctx.save_for_backward(X, weight)
        ctx.padding = padding
        return F.conv2d(X, weight, bias, padding=padding)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        """Return the gradients of input, weights and bias."""
        X, weight = ctx.saved_tensors
        gradient_X = None
        if ctx.needs_input_grad[0]:
            gradient_X = conv2d_input(X.shape, weight, gradient, padding=ctx.padding)
        n_out, n_in, _, kernel_size = weight.shape
        # Rows of all cases one after another: (n_series, n_timepoints, n_filters).
        rows = gradient.permute(0, 2, 3, 1).flatten(0, 1)
        X = F.pad(X, ctx.padding[1:] * 2).permute(0, 2, 3, 1).flatten(0, 1)
        gradient_weight = weight.new_zeros(n_out, kernel_size * n_in)
        n_series = max(1, N_ROWS // rows.shape[1])
        for few_rows, few in zip(rows.split(n_series), X.split(n_series), strict=True):
            seen = few.unfold(1, kernel_size, 1).transpose(2, 3)
            gradient_weight.addmm_(few_rows.flatten(0, 1).T, seen.reshape(-1, kernel_size * n_in))
        gradient_weight = gradient_weight.view(n_out, 1, kernel_size, n_in).permute(0, 3, 1, 2)
        gradient_bias = rows.sum(dim=(0, 1)) if ctx.needs_input_grad[2] else None
        return gradient_X, gradient_weight, gradient_bias, None


class TimeNorm(nn.BatchNorm2d):
    """Batch normalisation over the valid timepoints, which leaves zeros beyond them."""

    def forward(self, X, mask=None):
        """Map (n_cases, n_filters, n_rows, n_timepoints) to the same shape."""
        if mask is None:
            return super().forward(X)
        X = X.permute(0, 2, 3, 1)
        is_valid = mask[:, 0].expand(X.shape[:3])
        values = super().forward(X[is_valid][:, :, None, None])
        Y = torch.zeros_like(X)
        Y[is_valid] = values[:, :, 0, 0]
        return Y.permute(0, 3, 1, 2)


class ConvBlock(nn.Module):
    """Convolution along time, batch normalisation and ReLU.

    Parameters
    ----------
    n_in, n_out : int
        Filters of the map before and after.
    kernel_size : int
        Kernel in timepoints.
    relu : bool, default=True
        End with ReLU.
    bias : bool, default=True
        Add a bias to each filter.
    """

    def __init__(self, n_in, n_out, kernel_size, *, relu=True, bias=True):
        super().__init__()
        self.conv = TimeConv(n_in, n_out, kernel_size, bias=bias)
        self.norm = TimeNorm(n_out)
        self.relu = relu

    def forward(self, X, mask=None):
        """Map (n_cases, n_in, n_rows, n_timepoints) to as many rows and timepoints."""
        # Fused weights have no gradient.
        if mask is None and not self.training and not torch.is_grad_enabled():
            X = self.conv.normalised(X, self.norm)
        else:
            X = self.norm(self.conv(X), mask)
        return X.relu_() if self.relu else X


class ConvStack(nn.ModuleList):
    """Convolutional blocks one after another.

    Parameters
    ----------
    n_in : int
        Filters of the map before the first block.
    n_filters, kernel_sizes : tuple of int
        Filters and kernel of each block.
    """

    def __init__(self, n_in, n_filters, kernel_sizes):
        widths = (n_in, *n_filters)
        super().__init__(map(ConvBlock, widths, n_filters, kernel_sizes))

    def forward(self, X, mask=None):
        """Map (n_cases, n_in, n_rows, n_timepoints) to as many rows and timepoints."""
        for block in self:
            X = block(X, mask)
        return X


class ResidualBlock(nn.Module):
    """Convolutional blocks beside a shortcut, a 1 x 1 convolution where the width changes.

    Parameters
    ----------
    n_in, n_out : int
        Filters of the map before and after.
    kernel_sizes : tuple of int
        Kernel of each convolution, in timepoints.
    same_width : {"norm", "identity", "none"}, default="norm"
        Shortcut where the width stays: batch normalisation, the input itself, or none.
    relu : {"after", "before"}, default="after"
        Side of the sum on which the last ReLU stands.
    """

    def __init__(self, n_in, n_out, kernel_sizes, *, same_width="norm", relu="after"):
        super().__init__()
        self.blocks = ConvStack(n_in, [n_out] * len(kernel_sizes), kernel_sizes)
        self.blocks[-1].relu = relu == "before"
        self.relu = relu == "after"
        self.shortcut = None
        if n_in != n_out:
            self.shortcut = ConvBlock(n_in, n_out, 1, relu=False)
        elif same_width == "norm":
            self.shortcut = TimeNorm(n_out)
        self.is_identity = n_in == n_out and same_width == "identity"

    def forward(self, X, mask=None):
        """Map (n_cases, n_in, n_rows, n_timepoints) to as many rows and timepoints."""
        Y = self.blocks(X, mask)
        if self.shortcut is not None:
            Y = Y + self.shortcut(X, mask)
        elif self.is_identity:
            Y = Y + X
        return Y.relu_() if self.relu else Y


class FinalState(nn.LSTM):
    """LSTM that returns its state after the last step, in both directions if it has two.

    Weights from the input are drawn from Glorot's normal distribution and those from the state are
    orthogonal; biases are 0, of the forget gate 1.

    Parameters
    ----------
    n_features : int
        Features of a step.
    lstm_units : int
        Units of each layer and direction.
    n_layers : int, default=1
        Layers, each reading the one before.
    dropout : float, default=0.0
        Share of outputs dropped between layers in training.
    bidirectional : bool, default=False
        Read backwards, too.
    """

    def __init__(self, n_features, lstm_units, *, n_layers=1, dropout=0.0, bidirectional=False):
        super().__init__(
            n_features,
            lstm_units,
            n_layers,
            batch_first=True,
            # torch warns where there is nothing between layers.
            dropout=dropout if n_layers > 1 else 0.0,
            bidirectional=bidirectional,
        )
        for name, parameter in self.named_parameters():
            if name.startswith("weight_ih"):
                nn.init.xavier_normal_(parameter)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(parameter)
            else:
                nn.init.zeros_(parameter)
            if name.startswith("bias_ih"):
                nn.init.ones_(parameter.data[lstm_units : 2 * lstm_units])

    def forward(self, X, lengths=None):
        """Map (n_cases, n_steps, n_features) to states (n_cases, n_directions * lstm_units)."""
        if lengths is not None:
            X = nn.utils.rnn.pack_padded_sequence(
                X, lengths.cpu(), batch_first=True, enforce_sorted=False
            )
        with lstm_autocast(self.weight_ih_l0.device):
            _, (states, _) = super().forward(X)
        n_directions = 1 + self.bidirectional
        return states[-n_directions:].transpose(0, 1).flatten(1)


def mean_over_time(X, mask=None):
    """Average a map that is 0 beyond the mask to (n_cases, n_filters)."""
    n_rows, n_timepoints = X.shape[2:]
    n = n_rows * n_timepoints
    # A product rather than a mean, whose gradient would not have the channels last in memory; of
    # shares, as sums overflow in float16.
    means = (X.new_full((1, n), 1 / n) @ X.permute(0, 2, 3, 1).flatten(1, 2))[:, 0]
    return means if mask is None else means * (n_timepoints / mask.sum(dim=3)[:, 0])


def blank(X, mask, value=0.0):
    """Put a value beyond the mask."""
    return X if mask is None else X.masked_fill(~mask, value)


def as_row(X):
    """Turn series (n_cases, n_channels, n_timepoints) into maps of one row, channels as filters."""
    return X.unsqueeze(2).to(memory_format=torch.channels_last)


def as_image(X):
    """Turn series (n_cases, n_channels, n_timepoints) into maps of one filter, channels as rows."""
    return X.unsqueeze(1).to(memory_format=torch.channels_last)


def as_cube(X):
    """Turn series into maps whose row j holds channel (i + j) mod n_channels in filter i."""
    channels = torch.arange(X.shape[1], device=X.device)
    order = (channels[:, None] + channels) % X.shape[1]
    return X[:, order].to(memory_format=torch.channels_last)


def read_series(X, lengths=None, *, n_channels, n_timepoints=None, dtype):
    """Return series in the type of the weights, 0 beyond their ends, and their mask or None."""
    is_other = X.ndim != 3 or X.shape[1] != n_channels
    if is_other or (n_timepoints is not None and X.shape[2] != n_timepoints):
        wanted = "n_timepoints" if n_timepoints is None else n_timepoints
        raise ValueError(
            f"X has shape {tuple(X.shape)}; give series of shape (n_cases, {n_channels}, "
            f"{wanted}), or build the network for others."
        )
    X = X.to(dtype)
    if lengths is None:
        return X, None
    if lengths.shape != X.shape[:1]:
        raise ValueError(
            f"lengths has shape {tuple(lengths.shape)} but there are {len(X)} series; give one "
            "number of timepoints per series."
        )
    if lengths.min() < 1 or lengths.max() > X.shape[2]:
        raise ValueError(
            f"lengths from {lengths.min()} to {lengths.max()} must lie between 1 and "
            f"n_timepoints={X.shape[2]}; count the timepoints before the padding."
        )
    time = torch.arange(X.shape[2], device=X.device)
    mask = time < lengths.to(X.device)[:, None, None]
    return blank(X, mask), mask.unsqueeze(1)


def check_layers(**layers):
    """Return tuples of sizes, one per layer, refusing sizes below 1 and unequal numbers of them."""
    for name, sizes in layers.items():
        is_array = isinstance(sizes, np.ndarray) and sizes.ndim == 1
        if not (is_array or isinstance(sizes, list | tuple)) or not all(map(_is_size, sizes)):
            raise ValueError(
                f"{name}={sizes!r} must hold integers of at least 1, one per layer, in a list or "
                "a tuple."
            )
        if len(sizes) == 0:
            raise ValueError(f"{name}={sizes!r} has no layer; give at least one.")
    first = next(iter(layers))
    for name, sizes in layers.items():
        if len(sizes) != len(layers[first]):
            raise ValueError(
                f"{first} has {len(layers[first])} layers but {name} {len(sizes)}; give one entry "
                "per layer in both."
            )
    # Plain integers: torch refuses those of NumPy, which a search may draw.
    return (tuple(map(int, sizes)) for sizes in layers.values())


def _is_size(value):
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 1
