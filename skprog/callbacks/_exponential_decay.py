from __future__ import annotations

from typing import TYPE_CHECKING

from skorch.callbacks import Callback

from .._checks import check_number

if TYPE_CHECKING:
    from typing import Any, Self

    from skorch import NeuralNet


class ExponentialDecay(Callback):
    """Multiply the learning rate by a factor after each epoch.

    The rate follows from the number of epochs alone, so that it survives pickling and resuming.
    It is written to ``history[:, "lr"]``. A factor of 1 leaves the rate to other callbacks.

    Parameters
    ----------
    factor : float, default=0.8
        Learning rate of an epoch over that of the one before; in (0, 1].
    """

    def __init__(self, factor: float = 0.8) -> None:
        self.factor = factor

    def initialize(self) -> Self:
        check_number("factor", self.factor, above=0, maximum=1)
        return self

    @property
    def sets_learning_rate(self) -> bool:
        """Whether the factor is another than 1."""
        return self.factor != 1

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        for group in net.optimizer_.param_groups:
            initial = group.setdefault("initial_lr", group["lr"])
            if self.factor != 1:
                group["lr"] = initial * self.factor ** (len(net.history) - 1)
        net.history.record("lr", net.optimizer_.param_groups[0]["lr"])
