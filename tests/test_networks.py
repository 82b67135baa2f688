"""Networks: geometry, parameter counts, and what every one of them must do."""

import copy
import pickle
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from skprog.networks import CnnLstm, DiagnosisCNN, MicrographCNN

SMALL = {
    "n_filters": (2, 3),
    "kernel_sizes": ((3, 2), (2, 2)),
    "strides": ((1, 1), (1, 1)),
    "lstm_units": 8,
    "dense_units": (8, 4),
}

# One entry per network: how to build it, the shape of X, and the shape of y.
NETWORKS = [
    pytest.param(partial(CnnLstm, (84, 25)), (3, 4, 84, 25), (3,), id="cnn_lstm"),
    pytest.param(
        partial(CnnLstm, (84, 25), padding="same"), (3, 4, 84, 25), (3,), id="cnn_lstm-same"
    ),
    pytest.param(partial(CnnLstm, (12, 9), **SMALL), (5, 2, 12, 9), (5,), id="cnn_lstm-small"),
    pytest.param(partial(CnnLstm, (6,)), (2, 5, 6), (2,), id="cnn_lstm-features"),
    pytest.param(partial(CnnLstm, (1,)), (1, 5, 1), (1,), id="cnn_lstm-health_indicator"),
    pytest.param(partial(DiagnosisCNN, 1, 1024, 12), (3, 1, 1024), (3, 12), id="diagnosis_cnn"),
    pytest.param(
        partial(DiagnosisCNN, 2, 128, 5, global_pooling="max", padding="same"),
        (3, 2, 128),
        (3, 5),
        id="diagnosis_cnn-same",
    ),
    pytest.param(partial(MicrographCNN, 64, 64, 2), (3, 64, 64), (3, 2), id="micrograph_cnn"),
    pytest.param(
        partial(MicrographCNN, 32, 48, 3, n_blocks=3, head="local"),
        (2, 32, 48),
        (2, 3),
        id="micrograph_cnn-local",
    ),
]
each_network = pytest.mark.parametrize(("build", "shape_in", "shape_out"), NETWORKS)


