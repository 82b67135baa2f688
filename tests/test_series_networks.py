"""Networks of time series: their parts, parameter counts, padding, and what all of them must do."""

import copy
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

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
    ScaledSeries,
    XceptionTime,
    _blocks,
)
from skprog.networks.series._blocks import (
    ConvBlock,
    FinalState,
    ProductGradientConv,
    ResidualBlock,
    TimeConv,
    TimeNorm,
    as_cube,
    as_image,
    as_row,
    mean_over_time,
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


# Parameter counts


@pytest.mark.parametrize(
    ("network", "params", "counts"),
    [
        (LSTM, {}, [67_717, 70_148, 79_622]),
        (LSTM, {"lstm_units": 100}, [41_705, 43_604, 51_006]),
        (LSTM, {"lstm_units": 100, "n_layers": 2}, [122_505, 124_404, 131_806]),
        (BiLSTM, {}, [135_429, 140_292, 159_238]),
        (BiLSTM, {"lstm_units": 100}, [83_405, 87_204, 102_006]),
        (FCN, {}, [265_349, 270_340, 289_030]),
        (ConvNet2d, {}, [265_349, 265_220, 265_478]),
        (ConvNet2d, {"head": "flatten_time"}, [354_309, 280_068, 303_878]),
        (ResNet, {}, [504_645, 507_396, 518_022]),
        (InceptionTime, {}, [420_837, 491_140, 494_854]),
        (XceptionTime, {}, [399_610, 400_280, 403_420]),
        # A bias in place of the weight and bias of batch normalisation: one less per class.
        (XceptionTime, {"last_unit": "linear"}, [399_605, 400_276, 403_414]),
        (DCNN, {}, [544_901, 546_564, 553_990]),
        (DResNet, {}, [2_008_197, 2_013_700, 2_034_950]),
        (DResNet, {"residual": "standard"}, [2_008_197, 2_013_700, 2_034_950]),
        (DResNet, {"n_filters": (64, 128, 128)}, [504_389, 507_140, 517_766]),
        (XCM, {}, [16_391, 12_678, 66_184]),
        (XCM, {"window_size": 1.0}, [73_735, 55_686, 328_584]),
        (LSTMFCN, {}, [404_229, 352_772, 382_470]),
        (LSTMFCN, {"lstm_units": 8}, [270_189, 271_652, 291_030]),
        # Keras has one bias per gate where torch has two: 4 * 8 fewer.
        (
            LSTMFCN,
            {"lstm_units": 8, "squeeze_excite": True},
            [280_397 + 32, 281_860 + 32, 301_238 + 32],
        ),
        (LSTM2dCNN, {}, [156_069, 99_588, 110_662]),
        (LSTM2dCNN, {"n_filters": (64, 128, 64)}, [206_021, 149_508, 160_646]),
        (LSTM2dCNN, {"reshape": "flatten"}, [107_141, 91_012, 106_438]),
    ],
)
def test_parameter_counts_are_those_of_the_original_layouts(network, params, counts):
    names = ("n_channels", "n_timepoints", "n_classes")
    sizes = [dict(zip(names, point, strict=True)) for point in POINTS]
    assert [n_parameters(built(network, params, **size)) for size in sizes] == counts


@pytest.mark.parametrize("network", [DCNN, DResNet])
def test_on_one_channel_the_cube_is_the_series(network):
    X = normal(2, 1, 7)
    assert torch.equal(as_cube(X), as_row(X))
    assert built(network, {}, n_channels=1)(X).shape == (2, 4)


# Every network


@each_network
@pytest.mark.parametrize("n_channels", [1, 3])
def test_one_row_of_logits_per_case(network, params, n_channels):
    network = built(network, params, n_channels=n_channels, n_timepoints=9, n_classes=5)
    assert network(normal(2, n_channels, 9)).shape == (2, 5)


@each_network
def test_every_parameter_gets_a_finite_gradient(network, params):
    _, found = gradients(built(network, params), normal(8, 3, 12))
    bad = [name for name, g in found.items() if g is None or not g.isfinite().all()]
    # Batch normalisation takes the level away, so a bias before it may have none.
    silent = [name for name, g in found.items() if g.ndim > 1 and not g.any()]
    assert bad == silent == []


@each_network
def test_cases_do_not_know_each_other(network, params):
    network, X = used(network, params), normal(4, 3, 12)
    torch.testing.assert_close(network(X), torch.cat([network(x) for x in X.split(1)]))


@each_network
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int64])
def test_series_are_computed_in_the_type_of_the_weights(network, params, dtype):
    network, X = used(network, params), (10 * normal(4, 3, 12)).to(dtype)
    assert network(X).dtype == torch.float32
    torch.testing.assert_close(network(X), network(X.float()))
    double = copy.deepcopy(network).double()
    assert double(X).dtype == torch.float64
    torch.testing.assert_close(double(X).float(), network(X), rtol=1e-3, atol=1e-5)


@each_network
def test_copies_and_state_give_the_same_logits(network, params):
    original, X = used(network, params), normal(4, 3, 12)
    reloaded = built(network, params, seed=1).eval()
    assert not torch.equal(reloaded(X), original(X))
    reloaded.load_state_dict(original.state_dict())
    for twin in (copy.deepcopy(original), pickle.loads(pickle.dumps(original)), reloaded):
        assert torch.equal(twin(X), original(X))


