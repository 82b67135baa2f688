from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from .._lstm_autocast import lstm_autocast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

MIN_ROWS = 4


class CnnLstm(nn.Module):
    """Convolutional encoder of each window, LSTM over the windows, dense head [1]_.

    Parameters
    ----------
    window_shape : tuple of int
        Shape of a window: (n_freqs, n_segments) for a spectrogram, (n_features,) for a vector of
        features, which goes to the LSTM without convolutions.
    n_conv_layers : int, default=2
        Convolutional layers; the tuples below may be longer, the rest is not used.
    n_filters : tuple of int, default=(4, 8, 8)
        Filters of each convolutional layer.
    kernel_sizes : tuple of (int, int), default=((5, 4), (6, 3), (3, 3))
        Kernel of each convolutional layer, in frequency bins and segments.
    strides : tuple of (int, int), default=((1, 2), (1, 1), (1, 1))
        Stride of each convolutional layer.
    pool_size : (int, int) or None, default=(2, 2)
        Max-pooling after each convolutional layer, or none.
    padding : {"valid", "same"}, default="valid"
        "same" pads each convolution with zeros so that only its stride shrinks the map.
    lstm_units : int, default=112
        Units of the LSTM, whose last state goes to the head.
    dense_units : tuple of int, default=(112, 16)
        Units of the dense layers before the output.
    dropout : float, default=0.0
        Share of the LSTM's and each dense layer's outputs dropped in training.

    Attributes
    ----------
    mean, scale : torch.Tensor of shape (n_freqs, 1) or (n_features,)
        Buffers that standardise the windows; 0 and 1 until set.

    Raises
    ------
    ValueError
        If a layer's input is smaller than its kernel or its pool, a geometry is not of integers
        of at least 1 or lacks a layer, or ``window_shape`` or ``padding`` is none of the above.

    References
    ----------
    .. [1] R. Cosin, L. S. F. Ribeiro and K. Castelo Branco, "Bearing failure prognostics using
       recurrent neural networks: a spectral data based architecture", SIBGRAPI 2023.
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(
        self,
        window_shape: Sequence[int],
        *,
        n_conv_layers: int = 2,
        n_filters: Sequence[int] = (4, 8, 8),
        kernel_sizes: Sequence[Sequence[int]] = ((5, 4), (6, 3), (3, 3)),
        strides: Sequence[Sequence[int]] = ((1, 2), (1, 1), (1, 1)),
        pool_size: Sequence[int] | None = (2, 2),
        padding: Literal["valid", "same"] = "valid",
        lstm_units: int = 112,
        dense_units: Sequence[int] = (112, 16),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        is_spectrogram = len(window_shape) == 2
        if not is_spectrogram:
            n_conv_layers = 0
        _check_options(window_shape, padding)
        _check_units(n_filters=n_filters, dense_units=dense_units)
        _check_layers(n_conv_layers, n_filters, kernel_sizes, strides, pool_size)
        self.register_buffer("mean", torch.zeros(window_shape[0], *[1] * is_spectrogram))
        self.register_buffer("scale", torch.ones(window_shape[0], *[1] * is_spectrogram))
        # Plain integers: torch refuses those of NumPy, which a search may draw.
        lstm_units, n_filters, dense_units = int(lstm_units), _plain(n_filters), _plain(dense_units)
        kernels, steps = [*map(_plain, kernel_sizes)], [*map(_plain, strides)]
        pool_size = None if pool_size is None else _plain(pool_size)
        layers: list[nn.Module] = []
        width, size = 1, tuple(window_shape)
        for i in range(n_conv_layers):
            name = f"convolutional layer {i + 1}"
            if padding == "same":
                pads, size = _same_padding(size, kernels[i], steps[i])
                layers.append(nn.ZeroPad2d(pads))
            else:
                size = _valid_size(name, size, kernels[i], steps[i])
            layers.append(nn.Conv2d(width, n_filters[i], kernels[i], steps[i]))
            if pool_size is not None:
                size = _valid_size(f"the pooling after {name}", size, pool_size, pool_size)
                layers.append(nn.MaxPool2d(pool_size))
            # ReLU and max-pooling commute; this order has fewer values to rectify.
            layers.append(nn.ReLU())
            width = n_filters[i]
        self.encoder = nn.Sequential(*layers, nn.Flatten())
        n_features = width * size[0] * size[1] if is_spectrogram else size[0]
        self.lstm = nn.LSTM(n_features, lstm_units, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        head = []
        for n_in, n_out in zip((lstm_units, *dense_units), dense_units, strict=False):
            head += [nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(dropout)]
        self.head = nn.Sequential(*head, nn.Linear((lstm_units, *dense_units)[-1], 1))

    def encode(self, windows: torch.Tensor) -> torch.Tensor:
        """Map windows (n_windows, ...) to features (n_windows, n_features)."""
        windows = (windows.to(self.scale.dtype) - self.mean) / self.scale
        return self.encoder(windows.unsqueeze(1))

    def decode(self, features: torch.Tensor) -> torch.Tensor:
        """Map features (n_sequences, n_steps, n_features) to targets (n_sequences,)."""
        with lstm_autocast(features.device):
            # Convolutions under autocast return bfloat16, which an LSTM without it does not take.
            _, (hidden, _) = self.lstm(features.to(self.scale.dtype))
        return self.regress(hidden[-1])

    def regress(self, hidden: torch.Tensor) -> torch.Tensor:
        """Map last hidden states (n_sequences, lstm_units) of the LSTM to targets."""
        # The output stays in full precision under autocast: bfloat16 has 8 bits, too few for a RUL.
        with torch.autocast(hidden.device.type, enabled=False):
            return self.head(self.dropout(hidden.to(self.scale.dtype))).squeeze(-1)

    def step(self, states: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Take one more window into several sequences.

        Parameters
        ----------
        states : Tensor of shape (n_sequences, n_channels, 2, lstm_units)
            Hidden and cell state of the LSTM after the windows so far, 0 before the first.
        features : Tensor of shape (n_channels, n_features)
            What :meth:`encode` makes of the window, the same for all sequences.

        Returns
        -------
        Tensor of shape (n_sequences, n_channels, 2, lstm_units)
            The states after it.
        """
        hidden, cell = states.unbind(2)
        weights_in, weights, bias_in, bias = self.lstm.all_weights[0]
        gates = F.linear(hidden.flatten(0, 1), weights, bias).unflatten(0, hidden.shape[:2])
        # The product of one to three rows is rounded otherwise than that of a batch.
        rows = features.repeat(MIN_ROWS, 1)
        gates += F.linear(rows, weights_in, bias_in)[: len(features)]
        input_gate, forget_gate, candidate, output_gate = gates.chunk(4, dim=-1)
        cell = forget_gate.sigmoid() * cell + input_gate.sigmoid() * candidate.tanh()
        return torch.stack([output_gate.sigmoid() * cell.tanh(), cell], dim=2)

    def forward(self, X: torch.Tensor, index: torch.Tensor | None = None) -> torch.Tensor:
        """Map sequences to targets of shape (n_sequences,).

        ``X`` is (n_sequences, n_steps, ...), or, with an ``index`` of shape
        (n_sequences, n_steps) into them, distinct windows (n_windows, ...).
        """
        if index is None:
            return self.decode(self.encode(X.flatten(0, 1)).unflatten(0, X.shape[:2]))
        features = self.encode(X)
        return self.decode(F.embedding(index, features))


