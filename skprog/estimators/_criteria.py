"""Losses by name, what each takes, and whether one of the user's tells classes."""

import inspect

import numpy as np
import torch

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
