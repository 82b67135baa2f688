"""What classifiers share whose network is a choice: by name or by class, with its arguments."""

import inspect

import torch

from .._checks import check_option
from ._criteria import VARIADIC
from ._net_classifier import NetClassifier


class NamedNetworkClassifier(NetClassifier):
    """Train nets on channels that are standardised first.

    A subclass has the parameters ``network``, ``network_params`` and ``scale``, says by
    ``_networks`` which networks go by a name and by ``_sizes`` which of their arguments it fills
    from the data, and has a ``module_and_params()`` with the buffers ``mean`` and ``scale``.
    """

    def _network_class(self):
        if inspect.isclass(self.network) and issubclass(self.network, torch.nn.Module):
            return self.network
        if isinstance(self.network, torch.nn.Module):
            raise TypeError(
                f"network is an instance of {type(self.network).__name__}; give the class, and its "
                "arguments as network_params."
            )
        check_option("network", self.network, tuple(self._networks))
        return self._networks[self.network]

    def check_params(self):
        """Refuse parameters that are out of range or of the wrong type."""
        super().check_params()
        if not isinstance(self.network_params, dict | None):
            raise TypeError(f"network_params={self.network_params!r} must be a dict or None.")
        network = self._network_class()
        accepted = _parameters(network)
        free = [name for name in accepted if name not in self._sizes]
        unknown = [name for name in self.network_params or {} if name not in free]
        if unknown:
            raise ValueError(
                f"network_params has {unknown[0]!r}, which is not open to choice with "
                f"network={self.network!r}; open are {', '.join(free) or 'none'}."
            )
        missing = [
            name
            for name in free
            if accepted[name].default is inspect.Parameter.empty
            and name not in (self.network_params or {})
        ]
        if missing:
            raise ValueError(
                f"network={network.__name__} needs {', '.join(missing)}; give network_params."
            )

    def _sized_params(self, **sizes):
        """Return the network's arguments: the sizes that its constructor names, and those given."""
        accepted = _parameters(self._network_class())
        named = {name: size for name, size in sizes.items() if name in accepted}
        return {**named, **(self.network_params or {})}

    def _prepare_module(self, module, data_train):
        if self.scale == "standard":
            mean, scale = data_train.moments(by_channel=True)
            module.mean.copy_(torch.from_numpy(mean).view_as(module.mean))
            module.scale.copy_(torch.from_numpy(scale).view_as(module.scale))


def _parameters(network):
    """Return the parameters of a network's constructor by name."""
    parameters = inspect.signature(network).parameters
    return {name: each for name, each in parameters.items() if each.kind not in VARIADIC}
