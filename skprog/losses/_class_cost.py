from __future__ import annotations

from typing import TYPE_CHECKING

from ._classes import inverse_frequencies
from ._classification import ClassificationLoss

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import ArrayLike


class ClassCostLoss(ClassificationLoss):
    """Loss with classes weighted by their inverse frequency [1]_.

    A class of n_c among n samples of C classes weighs n / (C n_c); one without samples weighs 0.

    Parameters
    ----------
    class_counts : array-like of int of shape (n_classes,)
        Training samples of each class.
    base : {"cross_entropy", "mse", "rmse"}, default="cross_entropy"
        Loss of a sample.
    class_weight : array-like of shape (n_classes,), default=None
        Further weight of each class.

    References
    ----------
    .. [1] F. Jia, Y. Lei, N. Lu and S. Xing, "Deep normalized convolutional neural network for
       imbalanced fault classification of machinery and its understanding via visualization",
       Mechanical Systems and Signal Processing, 2018.

    Examples
    --------
    >>> from skprog.losses import ClassCostLoss
    >>> ClassCostLoss([8, 2]).class_weight
    tensor([0.6250, 2.5000])
    """

    def __init__(
        self,
        class_counts: ArrayLike,
        *,
        base: Literal["cross_entropy", "mse", "rmse"] = "cross_entropy",
        class_weight: ArrayLike | None = None,
    ) -> None:
        super().__init__(class_counts, base=base, class_weight=class_weight)

    def _weigh_classes(self):
        return inverse_frequencies(self.class_counts)
