"""Series standardised inside a network."""

import pytest
import torch
from _series_networks import CONVS, INFINITY, NAN, n_parameters, normal, padded, seeded
from torch import nn

from skprog.networks import (
    FCN,
    LSTM,
    LSTMFCN,
    BiLSTM,
    LSTM2dCNN,
    ScaledSeries,
)
from skprog.networks.series._blocks import (
    ConvBlock,
    FinalState,
    mean_over_time,
)

SIZES = {"n_channels": 3, "n_classes": 2}


class Seen(nn.Module):
    """Return the series that a network gets."""

    def forward(self, X, lengths=None):
        return X


def test_channels_are_scaled_by_buffers_that_begin_as_the_identity():
    network, X = ScaledSeries(Seen, 2), 5 * normal(3, 2, 7) + 2
    assert torch.equal(network(X), X)
    network.mean.copy_(torch.tensor([[2.0], [-1.0]]))
    network.scale.copy_(torch.tensor([[4.0], [0.5]]))
    expected = torch.stack([(X[:, 0] - 2) / 4, (X[:, 1] + 1) * 2], dim=1)
    torch.testing.assert_close(network(X), expected)
    reloaded = ScaledSeries(Seen, 2)
    reloaded.load_state_dict(network.state_dict())
    assert torch.equal(reloaded(X), network(X))
    assert list(network.parameters()) == []


def test_without_scaling_values_stay_as_they_are():
    X = 5 * normal(3, 2, 7) + 2
    assert torch.equal(ScaledSeries(Seen, 2, scale=None)(X), X)


def test_each_channel_of_each_case_gets_a_mean_of_0_and_a_deviation_of_1():
    Y = ScaledSeries(Seen, 2, scale="case")(5 * normal(3, 2, 7) + 2)
    torch.testing.assert_close(Y.mean(dim=2), torch.zeros(3, 2))
    torch.testing.assert_close(Y.std(dim=2, correction=0), torch.ones(3, 2))


@pytest.mark.parametrize("lengths", [{}, {"lengths": torch.tensor([51, 23])}])
def test_constant_channels_become_0(lengths):
    # Levels at which the rounded mean of equal values is not their value.
    levels = torch.linspace(-1000, 1000, 40).view(2, 20, 1)
    Y = ScaledSeries(Seen, 20, scale="case")(levels.expand(2, 20, 51), **lengths)
    assert not Y.any()


@pytest.mark.parametrize("scale", ["standard", "case", None])
@pytest.mark.parametrize("value", [NAN, INFINITY, 1e30])
def test_padding_changes_nothing_whatever_the_scale(scale, value):
    network = seeded(ScaledSeries, FCN, 3, scale=scale, params={**CONVS, **SIZES}).eval()
    series = [2 * normal(3, n, seed=n) + 1 for n in (9, 4)]
    X, lengths = padded(series, 12, value)
    alone = torch.cat([network(x[None]) for x in series])
    torch.testing.assert_close(network(X, lengths=lengths), alone)


@pytest.mark.parametrize("scale", ["standard", "case", None])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int16])
def test_series_are_scaled_in_the_type_of_the_weights(scale, dtype):
    network, X = ScaledSeries(Seen, 2, scale=scale), (10 * normal(3, 2, 7)).to(dtype)
    assert torch.equal(network(X), network(X.float()))
    assert network(X).dtype == torch.float32
    assert network.double()(X).dtype == torch.float64


def test_the_network_gets_its_own_arguments():
    network = ScaledSeries(FCN, 3, params={**CONVS, **SIZES}).network
    assert n_parameters(network) == n_parameters(FCN(3, 2, **CONVS))


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"n_channels": 0}, ValueError, "n_channels=0 must be at least 1"),
        ({"n_channels": True}, TypeError, "n_channels=True must be an integer"),
        ({"scale": "minmax"}, ValueError, "scale='minmax' is not one of 'standard', 'case', None"),
    ],
)
def test_impossible_scalings_are_refused(params, error, message):
    with pytest.raises(error, match=message):
        ScaledSeries(Seen, **{"n_channels": 2, **params})


def test_mean_over_time_does_not_overflow_in_float16():
    X = torch.full((2, 3, 64, 3000), 2.0, dtype=torch.float16)
    torch.testing.assert_close(mean_over_time(X), X[:, :, 0, 0], rtol=0, atol=0.01)


@pytest.mark.parametrize("network", [LSTM, BiLSTM, LSTMFCN, LSTM2dCNN])
def test_lstms_compute_under_autocast_in_bfloat16_on_any_processor(network):
    sizes = {"n_channels": 2, "n_timepoints": 6, "n_classes": 3}
    if issubclass(network, LSTM):
        del sizes["n_timepoints"]
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(**sizes, lstm_units=4)(torch.ones(2, 2, 6))
    assert logits.isfinite().all()


def test_a_block_in_evaluation_is_alike_with_and_without_gradients():
    block = ConvBlock(3, 5, 4).eval()
    block.norm.running_mean.uniform_(-1, 1)
    block.norm.running_var.uniform_(0.5, 2)
    X = torch.randn(2, 3, 1, 9, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        fused = block(X)
    separate = block(X)
    assert separate.requires_grad
    torch.testing.assert_close(fused, separate.detach())


def test_lstms_compute_where_torch_has_no_onednn(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    with torch.autocast("cpu", torch.bfloat16):
        assert FinalState(2, 4)(torch.ones(3, 5, 2)).dtype == torch.float32
