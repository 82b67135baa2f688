from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._checks import check_number
from ._classification import ClassificationLoss

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import ArrayLike


class ClassBalancedLoss(ClassificationLoss):
    """Loss with classes weighted by their inverse effective number of samples [1]_.

    A class of n samples weighs (1 - beta) / (1 - beta^n), scaled so that the classes with samples
    weigh 1 on average; one without samples weighs 0.

    Parameters
    ----------
    class_counts : array-like of int of shape (n_classes,)
        Training samples of each class.
    beta : float, default=0.999
        Overlap of samples, in [0, 1): 0 weighs classes alike, near 1 by their inverse frequency.
    base : {"cross_entropy", "mse", "rmse"}, default="cross_entropy"
        Loss of a sample.
    class_weight : array-like of shape (n_classes,), default=None
        Further weight of each class.

    References
    ----------
    .. [1] Y. Cui, M. Jia, T.-Y. Lin, Y. Song and S. Belongie, "Class-balanced loss based on
       effective number of samples", CVPR 2019.

    Examples
    --------
    >>> from skprog.losses import ClassBalancedLoss
    >>> ClassBalancedLoss([2, 1], beta=0.5).class_weight
    tensor([0.8000, 1.2000])
    """

    def __init__(
        self,
        class_counts: ArrayLike,
        *,
        beta: float = 0.999,
        base: Literal["cross_entropy", "mse", "rmse"] = "cross_entropy",
        class_weight: ArrayLike | None = None,
    ) -> None:
        check_number("beta", beta, minimum=0, below=1)
        self.beta = beta
        super().__init__(class_counts, base=base, class_weight=class_weight)

    def _weigh_classes(self):
        present = self.class_counts > 0
        weights = np.zeros(len(present))
        weights[present] = (1 - self.beta) / (1 - self.beta ** self.class_counts[present])
        return weights / weights[present].mean()
