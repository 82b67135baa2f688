from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from ..._checks import check_integer, check_option

if TYPE_CHECKING:
    from typing import Any, Literal


class ScaledSeries(nn.Module):
    """Network of series whose channels are standardised first.

    Where there are lengths, values beyond the end of a series are 0 for the network.

    Parameters
    ----------
    network : type
        Class of the network, which takes (n_cases, n_channels, n_timepoints).
    n_channels : int
        Channels of a case.
    scale : {"standard", "case"} or None, default="standard"
        "standard" takes mean and scale of each channel from the buffers ``mean`` and ``scale``,
        "case" from each case, None leaves values as they are.
    params : dict, default=None
        Arguments of the network.

    Examples
    --------
    >>> import torch
    >>> from skprog.networks import ScaledSeries
    >>> network = ScaledSeries(torch.nn.Flatten, 1, scale="case")
    >>> network(torch.tensor([[[1.0, 3.0]], [[100.0, 300.0]]]))
    tensor([[-1.,  1.],
            [-1.,  1.]])
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(
        self,
        network: type[nn.Module],
        n_channels: int,
        *,
        scale: Literal["standard", "case"] | None = "standard",
        params: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        n_channels = check_integer("n_channels", n_channels)
        check_option("scale", scale, ("standard", "case", None))
        self.register_buffer("mean", torch.zeros(n_channels, 1))
        self.register_buffer("scale", torch.ones(n_channels, 1))
        self.by_case = scale == "case"
        self.network = network(**(params or {}))

    def forward(self, X: torch.Tensor, **lengths: Any) -> torch.Tensor:
        """Map (n_cases, n_channels, n_timepoints), or with ``lengths`` (n_cases,), to logits."""
        X = X.to(self.mean.dtype)
        if self.by_case:
            return self.network(_standardised(X, **lengths), **lengths)
        X = (X - self.mean) / self.scale
        if lengths:
            X = X.masked_fill(~_inside(X, **lengths), 0.0)
        return self.network(X, **lengths)


def _inside(X, lengths):
    """Return which timepoints lie before the end of each series, (n_cases, 1, n_timepoints)."""
    return torch.arange(X.shape[2], device=X.device) < lengths.to(X.device)[:, None, None]


def _standardised(X, lengths=None):
    """Return series with a mean of 0 and a standard deviation of 1, constant ones as 0."""
    inside = None if lengths is None else _inside(X, lengths)
    # The mean of equal values, rounded, need not be their value; that of zeros is.
    X = X - X[:, :, :1]
    if inside is not None:
        X = X.masked_fill(~inside, 0.0)
    # Nor must squares of small or large values leave the range of their type.
    largest = X.abs().amax(dim=2, keepdim=True)
    X = X / torch.where(largest > 0, largest, 1.0)
    n = X.shape[2] if inside is None else inside.sum(dim=2, keepdim=True)
    deviations = X - X.sum(dim=2, keepdim=True) / n
    if inside is not None:
        deviations = deviations * inside
    scale = (deviations.square().sum(dim=2, keepdim=True) / n).sqrt()
    return deviations / torch.where(scale > 0, scale, 1.0)
