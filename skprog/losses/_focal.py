from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from .._checks import check_number
from ._classification import ClassificationLoss

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import ArrayLike


class FocalLoss(ClassificationLoss):
    """Loss that turns to the samples that are not yet told well [1]_.

    The loss of a sample is multiplied by (1 - p)^gamma, p the softmax of its class.

    Parameters
    ----------
    class_counts : array-like of int of shape (n_classes,)
        Training samples of each class.
    gamma : float, default=2.0
        At least 0; 0 gives the base loss.
    base : {"cross_entropy", "mse", "rmse"}, default="cross_entropy"
        Loss of a sample.
    class_weight : array-like of shape (n_classes,), default=None
        Weight of each class.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He and P. Dollár, "Focal loss for dense object
       detection", ICCV 2017.

    Examples
    --------
    >>> import torch
    >>> from skprog.losses import ClassificationLoss, FocalLoss
    >>> logits, y = torch.zeros(1, 2), torch.tensor([0])
    >>> float(FocalLoss([1, 1])(logits, y) / ClassificationLoss([1, 1])(logits, y))
    0.25
    """

    def __init__(
        self,
        class_counts: ArrayLike,
        *,
        gamma: float = 2.0,
        base: Literal["cross_entropy", "mse", "rmse"] = "cross_entropy",
        class_weight: ArrayLike | None = None,
    ) -> None:
        check_number("gamma", gamma, minimum=0)
        super().__init__(class_counts, base=base, class_weight=class_weight)
        self.gamma = gamma

    def sample_weights(self, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor | float:
        """Weigh each sample by (1 - p)^gamma."""
        if self.gamma == 0:
            return 1.0
        log_p = -F.cross_entropy(logits, y, reduction="none")
        # At p = 1 the power of a fraction has no finite slope.
        return (-torch.expm1(log_p)).clamp_min(torch.finfo(logits.dtype).tiny) ** self.gamma
