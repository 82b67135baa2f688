"""Networks of series to try, and small series for them."""

import pytest
import torch
import torch.nn.functional as F

from skprog.networks import (
    DCNN,
    FCN,
    LSTM,
    LSTMFCN,
    XCM,
    BiLSTM,
    ConvNet2d,
    DResNet,
    InceptionTime,
    LSTM2dCNN,
    ResNet,
    XceptionTime,
)

NAN, INFINITY = float("nan"), float("inf")

# Channels, timepoints and classes of ECG5000, RacketSports and NATOPS.
POINTS = ((1, 140, 5), (6, 30, 4), (24, 51, 6))
CLASSES = [
    LSTM,
    BiLSTM,
    FCN,
    ConvNet2d,
    ResNet,
    InceptionTime,
    XceptionTime,
    DCNN,
    DResNet,
    XCM,
    LSTMFCN,
    LSTM2dCNN,
]

# Those whose constructor takes n_timepoints.
SIZED = [ConvNet2d, XCM, LSTMFCN, LSTM2dCNN]
CONVS = {"n_filters": (3, 4), "kernel_sizes": (4, 3)}
RESIDUAL = {"n_filters": (3, 4, 4), "kernel_sizes": (4, 3)}
XCEPTION = {"n_filters": 2, "kernel_sizes": (5, 3)}
HYBRID = {**CONVS, "lstm_units": 3, "dropout": 0.0}

# One entry per network and option: its class and small sizes; first those that take lengths.
UNEQUAL = [
    pytest.param(LSTM, {"lstm_units": 3}, id="lstm"),
    pytest.param(LSTM, {"lstm_units": 3, "n_layers": 2}, id="lstm-two_layers"),
    pytest.param(BiLSTM, {"lstm_units": 3, "n_layers": 2}, id="bilstm"),
    pytest.param(FCN, CONVS, id="fcn"),
    pytest.param(ConvNet2d, CONVS, id="convnet2d"),
    pytest.param(ResNet, RESIDUAL, id="resnet"),
    pytest.param(
        InceptionTime,
        {"n_filters": 2, "kernel_sizes": (6, 3), "bottleneck": 2},
        id="inception_time",
    ),
    pytest.param(DCNN, {"n_filters": (3, 4, 4), "kernel_sizes": (3, 4, 3)}, id="dcnn"),
    pytest.param(DResNet, RESIDUAL, id="dresnet"),
    pytest.param(DResNet, {**RESIDUAL, "residual": "standard"}, id="dresnet-standard"),
    pytest.param(XCM, {"n_filters": 3, "window_size": 0.35}, id="xcm"),
]
NETWORKS = [
    *UNEQUAL,
    pytest.param(ConvNet2d, {**CONVS, "head": "flatten_time"}, id="convnet2d-flatten_time"),
    pytest.param(XceptionTime, XCEPTION, id="xception_time"),
    pytest.param(XceptionTime, {**XCEPTION, "last_unit": "linear"}, id="xception_time-linear"),
    pytest.param(LSTMFCN, HYBRID, id="lstm_fcn"),
    pytest.param(
        LSTMFCN,
        {**HYBRID, "n_filters": (64, 4), "squeeze_excite": True},
        id="lstm_fcn-squeeze_excite",
    ),
    pytest.param(LSTM2dCNN, HYBRID, id="lstm_2dcnn"),
    pytest.param(LSTM2dCNN, {**HYBRID, "reshape": "flatten"}, id="lstm_2dcnn-flatten"),
]
each_network = pytest.mark.parametrize(("network", "params"), NETWORKS)
each_unequal = pytest.mark.parametrize(("network", "params"), UNEQUAL)


def seeded(build, *args, seed=0, **params):
    """Build a module from a seed and leave the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(*args, **params)


def built(network, params, *, n_channels=3, n_timepoints=12, n_classes=4, seed=0):
    """Build a network from a seed, naming the sizes it asks for."""
    sizes = {"n_channels": n_channels, "n_classes": n_classes}
    if network in SIZED:
        sizes["n_timepoints"] = n_timepoints
    return seeded(network, seed=seed, **sizes, **params)


def used(network, params, **sizes):
    """Build a network whose batch normalisation has seen series, ready to predict."""
    network = built(network, params, **sizes)
    network(3 * normal(6, 3, 12, seed=2) + 1)
    return network.eval()


def normal(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def n_parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def padded(series, n_timepoints, value):
    """Return series of unequal length as one batch, and their lengths."""
    rows = [F.pad(x, (0, n_timepoints - x.shape[1]), value=value) for x in series]
    return torch.stack(rows), torch.tensor([x.shape[1] for x in series])


def gradients(network, X, **lengths):
    """Return the logits and the gradient of each parameter."""
    logits = network(X, **lengths)
    F.cross_entropy(logits, torch.arange(len(X)) % logits.shape[1]).backward()
    return logits.detach(), {name: p.grad for name, p in network.named_parameters()}