@each_network
def test_one_seed_gives_one_network(network, params):
    X = normal(4, 3, 12)
    logits = built(network, params)(X)
    assert torch.equal(built(network, params)(X), logits)
    assert not torch.equal(built(network, params, seed=1)(X), logits)


@each_network
def test_sizes_may_be_lists_and_integers_of_numpy(network, params):
    def drawn(value, convert):
        if isinstance(value, tuple):
            return convert(value)
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        return np.int32(value) if is_integer else value

    X, expected = normal(2, 3, 12), built(network, params)
    sizes = dict(
        zip(("n_channels", "n_timepoints", "n_classes"), np.array([3, 12, 4]), strict=True)
    )
    for convert in (list, np.array, lambda values: tuple(np.array(values))):
        other = {name: drawn(value, convert) for name, value in params.items()}
        assert torch.equal(built(network, other, **sizes)(X), expected(X))


# Series of unequal length


@each_unequal
@pytest.mark.parametrize("value", [0.0, NAN, -INFINITY, 1e30])
def test_padding_changes_no_logit_gradient_or_statistic_in_training(network, params, value):
    plain = built(network, params).double()
    other = copy.deepcopy(plain)
    X = normal(5, 3, 8).double()
    longer, lengths = padded(X, 12, value)
    torch.testing.assert_close(gradients(other, longer, lengths=lengths), gradients(plain, X))
    torch.testing.assert_close(dict(other.named_buffers()), dict(plain.named_buffers()))
    torch.testing.assert_close(other.eval()(longer, lengths), plain.eval()(X))


@each_unequal
@settings(max_examples=8)
@given(
    n_timepoints=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    n_more=st.integers(0, 4),
    value=st.sampled_from([0.0, NAN, INFINITY, -INFINITY, -1e30]),
)
def test_a_series_among_longer_ones_is_told_as_alone(network, params, n_timepoints, n_more, value):
    network = used(network, params)
    series = [normal(3, n, seed=i) for i, n in enumerate(n_timepoints)]
    X, lengths = padded(series, max(n_timepoints) + n_more, value)
    alone = torch.cat([network(x[None]) for x in series])
    torch.testing.assert_close(network(X, lengths), alone)


@each_unequal
def test_what_follows_the_end_changes_nothing_in_training(network, params):
    network, lengths = built(network, params).double(), torch.tensor([12, 1, 7, 4])
    X = normal(4, 3, 12).double()
    other = X.clone()
    for x, n in zip(other, lengths, strict=True):
        x[:, n:] = NAN
    twin = copy.deepcopy(network)
    torch.testing.assert_close(
        gradients(twin, other, lengths=lengths), gradients(network, X, lengths=lengths)
    )
    torch.testing.assert_close(dict(twin.named_buffers()), dict(network.named_buffers()))


@each_unequal
def test_lengths_of_whole_series_change_nothing(network, params):
    network, X = built(network, params), normal(4, 3, 12)
    torch.testing.assert_close(network(X, torch.full((4,), 12)), network(X))


# LSTM and BiLSTM


def test_the_final_state_joins_the_last_hidden_states_of_both_directions():
    state = seeded(FinalState, 3, 4, n_layers=2, bidirectional=True)
    reference = nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True)
    reference.load_state_dict(state.state_dict())
    X = normal(5, 7, 3)
    output, (hidden, _) = reference(X)
    assert torch.equal(state(X), torch.cat([hidden[-2], hidden[-1]], dim=1))
    assert torch.equal(state(X), torch.cat([output[:, -1, :4], output[:, 0, 4:]], dim=1))


def test_the_final_state_is_that_at_the_end_of_each_series():
    state, X = seeded(FinalState, 3, 4, bidirectional=True), normal(3, 7, 3)
    lengths = torch.tensor([2, 7, 5])
    alone = torch.cat([state(x[None, :n]) for x, n in zip(X, lengths, strict=True)])
    torch.testing.assert_close(state(X, lengths), alone)


def test_the_forget_gate_begins_with_a_bias_of_1():
    state = FinalState(3, 4, n_layers=2, bidirectional=True)
    biases = {name: p.detach() for name, p in state.named_parameters() if "bias" in name}
    assert len(biases) == 8
    # Gates in the order of torch: input, forget, cell, output.
    for name, bias in biases.items():
        forget = 1.0 if name.startswith("bias_ih") else 0.0
        assert bias.view(4, 4).tolist() == [[0.0] * 4, [forget] * 4, [0.0] * 4, [0.0] * 4]


def test_weights_from_the_state_begin_orthogonal():
    weights = FinalState(3, 4, n_layers=2).weight_hh_l1.detach()
    torch.testing.assert_close(weights.T @ weights, torch.eye(4))


@pytest.mark.parametrize(("network", "n_features"), [(LSTM, 5), (BiLSTM, 10)])
def test_the_lstm_reads_one_step_per_timepoint(network, n_features):
    network = built(network, {"lstm_units": 5})
    steps = []
    network.lstm.register_forward_pre_hook(lambda module, args: steps.append(args[0]))
    X = normal(2, 3, 9)
    network(X)
    assert torch.equal(steps[0], X.transpose(1, 2))
    assert network.head.in_features == n_features


@pytest.mark.parametrize("network", [LSTM, BiLSTM])
def test_dropout_lies_between_lstm_layers_as_well(network):
    network = built(network, {"lstm_units": 8, "n_layers": 2, "dropout": 0.5})
    X = normal(4, 3, 9)
    network.dropout.eval()
    with torch.random.fork_rng(devices=[]):
        assert not torch.equal(network(X), network(X))
        network.eval()
        assert torch.equal(network(X), network(X))


