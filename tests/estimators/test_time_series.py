"""TimeSeriesClassifier: series of one and of several lengths, networks by name and by class."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback, EpochScoring

from skprog.callbacks import AdaptiveCycle, OneCycle
from skprog.estimators import TimeSeriesClassifier
from skprog.estimators._time_series import NETWORKS
from skprog.networks import FCN, LSTM, ScaledSeries

FCN_SMALL = {"n_filters": (8, 8, 8)}
SMALL = {
    "network_params": FCN_SMALL,
    "max_epochs": 2,
    "batch_size": 16,
    "lr": 1e-2,
    "random_state": 0,
}
UNEQUAL = (
    "bilstm",
    "convnet2d",
    "dcnn",
    "dresnet",
    "fcn",
    "inception_time",
    "lstm",
    "resnet",
    "xcm",
)
EQUAL = ("lstm_2dcnn", "lstm_fcn", "xception_time")


@pytest.fixture(scope="module")
def tones():
    """Two channels of noise, in one of which a tone of a frequency of its own for each class."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 16)
    X = 0.3 * rng.standard_normal((48, 2, 40))
    X[:, 1] += np.sin(np.arange(40) * np.array([0.3, 0.8, 1.5])[y][:, np.newaxis])
    return X.astype(np.float32), y


@pytest.fixture(scope="module")
def unequal(tones):
    """The same, of 20 to 40 timepoints, as a list."""
    lengths = np.random.default_rng(1).integers(20, 41, 48)
    return [x[:, :n] for x, n in zip(tones[0], lengths, strict=True)], tones[1]


@pytest.fixture(scope="module")
def fitted(tones):
    return TimeSeriesClassifier(**SMALL).fit(*tones)


@pytest.fixture(scope="module")
def fitted_unequal(unequal):
    return TimeSeriesClassifier(**SMALL).fit(*unequal)


def padded(series):
    """Return series as one array in which they end in NaN."""
    array = np.full((len(series), 2, 40), np.nan)
    for row, each in zip(array, series, strict=True):
        row[:, : each.shape[1]] = each
    return array


def test_tones_are_told(tones):
    model = TimeSeriesClassifier(**SMALL | {"max_epochs": 30}).fit(*tones)
    assert model.score(*tones) == 1


def test_tones_of_unequal_length_are_told(unequal):
    model = TimeSeriesClassifier(**SMALL | {"max_epochs": 30}).fit(*unequal)
    assert model.score(*unequal) == 1


def test_there_are_twelve_networks_that_take_what_the_docstring_says():
    assert {*UNEQUAL, *EQUAL} == {*NETWORKS}
    taken = {name for name in NETWORKS if TimeSeriesClassifier(name).takes_unequal_lengths}
    assert taken == {*UNEQUAL}


@pytest.mark.parametrize("network", sorted(NETWORKS))
def test_every_network_trains_and_gives_probabilities(network, tones):
    X, y = tones
    model = TimeSeriesClassifier(network, max_epochs=1, random_state=0).fit(X[::4], y[::4])
    P = model.predict_proba(X[:5])
    assert P.shape == (5, 3)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-9)


@pytest.mark.parametrize("network", UNEQUAL)
def test_a_series_is_told_alike_alone_and_among_longer_ones(network, unequal):
    X, y = unequal
    model = TimeSeriesClassifier(network, max_epochs=1, random_state=0).fit(X[::4], y[::4])
    together = model.predict_proba(X[:6])
    alone = np.concatenate([model.predict_proba([x]) for x in X[:6]])
    np.testing.assert_allclose(alone, together, atol=1e-5)


@pytest.mark.parametrize("network", EQUAL)
def test_networks_of_one_length_refuse_several(network, unequal):
    with pytest.raises(
        ValueError, match=f"of 20 to 40 timepoints.*'{network}' takes series of one"
    ):
        TimeSeriesClassifier(network).fit(*unequal)


