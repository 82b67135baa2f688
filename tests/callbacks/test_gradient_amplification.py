"""Measures of gradients by hand, and what amplification does to the steps of an optimizer."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetRegressor
from skorch.callbacks import Callback, Freezer, GradientNormClipping, LRScheduler, Unfreezer
from torch import nn

from skprog._training import ArrayData, TrainingNet
from skprog.callbacks import (
    FitCheckpoint,
    GradientAmplification,
    gradient_measure,
    normalise_measures,
)
from skprog.callbacks._gradient_measure import CHUNK_SIZE, GradientSums, _chunks
from skprog.callbacks._layers import find_layers, why_none
from skprog.estimators import (
    CnnLstmRUL,
    GHLClassifier,
    ImageClassifier,
    SEMClassifier,
    TimeSeriesClassifier,
)

FINITE = {"min_value": -8, "max_value": 8, "width": 32, "allow_subnormal": False}


class TwoLayers(nn.Module):
    """Two linear layers, of which the first is chosen where only one is."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.last = nn.Linear(4, 1)

    def forward(self, X):
        return self.last(self.norm(self.first(X)).relu())[:, 0]


class Spy(Callback):
    """Keep gradients and weights of each step, as they are when the callback is told."""

    def initialize(self):
        self.gradients, self.weights = [], []
        return self

    def on_grad_computed(self, net, **kwargs):
        self.gradients.append(gradients_of(net.module_))

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.weights.append({k: p.detach().clone() for k, p in net.module_.named_parameters()})


def gradients_of(module):
    return {k: p.grad.clone() for k, p in module.named_parameters() if p.grad is not None}


def data(n_rows=12):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 3)).astype(np.float32)
    return ArrayData(X, (X @ [1.0, -2.0, 0.5]).astype(np.float32))


def make_net(*callbacks, module=TwoLayers, epochs=3, **params):
    params = {"lr": 0.1, "optimizer": torch.optim.SGD, "batch_size": 6, "shuffle": False} | params
    named = [(type(callback).__name__, callback) for callback in callbacks]
    net = TrainingNet(module, nn.MSELoss, callbacks=named, max_epochs=epochs, **params)
    return net.initialize()


def train(*callbacks, epochs=3, checkpoint=None, **params):
    if checkpoint is not None:
        callbacks = (*callbacks, checkpoint)
    net = make_net(*callbacks, epochs=epochs, **params)
    net.train(data(), None, epochs, checkpoint=checkpoint)
    return net


def amplify(schedule=((9, None, True, 2),), **params):
    """Return a callback that amplifies the linear layers from the second epoch on."""
    params = {"strategy": "all", "layer_types": ("Linear",)} | params
    return GradientAmplification(schedule, **params)


def weights(net):
    return {name: value.clone() for name, value in net.module_.state_dict().items()}


def test_measures_by_hand():
    # Net gradients 2, 0, 3 of absolute ones 4, 4, 3; the last weight has none.
    gradients = [[3.0, 2.0, 1.0, 0.0], [-1.0, -2.0, 2.0, 0.0]]
    assert gradient_measure(gradients) == (2 + 0 + 3) / (4 + 4 + 3)
    assert gradient_measure(gradients, "G_prime") == (2 / 4 + 0 + 1 + 0) / 4


def test_a_layer_without_gradient_has_no_measure():
    assert np.isnan(gradient_measure(np.zeros((3, 2))))
    assert np.isnan(gradient_measure(np.zeros((3, 2)), "G_prime"))


@pytest.mark.parametrize("measure", ["G", "G_prime"])
@given(gradients=arrays(np.float64, (4, 3), elements=st.floats(**FINITE)))
def test_measures_lie_between_0_and_1_and_know_no_unit(measure, gradients):
    value = gradient_measure(gradients, measure)
    if np.isnan(value):
        assert not gradients.any()
        return
    assert 0 <= value <= 1 + 1e-12
    assert gradient_measure(-4 * gradients, measure) == pytest.approx(value, abs=1e-12)
    if (gradients >= 0).all():
        used = 1.0 if measure == "G" else gradients.any(axis=0).mean()
        assert value == pytest.approx(used)


@pytest.mark.parametrize("measure", ["G", "G_prime"])
@pytest.mark.parametrize("n_steps", [16, 100])
def test_noise_comes_to_the_inverse_root_of_the_steps(measure, n_steps):
    noise = np.random.default_rng(0).standard_normal((n_steps, 20_000))
    assert gradient_measure(noise, measure) == pytest.approx(n_steps**-0.5, rel=0.03)