# Dropout before the linear layer


@pytest.mark.parametrize(
    ("network", "params", "n_dropped"),
    [
        (LSTM, {"lstm_units": 8}, 8),
        (BiLSTM, {"lstm_units": 8}, 16),
        (LSTMFCN, {**CONVS, "lstm_units": 8}, 8),
        (LSTM2dCNN, {**CONVS, "lstm_units": 8}, 8 + 4),
        (LSTM2dCNN, {**CONVS, "lstm_units": 8, "reshape": "flatten"}, 8 + 4 * 12),
    ],
)
def test_dropout_falls_on_the_units_it_should(network, params, n_dropped):
    X, features = normal(16, 3, 12), []
    plain, other = (built(network, {**params, "dropout": p}) for p in (0.0, 0.5))
    for each in (plain, other):
        each.head.register_forward_pre_hook(lambda module, args: features.append(args[0]))
    plain(X)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        other(X)
    kept, dropped = features
    assert torch.equal(dropped[:, n_dropped:], kept[:, n_dropped:])
    is_dropped = dropped[:, :n_dropped] == 0
    assert is_dropped.any(dim=0).all()
    assert not is_dropped.all(dim=0).any()
    expected = torch.where(is_dropped, 0.0, 2 * kept[:, :n_dropped])
    torch.testing.assert_close(dropped[:, :n_dropped], expected)
    assert torch.equal(other.eval()(X), plain.eval()(X))


def test_lstm_fcn_drops_80_and_lstm_2dcnn_50_in_a_hundred_by_default():
    rates = [network(1, 9, 2).dropout.p for network in (LSTMFCN, LSTM2dCNN)]
    assert [*rates, LSTM(1, 2).dropout.p, BiLSTM(1, 2).dropout.p] == [0.8, 0.5, 0.0, 0.0]


# LSTMFCN and LSTM2dCNN


@pytest.mark.parametrize(
    ("network", "params", "is_shuffled"),
    [(LSTMFCN, {}, True), (LSTM2dCNN, {}, True), (LSTM2dCNN, {"reshape": "flatten"}, False)],
)
def test_the_shuffled_lstm_reads_one_step_per_channel(network, params, is_shuffled):
    network, steps = built(network, {**HYBRID, **params}), []
    network.lstm.register_forward_pre_hook(lambda module, args: steps.append(args[0]))
    X = normal(2, 3, 12)
    network(X)
    assert torch.equal(steps[0], X if is_shuffled else X.transpose(1, 2))
    assert network.lstm.input_size == (12 if is_shuffled else 3)


@pytest.mark.parametrize(
    ("network", "params"),
    [
        (ConvNet2d, {**CONVS, "head": "flatten_time"}),
        (LSTMFCN, HYBRID),
        (LSTM2dCNN, HYBRID),
        (LSTM2dCNN, {**HYBRID, "reshape": "flatten"}),
    ],
)
@pytest.mark.parametrize("n", [11, 13])
def test_a_layer_of_the_length_of_the_series_takes_no_other(network, params, n):
    with pytest.raises(ValueError, match=rf"shape \(2, 3, {n}\).*\(n_cases, 3, 12\)"):
        built(network, params)(torch.zeros(2, 3, n))


@pytest.mark.parametrize(
    ("network", "params", "averaged"),
    [
        (FCN, CONVS, (2, 3)),
        (ConvNet2d, CONVS, (2, 3)),
        (ConvNet2d, {**CONVS, "head": "flatten_time"}, 2),
        (LSTMFCN, HYBRID, (2, 3)),
        (LSTM2dCNN, HYBRID, (2, 3)),
        (LSTM2dCNN, {**HYBRID, "reshape": "flatten"}, 2),
    ],
)
def test_the_linear_layer_sees_means_of_the_maps(network, params, averaged):
    network, seen = used(network, params), {}
    network.blocks.register_forward_hook(lambda module, args, maps: seen.update(maps=maps))
    network.head.register_forward_pre_hook(lambda module, args: seen.update(features=args[0]))
    network(normal(2, 3, 12))
    means = seen["maps"].mean(dim=averaged).flatten(1)
    torch.testing.assert_close(seen["features"][:, -means.shape[1] :], means)


def test_convolutions_of_lstm_fcn_begin_as_he_proposed():
    network = built(LSTMFCN, {})
    for i, fan_in in enumerate((3 * 8, 128 * 5, 256 * 3)):
        conv = network.blocks[i].conv
        bound = (6 / fan_in) ** 0.5
        assert 0.98 * bound < conv.weight.abs().max() <= bound
        assert not conv.bias.any()


def test_squeeze_and_excite_halves_filters_where_its_weights_are_0():
    plain = built(LSTMFCN, HYBRID).eval()
    other = built(LSTMFCN, {**HYBRID, "squeeze_excite": True}).eval()
    state = plain.state_dict()
    # Block 1 is followed by the weighing, block 2, the last, is not.
    moved = {name.replace("blocks.1.", "blocks.2."): value for name, value in state.items()}
    weigh = {name: torch.zeros_like(p) for name, p in other.named_parameters() if "weigh." in name}
    assert len(weigh) == 2
    other.load_state_dict({**moved, **weigh})
    with torch.no_grad():
        plain.blocks[1].conv.weight.div_(2)
    X = normal(2, 3, 12)
    torch.testing.assert_close(other(X), plain(X))