def test_lists_and_arrays_that_end_in_nan_are_told_alike(unequal, fitted_unequal):
    X, y = unequal
    other = TimeSeriesClassifier(**SMALL).fit(padded(X), y)
    assert other.shape_in_ == fitted_unequal.shape_in_ == (2, 40)
    expected = fitted_unequal.predict_proba(X)
    np.testing.assert_array_equal(other.predict_proba(padded(X)), expected)
    objects = np.empty(len(X), dtype=object)
    objects[:] = X
    np.testing.assert_array_equal(other.predict_proba(objects), expected)


def test_series_longer_than_those_fitted_are_told(unequal, fitted_unequal):
    longer = np.concatenate([unequal[0][0]] * 3, axis=1)
    assert fitted_unequal.predict([longer, unequal[0][1]]).shape == (2,)


def test_a_fit_on_unequal_lengths_takes_equal_ones(tones, fitted_unequal):
    assert fitted_unequal.predict(tones[0]).shape == (48,)


def test_one_channel_of_unequal_length_may_be_one_dimensional(unequal):
    X, y = unequal
    model = TimeSeriesClassifier(**SMALL).fit([x[1] for x in X], y)
    assert model.shape_in_ == (1, 40)
    expected = model.predict_proba([x[1:] for x in X])
    np.testing.assert_array_equal(model.predict_proba([x[1] for x in X]), expected)
    np.testing.assert_array_equal(model.predict_proba(padded(X)[:, 1]), expected)


def test_statistics_leave_the_padding_out(unequal, fitted_unequal):
    values = np.concatenate(unequal[0], axis=1).astype(np.float64)
    module = fitted_unequal.net_.module_
    np.testing.assert_allclose(module.mean[:, 0], values.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(module.scale[:, 0], values.std(axis=1), rtol=1e-6)


def test_unequal_lengths_go_through_splits(unequal):
    X, y = unequal
    model = TimeSeriesClassifier(**SMALL, validation_fraction=0.25).fit(X, y)
    assert "valid_loss" in model.history_[-1]
    assert len(cross_val_score(model, padded(X), y, cv=2)) == 2


def test_two_dimensions_are_one_channel(tones):
    X, y = tones
    model = TimeSeriesClassifier(**SMALL).fit(X[:, 1], y)
    other = TimeSeriesClassifier(**SMALL).fit(X[:, 1:], y)
    np.testing.assert_array_equal(model.predict_proba(X[:, 1]), other.predict_proba(X[:, 1:]))


def test_channels_are_standardised_each_by_its_own(tones):
    X, y = tones
    far = X * np.array([[10.0], [0.01]], np.float32) + np.array([[-3.0], [200.0]], np.float32)
    one = TimeSeriesClassifier(**SMALL).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(
        TimeSeriesClassifier(**SMALL).fit(far, y).predict_proba(far), one, atol=0.02
    )


def test_scale_by_case_forgets_level_and_spread_of_each_case(tones):
    X, y = tones
    gain = np.random.default_rng(0).uniform(0.5, 2, (48, 2, 1)).astype(np.float32)
    model = TimeSeriesClassifier(**SMALL, scale="case").fit(X, y)
    np.testing.assert_allclose(model.predict_proba(gain * X + 3), model.predict_proba(X), atol=1e-4)
    with pytest.raises(ValueError, match="scale='cases' is not one of"):
        TimeSeriesClassifier(scale="cases").fit(X, y)


def test_scale_by_case_leaves_the_padding_out():
    class Identity(torch.nn.Module):
        def forward(self, X, lengths=None):
            return X

    X = torch.tensor([[[1.0, 3.0, 99.0]], [[0.0, 0.0, 3.0]]])
    module = ScaledSeries(Identity, 1, scale="case")
    expected = torch.tensor([[[-1.0, 1.0, 0.0]], [[-0.5, -0.5, 1.0]]]) * torch.tensor(
        [[[1.0]], [[2**0.5]]]
    )
    torch.testing.assert_close(module(X, lengths=torch.tensor([2, 3])), expected)
    torch.testing.assert_close(module(X[1:]), expected[1:])


def test_a_class_of_ones_own_is_given_its_sizes(tones):
    class Flat(torch.nn.Sequential):
        def __init__(self, n_classes, n_timepoints, n_channels, slope=0.0):
            n_inputs = n_channels * n_timepoints
            super().__init__(torch.nn.Flatten(), torch.nn.Linear(n_inputs, n_classes))
            self.slope = slope

    model = TimeSeriesClassifier(Flat, network_params={"slope": 0.5}, max_epochs=1).fit(*tones)
    assert model.net_.module_.network.slope == 0.5
    assert model.net_.module_.network[1].in_features == 80
    assert not model.takes_unequal_lengths


def test_search_over_networks_and_their_parameters(tones):
    grid = [
        {"network": ["fcn"], "network__n_filters": [(4, 4, 4), (8, 8, 8)]},
        {"network": ["lstm"], "network__lstm_units": [4]},
    ]
    search = GridSearchCV(
        TimeSeriesClassifier(max_epochs=1, random_state=0), grid, cv=2, error_score="raise"
    ).fit(*tones)
    assert len(search.cv_results_["params"]) == 3


def test_network_parameters_are_listed_and_set():
    model = TimeSeriesClassifier(network_params={"n_filters": (4, 4, 4)})
    assert model.get_params()["network__n_filters"] == (4, 4, 4)
    model.set_params(network__kernel_sizes=(3, 3, 3))
    assert model.network_params == {"n_filters": (4, 4, 4), "kernel_sizes": (3, 3, 3)}
    assert clone(model).get_params()["network__kernel_sizes"] == (3, 3, 3)


def test_pipeline_and_halving_search(tones):
    X, y = tones
    pipe = make_pipeline(FunctionTransformer(np.negative), TimeSeriesClassifier(**SMALL))
    search = HalvingRandomSearchCV(
        pipe,
        {"timeseriesclassifier__lr": [1e-3, 3e-3, 1e-2, 3e-2]},
        resource="timeseriesclassifier__max_epochs",
        max_resources=4,
        min_resources=1,
        factor=2,
        cv=2,
        random_state=0,
        error_score="raise",
    )
    assert search.fit(X, y).n_resources_[-1] > 1


def test_several_networks_average(tones, fitted):
    X, y = tones
    model = TimeSeriesClassifier(**SMALL, n_networks=3).fit(X, y)
    assert len(model.nets_) == 3
    singles = [model._logits(X)[i] for i in range(3)]
    softmax = [np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) for z in singles]
    np.testing.assert_allclose(model.predict_proba(X), np.mean(softmax, axis=0))
    assert not np.allclose(singles[0], singles[1])


