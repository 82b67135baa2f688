"""Layers of a module, and which of them gradient amplification chooses."""

import math

import numpy as np
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd


def select_layers(normalised, *, case, threshold):
    """Return which layers stand out, (n_layers,) of bool.

    Parameters
    ----------
    normalised : ndarray of shape (n_layers,)
        Normalised measures.
    case : {1, 2}
        1 asks for measures above the threshold, 2 for absolute values above it.
    threshold : float
        Threshold.
    """
    return (normalised if case == 1 else np.abs(normalised)) > threshold


def why_none(normalised, *, case, threshold):
    """Return why no layer stands out and what to do, for a warning; see :func:`select_layers`."""
    n_layers = len(normalised)
    if not n_layers:
        return (
            "no step with finite gradients was measured; a net that accumulates gradients has to "
            "notify on_grad_computed before its step"
        )
    if n_layers == 1:
        return "a single layer stands out from none; use strategy='all'"
    highest = math.sqrt(n_layers - 1)
    if threshold >= highest:
        return (
            f"threshold={threshold} is out of reach, as of {n_layers} layers none is more than "
            f"{highest:.2f} standard deviations from the mean; use less"
        )
    if not normalised.any():
        return "all layers have the same measure, as in an epoch of one step; use smaller batches"
    most = normalised.max() if case == 1 else np.abs(normalised).max()
    return f"the highest normalised measure is {most:.2f} and threshold={threshold}"


def find_layers(module, *, group, layer_types):
    """Return the layers of a network and their trainable parameters, each parameter once.

    Parameters
    ----------
    module : torch.nn.Module
        Network.
    group : {"module", "parameter", "conv_bn"}
        What a layer is.
    layer_types : tuple of str or type, or None
        Modules to keep, by class or its name.

    Returns
    -------
    dict of str to list of Parameter
        Parameters of each layer, by its name.

    Raises
    ------
    ValueError
        If the network has no layer of one of ``layer_types``.
    """
    _check_types(module, layer_types)
    layers = {}
    seen = set()
    conv = None
    for name, child in module.named_modules():
        own = dict(child.named_parameters(recurse=False))
        if not own:
            continue
        place = name or type(child).__name__, child
        if group == "conv_bn" and isinstance(child, _BatchNorm) and conv is not None:
            name, owner = conv
        else:
            name, owner = place
        conv = place if isinstance(child, _ConvNd) else None
        parameters = {
            key: parameter
            for key, parameter in own.items()
            if parameter.requires_grad and id(parameter) not in seen
        }
        if not parameters or not _is_kept(owner, layer_types):
            continue
        seen.update(map(id, parameters.values()))
        if group == "parameter":
            layers |= {f"{name}.{key}": [parameter] for key, parameter in parameters.items()}
        else:
            layers.setdefault(name, []).extend(parameters.values())
    return layers


def _is_kept(owner, layer_types):
    return layer_types is None or any(_is_of(owner, each) for each in layer_types)


def _is_of(owner, layer_type):
    if isinstance(layer_type, type):
        return isinstance(owner, layer_type)
    return type(owner).__name__ == layer_type


def _check_types(module, layer_types):
    """Refuse types of which the network has no layer."""
    owners = [
        each for each in module.modules() if any(True for _ in each.parameters(recurse=False))
    ]
    for layer_type in layer_types or ():
        if not any(_is_of(owner, layer_type) for owner in owners):
            there = ", ".join(dict.fromkeys(type(owner).__name__ for owner in owners))
            raise ValueError(
                f"layer_types holds {layer_type!r}, of which the network has no layer; there are "
                f"{there}."
            )


def check_layer_types(layer_types):
    """Refuse anything but None or a tuple of modules' classes and names."""
    if layer_types is None:
        return
    is_sequence = isinstance(layer_types, list | tuple)
    if not is_sequence or not all(isinstance(each, str | type) for each in layer_types):
        raise TypeError(
            f"layer_types={layer_types!r} must be a tuple of modules' classes or names."
        )