# ConvNet2d, DCNN and DResNet: channels


@pytest.mark.parametrize("head", ["average", "flatten_time"])
def test_convnet2d_does_not_mind_the_order_of_the_channels(head):
    network, X = used(ConvNet2d, {**CONVS, "head": head}), normal(2, 3, 12)
    torch.testing.assert_close(network(X[:, [2, 0, 1]]), network(X))
    torch.testing.assert_close(network(X[:, [1, 0, 2]]), network(X))


@pytest.mark.parametrize("network", [DCNN, DResNet])
def test_the_cube_does_not_mind_which_channel_comes_first_but_which_comes_next(network):
    params = {"n_filters": (8, 8), "kernel_sizes": (4, 3)}
    network, X = used(network, params), 3 * normal(2, 3, 12)
    torch.testing.assert_close(network(X.roll(1, dims=1)), network(X))
    torch.testing.assert_close(network(X.roll(2, dims=1)), network(X))
    assert not torch.allclose(network(X[:, [1, 0, 2]]), network(X), atol=1e-3)


def test_row_j_of_the_cube_begins_with_channel_j():
    X = torch.tensor([[[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]]])
    expected = [
        [[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]],
        [[10.0, 20.0], [100.0, 200.0], [1.0, 2.0]],
        [[100.0, 200.0], [1.0, 2.0], [10.0, 20.0]],
    ]
    assert as_cube(X).tolist() == [expected]


def test_channels_are_the_filters_of_a_row_and_the_rows_of_an_image():
    X = normal(2, 3, 5)
    assert torch.equal(as_row(X), X.view(2, 3, 1, 5))
    assert torch.equal(as_image(X), X.view(2, 1, 3, 5))


def test_the_last_convolution_of_dcnn_has_no_batch_normalisation():
    network = DCNN(2, 3)
    assert [type(block) for block in network.blocks] == [ConvBlock] * 4
    assert type(network.last) is TimeConv


def test_the_two_blocks_of_dresnet_differ():
    repo = used(DResNet, RESIDUAL)
    standard = built(DResNet, {**RESIDUAL, "residual": "standard"}).eval()
    standard.load_state_dict(repo.state_dict())
    X = normal(4, 3, 12)
    assert not torch.allclose(standard(X), repo(X), atol=1e-3)


# ResNet: residual blocks


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, lambda X: torch.relu(X / (1 + 1e-5) ** 0.5)),
        ({"same_width": "identity"}, torch.relu),
        ({"same_width": "none", "relu": "before"}, torch.zeros_like),
    ],
)
def test_a_block_that_keeps_its_width_has_the_shortcut_asked_for(params, expected):
    block, X = ResidualBlock(2, 2, (4, 3), **params).eval(), normal(3, 2, 1, 7)
    nn.init.zeros_(block.blocks[-1].norm.weight)
    torch.testing.assert_close(block(X), expected(X))


@pytest.mark.parametrize("relu", ["after", "before"])
def test_a_block_of_another_width_has_a_convolution_as_its_shortcut(relu):
    block, X = seeded(ResidualBlock, 2, 3, (4, 3), relu=relu).eval(), normal(3, 2, 1, 7)
    conv = block.shortcut.conv
    expected = F.conv2d(X, conv.weight, conv.bias) / (1 + 1e-5) ** 0.5
    nn.init.zeros_(block.blocks[-1].norm.weight)
    torch.testing.assert_close(block(X), expected.relu() if relu == "after" else expected)
    assert (expected < 0).any()


@pytest.mark.parametrize("relu", ["after", "before"])
def test_the_last_relu_stands_where_asked(relu):
    block = seeded(ResidualBlock, 2, 2, (3,), same_width="identity", relu=relu).eval()
    X = normal(3, 2, 1, 7)
    conv = block.blocks[0].conv
    main = F.conv2d(X, conv.weight, conv.bias, padding=(0, 1)) / (1 + 1e-5) ** 0.5
    expected = (main + X).relu() if relu == "after" else main.relu() + X
    torch.testing.assert_close(block(X), expected)


def test_the_third_shortcut_of_resnet_is_batch_normalisation_alone():
    shortcuts = [block.shortcut for block in ResNet(2, 3).blocks]
    assert [type(shortcut) for shortcut in shortcuts] == [ConvBlock, ConvBlock, TimeNorm]
    assert [shortcut.conv.kernel_size for shortcut in shortcuts[:2]] == [(1, 1)] * 2


def test_dresnet_of_the_authors_has_no_third_shortcut_and_the_standard_one_the_input():
    blocks = [DResNet(2, 3, residual=residual).blocks for residual in ("repo", "standard")]
    assert blocks[0][2].shortcut is blocks[1][2].shortcut is None
    assert [each[2].is_identity for each in blocks] == [False, True]
    assert [each[2].relu for each in blocks] == [False, True]


# InceptionTime


@pytest.mark.parametrize(
    ("n_channels", "bottleneck", "narrowed"),
    [(1, 2, [False, True]), (3, 2, [True, True]), (3, None, [False, False])],
)
def test_one_channel_goes_past_the_bottleneck(n_channels, bottleneck, narrowed):
    params = {"n_filters": 2, "kernel_sizes": (6, 3), "depth": 2, "bottleneck": bottleneck}
    network = built(InceptionTime, params, n_channels=n_channels)
    assert [block.bottleneck is not None for block in network.blocks] == narrowed
    assert network(normal(2, n_channels, 12)).shape == (2, 4)