def test_equal_seeds_agree_bit_for_bit(tones, fitted):
    again = TimeSeriesClassifier(**SMALL).fit(*tones)
    np.testing.assert_array_equal(again.predict_proba(tones[0]), fitted.predict_proba(tones[0]))


@pytest.mark.parametrize("which", ["fitted", "fitted_unequal"])
def test_pickle_predicts_alike(which, request, unequal, tones):
    model = request.getfixturevalue(which)
    X = tones[0] if which == "fitted" else unequal[0]
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.predict_proba(X), model.predict_proba(X))


def test_refit_on_another_number_of_channels(tones):
    X, y = tones
    model = TimeSeriesClassifier(**SMALL).fit(X, y)
    assert model.fit(X[:, :1], y).predict(X[:, :1]).shape == (48,)


def test_a_fit_on_series_of_one_length_tells_others_too(fitted, unequal):
    series = unequal[0]
    alone = [fitted.predict_proba([each])[0] for each in series]
    for X in (series, padded(series)):
        np.testing.assert_allclose(fitted.predict_proba(X), alone, atol=1e-6)
    shorter = [each[:, :20] for each in series]
    assert fitted.predict(shorter).shape == (48,)


def test_an_array_of_another_length_is_refused(fitted, tones):
    with pytest.raises(ValueError, match=r"rows of shape \(2, 39\).*prepare both alike"):
        fitted.predict(tones[0][:, :, :-1])