def test_normalised_measures_by_hand():
    np.testing.assert_allclose(
        normalise_measures([1.0, 2.0, 3.0, 6.0]), np.array([-2, -1, 0, 3]) / 3.5**0.5
    )


@given(st.integers(2, 30))
def test_no_layer_exceeds_the_root_of_their_number_less_one(n_layers):
    measures = np.zeros(n_layers)
    measures[0] = 0.7
    assert normalise_measures(measures)[0] == pytest.approx((n_layers - 1) ** 0.5)


def test_equal_measures_stand_out_nowhere():
    assert not normalise_measures([0.1 + 0.2, 0.3, 0.3]).any()
    assert normalise_measures([0.5]) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gradient_measure([1.0, 2.0]), r"shape \(2,\); give \(n_steps, n_weights\)"),
        (lambda: gradient_measure([[1.0, np.nan]]), "gradients contains NaN"),
        (lambda: gradient_measure([[1.0]], "g"), "measure='g' is not one of 'G', 'G_prime'"),
        (lambda: normalise_measures([]), r"shape \(0,\); give \(n_layers,\)"),
        (lambda: normalise_measures([np.inf]), "measures contains infinity"),
    ],
)
def test_measures_refuse_what_they_cannot_read(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_history_has_the_measures_of_the_gradients_there_were():
    spy = Spy()
    net = train(spy, amplify(strategy="intelligent", threshold=0.1), epochs=2)
    first = spy.gradients[:2]
    for name in ("first", "last"):
        steps = [
            np.concatenate([g[f"{name}.{key}"].numpy().ravel() for key in ("weight", "bias")])
            for g in first
        ]
        assert net.history[0]["gradient_measures"][name] == pytest.approx(
            gradient_measure(steps), rel=1e-6
        )
    values = [*net.history[0]["gradient_measures"].values()]
    np.testing.assert_allclose(
        [*net.history[0]["normalised_measures"].values()], normalise_measures(values)
    )
    assert net.history[:, "n_measured_steps"] == [2, 0]
    assert net.history[0]["amplified_layers"] == []
    assert net.history[1]["amplified_layers"] == ["first" if values[0] > values[1] else "last"]
    assert net.history[:, "amplification_factor"] == [1.0, 2.0]


@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "weight_decay": 0.1}])
def test_a_step_is_that_of_the_doubled_gradient_bit_for_bit(clip, options):
    callbacks = [] if clip is None else [GradientNormClipping(clip)]
    params = {f"optimizer__{name}": value for name, value in options.items()}
    net = train(*callbacks, amplify(), **params)
    # By hand: gradients of the linear layers doubled after clipping, from the second epoch on.
    module = TwoLayers()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, **options)
    for epoch in (1, 2, 3):
        for X, y in data().batches(6, shuffle=False):
            optimizer.zero_grad()
            nn.functional.mse_loss(module(X), y).backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(module.parameters(), clip)
            if epoch > 1:
                for layer in (module.first, module.last):
                    layer.weight.grad *= 2
                    layer.bias.grad *= 2
            optimizer.step()
    for name, value in module.state_dict().items():
        assert torch.equal(value, net.module_.state_dict()[name]), name


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_mixed_precision_doubles_the_unscaled_gradient_bit_for_bit(amp):
    spy = Spy()
    # Before its scale has come down, "fp16" leaves out steps.
    phases = [(8, None, False, 1), (10, None, True, 2)]
    callbacks = [GradientNormClipping(0.05), spy, amplify(phases)]
    net = train(*callbacks, epochs=10, batch_size=12, amp=amp)
    assert net.scaler_.is_enabled() == (amp == "fp16")
    for name, before in spy.weights[8].items():
        factor = 1 if name.startswith("norm") else 2
        expected = before.add(factor * spy.gradients[9][name], alpha=-0.1)
        assert torch.equal(spy.weights[9][name], expected), name
        assert not torch.equal(before, expected), name


def test_layers_that_are_not_chosen_take_the_plain_step():
    plain, amplified = (
        weights(train(*each, epochs=2, batch_size=12)) for each in ([], [amplify()])
    )
    for name in ("norm.weight", "norm.bias"):
        assert torch.equal(plain[name], amplified[name])
    assert not torch.equal(plain["first.weight"], amplified["first.weight"])


@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.SGD])
def test_an_amplified_update_is_the_step_of_the_optimizer_times_the_factor(optimizer):
    params = {"batch_size": 12, "optimizer": optimizer}
    first, second = (weights(train(epochs=epochs, **params)) for epochs in (1, 2))
    callback = amplify([(9, None, True, 3)], apply_to="update")
    net = train(callback, epochs=2, **params)
    for name, factor in (("first.weight", 3), ("last.bias", 3), ("norm.bias", 1)):
        expected = first[name] + factor * (second[name] - first[name])
        torch.testing.assert_close(net.module_.state_dict()[name], expected)