@pytest.mark.parametrize(("depth", "n"), [(1, 0), (2, 0), (3, 1), (5, 1), (6, 2), (7, 2)])
def test_shortcuts_stand_after_every_three_modules_only(depth, n):
    network = InceptionTime(2, 3, n_filters=1, kernel_sizes=(3,), depth=depth)
    assert len(network.blocks) == depth
    assert [shortcut.conv.in_channels for shortcut in network.shortcuts] == [2, 2][:n]


@pytest.mark.parametrize("depth", [3, 6, 7])
def test_shortcuts_begin_at_the_series_and_go_on_from_each_other(depth):
    params = {"n_filters": 2, "kernel_sizes": (3,), "depth": depth}
    network, X = built(InceptionTime, params).eval(), normal(2, 3, 12)
    for block in network.blocks:
        nn.init.zeros_(block.norm.weight)
    maps = as_row(X)
    for shortcut in network.shortcuts:
        maps = (F.conv2d(maps, shortcut.conv.weight) / (1 + 1e-5) ** 0.5).relu()
    if depth == 7:
        maps = torch.zeros_like(maps)
    torch.testing.assert_close(network(X), network.head(maps.mean(dim=(2, 3))))


def test_pooling_takes_the_largest_of_three_and_never_the_padding():
    network = built(InceptionTime, {"n_filters": 1, "kernel_sizes": (3,), "depth": 1}, n_channels=1)
    with torch.no_grad():
        network.blocks[0].convs[0].weight.zero_()
        network.blocks[0].pool_conv.weight.fill_(-1.0)
        network.head.weight.copy_(torch.tensor([[0.0, 1.0]] * 4))
        network.head.bias.zero_()
    X = torch.tensor([[[-5.0, -3.0, -4.0, -8.0, -9.0]]])
    expected = torch.full((1, 4), (3 + 3 + 3 + 4 + 8) / 5 / (1 + 1e-5) ** 0.5)
    torch.testing.assert_close(network.eval()(X), expected)
    torch.testing.assert_close(network(F.pad(X, (0, 3), value=9.0), torch.tensor([5])), expected)


# XceptionTime


@pytest.mark.parametrize("n_timepoints", [1, 2, 8, 49, 50, 51, 120])
def test_xception_time_takes_series_of_any_length(n_timepoints):
    network = used(XceptionTime, XCEPTION)
    logits = network(normal(2, 3, n_timepoints))
    assert logits.shape == (2, 4)
    assert logits.isfinite().all()


def test_class_maps_of_xception_time_end_in_relu_or_are_linear():
    X = normal(20, 3, 12)
    relu = built(XceptionTime, XCEPTION)
    assert (relu(X) >= 0).all()
    assert (relu.eval()(X) >= 0).all()
    assert (built(XceptionTime, {**XCEPTION, "last_unit": "linear"})(X) < 0).any()


def test_xception_modules_are_separable_and_have_no_bias():
    module = XceptionTime(2, 3).blocks[0].first
    kernels = [[conv.kernel_size for conv in branch] for branch in module.convs]
    assert kernels == [[(1, 39), (1, 1)], [(1, 19), (1, 1)], [(1, 9), (1, 1)]]
    assert [[conv.groups for conv in branch] for branch in module.convs] == [[16, 1]] * 3
    assert {name.rpartition(".")[2] for name, _ in module.named_parameters()} == {"weight"}


def test_the_pooling_branch_of_xception_time_takes_the_largest_of_three():
    module = XceptionTime(1, 2, n_filters=1, kernel_sizes=(3,)).blocks[0].first
    nn.init.ones_(module.pool_conv.weight)
    X = torch.tensor([[[[-5.0, -3.0, -4.0, -8.0, -9.0]]]])
    assert module(X)[0, -1, 0].tolist() == [-3.0, -3.0, -3.0, -4.0, -8.0]


# XCM


@pytest.mark.parametrize(
    ("window_size", "n_timepoints", "kernel_size"),
    [(0.2, 140, 28), (0.2, 51, 10), (1.0, 30, 30), (1, 7, 7), (0.01, 30, 1), (0.99, 10, 9)],
)
def test_kernels_of_xcm_span_a_share_of_the_series(window_size, n_timepoints, kernel_size):
    network = XCM(2, n_timepoints, 3, n_filters=2, window_size=window_size)
    for block in (network.by_channel.block, network.by_time.block, network.joined):
        assert block.conv.kernel_size == (1, kernel_size)


def test_the_map_of_all_channels_together_comes_last():
    network, X = used(XCM, {"n_filters": 8}), normal(2, 3, 12)
    for parameter in network.by_time.narrow.parameters():
        nn.init.zeros_(parameter)
    nn.init.ones_(network.by_channel.narrow.bias)
    before = network(X)
    with torch.no_grad():
        network.joined.conv.weight[:, 3] = 0
    assert torch.equal(network(X), before)
    with torch.no_grad():
        network.joined.conv.weight[:, 0] = 0
    assert not torch.allclose(network(X), before, atol=1e-4)


