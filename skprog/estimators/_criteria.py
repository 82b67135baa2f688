"""Losses by name, what each takes, and whether one of the user's tells classes."""

import inspect

import numpy as np
import torch

from .._checks import check_option
from ..losses import (
    ClassBalancedLoss,
    ClassCostLoss,
    ClassificationLoss,
    FocalLoss,
    GradientHarmonizedLoss,
)

LOSSES = {
    "cross_entropy": (ClassificationLoss, {}),
    "mse": (ClassificationLoss, {"base": "mse"}),
    "class_cost": (ClassCostLoss, {}),
    "class_balanced": (ClassBalancedLoss, {}),
    "focal": (FocalLoss, {}),
    "ghl": (GradientHarmonizedLoss, {}),
}
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def loss_class(loss):
    """Return the class of a loss that is given by name or as a class."""
    return loss if inspect.isclass(loss) else LOSSES[loss][0]


def check_loss(loss, loss_params):
    """Refuse anything but a loss by name or class, and its arguments by name."""
    if not inspect.isclass(loss) or not issubclass(loss, torch.nn.Module):
        check_option("loss", loss, tuple(LOSSES))
    if not isinstance(loss_params, dict | None):
        raise TypeError(f"loss_params={loss_params!r} must be a dict or None.")


def criterion_and_params(loss, loss_params, *, classes, counts, class_weight, weights):
    """Return the class of a loss and what it is built with.

    Parameters
    ----------
    loss : str or type
        Loss, by name or as a class.
    loss_params : dict or None
        Arguments of the user's.
    classes, counts : ndarray of shape (n_classes,)
        Classes, and how many rows each has.
    class_weight : dict, "balanced" or None
        How classes are weighed.
    weights : ndarray of shape (n_classes,) or None
        The weight of each by that.
    """
    criterion, given = loss_class(loss), {} if inspect.isclass(loss) else LOSSES[loss][1]
    accepted = accepted_params(criterion)
    params, chosen = dict(given), loss_params or {}
    if weights is not None and "weight" in chosen:
        raise ValueError("class_weight and loss_params['weight'] say the same; give one.")
    by_count = class_weight == "balanced" or criterion in (ClassBalancedLoss, ClassCostLoss)
    if by_count and counts.min() == 0:
        raise ValueError(
            f"class {classes.tolist()[counts.argmin()]!r} has no case at first, so that "
            f"loss={loss!r} with class_weight={class_weight!r} cannot weigh it by its number; give "
            "some of each class first or set class_weight to a dict."
        )
    if "class_counts" in accepted:
        params["class_counts"] = counts
    if weights is not None:
        if "class_weight" in accepted:
            params["class_weight"] = weights
        elif "weight" in accepted:
            params["weight"] = torch.from_numpy(weights.astype(np.float32))
        else:
            raise ValueError(
                f"{criterion.__name__} takes no class_weight; use one of {', '.join(LOSSES)}."
            )
    free = sorted(accepted - {"class_counts", "class_weight", *given})
    unknown = sorted(set(chosen) - set(free))
    if unknown:
        raise ValueError(
            f"loss_params has {unknown[0]!r}, which is not open to choice with loss={loss!r}; open "
            f"are {', '.join(free) or 'none'}."
        )
    params |= chosen
    if inspect.isclass(loss):
        check_criterion(criterion(**params), len(classes))
    return criterion, params


def check_criterion(criterion, n_classes):
    """Refuse a loss that does not compare logits with classes."""
    y = torch.arange(n_classes + 1) % n_classes
    try:
        loss = criterion(10 * torch.nn.functional.one_hot(y, n_classes).float(), y)
        is_loss = loss.ndim == 0 and bool(0 <= loss < np.inf)
    # A loss of the user's may fail in any way.
    except Exception as error:
        loss, is_loss = error, False
    if not is_loss:
        raise ValueError(
            f"loss={type(criterion).__name__} of logits (n_cases, n_classes) and classes "
            f"(n_cases,) gives {loss} for logits that are right; use a loss with one finite value "
            f"of at least 0, such as torch.nn.CrossEntropyLoss or one of {', '.join(LOSSES)}."
        )


def accepted_params(loss):
    """Return the names of what a loss class takes, its parents' where it passes the rest on."""
    names = set()
    for parent in loss.__mro__[: loss.__mro__.index(torch.nn.Module)]:
        if "__init__" not in vars(parent):
            continue
        parameters = list(inspect.signature(parent).parameters.values())
        names |= {each.name for each in parameters if each.kind not in VARIADIC}
        if all(each.kind is not inspect.Parameter.VAR_KEYWORD for each in parameters):
            break
    return names
