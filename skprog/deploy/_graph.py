"""From a fitted estimator to one torch module from its rows to its predictions."""

import copy
import reprlib

from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ..estimators import CnnLstmRUL, NetEstimator


def last_step(estimator):
    """Return the fitted estimator of nets in which a pipeline ends."""
    step = estimator
    while isinstance(step, Pipeline):
        step = step.steps[-1][1]
    if not isinstance(step, NetEstimator):
        raise TypeError(
            f"{reprlib.repr(step)} has no network; give an estimator of skprog.estimators that has "
            "one, a pipeline that ends in one, or each member of a vote by itself."
        )
    check_is_fitted(step)
    return step


def as_graph(estimator):
    """Return the module of a fitted estimator of nets, on the CPU and in evaluation mode."""
    modules = [copy.deepcopy(net.module_).cpu() for net in estimator.nets_]
    if isinstance(estimator, CnnLstmRUL):
        graph = SecondsGraph(modules[0], estimator)
    elif is_classifier(estimator):
        is_series = len(estimator.shape_in_) == 1
        graph = ProbabilityGraph(modules, add_channel=is_series)
    else:
        raise TypeError(
            f"{type(estimator).__name__} has no graph; give a CnnLstmRUL or classifier."
        )
    return graph.eval()


class SecondsGraph(nn.Module):
    """Map sequences (n_sequences, n_steps, ...) to RUL in s, as ``CnnLstmRUL.predict`` does."""

    def __init__(self, module, estimator):
        super().__init__()
        self.module = module
        self.n_steps, *window_shape = estimator.shape_in_
        self.network_shape = tuple(window_shape[-2:] if len(window_shape) > 1 else window_shape)
        self.network_shape = self.network_shape or (1,)
        self.is_index = estimator._target == "rul_index"
        self.w = float(estimator._index.w)
        self.max_life = estimator.max_life_

    def forward(self, X):
        """Map sequences to seconds (n_sequences,)."""
        n_sequences = X.shape[0]
        X = X.reshape(n_sequences, self.n_steps, -1, *self.network_shape).transpose(1, 2)
        n_channels = X.shape[1]
        outputs = self.module(X.flatten(0, 1)).reshape(n_sequences, n_channels)
        return self._seconds(outputs).mean(dim=1)

    def _seconds(self, outputs):
        # Bounds of one type, as torch.onnx knows no clamp by a float and an integer.
        if not self.is_index:
            return outputs.clamp(0.0, 1.0) * self.max_life
        index = outputs.clamp(self.w / (1 + self.w), 1.0)
        return (self.w * self.max_life * (1 - index) / index).clamp(max=self.max_life)


class ProbabilityGraph(nn.Module):
    """Map cases to probabilities, the mean over the networks' softmax."""

    def __init__(self, modules, *, add_channel):
        super().__init__()
        self.networks = nn.ModuleList(modules)
        self.add_channel = add_channel

    def forward(self, X):
        """Map cases to probabilities (n_cases, n_classes)."""
        X = X.unsqueeze(1) if self.add_channel else X
        return sum(network(X).softmax(dim=1) for network in self.networks) / len(self.networks)