def test_xcm_and_the_mean_of_convnet2d_take_other_lengths():
    for network in (XCM(3, 12, 4, n_filters=3), ConvNet2d(3, 12, 4, **CONVS)):
        assert network(normal(2, 3, 20)).shape == (2, 4)


# TimeConv


@given(
    kernel_size=st.integers(1, 9),
    n_rows=st.integers(1, 3),
    n_timepoints=st.integers(1, 12),
    bias=st.booleans(),
)
@settings(max_examples=40)
def test_convolution_along_time_is_that_of_each_row(kernel_size, n_rows, n_timepoints, bias):
    conv = seeded(TimeConv, 2, 3, kernel_size, bias=bias)
    X = normal(2, 2, n_rows, n_timepoints)
    left = (kernel_size - 1) // 2
    rows = F.pad(X, (left, kernel_size - 1 - left)).transpose(1, 2).flatten(0, 1)
    expected = F.conv1d(rows, conv.weight[:, :, 0], conv.bias).view(2, n_rows, 3, n_timepoints)
    torch.testing.assert_close(conv(X), expected.transpose(1, 2))


def test_an_even_kernel_of_ones_sums_one_more_value_to_the_right():
    conv = TimeConv(1, 1, 4, bias=False)
    nn.init.ones_(conv.weight)
    X = torch.tensor([[[[1.0, 10.0, 100.0, 1000.0]]]])
    assert conv(X).flatten().tolist() == [111.0, 1111.0, 1110.0, 1100.0]


def test_groups_of_filters_do_not_see_each_other():
    conv, X = seeded(TimeConv, 4, 4, 3, groups=4), normal(2, 4, 2, 7)
    other = X.clone()
    other[:, 1] += 1
    assert (conv(other) != conv(X)).any(dim=(0, 2, 3)).tolist() == [False, True, False, False]


# ProductGradientConv


@pytest.mark.parametrize("n_rows_at_once", [1, 20, 1024])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("kernel_size", "pad"), [(1, 0), (3, 1), (4, 0), (5, 2)])
def test_gradients_as_products_are_those_of_torch(
    kernel_size, pad, memory_format, n_rows_at_once, monkeypatch
):
    monkeypatch.setattr(_blocks, "N_ROWS", n_rows_at_once)
    tensors = normal(3, 4, 2, 9), normal(6, 4, 1, kernel_size, seed=2), normal(6, seed=3)
    found = []
    for convolve in (ProductGradientConv.apply, conv2d):
        X, weight, bias = (tensor.clone().requires_grad_() for tensor in tensors)
        Y = convolve(X.to(memory_format=memory_format), weight, bias, (0, pad))
        (Y * normal(*Y.shape, seed=4)).sum().backward()
        found.append([Y.detach(), X.grad, weight.grad, bias.grad])
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-5)


def conv2d(X, weight, bias, padding):
    return F.conv2d(X, weight, bias, padding=padding)


@pytest.mark.parametrize("n_rows_at_once", [6, 1024])
@pytest.mark.parametrize("pad", [0, 1])
def test_gradients_as_products_are_those_of_finite_differences(pad, n_rows_at_once, monkeypatch):
    monkeypatch.setattr(_blocks, "N_ROWS", n_rows_at_once)
    shapes = (2, 2, 2, 5), (3, 2, 1, 3), (3,)
    tensors = [normal(*shape, seed=i).double().requires_grad_() for i, shape in enumerate(shapes)]
    X, weight, bias = tensors
    padding = (0, pad)
    assert torch.autograd.gradcheck(ProductGradientConv.apply, (X, weight, bias, padding))
    assert torch.autograd.gradcheck(ProductGradientConv.apply, (X, weight, None, padding))
    # The first layer of a network needs no gradient of the series.
    assert torch.autograd.gradcheck(ProductGradientConv.apply, (X.detach(), weight, bias, padding))


