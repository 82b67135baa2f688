"""Networks that are a choice: by name or by class, with their arguments."""

import inspect

import torch

from .._checks import check_option
from ._criteria import VARIADIC


def network_class(network, networks):
    """Return the class of a network that is given as a class or by a name of ``networks``."""
    if inspect.isclass(network) and issubclass(network, torch.nn.Module):
        return network
    if isinstance(network, torch.nn.Module):
        raise TypeError(
            f"network is an instance of {type(network).__name__}; give the class, and its "
            "arguments as network_params."
        )
    check_option("network", network, tuple(networks))
    return networks[network]


def check_network_params(network, network_params, networks, sizes):
    """Refuse arguments that the network lacks, or that are of ``sizes``, filled from the data."""
    if not isinstance(network_params, dict | None):
        raise TypeError(f"network_params={network_params!r} must be a dict or None.")
    accepted = _parameters(network_class(network, networks))
    given = network_params or {}
    free = [name for name in accepted if name not in sizes]
    unknown = [name for name in given if name not in free]
    if unknown:
        raise ValueError(
            f"network_params has {unknown[0]!r}, which is not open to choice with "
            f"network={network!r}; open are {', '.join(free) or 'none'}."
        )
    needed = [name for name in free if accepted[name].default is inspect.Parameter.empty]
    missing = [name for name in needed if name not in given]
    if missing:
        raise ValueError(
            f"network={network_class(network, networks).__name__} needs {', '.join(missing)}; give "
            "network_params."
        )


def sized_params(network, network_params, **sizes):
    """Return a network's arguments: the sizes that its constructor names, and those given."""
    accepted = _parameters(network)
    named = {name: size for name, size in sizes.items() if name in accepted}
    return {**named, **(network_params or {})}


def _parameters(network):
    """Return the parameters of a network's constructor by name."""
    parameters = inspect.signature(network).parameters
    return {name: each for name, each in parameters.items() if each.kind not in VARIADIC}
