from __future__ import annotations

import torch
from torch import nn

from .._checks import check_number


class PinballLoss(nn.Module):
    """Loss whose minimum is a quantile of the target [1]_.

    An error e = y - y_pred costs ``quantile`` e where it is positive and (``quantile`` - 1) e
    where it is negative; the loss is the mean over samples.

    Parameters
    ----------
    quantile : float, default=0.5
        Quantile in (0, 1); 0.5 is half the mean absolute error.

    See Also
    --------
    sklearn.metrics.mean_pinball_loss : The same of NumPy arrays.

    References
    ----------
    .. [1] R. Koenker and G. Bassett, "Regression quantiles", Econometrica, 1978.

    Examples
    --------
    Predicting 2 too little costs three times as much as predicting 2 too much.

    >>> import torch
    >>> from skprog.losses import PinballLoss
    >>> loss = PinballLoss(0.75)
    >>> float(loss(torch.tensor([3.0]), torch.tensor([5.0])))
    1.5
    >>> float(loss(torch.tensor([5.0]), torch.tensor([3.0])))
    0.5
    """

    def __init__(self, quantile: float = 0.5) -> None:
        super().__init__()
        check_number("quantile", quantile, above=0, below=1)
        self.quantile = float(quantile)

    def forward(self, y_pred: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the mean loss.

        Parameters
        ----------
        y_pred, y : Tensor of shape (n_samples,)
            Predictions and targets.

        Returns
        -------
        Tensor of shape ()
            The loss.
        """
        error = y - y_pred
        return torch.maximum(self.quantile * error, (self.quantile - 1) * error).mean()

    def extra_repr(self) -> str:
        """Return the quantile, for ``repr``."""
        return f"quantile={self.quantile}"