@pytest.fixture
def avx2(monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")


def is_product(conv, X):
    return type(conv(X).grad_fn).__name__ == "ProductGradientConvBackward"


@pytest.mark.parametrize("kernel_size", [1, 4, 5])
def test_wide_convolutions_train_by_products(kernel_size, avx2):
    conv, X = TimeConv(64, 64, kernel_size), normal(2, 64, 1, 6)
    assert is_product(conv, X)
    assert not is_product(conv.double(), X.double())
    assert not is_product(conv.float().eval(), X)


@pytest.mark.parametrize(("n_in", "n_out"), [(63, 64), (64, 63), (1, 128)])
def test_narrow_convolutions_train_as_torch_does(n_in, n_out, avx2):
    assert not is_product(TimeConv(n_in, n_out, 3), normal(2, n_in, 1, 6))


@pytest.mark.parametrize("groups", [2, 128])
def test_convolutions_of_groups_train_as_torch_does(groups, avx2):
    assert not is_product(TimeConv(128, 128, 3, groups=groups), normal(2, 128, 1, 6))


def test_products_are_for_avx2_and_full_precision_only(avx2, monkeypatch):
    conv, X = TimeConv(64, 64, 3), normal(2, 64, 1, 6)
    with torch.autocast("cpu", torch.bfloat16):
        assert not is_product(conv, X)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert not is_product(conv, X)


@pytest.mark.parametrize(
    ("network", "params"),
    [
        (FCN, {"n_filters": (64, 64), "kernel_sizes": (4, 3)}),
        (DCNN, {"n_filters": (64, 64), "kernel_sizes": (3, 4)}),
        (InceptionTime, {"n_filters": 64, "bottleneck": 64, "kernel_sizes": (6, 3), "depth": 3}),
    ],
)
def test_networks_have_the_same_gradients_with_and_without_products(
    network, params, avx2, monkeypatch
):
    network, X = built(network, params), normal(4, 3, 12)
    longer, lengths = padded(X, 15, NAN)
    logits, grads = gradients(copy.deepcopy(network), longer, lengths=lengths)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    torch.testing.assert_close((logits, grads), gradients(network, X), rtol=1e-3, atol=1e-5)


# TimeNorm and mean_over_time


def test_batch_normalisation_sees_the_valid_values_only():
    lengths = torch.tensor([5, 2, 3])
    mask = (torch.arange(5) < lengths[:, None])[:, None, None]
    X = 3 * normal(3, 4, 2, 5) + 1
    is_valid = mask.expand(3, 4, 2, 5)
    padded_with_nan = X.masked_fill(~is_valid, NAN).requires_grad_()
    norm, reference = TimeNorm(4), nn.BatchNorm1d(4)
    for each in (norm, reference):
        with torch.no_grad():
            each.weight.copy_(normal(4, seed=2))
            each.bias.copy_(normal(4, seed=3))
    # (n_values, n_filters): 10 timepoints in 2 rows.
    values = X.transpose(0, 1)[is_valid.transpose(0, 1)].view(4, 20).T
    for training in (True, False):
        Y = norm.train(training)(padded_with_nan, mask)
        expected = reference.train(training)(values).T.flatten()
        torch.testing.assert_close(Y.transpose(0, 1)[is_valid.transpose(0, 1)], expected)
        assert not Y[~is_valid].any()
        torch.testing.assert_close(dict(norm.named_buffers()), dict(reference.named_buffers()))
    Y.sum().backward()
    assert padded_with_nan.grad.isfinite().all()
    assert not padded_with_nan.grad[~is_valid].any()


def test_the_mean_over_time_leaves_the_padding_out():
    X = torch.tensor([[[[1.0, 2.0, 6.0, 0.0], [3.0, 0.0, 0.0, 0.0]]]])
    mask = torch.tensor([[[[True, True, True, False]]]])
    assert mean_over_time(X, mask).tolist() == [[2.0]]
    assert mean_over_time(X).tolist() == [[1.5]]


# Bad sizes and options


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        ({"n_channels": 0}, ValueError, "n_channels=0 must be at least 1"),
        ({"n_channels": 2.0}, TypeError, "n_channels=2.0 must be an integer"),
        ({"n_channels": True}, TypeError, "n_channels=True must be an integer"),
        ({"n_classes": 1}, ValueError, "n_classes=1 must be at least 2"),
        ({"n_classes": "3"}, TypeError, "n_classes='3' must be an integer"),
        ({"n_classes": True}, TypeError, "n_classes=True must be an integer"),
        ({"n_timepoints": 0}, ValueError, "n_timepoints=0 must be at least 1"),
        ({"n_timepoints": 12.0}, TypeError, "n_timepoints=12.0 must be an integer"),
        ({"n_timepoints": True}, TypeError, "n_timepoints=True must be an integer"),
    ],
)
def test_impossible_sizes_are_refused(sizes, error, message):
    for network in SIZED if "n_timepoints" in sizes else CLASSES:
        with pytest.raises(error, match=message):
            built(network, {}, **sizes)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"lstm_units": 0}, ValueError, "lstm_units=0 must be at least 1"),
        ({"lstm_units": 8.0}, TypeError, "lstm_units=8.0 must be an integer"),
        ({"lstm_units": True}, TypeError, "lstm_units=True must be an integer"),
        ({"dropout": 1}, ValueError, "dropout=1 must be .* below 1"),
        ({"dropout": -0.1}, ValueError, "dropout=-0.1 must be .* at least 0"),
        ({"dropout": NAN}, ValueError, "dropout=nan must be finite"),
        ({"dropout": "0.5"}, TypeError, "dropout='0.5' must be a number"),
        ({"dropout": True}, TypeError, "dropout=True must be a number"),
    ],
)
def test_impossible_lstms_are_refused(params, error, message):
    for network in (LSTM, BiLSTM, LSTMFCN, LSTM2dCNN):
        with pytest.raises(error, match=message):
            built(network, params)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((), r"=\(\) has no layer; give at least one"),
        ([], r"=\[\] has no layer"),
        ((4, 0, 3), r"=\(4, 0, 3\) must hold integers of at least 1, one per layer"),
        ((4, -1, 3), r"=\(4, -1, 3\) must hold integers"),
        ((4, 2.0, 3), r"=\(4, 2.0, 3\) must hold integers"),
        ((4, True, 3), r"=\(4, True, 3\) must hold integers"),
        (4, "=4 must hold .* in a list or a tuple"),
        ("483", "='483' must hold integers"),
        ({4, 8, 3}, "=.* must hold .* in a list or a tuple"),
        (np.array([[4, 8, 3]]), "=.* must hold integers"),
        (np.array([4.0, 8.0, 3.0]), "=.* must hold integers"),
    ],
)
def test_impossible_layers_are_refused(sizes, message):
    layered = (FCN, ConvNet2d, ResNet, DCNN, DResNet, LSTMFCN, LSTM2dCNN)
    for network in (*layered, InceptionTime, XceptionTime):
        with pytest.raises(ValueError, match="kernel_sizes" + message):
            built(network, {"kernel_sizes": sizes})
    for network in layered:
        with pytest.raises(ValueError, match="n_filters" + message):
            built(network, {"n_filters": sizes})