def test_a_constant_factor_cancels_in_adam_and_one_warning_says_so():
    with pytest.warns(UserWarning, match="Adam cancels a constant factor") as caught:
        net = train(amplify(), optimizer=torch.optim.Adam, epochs=1)
    assert len(caught) == 1
    assert net.history[0]["amplified_layers"] == []


def test_amplification_before_batch_normalisation_is_that_of_smaller_weights():
    c, n_steps, lr = 4.0, 20, 0.05
    X = torch.from_numpy(np.random.default_rng(0).standard_normal((16, 1, 12)))
    y = torch.arange(16.0, dtype=torch.float64) % 2

    def losses(scale, factor):
        torch.manual_seed(0)
        conv, norm = nn.Conv1d(1, 4, 3, bias=False), nn.BatchNorm1d(4, eps=1e-30)
        module = nn.Sequential(conv, norm, nn.ReLU(), nn.Flatten(), nn.Linear(40, 1)).double()
        conv.weight.data *= scale
        optimizer = torch.optim.SGD(module.parameters(), lr=lr)
        values = []
        for _ in range(n_steps):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(module(X)[:, 0], y)
            loss.backward()
            conv.weight.grad *= factor
            optimizer.step()
            values.append(loss.item())
        return np.array(values), conv.weight.detach()

    amplified, weight = losses(1.0, c)
    plain, smaller = losses(c**-0.5, 1.0)
    np.testing.assert_allclose(amplified, plain, atol=1e-9)
    torch.testing.assert_close(weight, smaller * c**0.5, rtol=1e-9, atol=1e-12)


def test_a_fit_resumed_in_mid_phase_goes_on_bit_for_bit(tmp_path):
    class Stop(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 4:
                raise RuntimeError("power cut")

    def callback():
        return amplify([(8, 0.1, True, 2)], strategy="random", case=2, threshold=0.5)

    params = {"epochs": 8, "optimizer__momentum": 0.9}
    whole = train(callback(), **params)
    checkpoint = FitCheckpoint(tmp_path / "fit")
    with pytest.raises(RuntimeError, match="power cut"):
        train(callback(), Stop(), checkpoint=checkpoint, **params)
    resumed = train(callback(), checkpoint=checkpoint, **params)
    assert whole.history[3]["amplified_layers"]
    for key in ("amplified_layers", "amplification_factor", "train_loss", "gradient_measures"):
        assert whole.history[:, key] == resumed.history[:, key]
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(resumed)[name])


def test_phases_measure_first_and_leave_the_rest_alone():
    schedule = [(2, 0.1, False, 1), (5, 0.1, True, 4), (7, 0.01, True, 2), (8, 0.02, False, 1)]
    net = train(amplify(schedule), epochs=9)
    assert net.history[:, "amplification_factor"] == [1, 1, 1, 4, 4, 1, 2, 1, 1]
    assert [bool(each) for each in net.history[:, "gradient_measures"]] == [
        epoch in (3, 6) for epoch in range(1, 10)
    ]
    assert net.optimizer_.param_groups[0]["lr"] == 0.02


def test_layers_are_chosen_anew_and_stay_amplified_meanwhile():
    net = train(amplify(reselect_every=2), epochs=6)
    assert net.history[:, "n_measured_steps"] == [2, 0, 2, 0, 2, 0]
    assert net.history[:, "amplification_factor"] == [1, 2, 2, 2, 2, 2]


def test_a_rate_of_a_phase_is_each_groups_share():
    groups = [("first*", {"lr": 0.05})]
    net = train(amplify([(9, 0.4, False, 1)]), optimizer__param_groups=groups)
    assert sorted(group["lr"] for group in net.optimizer_.param_groups) == [0.2, 0.4]


@pytest.mark.parametrize(
    ("name", "max_epochs", "ends"),
    [
        ("params_1", 150, [50, 100, 130, 150]),
        ("params_2", 150, [10, 100, 145, 150]),
        ("params_1", 30, [10, 20, 26, 30]),
        ("params_2", 15, [1, 10, 14, 15]),
        ("params_1", 300, [100, 200, 260, 300]),
    ],
)
def test_named_schedules_are_scaled(name, max_epochs, ends):
    phases = GradientAmplification(name, factor=3).phases(max_epochs, lr=0.2)
    assert [end for end, *_ in phases] == ends
    assert [phase[1:] for phase in phases] == [
        (0.2, False, 1.0),
        (0.2, True, 3.0),
        (pytest.approx(0.02), True, 3.0),
        (pytest.approx(0.02), False, 1.0),
    ]