def _plain(sizes):
    return tuple(map(int, sizes))


def _check_options(window_shape, padding):
    if len(window_shape) not in (1, 2):
        raise ValueError(
            f"window_shape={tuple(window_shape)} has {len(window_shape)} axes; "
            "give (n_freqs, n_segments) or (n_features,)."
        )
    if padding not in ("valid", "same"):
        raise ValueError(f"padding={padding!r} is not one of 'valid', 'same'.")


def _check_units(**units):
    for name, sizes in units.items():
        if not hasattr(sizes, "__len__") or not all(
            isinstance(size, Integral) and size >= 1 for size in sizes
        ):
            raise ValueError(f"{name}={sizes!r} must hold integers of at least 1, one per layer.")


def _check_layers(n_conv_layers, n_filters, kernel_sizes, strides, pool_size):
    for name, pairs in (("kernel_sizes", kernel_sizes), ("strides", strides)):
        if not hasattr(pairs, "__len__"):
            raise ValueError(f"{name}={pairs!r} must hold a pair of integers per layer.")
    n_given = min(len(n_filters), len(kernel_sizes), len(strides))
    if n_conv_layers > n_given:
        raise ValueError(
            f"n_conv_layers={n_conv_layers} exceeds the {n_given} layers that n_filters, "
            "kernel_sizes and strides describe; give one entry per layer."
        )
    pools = [(1, 1) if pool_size is None else pool_size] * n_conv_layers
    for i, pairs in enumerate(zip(kernel_sizes, strides, pools, strict=False)):
        for name, pair in zip(("kernel", "stride", "pool"), pairs, strict=True):
            sizes = tuple(pair) if hasattr(pair, "__len__") else (pair,)
            if len(sizes) != 2 or not all(isinstance(n, Integral) and n >= 1 for n in sizes):
                raise ValueError(
                    f"the {name} of convolutional layer {i + 1} is {pair}; "
                    "give two integers of at least 1, along frequency and segments."
                )


def _valid_size(name, size, kernel, stride):
    if kernel[0] > size[0] or kernel[1] > size[1]:
        raise ValueError(
            f"the feature map vanishes: {name} has a {kernel[0]} x {kernel[1]} kernel on an input "
            f"of {size[0]} x {size[1]}; use smaller kernels, strides or pool_size, fewer layers, "
            "or padding='same'."
        )
    return tuple((n - k) // s + 1 for n, k, s in zip(size, kernel, stride, strict=True))


def _same_padding(size, kernel, stride):
    out = tuple(-(-n // s) for n, s in zip(size, stride, strict=True))
    pads = []
    for n_out, n, k, s in zip(out, size, kernel, stride, strict=True):
        total = max((n_out - 1) * s + k - n, 0)
        pads = [total // 2, total - total // 2, *pads]
    return tuple(pads), out
