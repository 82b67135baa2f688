"""Networks of series against their papers: parameters, channels, blocks and heads."""

import pytest
import torch
import torch.nn.functional as F
from _series_networks import (
    CONVS,
    HYBRID,
    POINTS,
    RESIDUAL,
    XCEPTION,
    built,
    n_parameters,
    normal,
    seeded,
    used,
)
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
    XceptionTime,
)
from skprog.networks.series._blocks import (
    ConvBlock,
    FinalState,
    ResidualBlock,
    TimeConv,
    TimeNorm,
    as_cube,
    as_image,
    as_row,
)


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
