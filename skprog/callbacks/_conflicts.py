"""What does not go together: two schedules, what reads gradients later, some optimizers."""

import torch
from skorch.callbacks import Callback, LRScheduler

# Under them a constant factor of the gradient cancels; not every torch has all of them.
SCALE_FREE = tuple(
    getattr(torch.optim, name)
    for name in (
        "Adadelta",
        "Adafactor",
        "Adagrad",
        "Adam",
        "AdamW",
        "Adamax",
        "Muon",
        "NAdam",
        "RAdam",
        "RMSprop",
        "Rprop",
    )
    if hasattr(torch.optim, name)
)


def other_schedules(net, own):
    """Return the names of a net's callbacks, but for one, that set the learning rate."""
    return [
        type(each).__name__
        for _, each in getattr(net, "callbacks_", ())
        if each is not own
        and (isinstance(each, LRScheduler) or getattr(each, "sets_learning_rate", False))
    ]


def check_last_with_gradients(net, own):
    """Refuse a net with a callback after this one that changes or reads gradients."""
    places = [each is own for _, each in net.callbacks_]
    for name, other in net.callbacks_[places.index(True) + 1 :]:
        if type(other).on_grad_computed is not Callback.on_grad_computed:
            raise ValueError(
                f"callback {name!r} changes or reads gradients after {type(own).__name__}; "
                "put it before, as clipping undoes what was amplified."
            )
