"""Torch modules from rows to predictions, which estimators turn into."""

from torch import nn

from ..preprocessing import rul_of_index


class RULModule(nn.Module):
    """Map sequences (n_sequences, n_steps, ...) to RUL in s, the mean over channels.

    Parameters
    ----------
    module : torch.nn.Module
        Network from sequences of one channel to their outputs.
    shape_in : tuple of int
        Steps of a sequence, and the shape of a channel of a window.
    w : float or None
        Weight of the RUL index that the network puts out; None for a share of ``max_life``.
    max_life : float
        Maximum expected life in s.
    """

    def __init__(self, module, *, shape_in, w, max_life):
        super().__init__()
        self.module = module
        self.n_steps, *self.network_shape = shape_in
        self.w = w
        self.max_life = max_life

    def forward(self, X):
        """Map sequences to seconds (n_sequences,)."""
        n_sequences = X.shape[0]
        X = X.reshape(n_sequences, self.n_steps, -1, *self.network_shape).transpose(1, 2)
        n_channels = X.shape[1]
        outputs = self.module(X.flatten(0, 1)).reshape(n_sequences, n_channels)
        return self._seconds(outputs).mean(dim=1)

    def _seconds(self, outputs):
        if self.w is None:
            return outputs.clip(0.0, 1.0) * self.max_life
        return rul_of_index(outputs, w=self.w, max_life=self.max_life)


class ProbabilityModule(nn.Module):
    """Map cases to probabilities, the mean over the networks' softmax.

    Parameters
    ----------
    networks : list of torch.nn.Module
        Networks from cases to logits.
    add_channel : bool
        Give cases, which are series of one channel, an axis of it.
    """

    def __init__(self, networks, *, add_channel):
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.add_channel = add_channel

    def forward(self, X):
        """Map cases to probabilities (n_cases, n_classes)."""
        X = X.unsqueeze(1) if self.add_channel else X
        return sum(network(X).softmax(dim=1) for network in self.networks) / len(self.networks)