@given(st.sampled_from(["params_1", "params_2"]), st.integers(4, 400))
def test_named_schedules_rise_to_the_last_epoch(name, max_epochs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ends = [end for end, *_ in GradientAmplification(name).phases(max_epochs, lr=1.0)]
    assert ends == sorted(set(ends))
    assert ends[0] >= 1
    assert ends[-1] == max_epochs


def test_a_phase_that_only_measures_warns():
    with pytest.warns(UserWarning, match="amplified phases of a single epoch, 3, 4, only measure"):
        GradientAmplification("params_1").phases(5, lr=0.1)
    with pytest.warns(UserWarning, match="amplified phases of a single epoch, 2, only measure"):
        GradientAmplification([(1, None, False, 1), (2, None, True, 2)]).phases(9)


def test_a_schedule_that_begins_too_late_warns():
    with pytest.warns(UserWarning, match="amplifies none of the epochs 1 to 3; train longer or"):
        train(amplify([(2, None, False, 1), (9, None, True, 2)]))
    train(amplify([(2, None, False, 1), (9, None, True, 2)]), epochs=4)
    train(amplify([(9, None, False, 1)]))


def test_an_analysis_at_the_end_of_a_phase_is_left_out():
    phases = [(3, None, True, 2), (4, None, False, 1)]
    net = train(amplify(phases, reselect_every=2), epochs=4)
    assert net.history[:, "n_measured_steps"] == [2, 0, 0, 0]


def test_a_named_schedule_is_planned_for_each_training():
    X, y = np.random.default_rng(0).standard_normal((24, 1, 32)), np.arange(24) % 2
    model = TimeSeriesClassifier(
        "fcn",
        network_params={"n_filters": (4, 4, 4)},
        optimizer="sgd",
        lr=0.05,
        max_epochs=10,
        callbacks=[("amplification", GradientAmplification("params_1", threshold=0.1))],
        warm_start=True,
        random_state=0,
    )
    rates = 7 * [0.05] + 3 * [0.005]
    factors = [1, 1, 1, 1, 2, 2, 2, 1, 2, 1]
    model.fit(X, y)
    np.testing.assert_allclose(model.history_[:, "lr"], rates)
    assert model.history_[:, "amplification_factor"] == factors
    model.fit(X, y)
    np.testing.assert_allclose(model.history_[:, "lr"], rates + rates)
    assert model.history_[10:, "amplification_factor"] == factors
    with pytest.raises(ValueError, match=r"has 4 phases but max_epochs=1; .* partial_fit takes"):
        model.partial_fit(X, y)


def test_strategies_draw_from_the_same_layers():
    def chosen(**params):
        callback = GradientAmplification([(9, None, True, 2)], case=2, threshold=0.9, **params)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return train(callback, module=Deep, epochs=2).history[1]["amplified_layers"]

    intelligent = chosen()
    drawn = [chosen(strategy="random", random_state=seed) for seed in range(6)]
    assert 0 < len(intelligent) < 6
    assert {len(each) for each in drawn} == {len(intelligent)}
    assert len({tuple(each) for each in drawn}) > 1
    assert drawn[0] == chosen(strategy="random", random_state=0)
    assert chosen(strategy="all") == [f"layers.{i}" for i in range(6)]


class Deep(nn.Module):
    """Six layers, of which the gradients differ."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(*(nn.Linear(3, 3) for _ in range(5)), nn.Linear(3, 1))

    def forward(self, X):
        return self.layers(X)[:, 0]


def test_random_layers_do_not_change_the_training_before_them():
    losses = [
        train(*callbacks, epochs=1, shuffle=True).history[0, "train_loss"]
        for callbacks in ([], [amplify(strategy="random", threshold=0.1)])
    ]
    assert losses[0] == losses[1]


def test_frozen_layers_and_those_without_a_gradient_are_left_out():
    class Partly(TwoLayers):
        def __init__(self):
            super().__init__()
            self.unused = nn.Linear(2, 2)
            self.first.requires_grad_(False)

    net = train(amplify(), module=Partly, epochs=2)
    assert net.history[1]["amplified_layers"] == ["last"]
    assert [*net.history[0]["gradient_measures"]] == ["last"]


def test_a_layer_frozen_after_it_was_chosen_is_let_go():
    net = train(amplify(), epochs=2)
    net.module_.first.requires_grad_(False)
    net.train(data(), None, 2)
    assert net.history[:, "amplified_layers"] == [[], ["first", "last"], ["last"], ["last"]]


def test_shared_parameters_count_once():
    class Shared(TwoLayers):
        def __init__(self):
            super().__init__()
            self.again = self.first
            self.tied = nn.Linear(3, 4)
            self.tied.weight = self.first.weight

    layers = find_layers(Shared(), group="module", layer_types=None)
    assert [*layers] == ["first", "norm", "last", "tied"]
    assert [len(each) for each in layers.values()] == [2, 2, 2, 1]


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("module", ["0", "1", "3", "4", "5"]),
        ("conv_bn", ["0", "3", "4", "5"]),
        ("parameter", ["0.weight", "1.weight", "1.bias", "3.weight_ih_l0", "3.weight_hh_l0"]),
    ],
)
def test_what_a_layer_is(group, names):
    lstm = nn.LSTM(4, 2, bias=False)
    module = nn.Sequential(
        nn.Conv1d(1, 4, 3, bias=False),
        nn.BatchNorm1d(4),
        nn.ReLU(),
        lstm,
        nn.Linear(2, 2),
        nn.BatchNorm1d(2),
    )
    layers = find_layers(module, group=group, layer_types=None)
    assert [*layers][: len(names)] == names
    assert sum(map(len, layers.values())) == len([*module.parameters()])


def test_a_shared_weight_goes_with_its_owner_that_may_be_chosen():
    module = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5))
    module[1].weight = module[0].weight
    layers = find_layers(module, group="module", layer_types=("Linear",))
    assert [parameter.shape for parameter in layers["1"]] == [(5, 4), (5,)]


def test_layer_types_are_classes_or_their_names():
    module = TwoLayers()
    for layer_types in (("Linear",), (nn.Linear,), ("Linear", nn.Linear)):
        assert [*find_layers(module, group="module", layer_types=layer_types)] == ["first", "last"]
    with pytest.raises(ValueError, match=r"holds 'linear', .*; there are Linear, BatchNorm1d"):
        find_layers(module, group="module", layer_types=("BatchNorm1d", "linear"))


def test_batch_normalisation_goes_with_the_convolution_before_it_and_no_other():
    def find(*modules, frozen=(), **params):
        module = nn.Sequential(*modules)
        for i in frozen:
            module[i].requires_grad_(False)
        layers = find_layers(module, group="conv_bn", **{"layer_types": None} | params)
        return {name: len(parameters) for name, parameters in layers.items()}

    convs = nn.Conv1d(1, 4, 3), nn.Conv1d(4, 4, 3)
    norm = nn.BatchNorm1d(4)
    assert find(*convs, norm, frozen=[1]) == {"0": 2, "1": 2}
    assert find(convs[0], nn.Flatten(), nn.Linear(4, 4), norm, frozen=[2]) == {"0": 2, "3": 2}
    assert find(convs[0], norm, nn.Linear(4, 1), layer_types=("Conv1d",)) == {"0": 4}


def test_batches_that_are_not_finite_are_left_out_and_counted():
    class Overflow(Callback):
        def on_grad_computed(self, net, **kwargs):
            self.n_ = getattr(self, "n_", 0) + 1
            if self.n_ == 2:
                net.module_.last.weight.grad[0, 0] = float("inf")
                net.module_.last.weight.grad.zero_().add_(float("nan"))

        def on_batch_end(self, net, training=False, **kwargs):
            net.module_.last.weight.data.nan_to_num_(0.0)

    net = train(Overflow(), amplify(), epochs=1, batch_size=3)
    assert net.history[0]["n_measured_steps"] == 3
    assert net.history[0]["n_left_out_steps"] == 1
    assert np.isfinite([*net.history[0]["gradient_measures"].values()]).all()


def test_sums_in_chunks_are_those_in_one():
    sizes = [(CHUNK_SIZE // 2, 3), (5,), (), (1, 2 * CHUNK_SIZE), (CHUNK_SIZE - 1,)]
    parameters = [nn.Parameter(torch.zeros(size)) for size in sizes]
    chunks = [*_chunks(parameters, parameters)]
    assert max(sum(part.numel() for part in parts) for _, parts in chunks) <= CHUNK_SIZE
    assert all(part.numel() for _, parts in chunks for part in parts)
    sums = GradientSums(parameters)
    expected = [torch.zeros(size) for size in sizes]
    for sign in (1, -1):
        for parameter, total in zip(parameters, expected, strict=True):
            parameter.grad = sign * torch.rand(parameter.shape)
            total += parameter.grad.abs()
        sums.add()
    for absolute, total in zip(sums.absolutes, expected, strict=True):
        assert torch.equal(absolute, total)


def test_sums_are_two_copies_of_the_parameters_let_go_after_the_epoch():
    held = []

    class Held(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            sums = dict(net.callbacks_)["GradientAmplification"]._sums
            kept = [] if sums is None else [*sums.totals, *sums.absolutes]
            held.append(sum(each.numel() * each.element_size() for each in kept))

    net = train(amplify(layer_types=None), Held(), epochs=2)
    n_bytes = sum(4 * p.numel() for p in net.module_.parameters())
    assert held == [2 * n_bytes, 2 * n_bytes, 0, 0]


def test_sparse_gradients_are_refused():
    class Sparse(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(4, 1, sparse=True)

        def forward(self, X):
            return self.embedding(X.argmax(dim=1))[:, 0]

    with pytest.raises(ValueError, match="measures dense gradients only; use sparse=False"):
        train(GradientAmplification([(2, None, True, 2)]), module=Sparse)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"threshold": 1.5}, "threshold=1.5 is out of reach, as of 3 layers none is .* 1.41"),
        ({"layer_types": ("BatchNorm1d",)}, "a single layer stands out from none; use strat"),
    ],
)
def test_one_warning_says_why_no_layer_is_amplified(params, message):
    with pytest.warns(UserWarning, match=f"after epoch 1: {message}") as caught:
        net = train(GradientAmplification([(9, None, True, 2)], **params), epochs=2)
    assert len(caught) == 1
    assert net.history[1]["amplified_layers"] == []
    assert net.history[:, "amplification_factor"] == [1, 1]


@pytest.mark.parametrize(
    ("case", "scores", "message"),
    [
        (1, [-1.4, 0.9, 0.3, 0.2], "the highest normalised measure is 0.90 and threshold=1.5"),
        (2, [-1.4, 0.9, 0.3, 0.2], "the highest normalised measure is 1.40 and threshold=1.5"),
        (1, [0.0, 0.0, 0.0, 0.0], "all layers have the same measure, as in an epoch of one step"),
    ],
)
def test_what_the_warning_says_of_measures(case, scores, message):
    assert message in why_none(np.array(scores), case=case, threshold=1.5)


def test_an_analysis_of_no_step_warns():
    class Silent(Callback):
        def on_grad_computed(self, net, **kwargs):
            for parameter in net.module_.parameters():
                parameter.grad = None

    with pytest.warns(UserWarning, match="no step with finite gradients was measured; a net that"):
        net = train(Silent(), amplify(), epochs=2)
    assert net.history[:, "n_measured_steps"] == [0, 0]


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        ([amplify(), GradientNormClipping(1.0)], "'GradientNormClipping' changes or reads"),
        ([LRScheduler("StepLR", step_size=1), amplify([(3, 0.1, True, 2)])], "so does LRScheduler"),
        ([amplify(layer_types=("Conv2d",))], "holds 'Conv2d', of which the network has no layer"),
        ([GradientAmplification("params_2")], "has 4 phases but max_epochs=3; train longer"),
    ],
)
def test_what_cannot_go_together_is_refused(callbacks, message):
    with pytest.raises(ValueError, match=message):
        train(*callbacks)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (
            {"schedule": "params_3"},
            ValueError,
            "schedule='params_3' is not one of 'params_1', 'par",
        ),
        ({"schedule": 3}, TypeError, "must be 'params_1' or 'params_2' or a list of tuples"),
        ({"schedule": []}, TypeError, "or a list of tuples"),
        ({"schedule": [(3, None)]}, ValueError, r"schedule holds \(3, None\); give \(last epoch"),
        ({"schedule": [(0, None, 0, 1)]}, ValueError, "a last epoch of schedule=0"),
        ({"schedule": [(3, 0.0, 0, 1)]}, ValueError, "a learning rate of schedule=0.0"),
        ({"schedule": [(3, None, 2, 1)]}, ValueError, "what schedule says of amplifying=2"),
        ({"schedule": [(3, None, 1, 0)]}, ValueError, "a factor of schedule=0"),
        ({"schedule": [(3, None, 0, 1), (3, None, 1, 2)]}, ValueError, "last epochs must rise"),
        ({"measure": "H"}, ValueError, "measure='H' is not one of 'G', 'G_prime'"),
        ({"case": 3}, ValueError, "case=3 is not one of 1, 2"),
        ({"threshold": 0}, ValueError, "threshold=0"),
        ({"factor": -1}, ValueError, "factor=-1"),
        ({"reselect_every": 0}, ValueError, "reselect_every=0"),
        ({"strategy": "best"}, ValueError, "strategy='best' is not one of"),
        ({"group": "block"}, ValueError, "group='block' is not one of"),
        ({"layer_types": "Linear"}, TypeError, "layer_types='Linear' must be a tuple"),
        ({"apply_to": "loss"}, ValueError, "apply_to='loss' is not one of"),
        ({"random_state": -1}, ValueError, "random_state=-1"),
    ],
)
def test_bad_parameters_are_refused(params, error, message):
    with pytest.raises(error, match=message):
        GradientAmplification(**params).initialize()


def test_a_trained_callback_holds_no_parameters_and_survives_copies():
    callback = amplify()
    net = train(callback)
    assert all(
        isinstance(value, list | int | None)
        for key, value in vars(callback).items()
        if key[-1] == "_"
    )
    assert not any(isinstance(value, GradientSums) for value in vars(callback).values())
    for each in (copy.deepcopy(callback), pickle.loads(pickle.dumps(callback)), clone(callback)):
        assert each.get_params() == callback.get_params()
    assert pickle.loads(pickle.dumps(net)).history[:, "amplification_factor"] == [1.0, 2.0, 2.0]


def test_a_net_of_skorch_takes_it():
    rows = data()
    net = NeuralNetRegressor(
        TwoLayers,
        max_epochs=3,
        lr=0.1,
        batch_size=6,
        train_split=None,
        verbose=0,
        callbacks=[amplify()],
    ).fit(rows.X, rows.y[:, None][:, 0])
    assert net.history[:, "amplification_factor"] == [1.0, 2.0, 2.0]


def rows_of_series():
    return np.random.default_rng(0).standard_normal((24, 1, 32)), np.arange(24) % 2


def rows_of_images():
    X = np.random.default_rng(0).integers(0, 256, (24, 3, 16, 16), dtype=np.uint8)
    return X, np.arange(24) % 2


def rows_of_micrographs():
    X = np.random.default_rng(0).integers(0, 256, (12, 64, 64), dtype=np.uint8)
    return X, np.arange(12) % 2


def rows_of_spectrograms():
    X = np.random.default_rng(0).standard_normal((24, 3, 1, 84, 25))
    return X, np.arange(24.0)[::-1]


FCN = {"network_params": {"n_filters": (4, 4, 4)}}
STEPS = {"n_blocks": 2, "max_steps": 30}


@pytest.mark.parametrize(
    ("model", "rows", "layer"),
    [
        (TimeSeriesClassifier("fcn", **FCN), rows_of_series, "network.head"),
        (TimeSeriesClassifier("fcn", **FCN, amp="bf16"), rows_of_series, "network.head"),
        (TimeSeriesClassifier("lstm"), rows_of_series, "network.lstm"),
        (GHLClassifier(kernel_sizes=(5, 3), pool_size=2), rows_of_series, "head.4"),
        (ImageClassifier(network_params={"width": 4}), rows_of_images, "network.head"),
        (SEMClassifier(**STEPS), rows_of_micrographs, "blocks.0.0"),
        (CnnLstmRUL(lr_decay=1.0, lstm_units=8, validation="random"), rows_of_spectrograms, "lstm"),
    ],
    ids=lambda value: getattr(value, "network", type(value).__name__),
)
def test_estimators_take_it(model, rows, layer):
    callback = GradientAmplification("params_2", threshold=0.5)
    params = {"optimizer": "sgd", "lr": 0.01, "batch_size": 6, "random_state": 0}
    if "max_steps" not in model.get_params():
        params["max_epochs"] = 15
    model.set_params(**params, callbacks=[("amplification", callback)]).fit(*rows())
    factors = model.history_[:, "amplification_factor"]
    assert factors == [1, 1, *(8 * [2]), 1, *(3 * [2]), 1]
    np.testing.assert_allclose(model.history_[:, "lr"], 10 * [0.01] + 5 * [0.001])
    assert layer in model.history_[1]["gradient_measures"]
    assert not hasattr(callback, "amplified_layers_")


def test_the_threshold_is_searched():
    phases = [(1, None, False, 1), (3, None, True, 2)]
    model = TimeSeriesClassifier(
        "fcn",
        **FCN,
        optimizer="sgd",
        batch_size=4,
        max_epochs=3,
        callbacks=[("amplification", GradientAmplification(phases))],
        random_state=0,
    )
    grid = {"callbacks__amplification__threshold": [0.1, 0.5]}
    search = GridSearchCV(model, grid, cv=2).fit(*rows_of_series())
    assert search.best_params_["callbacks__amplification__threshold"] in (0.1, 0.5)
    assert len(set(search.cv_results_["params"][0]) & {*grid}) == 1


def small_fcn(**params):
    params = {"optimizer": "sgd", "lr": 0.05, "batch_size": 6, "random_state": 0} | params
    return TimeSeriesClassifier("fcn", **FCN, **params)


def test_epochs_added_to_a_checkpoint_are_planned_anew(tmp_path):
    callbacks = [("amplification", GradientAmplification("params_1", strategy="all"))]
    params = {"checkpoint": tmp_path / "fit", "callbacks": callbacks}
    small_fcn(max_epochs=9, **params).fit(*rows_of_series())
    model = small_fcn(max_epochs=18, **params).fit(*rows_of_series())
    factors, rates = (model.history_[:, key] for key in ("amplification_factor", "lr"))
    assert factors[:9] == factors[9:] == [1, 1, 1, 1, 2, 2, 1, 2, 1]
    assert rates[:9] == rates[9:] == 6 * [0.05] + 3 * [pytest.approx(0.005)]


@pytest.mark.parametrize("n_done", [2, 5, 8])
def test_a_fit_with_more_epochs_ends_the_plan_it_was_interrupted_in(n_done, tmp_path):
    class Interrupt(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) > n_done:
                raise RuntimeError("power cut")

    checkpoint = FitCheckpoint(tmp_path / "fit")
    with pytest.raises(RuntimeError, match="power cut"):
        train(amplify("params_1"), Interrupt(), epochs=9, checkpoint=checkpoint)
    net = train(amplify("params_1"), epochs=18, checkpoint=checkpoint)
    factors = net.history[:, "amplification_factor"]
    assert factors[:9] == factors[9:] == [1, 1, 1, 1, 2, 2, 1, 2, 1]


def test_a_second_amplification_is_refused():
    callbacks = [(name, GradientAmplification("params_1")) for name in ("one", "other")]
    with pytest.raises(ValueError, match="callbacks hold two GradientAmplification; give one"):
        small_fcn(callbacks=callbacks).fit(*rows_of_series())


def test_a_warm_start_after_the_last_phase_warns():
    phases = [(1, None, False, 1), (4, None, True, 2)]
    callbacks = [("amplification", GradientAmplification(phases, strategy="all"))]
    model = small_fcn(max_epochs=4, warm_start=True, callbacks=callbacks)
    model.fit(*rows_of_series())
    with pytest.warns(UserWarning, match="amplifies none of the epochs 5 to 8; train longer or"):
        model.fit(*rows_of_series())


def test_the_history_has_the_rate_of_the_net_not_of_a_group():
    groups = [("first*", {"lr": 0.01})]
    phases = [(1, 0.4, False, 1), (3, 0.04, True, 2), (4, None, False, 1)]
    net = train(amplify(phases), epochs=4, optimizer__param_groups=groups)
    assert net.history[:, "lr"] == [0.4, 0.04, 0.04, pytest.approx(0.04)]


def test_layers_thawed_since_are_measured():
    thaw = Unfreezer("first*", at=3)
    freeze = Freezer("first*", at=1)
    net = train(freeze, thaw, amplify(reselect_every=1), epochs=5)
    chosen = net.history[:, "amplified_layers"]
    assert chosen[1] == ["last"]
    assert chosen[4] == ["first", "last"]


@pytest.mark.parametrize("measure", ["G", "G_prime"])
def test_a_single_step_tells_no_layers_apart(measure):
    callback = GradientAmplification([(9, None, True, 2)], measure=measure, threshold=0.5)
    with pytest.warns(UserWarning, match="all layers have the same measure, as in an epoch of one"):
        net = train(callback, epochs=2, batch_size=12)
    assert net.history[:, "amplification_factor"] == [1, 1]


def test_an_empty_choice_warns_once_in_a_training():
    callback = GradientAmplification([(9, None, True, 2)], threshold=1.5, reselect_every=1)
    with pytest.warns(UserWarning, match="no layer is amplified after epoch 1") as caught:
        train(callback, epochs=6)
    assert len(caught) == 1


def test_a_second_schedule_of_an_estimator_is_refused():
    X, y = np.zeros((6, 2, 3)), np.arange(6.0)
    callbacks = [("amplification", GradientAmplification())]
    with pytest.raises(ValueError, match="overwrite the rates of GradientAmplification; set"):
        CnnLstmRUL(callbacks=callbacks).fit(X, y)