def test_a_split_may_leave_one_length_for_training(tones):
    X, y = tones[0].copy(), tones[1]
    X[0, :, 30:] = np.nan
    model = TimeSeriesClassifier(**SMALL)
    assert np.isfinite(cross_val_score(model, X, y, cv=2, error_score="raise")).all()
    assert np.isfinite(cross_val_score(model, list(X), y, cv=2, error_score="raise")).all()


@pytest.mark.parametrize("network", EQUAL)
def test_networks_of_one_length_say_so_of_others_at_predict(tones, unequal, network):
    model = TimeSeriesClassifier(network, max_epochs=1).fit(*tones)
    with pytest.raises(ValueError, match="takes series of one length"):
        model.predict(unequal[0])


def test_one_channel_may_have_an_axis_or_none(tones):
    X, y = tones[0][:, 1], tones[1]
    flat = TimeSeriesClassifier(**SMALL).fit(X, y)
    deep = TimeSeriesClassifier(**SMALL).fit(X[:, np.newaxis], y)
    for model in (flat, deep):
        expected = model.predict_proba(X)
        np.testing.assert_array_equal(model.predict_proba(X[:, np.newaxis]), expected)


def test_lists_of_few_series_are_told_after_a_fit_on_several_lengths(unequal):
    series = [x[1] for x in unequal[0]]
    model = TimeSeriesClassifier(**SMALL).fit(series, unequal[1])
    expected = model.predict_proba(series)[:1]
    for X in ([series[0]], [series[0], series[0]], [series[0].tolist()]):
        np.testing.assert_allclose(model.predict_proba(X)[:1], expected, atol=1e-6)


def test_lists_of_other_lengths_are_told_after_a_fit_on_two_dimensions(tones, unequal):
    model = TimeSeriesClassifier(**SMALL).fit(tones[0][:, 1], tones[1])
    assert model.predict([x[1] for x in unequal[0]]).shape == (48,)


def test_dataframes_may_end_in_missing_values(unequal):
    X = pd.DataFrame(padded(unequal[0])[:, 1])
    model = TimeSeriesClassifier(**SMALL).fit(X, unequal[1])
    expected = TimeSeriesClassifier(**SMALL).fit(X.to_numpy(), unequal[1]).predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_padding_that_all_series_share_changes_nothing(tones):
    X, y = tones
    more = np.pad(X, ((0, 0), (0, 0), (0, 60)), constant_values=np.nan)
    params = {"network": "xcm", "max_epochs": 1, "random_state": 0}
    fitted = TimeSeriesClassifier(**params).fit(X, y)
    padded_ = TimeSeriesClassifier(**params).fit(more, y)
    assert padded_.shape_in_ == fitted.shape_in_
    np.testing.assert_array_equal(padded_.predict_proba(more), fitted.predict_proba(X))
    assert TimeSeriesClassifier("lstm_fcn", max_epochs=1).fit(more, y).predict(more).shape == (48,)


# Powers of 2, by which float32 scales without rounding: training would make more of its errors.
@pytest.mark.parametrize("factor", [2.0**-76, 2.0**63])
def test_scaling_by_case_takes_any_unit(tones, factor):
    X, y = tones
    model = TimeSeriesClassifier(**SMALL, scale="case").fit(X, y)
    scaled = TimeSeriesClassifier(**SMALL, scale="case").fit(X * np.float32(factor), y)
    logits = scaled.predict_proba(X * np.float32(factor))
    np.testing.assert_allclose(logits, model.predict_proba(X), atol=1e-3)


def test_what_padding_may_be_is_told(tones):
    X, y = tones[0].copy(), tones[1]
    X[3, 0, 30:] = np.nan
    with pytest.raises(ValueError, match="NaN within series 3; only timepoints at the end"):
        TimeSeriesClassifier(**SMALL).fit(X, y)
    X[3] = np.nan
    with pytest.raises(ValueError, match=r"X\[3\] has no timepoints"):
        TimeSeriesClassifier(**SMALL).fit(X, y)