def seeded(build, **params):
    """Build a network from seed 0 and leave the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build(**params)


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def n_parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def map_sizes(network, *window_shape):
    """Return (n_filters, n_freqs, n_segments) after each convolution and pooling."""
    X, sizes = torch.zeros(1, 1, *window_shape), []
    for layer in network.encoder:
        X = layer(X)
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            sizes.append(tuple(X.shape[1:]))
    return sizes


# Every network


@each_network
def test_the_output_has_the_shape_of_y(build, shape_in, shape_out):
    assert seeded(build)(normal(*shape_in)).shape == shape_out


@each_network
def test_gradients_reach_every_parameter(build, shape_in, shape_out):
    network = seeded(build)
    loss = nn.functional.mse_loss(network(normal(*shape_in)), normal(*shape_out))
    loss.backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


@each_network
def test_one_seed_gives_one_network(build, shape_in, shape_out):
    first, second = seeded(build), seeded(build)
    X = normal(*shape_in)
    assert torch.equal(first(X), second(X))
    other = build()
    assert not torch.equal(first(X), other(X))


@each_network
def test_rows_do_not_know_each_other(build, shape_in, shape_out):
    network, X = seeded(build).eval(), normal(*shape_in)
    alone = torch.cat([network(row) for row in X.split(1)])
    torch.testing.assert_close(network(X), alone)


@each_network
def test_copies_and_state_reproduce_the_network(build, shape_in, shape_out):
    network, X = seeded(build), normal(*shape_in)
    reloaded = build()
    reloaded.load_state_dict(network.state_dict())
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network)), reloaded):
        assert torch.equal(twin(X), network(X))


@each_network
def test_half_precision_input_is_computed_in_the_type_of_the_weights(build, shape_in, shape_out):
    network, X = seeded(build), normal(*shape_in).half()
    assert network(X).dtype == torch.float32
    assert torch.equal(network(X), network(X.float()))


@pytest.mark.parametrize(
    ("build", "shape_in", "shape_out"),
    [network for network in NETWORKS if network.values[0].func is not MicrographCNN],
)
def test_dropout_acts_in_training_only(build, shape_in, shape_out):
    network, plain = seeded(build, dropout=0.5), seeded(build)
    X = normal(*shape_in)
    with torch.random.fork_rng(devices=[]):
        assert len({float(network(X).detach().sum()) for _ in range(20)}) > 1
    assert torch.equal(network.eval()(X), plain.eval()(X))
    assert torch.equal(plain.train()(X), plain.eval()(X))


# CnnLstm: sizes


@pytest.mark.parametrize(
    ("params", "n"),
    [
        ({}, 127_149),
        ({"lstm_units": 56, "dense_units": (56, 16)}, 48_245),
        ({"padding": "same"}, 292_013),
        ({"padding": "same", "lstm_units": 56, "dense_units": (56, 16)}, 130_677),
    ],
    ids=["A", "C", "A-same", "C-same"],
)
def test_parameter_counts_of_the_papers_models(params, n):
    assert n_parameters(CnnLstm((84, 25), **params)) == n


def test_parameters_of_the_default_by_layer():
    network = CnnLstm((84, 25))
    counts = [
        *(n_parameters(layer) for layer in network.encoder if isinstance(layer, nn.Conv2d)),
        n_parameters(network.lstm),
        *(n_parameters(layer) for layer in network.head if isinstance(layer, nn.Linear)),
    ]
    assert counts == [
        4 * 5 * 4 + 4,
        8 * 4 * 6 * 3 + 8,
        4 * 112 * (136 + 112 + 2),
        112 * 112 + 112,
        112 * 16 + 16,
        17,
    ]


def test_layer_sizes_of_the_default():
    network = CnnLstm((84, 25))
    assert map_sizes(network, 84, 25) == [(4, 80, 11), (4, 40, 5), (8, 35, 3), (8, 17, 1)]
    assert network.encode(torch.zeros(2, 84, 25)).shape == (2, 136)


@pytest.mark.parametrize("units", [(), (5,), (9, 5, 3)])
def test_the_head_has_as_many_dense_layers_as_asked_for(units):
    network = CnnLstm((6,), lstm_units=7, dense_units=units)
    widths = [layer.out_features for layer in network.head if isinstance(layer, nn.Linear)]
    assert widths == [*units, 1]
    assert network(torch.zeros(2, 3, 6)).shape == (2,)


def test_vectors_of_features_go_to_the_lstm_as_they_are():
    network = CnnLstm((6,), lstm_units=7)
    assert network.lstm.input_size == 6
    windows = normal(5, 6)
    assert torch.equal(network.encode(windows), windows)


def test_a_spectrogram_without_convolutions_is_flattened():
    network = CnnLstm((4, 3), n_conv_layers=0)
    windows = normal(5, 4, 3)
    assert torch.equal(network.encode(windows), windows.flatten(1))


def test_pooling_before_relu_is_relu_before_pooling():
    network = seeded(partial(CnnLstm, (84, 25)))
    X = normal(2, 1, 84, 25)
    conv, pool = network.encoder[0], network.encoder[1]
    assert torch.equal(network.encoder[:3](X), pool(torch.relu(conv(X))))


# CnnLstm: Table I

TABLE_LOW = {
    "n_conv_layers": 3,
    "n_filters": (2, 4, 4),
    "kernel_sizes": ((3, 3),) * 3,
    "strides": ((1, 1),) * 3,
    "lstm_units": 16,
    "dense_units": (16, 8),
}
TABLE_HIGH = {
    "n_conv_layers": 3,
    "n_filters": (4, 8, 8),
    "kernel_sizes": ((7, 5),) * 3,
    "strides": ((3, 3), (3, 2), (3, 2)),
    "lstm_units": 128,
    "dense_units": (128, 32),
}


@pytest.mark.parametrize(
    ("params", "sizes"),
    [
        ({**TABLE_LOW, "pool_size": None}, [(2, 82, 23), (4, 80, 21), (4, 78, 19)]),
        (
            {**TABLE_LOW, "pool_size": (2, 2)},
            [(2, 82, 23), (2, 41, 11), (4, 39, 9), (4, 19, 4), (4, 17, 2), (4, 8, 1)],
        ),
        (
            {**TABLE_LOW, "n_conv_layers": 2, "pool_size": (3, 3), "padding": "same"},
            [(2, 84, 25), (2, 28, 8), (4, 28, 8), (4, 9, 2)],
        ),
        ({**TABLE_HIGH, "pool_size": None, "padding": "same"}, [(4, 28, 9), (8, 10, 5), (8, 4, 3)]),
        ({**TABLE_HIGH, "n_conv_layers": 1, "pool_size": (3, 3)}, [(4, 26, 7), (4, 8, 2)]),
    ],
)
def test_extremes_of_table_1_have_the_sizes_worked_out_by_hand(params, sizes):
    network = CnnLstm((84, 25), **params)
    assert map_sizes(network, 84, 25) == sizes
    n_filters, n_freqs, n_segments = sizes[-1]
    assert network.lstm.input_size == n_filters * n_freqs * n_segments
    assert network(torch.zeros(2, 3, 84, 25)).shape == (2,)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {**TABLE_HIGH, "pool_size": None},
            "convolutional layer 3 has a 7 x 5 kernel on an input of 7 x 2",
        ),
        (
            {**TABLE_HIGH, "pool_size": (3, 3)},
            "convolutional layer 2 has a 7 x 5 kernel on an input of 8 x 2",
        ),
        (
            {**TABLE_HIGH, "pool_size": (3, 3), "padding": "same"},
            "the pooling after convolutional layer 2 has a 3 x 3 kernel on an input of 3 x 2",
        ),
        (
            {**TABLE_LOW, "pool_size": (3, 3), "padding": "same"},
            "the pooling after convolutional layer 3 has a 3 x 3 kernel on an input of 9 x 2",
        ),
        ({"n_conv_layers": 3}, "convolutional layer 3 has a 3 x 3 kernel on an input of 17 x 1"),
        ({"kernel_sizes": ((85, 1), (1, 1))}, "convolutional layer 1 has a 85 x 1 kernel on an"),
        ({"kernel_sizes": ((1, 26), (1, 1))}, "convolutional layer 1 has a 1 x 26 kernel on an"),
        ({"pool_size": (81, 1)}, "pooling after convolutional layer 1 has a 81 x 1 kernel"),
    ],
)
def test_a_vanishing_feature_map_names_the_layer(params, message):
    with pytest.raises(ValueError, match=f"feature map vanishes: .*{message}.*; use smaller ker"):
        CnnLstm((84, 25), **params)


def test_a_kernel_or_pool_as_large_as_its_input_is_fine():
    network = CnnLstm((5, 4), n_conv_layers=1, pool_size=(1, 1))
    assert map_sizes(network, 5, 4) == [(4, 1, 1), (4, 1, 1)]


# CnnLstm: padding


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pads"),
    [
        # (left, right) along segments, then along frequency; an odd rest goes right.
        ((84, 25), (5, 4), (1, 2), (1, 2, 2, 2)),
        ((42, 6), (6, 3), (1, 1), (1, 1, 2, 3)),
        ((7, 7), (4, 2), (1, 1), (0, 1, 1, 2)),
        ((9, 9), (1, 1), (3, 3), (0, 0, 0, 0)),
        ((10, 8), (3, 5), (3, 2), (1, 2, 1, 1)),
        ((2, 1), (7, 5), (3, 3), (2, 2, 2, 3)),
    ],
)
def test_same_padding_worked_out_by_hand(size, kernel, stride, pads):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network = CnnLstm(
            size,
            n_conv_layers=1,
            n_filters=(1,),
            kernel_sizes=(kernel,),
            strides=(stride,),
            pool_size=None,
            padding="same",
        )
        assert network.encoder[0].padding == pads
        assert map_sizes(network, *size) == [
            (1, *(-(-n // step) for n, step in zip(size, stride, strict=True)))
        ]


def test_an_even_kernel_of_ones_sums_one_more_value_to_the_right():
    network = CnnLstm(
        (1, 4),
        n_conv_layers=1,
        n_filters=(1,),
        kernel_sizes=((1, 4),),
        strides=((1, 1),),
        pool_size=None,
        padding="same",
    )
    with torch.no_grad():
        network.encoder[1].weight.fill_(1.0)
        network.encoder[1].bias.zero_()
    windows = torch.tensor([[[1.0, 10.0, 100.0, 1000.0]]])
    assert network.encode(windows).tolist() == [[111.0, 1111.0, 1110.0, 1100.0]]


# CnnLstm: distinct windows, standardisation, LSTM


@pytest.mark.parametrize("window_shape", [(12, 9), (6,)])
def test_steps_of_sequences_under_way_end_where_the_lstm_does(window_shape):
    network = seeded(partial(CnnLstm, window_shape, **SMALL)).double().eval()
    windows = normal(9, 2, *window_shape).double()
    states = torch.zeros(4, 2, 2, network.lstm.hidden_size, dtype=torch.float64)
    with torch.no_grad():
        for channels in windows:
            states = torch.cat([torch.zeros_like(states[:1]), states[:-1]])
            states = network.step(states, network.encode(channels))
        for n_steps, (hidden, cell) in enumerate(zip(*states.unbind(2), strict=True), 1):
            features = network.encode(windows[-n_steps:].flatten(0, 1)).view(n_steps, 2, -1)
            _, expected = network.lstm(features.transpose(0, 1))
            torch.testing.assert_close((hidden, cell), (expected[0][0], expected[1][0]))
            target = network(windows[-n_steps:].transpose(0, 1))
            torch.testing.assert_close(network.regress(hidden), target)


@pytest.mark.parametrize("window_shape", [(12, 9), (6,)])
def test_distinct_windows_with_an_index_give_what_stacked_sequences_give(window_shape):
    network = seeded(partial(CnnLstm, window_shape, **SMALL))
    windows = normal(10, *window_shape)
    index = torch.tensor([[0, 0, 1], [7, 8, 9], [3, 4, 5], [0, 0, 1]])
    torch.testing.assert_close(network(windows, index), network(windows[index]))
    assert torch.equal(network(windows, index)[0], network(windows, index)[3])


def test_distinct_windows_give_the_gradients_of_stacked_sequences():
    network = seeded(partial(CnnLstm, (12, 9), **SMALL))
    windows, index = normal(10, 12, 9), torch.tensor([[0, 0, 1], [0, 1, 2], [1, 2, 3]])
    gradients = []
    for args in ((windows, index), (windows[index],)):
        network.zero_grad()
        network(*args).square().sum().backward()
        gradients.append([p.grad.clone() for p in network.parameters()])
    torch.testing.assert_close(*gradients)


def test_the_order_of_the_windows_matters():
    network, X = seeded(partial(CnnLstm, (12, 9), **SMALL)), normal(2, 5, 12, 9)
    assert not torch.allclose(network(X), network(X.flip(1)))


@pytest.mark.parametrize(("window_shape", "shape"), [((84, 25), (84, 1)), ((6,), (6,))])
def test_standardisation_is_a_buffer_and_begins_as_the_identity(window_shape, shape):
    network = CnnLstm(window_shape)
    state = network.state_dict()
    assert torch.equal(state["mean"], torch.zeros(shape))
    assert torch.equal(state["scale"], torch.ones(shape))
    assert not {"mean", "scale"} & {*dict(network.named_parameters())}


def test_windows_are_standardised_by_frequency_and_reloaded_so():
    network = seeded(partial(CnnLstm, (12, 9), **SMALL))
    mean, scale = normal(12, 1), normal(12, 1).exp()
    X = normal(3, 4, 12, 9)
    expected = network((X - mean) / scale)
    network.mean.copy_(mean)
    network.scale.copy_(scale)
    torch.testing.assert_close(network(X), expected)
    other = CnnLstm((12, 9), **SMALL)
    other.load_state_dict(network.state_dict())
    torch.testing.assert_close(other(X), expected)


# CnnLstm: bad input


@pytest.mark.parametrize(
    ("window_shape", "params", "message"),
    [
        ((3, 84, 25), {}, r"window_shape=\(3, 84, 25\) has 3 axes; give \(n_freqs, n_segments\)"),
        ((), {}, r"window_shape=\(\) has 0 axes"),
        ((84, 25), {"padding": "Same"}, "padding='Same' is not one of 'valid', 'same'"),
        ((84, 25), {"n_conv_layers": 4}, "n_conv_layers=4 exceeds the 3 layers that n_filters"),
        ((84, 25), {"n_filters": (4,)}, "n_conv_layers=2 exceeds the 1 layers"),
        ((84, 25), {"strides": ((0, 1), (1, 1))}, r"stride of convolutional layer 1 is \(0, 1\)"),
        ((84, 25), {"strides": ((1, 1), 2)}, "stride of convolutional layer 2 is 2; give two int"),
        ((84, 25), {"kernel_sizes": ((3, 0), (3, 3))}, r"kernel of convolutional layer 1 is \(3, "),
        ((84, 25), {"kernel_sizes": ((3, 3), (3,))}, r"kernel of convolutional layer 2 is \(3,\)"),
        ((84, 25), {"pool_size": 2}, "pool of convolutional layer 1 is 2; give two integers"),
        ((84, 25), {"pool_size": (2, -1)}, r"pool of convolutional layer 1 is \(2, -1\); give"),
        ((84, 25), {"dropout": 2}, "between 0 and 1, but got 2"),
        ((84, 25), {"lstm_units": 0}, "hidden_size must be greater than zero"),
    ],
)
def test_impossible_geometries_are_refused(window_shape, params, message):
    with pytest.raises(ValueError, match=message):
        CnnLstm(window_shape, **params)


def test_geometry_lists_do_as_well_as_tuples():
    network = CnnLstm([84, 25], kernel_sizes=[[5, 4], [6, 3]], strides=[[1, 2], [1, 1]])
    assert n_parameters(network) == 127_149


# DiagnosisCNN: bad input


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"n_channels": 0}, ValueError, "n_channels=0 must be at least 1"),
        ({"n_timepoints": 0}, ValueError, "n_timepoints=0 must be at least 1"),
        ({"n_timepoints": 64.0}, TypeError, "n_timepoints=64.0 must be an integer"),
        ({"n_classes": 0}, ValueError, "n_classes=0 must be at least 2"),
        ({"n_classes": 1}, ValueError, "n_classes=1 must be at least 2"),
        ({"pool_size": 0}, ValueError, "pool_size=0 must be at least 1"),
        ({"pool_size": -1}, ValueError, "pool_size=-1 must be at least 1"),
        ({"pool_size": float("nan")}, TypeError, "pool_size=nan must be an integer"),
        ({"pool_size": 1.5}, TypeError, "pool_size=1.5 must be an integer"),
        ({"pool_size": 61}, ValueError, "the pooling after convolutional layer 1 spans 61"),
        ({"dense_units": 2.9}, TypeError, "dense_units=2.9 must be an integer"),
        ({"dense_units": 0}, ValueError, "dense_units=0 must be at least 1"),
        ({"dropout": 1}, ValueError, "dropout=1 must be .* below 1"),
        ({"dropout": -0.1}, ValueError, "dropout=-0.1 must be .* at least 0"),
        ({"dropout": float("nan")}, ValueError, "dropout=nan must be finite"),
        ({"batch_norm": "no"}, ValueError, "batch_norm='no' is not one of True, False"),
        ({"padding": "full"}, ValueError, "padding='full' is not one of 'valid', 'same'"),
        ({"global_pooling": "sum"}, ValueError, "global_pooling='sum' is not one of 'average'"),
        ({"n_filters": (4,)}, ValueError, "n_filters has 1 layers but kernel_sizes 2; give"),
        ({"n_filters": 4}, ValueError, "n_filters=4 must hold integers of at least 1"),
        ({"n_filters": (4, True)}, ValueError, r"n_filters=\(4, True\) must hold integers"),
        ({"n_filters": (4, 2.0)}, ValueError, "n_filters=.* must hold integers"),
        ({"n_filters": np.array([True, True])}, ValueError, "n_filters=.* must hold integers"),
        ({"n_filters": np.array([4.0, 4.0])}, ValueError, "n_filters=.* must hold integers"),
        ({"n_filters": np.array(4)}, ValueError, "n_filters=.* must hold integers"),
        ({"kernel_sizes": {3, 5}}, ValueError, "kernel_sizes=.* in a list or a tuple"),
        ({"kernel_sizes": {3: 1, 5: 1}}, ValueError, "kernel_sizes=.* in a list or a tuple"),
        ({"kernel_sizes": b"ab"}, ValueError, "kernel_sizes=b'ab' must hold integers"),
        ({"kernel_sizes": np.array([[3, 5]])}, ValueError, "kernel_sizes=.* must hold integers"),
        ({"kernel_sizes": (65, 1)}, ValueError, "kernel of convolutional layer 1 spans 65"),
    ],
)
def test_impossible_diagnosis_networks_are_refused(params, error, message):
    sizes = {"n_channels": 1, "n_timepoints": 64, "n_classes": 3, "kernel_sizes": (5, 3)}
    with pytest.raises(error, match=message):
        DiagnosisCNN(**{**sizes, **params})


def test_sizes_may_be_lists_and_integers_of_numpy():
    build = partial(DiagnosisCNN, 1, 64, 3, pool_size=2)
    expected = n_parameters(build(n_filters=(4, 2), kernel_sizes=(5, 3)))
    assert n_parameters(build(n_filters=[4, 2], kernel_sizes=np.array([5, 3]))) == expected
    sizes = {"n_filters": (np.int64(4), 2), "kernel_sizes": (5, 3), "pool_size": np.int32(2)}
    assert n_parameters(DiagnosisCNN(*np.array([1, 64, 3]), **sizes)) == expected


@pytest.mark.parametrize("shape", [(2, 64), (2, 1, 64), (2, 3, 65), (2, 3, 1), (2, 1, 3, 64)])
@pytest.mark.parametrize("global_pooling", [None, "max"])
def test_windows_of_another_shape_are_refused(shape, global_pooling):
    network = DiagnosisCNN(3, 64, 2, kernel_sizes=(5, 3), global_pooling=global_pooling)
    message = rf"X has shape \({', '.join(map(str, shape))}\); .* \(n_windows, 3, 64\)"
    with pytest.raises(ValueError, match=message):
        network(torch.zeros(shape))
