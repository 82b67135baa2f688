"""What every network of series does: shapes, padding, refusals."""

import copy
import pickle

import numpy as np
import pytest
import torch
from _series_networks import (
    CLASSES,
    CONVS,
    INFINITY,
    NAN,
    SIZED,
    UNEQUAL,
    built,
    each_network,
    each_unequal,
    gradients,
    normal,
    padded,
    used,
)
from hypothesis import given, settings
from hypothesis import strategies as st

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