def test_scores_of_skorch_are_those_of_a_classifier(tones):
    scores = [
        EpochScoring("accuracy", lower_is_better=False),
        EpochScoring("roc_auc_ovr", lower_is_better=False),
        EpochScoring("accuracy", lower_is_better=False, on_train=True, name="train_accuracy"),
    ]
    params = {**SMALL, "max_epochs": 40, "validation_fraction": 0.25}
    callbacks = [(f"score{i}", score) for i, score in enumerate(scores)]
    history = TimeSeriesClassifier(**params, callbacks=callbacks).fit(*tones).history_
    for name in ("accuracy", "roc_auc_ovr", "train_accuracy"):
        assert history[-1, name] == 1.0
    assert history[0, "accuracy"] in np.arange(13) / 12


def test_a_network_that_returns_several_things_is_refused(tones):
    class Two(torch.nn.Linear):
        def __init__(self, n_timepoints, n_classes):
            super().__init__(n_timepoints, n_classes)

        def forward(self, X):
            return super().forward(X[:, 0]), X

    with pytest.raises(TypeError, match="the network returns a tuple; its forward must"):
        TimeSeriesClassifier(Two, scale=None).fit(*tones)


def test_two_schedules_are_refused(tones):
    callbacks = [AdaptiveCycle(1e-2, monitor="train_loss"), OneCycle(1e-4)]
    with pytest.raises(
        ValueError, match="two schedules of the learning rate, AdaptiveCycle and OneC"
    ):
        TimeSeriesClassifier(**SMALL, callbacks=callbacks).fit(*tones)


def test_another_rank_is_told(fitted, tones):
    with pytest.raises(
        ValueError, match="X has 2 dimensions but TimeSeriesClassifier was fitted on 3"
    ):
        fitted.predict(tones[0][:, 0])


def test_a_forward_that_demands_lengths_is_refused(tones):
    class Demanding(FCN):
        def forward(self, X, lengths):
            return super().forward(X, lengths)

    with pytest.raises(ValueError, match="give them the default None"):
        TimeSeriesClassifier(Demanding, max_epochs=1).fit(*tones)


def test_a_bad_network_does_not_break_what_looks_at_attributes():
    assert TimeSeriesClassifier("fnc").takes_unequal_lengths is False


def test_swapped_axes_of_listed_series_are_named(unequal):
    with pytest.raises(ValueError, match=r"If their axes are swapped, pass x\.T"):
        TimeSeriesClassifier(**SMALL).fit([x.T for x in unequal[0]], unequal[1])


def test_padding_is_0_for_a_network_behind_the_scaling():
    class Echo(torch.nn.Module):
        def forward(self, X, lengths=None):
            return X

    scaled = ScaledSeries(Echo, 1)
    scaled.mean += 5
    X = torch.ones(2, 1, 3)
    padding = scaled(X, lengths=torch.tensor([3, 1]))
    np.testing.assert_array_equal(padding[:, 0], [[-4, -4, -4], [-4, 0, 0]])


def test_partial_fit_trains_on_series_of_other_lengths(unequal):
    X, y = unequal
    model = TimeSeriesClassifier(**SMALL).partial_fit(X[::2], y[::2])
    assert model.partial_fit(X[1::2], y[1::2]).n_iter_ == 2


class Interrupted(Exception):
    pass


class InterruptOnce(Callback):
    """Fail in the middle of the third epoch, the first time."""

    armed = True

    def on_batch_end(self, net, training, **kwargs):
        if InterruptOnce.armed and len(net.history) == 3:
            InterruptOnce.armed = False
            raise Interrupted


def test_interrupted_fit_on_unequal_lengths_resumes_bit_for_bit(unequal, tmp_path):
    X, y = unequal
    cycle = ("cycle", AdaptiveCycle(monitor="train_loss", patience=0))
    params = SMALL | {"max_epochs": 4, "callbacks": [cycle, ("interrupt", InterruptOnce())]}
    model = TimeSeriesClassifier(**params, checkpoint=tmp_path / "fit.ckpt")
    with pytest.raises(Interrupted):
        model.fit(X, y)
    whole = TimeSeriesClassifier(**params).fit(X, y)
    model.fit(X, y)
    assert model.history_[:, "batches", :, "lr"] == whole.history_[:, "batches", :, "lr"]
    np.testing.assert_array_equal(model.predict_proba(X), whole.predict_proba(X))