@pytest.mark.parametrize(
    ("network", "n"), [(FCN, 3), (ConvNet2d, 3), (DCNN, 5), (LSTMFCN, 3), (LSTM2dCNN, 3)]
)
def test_unequal_numbers_of_layers_are_refused(network, n):
    with pytest.raises(ValueError, match=f"n_filters has 2 layers but kernel_sizes {n}; give one"):
        built(network, {"n_filters": (4, 4)})
    with pytest.raises(ValueError, match=f"n_filters has {n} layers but kernel_sizes 1; give one"):
        built(network, {"kernel_sizes": [3]})


def test_residual_blocks_need_not_be_as_many_as_their_convolutions():
    for network in (ResNet, DResNet):
        params = {"n_filters": (3, 4, 4, 5), "kernel_sizes": (3, 2)}
        assert built(network, params)(normal(2, 3, 12)).shape == (2, 4)


@pytest.mark.parametrize(
    ("network", "params", "error", "message"),
    [
        (LSTM, {"n_layers": 0}, ValueError, "n_layers=0 must be at least 1"),
        (BiLSTM, {"n_layers": True}, TypeError, "n_layers=True must be an integer"),
        (ConvNet2d, {"head": "max"}, ValueError, "head='max' is not one of 'average', 'flatten_t"),
        (ConvNet2d, {"head": np.array(["average"])}, TypeError, "head is an array; give one of"),
        (InceptionTime, {"n_filters": 0}, ValueError, "n_filters=0 must be at least 1"),
        (InceptionTime, {"n_filters": (32,)}, TypeError, r"n_filters=\(32,\) must be an integer"),
        (InceptionTime, {"depth": 0}, ValueError, "depth=0 must be at least 1"),
        (InceptionTime, {"depth": 6.0}, TypeError, "depth=6.0 must be an integer"),
        (InceptionTime, {"bottleneck": 0}, ValueError, "bottleneck=0 must be at least 1"),
        (InceptionTime, {"bottleneck": False}, TypeError, "bottleneck=False must be an integer"),
        (XceptionTime, {"n_filters": 0}, ValueError, "n_filters=0 must be at least 1"),
        (XceptionTime, {"n_filters": True}, TypeError, "n_filters=True must be an integer"),
        (XceptionTime, {"last_unit": None}, ValueError, "last_unit=None is not one of 'relu', 'l"),
        (DResNet, {"residual": "paper"}, ValueError, "residual='paper' is not one of 'repo', 'st"),
        (XCM, {"n_filters": 0}, ValueError, "n_filters=0 must be at least 1"),
        (XCM, {"n_filters": (3,)}, TypeError, r"n_filters=\(3,\) must be an integer"),
        (XCM, {"window_size": 0}, ValueError, "window_size=0 must be .* above 0"),
        (XCM, {"window_size": -0.2}, ValueError, "window_size=-0.2 must be .* above 0"),
        (XCM, {"window_size": 1.1}, ValueError, "window_size=1.1 must be .* at most 1"),
        (XCM, {"window_size": NAN}, ValueError, "window_size=nan must be finite"),
        (XCM, {"window_size": "0.2"}, TypeError, "window_size='0.2' must be a number"),
        (XCM, {"window_size": True}, TypeError, "window_size=True must be a number"),
        (LSTMFCN, {"squeeze_excite": "yes"}, ValueError, "squeeze_excite='yes' is not one of True"),
        (LSTM2dCNN, {"reshape": "mean"}, ValueError, "reshape='mean' is not one of 'average', 'f"),
    ],
)
def test_unknown_options_and_values_out_of_range_are_refused(network, params, error, message):
    with pytest.raises(error, match=message):
        built(network, params)


# Bad series


@each_network
def test_series_of_another_shape_are_refused(network, params):
    network = built(network, params)
    for shape in ((3, 12), (2, 2, 12), (2, 4, 12), (2, 12, 3), (2, 1, 3, 12)):
        message = rf"X has shape \({', '.join(map(str, shape))}\); give .* \(n_cases, 3, .*or build"
        with pytest.raises(ValueError, match=message):
            network(torch.zeros(shape))


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([12, 3, 4], r"lengths has shape \(3,\) but there are 2 series; give one number of time"),
        ([[12], [3]], r"lengths has shape \(2, 1\) but there are 2 series"),
        (12, r"lengths has shape \(\) but there are 2 series"),
        ([12, 0], "lengths from 0 to 12 must lie between 1 and n_timepoints=12; count the time"),
        ([-1, 5], "lengths from -1 to 5 must lie between 1 and n_timepoints=12"),
        ([13, 5], "lengths from 5 to 13 must lie between 1 and n_timepoints=12"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(lengths, message):
    for network, params in (entry.values for entry in UNEQUAL):
        with pytest.raises(ValueError, match=message):
            built(network, params)(torch.zeros(2, 3, 12), torch.tensor(lengths))


def test_a_head_of_every_timepoint_refuses_unequal_lengths():
    network = built(ConvNet2d, {**CONVS, "head": "flatten_time"})
    with pytest.raises(ValueError, match="head='flatten_time' needs series of equal length; use h"):
        network(torch.zeros(2, 3, 12), torch.tensor([12, 5]))


# ScaledSeries


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