def test_lr_auto_takes_the_rate_of_the_range_test(tones):
    model = TimeSeriesClassifier(**SMALL | {"lr": "auto", "max_epochs": 1}).fit(*tones)
    assert model.net_.optimizer_.param_groups[0]["lr"] == model.lr_range_.lr_max_
    assert 1e-6 < model.lr_range_.lr_max_ < 1


def test_float16_is_read_as_it_is(tones, fitted):
    X, y = tones
    model = TimeSeriesClassifier(**SMALL).fit(X.astype(np.float16), y)
    np.testing.assert_allclose(model.predict_proba(X), fitted.predict_proba(X), atol=0.05)


def test_swapped_axes_warn(tones):
    X, y = tones
    with pytest.warns(UserWarning, match=r"more channels \(40\) than timepoints \(2\)"):
        TimeSeriesClassifier(**SMALL).fit(X.swapaxes(1, 2), y)


def hole(X):
    X = padded(X)
    X[3, 0, 5] = np.nan
    return X


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (hole, "NaN within series 3"),
        (lambda X: [*X[:-1], X[-1][:1]], r"X\[47\] has 1 channels but X\[0\] has 2"),
        (lambda X: [*X[:-1], X[-1][0, 0]], r"X\[47\] has shape \(\)"),
        (
            lambda X: [*X[:-1], np.array([["a"] * 9] * 2)],
            r"X\[47\] has shape \(2, 9\) and dtype <U1",
        ),
        (lambda X: [*X[:-1], np.empty((2, 0))], r"X\[47\] has no timepoints"),
        (lambda X: [*X[:-1], np.full((2, 9), np.inf)], r"contains infinity.*first in row 47"),
        (lambda X: padded(X)[:, np.newaxis], "X has 4 dimensions"),
        (lambda X: X[:-1], "y has 48 labels but X has 47 cases"),
        (lambda X: [], "X has 0 cases; at least 1 is required"),
    ],
)
def test_bad_series_are_refused(unequal, make, message):
    X, y = unequal
    with pytest.raises(ValueError, match=message):
        TimeSeriesClassifier(**SMALL).fit(make(X), y)


def test_other_channels_than_fitted_are_refused(unequal, fitted_unequal, tones, fitted):
    with pytest.raises(ValueError, match="was fitted on 2 channels"):
        fitted_unequal.predict([x[:1] for x in unequal[0]])
    with pytest.raises(ValueError, match=r"rows of shape \(2, 39\)"):
        fitted.predict(tones[0][:, :, :-1])


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"network": "FCN"}, ValueError, "network='FCN' is not one of"),
        ({"network": FCN(1, 2)}, TypeError, "network is an instance of FCN; give the class"),
        ({"network": 3}, ValueError, "network=3 is not one of"),
        ({"network_params": [1]}, TypeError, "must be a dict or None"),
        ({"network_params": {"n_filter": 3}}, ValueError, "'n_filter'.*open are n_filters"),
        ({"network_params": {"n_classes": 3}}, ValueError, "'n_classes'.*not open to choice"),
        ({"network": torch.nn.Linear}, ValueError, "Linear needs in_features, out_features"),
        ({"n_networks": 0}, ValueError, "n_networks=0 must be at least 1"),
    ],
)
def test_bad_parameters_are_refused(tones, params, error, message):
    with pytest.raises(error, match=message):
        TimeSeriesClassifier(**{**SMALL, "network_params": None, **params}).fit(*tones)


def test_network_class_and_name_are_the_same(tones):
    X, y = tones
    one = TimeSeriesClassifier("lstm", max_epochs=1, random_state=0).fit(X, y)
    other = TimeSeriesClassifier(LSTM, max_epochs=1, random_state=0).fit(X, y)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
