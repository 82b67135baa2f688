"""The learning-rate range test: known curves, known losses, and nothing left behind."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skprog._training import ArrayData, TrainingNet
from skprog._training._lr_range import lr_range, smoothed, suggestions
from skprog.callbacks import OneCycle
from skprog.estimators import CnnLstmRUL, GHLClassifier, SEMClassifier
from skprog.model_selection import LRRange, lr_range_test
from skprog.sequences import RunSequences

RULES = ["valley", "steep", "minimum", "slide"]
LRS = np.geomspace(1e-5, 1e1, 61)  # ten a decade
DECADES = np.log10(LRS)


class Line(torch.nn.Module):
    """The line w X through 0, from w = 3."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor(3.0))

    def forward(self, X):
        return self.w * X[:, 0]


class Mixed(torch.nn.Module):
    """What has states of every kind: buffers, dropout, an LSTM, an attribute."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(3)
        self.lstm = torch.nn.LSTM(3, 4, batch_first=True)
        self.dropout = torch.nn.Dropout(0.5)
        self.head = torch.nn.Linear(4, 1)
        self.register_buffer("n_calls", torch.tensor(0), persistent=False)
        self.shapes = []

    def forward(self, X):
        self.n_calls += 1
        self.shapes.append(X.shape)
        encoded, _ = self.lstm(self.norm(X)[:, None])
        return self.head(self.dropout(encoded[:, -1]))[:, 0]


class Counting(torch.nn.MSELoss):
    """A loss that changes with each call, as annealed ones do."""

    def __init__(self):
        super().__init__()
        self.n_calls = 0

    def forward(self, *args):
        self.n_calls += 1
        return super().forward(*args) * (1 + 0.01 * self.n_calls)


def make_net(module=Line, criterion=torch.nn.MSELoss, **params):
    optimizer = params.pop("optimizer", torch.optim.SGD)
    return TrainingNet(module, criterion, optimizer=optimizer, **params).initialize()


def line_data(n_rows=64, noise=0.0):
    y = noise * np.random.default_rng(0).standard_normal(n_rows)
    return ArrayData(np.ones((n_rows, 1), np.float32), y.astype(np.float32))


def mixed_data():
    X = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    return ArrayData(X, X.sum(axis=1))


def result_of(losses, lrs=LRS, n_batches=None):
    return LRRange({0.0: (lrs, np.asarray(losses))}, 0.0, n_batches or len(lrs))


def test_losses_are_those_of_gradient_descent_on_a_quadratic():
    # Gradient descent on w² contracts w by 1 - 2 lr.
    result = lr_range(make_net(batch_size=64), line_data())
    lrs, _ = result.curves_[0.0]
    np.testing.assert_allclose(lrs, 1e-7 * 1e8 ** (np.arange(100) / 100))
    w = 3 * np.cumprod([1, *(1 - 2 * lrs[:-1])])
    np.testing.assert_allclose(result.raw_losses_[0.0], w**2, rtol=1e-3)


def test_the_best_rate_of_a_quadratic_lies_in_the_range_found():
    # The fall is fastest at 0.5 and ends at 1, above which descent diverges.
    result = lr_range(make_net(batch_size=64), line_data())
    assert result.lr_min_ < 0.5 < 10 * result.lr_max_
    assert 0.05 < result.lr_max_ < 1


def test_noise_shows_where_a_quadratic_diverges():
    # Noise keeps w from 0, so that the loss rises as soon as the rate exceeds 1.
    net = make_net(batch_size=64)
    result = lr_range(net, line_data(n_rows=640, noise=1.0))
    assert 0.5 < 10 * result.lr_max_ < 2
    assert result.suggestions_["valley"] < 0.1
    assert len(result.raw_losses_[0.0]) < 100


def plain(state):
    """Return tensors as lists, which compare bit for bit."""
    if isinstance(state, torch.Tensor):
        return str(state.dtype), state.tolist()
    if isinstance(state, dict):
        return {key: plain(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return [plain(each) for each in state]
    return state


def state_of(net):
    """Return all that a test could change."""
    groups = [{**group, "params": list(group["params"])} for group in net.optimizer_.param_groups]
    state = [
        net.module_.state_dict(),
        dict(net.module_.named_buffers()),
        net.module_.shapes,
        [parameter.grad for parameter in net.module_.parameters()],
        [part.training for part in net.module_.modules()],
        groups,
        net.optimizer_.state_dict(),
        vars(net.criterion_),
        list(net.history),
        net.scaler_.state_dict(),
        torch.get_rng_state(),
    ]
    return plain(state)


@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.SGD, torch.optim.LBFGS])
@pytest.mark.parametrize("is_trained", [False, True])
def test_everything_is_left_bit_for_bit(optimizer, is_trained):
    decays = None if optimizer is torch.optim.LBFGS else [0.1]
    params = {"module": Mixed, "criterion": Counting, "batch_size": 8, "optimizer": optimizer}
    net = make_net(**params)
    data = mixed_data()
    if is_trained:
        net.train(data, None, 1)
    net.module_.norm.eval()
    parts = net.module_, net.criterion_, net.optimizer_, net.callbacks_, net.scaler_
    before = state_of(net)
    lr_range(net, data, n_batches=30, weight_decays=decays, end_lr=1.0)
    assert state_of(net) == before
    now = net.module_, net.criterion_, net.optimizer_, net.callbacks_, net.scaler_
    assert all(one is other for one, other in zip(now, parts, strict=True))


def test_training_goes_on_as_if_there_had_been_no_test():
    torch.manual_seed(0)
    one, other = (make_net(Mixed, Counting, batch_size=8) for _ in range(2))
    other.module_.load_state_dict(one.module_.state_dict())
    losses = []
    for net in (one, other):
        torch.manual_seed(1)
        if net is other:
            lr_range(net, mixed_data())
        net.train(mixed_data(), None, 3)
        losses.append(net.history[:, "train_loss"])
    assert losses[0] == losses[1]


def test_what_breaks_off_a_test_leaves_everything_too():
    class Broken(ArrayData):
        def batches(self, batch_size, *, shuffle):
            yield next(super().batches(batch_size, shuffle=shuffle))
            raise KeyboardInterrupt

    net = make_net(Mixed, Counting, batch_size=8)
    before = state_of(net)
    with pytest.raises(KeyboardInterrupt):
        lr_range(net, Broken(mixed_data().X, mixed_data().y))
    assert state_of(net) == before


def test_callbacks_are_not_called():
    class Refusing(OneCycle):
        def on_grad_computed(self, net, **kwargs):
            raise AssertionError

    lr_range(make_net(callbacks=[Refusing()]), line_data())


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_mixed_precision_and_augmentation_take_part(amp):
    plain = lr_range(make_net(), line_data())
    net = make_net(amp=amp, augment=lambda X: 2 * X)
    doubled = lr_range(net, line_data())
    # The loss (2 w)² at first.
    assert doubled.raw_losses_[0.0][0] == 4 * plain.raw_losses_[0.0][0] == 36


def test_a_test_is_repeatable_whatever_the_generator():
    net = make_net(Mixed, Counting, batch_size=8)
    one = lr_range(net, mixed_data())
    torch.manual_seed(5)
    other = lr_range(net, mixed_data(), weight_decays=[0.0])
    np.testing.assert_array_equal(one.raw_losses_[0.0], other.raw_losses_[0.0])


def test_weight_decays_have_curves_of_their_own_and_change_nothing_else():
    net = make_net(optimizer__weight_decay=0.5)
    result = lr_range(net, line_data(), weight_decays=[0, 0.5, 0.125])
    assert list(result.curves_) == [0.5, 0.0, 0.125]
    assert result.weight_decay_ == 0.5
    assert list(result.raw_losses_) == list(result.curves_)
    for decay, losses in result.raw_losses_.items():
        # The gradient of w² + decay w²/2 contracts w by 1 - (2 + decay) lr.
        lrs, _ = result.curves_[decay]
        w = 3 * np.cumprod([1, *(1 - (2 + decay) * lrs[:-1])])
        np.testing.assert_allclose(losses, w**2, rtol=2e-3)
    own = lr_range(net, line_data())
    assert result.suggestions_ == own.suggestions_


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_the_curve(value):
    class Breaks(torch.nn.MSELoss):
        def forward(self, *args):
            self.n_calls = getattr(self, "n_calls", 0) + 1
            return super().forward(*args) * (value if self.n_calls > 40 else 1)

    result = lr_range(make_net(criterion=Breaks), line_data())
    assert len(result.raw_losses_[0.0]) == 40
    assert np.isfinite(result.curves_[0.0]).all()


def test_a_loss_below_zero_does_not_stop_at_once():
    class Shifted(torch.nn.MSELoss):
        def forward(self, *args):
            return super().forward(*args) - 10

    assert len(lr_range(make_net(criterion=Shifted), line_data()).raw_losses_[0.0]) > 90


def test_an_epoch_of_many_batches_is_gone_through_once():
    net = make_net(batch_size=1)
    assert len(lr_range(net, line_data(150), end_lr=1e-3).raw_losses_[0.0]) == 150
    assert len(lr_range(net, line_data(30), end_lr=1e-3).raw_losses_[0.0]) == 100
    one_pass = lr_range(net, line_data(30), end_lr=1e-3, multi_epoch=False)
    assert len(one_pass.raw_losses_[0.0]) == 30
    assert len(lr_range(net, line_data(30), end_lr=1e-3, n_batches=45).raw_losses_[0.0]) == 45


def test_too_few_batches_say_how_many_are_needed():
    net = make_net(batch_size=16)
    with pytest.raises(ValueError, match=r"an epoch has 4 batches but 7 are needed; use multi_epo"):
        lr_range(net, line_data(64), multi_epoch=False)
    with pytest.raises(ValueError, match="an epoch has 4 batches but 50 are needed"):
        lr_range(net, line_data(64), multi_epoch=False, n_batches=50)


def test_early_divergence_says_how_many_are_needed():
    with pytest.raises(ValueError, match=r"after \d of 100 batches.*but 17 are needed.*start_lr"):
        lr_range(make_net(), line_data(), start_lr=2, end_lr=100)


def test_the_fewest_points_taken_leave_something_to_suggest():
    with pytest.warns(UserWarning, match="has 7 points"):
        result = lr_range(make_net(), line_data(), n_batches=7, start_lr=1e-3, end_lr=0.1)
    assert np.isfinite(result.suggestions_["valley"])


def test_the_rate_of_the_lowest_loss_is_ten_times_the_highest_to_train_with():
    lrs = np.geomspace(1e-5, 10, 61)
    losses = 2 - np.exp(-(np.log10(lrs) ** 2)) + 100 * np.maximum(lrs - 1, 0)
    result = LRRange({0.0: (lrs, losses)}, 0.0, n_batches=61)
    assert result.lr_lowest_loss_ == pytest.approx(10 * result.lr_max_)
    smooth = result.curves_[0.0][1]
    assert result.lr_lowest_loss_ == pytest.approx(lrs[6:-5][np.argmin(smooth[6:-5])])


def test_a_loss_that_is_lowest_at_the_first_rate_is_told_from_one_that_never_falls():
    lrs = np.geomspace(1e-5, 10, 61)
    losses = np.r_[np.linspace(0, 1, 40), np.zeros(21)]
    with pytest.raises(ValueError, match="lowest loss at the first of the rates"):
        _ = LRRange({0.0: (lrs, losses)}, 0.0, n_batches=61).lr_max_
    with pytest.raises(ValueError, match="no falling loss"):
        _ = LRRange({0.0: (lrs, np.linspace(0, 1, 61))}, 0.0, n_batches=61).lr_max_


def test_few_points_are_warned_of():
    with pytest.warns(UserWarning, match="has 12 points, and fewer than 20"):
        lr_range(make_net(), line_data(), n_batches=12)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"start_lr": 0}, "start_lr=0 must be"),
        ({"end_lr": 1e-8}, "end_lr=1e-08 must be finite and above 1e-07"),
        ({"n_batches": 5}, "n_batches=5 must be at least 7"),
        ({"stop_factor": 1}, "stop_factor=1 must be"),
        ({"multi_epoch": None}, "multi_epoch=None is not"),
        ({"weight_decays": [0.1, -1]}, "weight_decays=-1 must be"),
    ],
)
def test_bad_arguments_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        lr_range(make_net(), line_data(), **params)


def test_weight_decays_need_an_optimizer_that_has_them():
    with pytest.raises(ValueError, match="LBFGS has no weight decay; use weight_decays=None"):
        lr_range(make_net(optimizer=torch.optim.LBFGS), line_data(), weight_decays=[0.1])
    with pytest.raises(TypeError, match=r"weight_decays=0\.1 must be a sequence"):
        lr_range(make_net(), line_data(), weight_decays=0.1)


def test_smoothing_begins_without_bias():
    losses = [4.0, 2.0, 1.0]
    expected = [4.0, (0.98 * 4 + 2) / 1.98, (0.98**2 * 4 + 0.98 * 2 + 1) / (0.98**2 + 0.98 + 1)]
    np.testing.assert_allclose(smoothed(losses), expected)
    np.testing.assert_allclose(smoothed(np.full(50, 3.0)), 3.0)


def test_the_minimum_is_divided_by_ten():
    found = suggestions(LRS, (DECADES + 1) ** 2, 61)
    assert found["minimum"] == pytest.approx(1e-2)
    assert found["steep"] == pytest.approx(LRS[6])


def test_the_ends_are_left_out():
    # Lowest at the first and the last rates, which do not count; else where marked.
    losses = np.full(61, 5.0)
    losses[[0, 5, 56, 60]] = 0.0
    losses[30] = 4.0
    assert suggestions(LRS, losses, 61)["minimum"] == LRS[30] / 10


def test_the_steepest_fall_is_per_decade():
    lrs = np.array([1e-5] * 2 + [1e-4, 1e-3, 1e-2, 1.5e-2] + [10.0] * 5).cumsum()
    losses = np.array([9.0] * 2 + [9, 8, 7, 6.5] + [9] * 5)
    assert suggestions(lrs, losses, 20)["steep"] == lrs[4]


def plain_valley(losses):
    """Return the place that fastai's loops come to, by its definition."""
    lengths = [1] * len(losses)
    for i in range(len(losses)):
        for j in range(i):
            if losses[i] < losses[j]:
                lengths[i] = max(lengths[i], lengths[j] + 1)
    end = lengths.index(max(lengths))
    third = max(lengths) / 3
    return max(end - max(lengths) + int(third) + int(third / 2), 0)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=30))
def test_the_valley_is_the_one_of_the_definition(losses):
    losses = np.array(losses, float)
    lrs = np.arange(1.0, len(losses) + 6)
    found = suggestions(lrs, np.append(losses, 5 * [9.0]), 9)["valley"]
    if (np.diff(losses) < 0).any():
        assert found == lrs[plain_valley(losses)]
    else:
        assert math.isnan(found)


def test_the_valley_is_about_half_way_down():
    # Flat to 1e-3, falling to 1e-1, rising after.
    losses = np.interp(DECADES, [-3, -1, 1], [2.0, 1.0, 3.0]) + 1e-9 * DECADES
    assert suggestions(LRS, losses, 61)["valley"] == pytest.approx(10**-2.1)


def test_the_slide_stops_where_slopes_no_longer_differ():
    # Flat to index 40, then rising by ever more: slopes 15 apart differ until both are flat.
    places = np.arange(61)
    losses = 1 + 0.02 * np.maximum(places - 40, 0.0) ** 2 - 1e-6 * places
    found = suggestions(LRS, losses, 61)["slide"]
    assert found == pytest.approx(LRS[25])
    assert math.isnan(suggestions(LRS[:20], losses[:20], 20)["slide"])


@pytest.mark.parametrize("losses", [np.full(61, 2.0), np.linspace(1, 2, 61)])
def test_a_loss_that_never_falls_suggests_nothing(losses):
    result = result_of(losses)
    assert list(result.suggestions_) == RULES
    assert all(map(math.isnan, result.suggestions_.values()))
    assert "no falling loss" in repr(result)
    with pytest.raises(ValueError, match=r"no falling loss between lr=1\.0e-05 and 1\.0e\+01; set"):
        _ = result.lr_max_


def test_results_say_the_essentials_and_pickle():
    result = result_of(2 - np.exp(-(DECADES**2)))
    assert result.lr_min_ == result.lr_max_ / 25
    assert repr(result).startswith("LRRange(lr_min_=")
    again = pickle.loads(pickle.dumps(result))
    assert again.suggestions_ == result.suggestions_
    timed = lr_range(make_net(), line_data())
    assert 0 < timed.time_ < 60
    assert "time_=" in repr(timed)


@pytest.fixture(scope="module")
def cases():
    rng = np.random.default_rng(0)
    y = np.arange(48) % 3
    tone = np.sin(np.outer(1 + y, np.arange(24)) / 3)
    return (tone + 0.5 * rng.normal(size=tone.shape)).astype(np.float32), y


def ghl(**params):
    return GHLClassifier(
        n_filters=(3,),
        kernel_sizes=(5,),
        dense_units=6,
        device="cpu",
        **{"batch_size": 16, "max_epochs": 2, "random_state": 0, **params},
    )


def test_a_fit_finds_what_the_test_found(cases):
    found = lr_range_test(ghl(), *cases)
    model = ghl(lr="auto").fit(*cases)
    np.testing.assert_array_equal(
        found.raw_losses_[found.weight_decay_],
        model.lr_range_.raw_losses_[found.weight_decay_],
    )
    assert lr_range_test(ghl(lr="auto"), *cases).lr_max_ == model.lr_range_.lr_max_
    assert lr_range_test(ghl(random_state=1), *cases).lr_max_ != found.lr_max_


def test_a_fit_with_an_automatic_rate_trains_at_it(cases):
    model = ghl(lr="auto").fit(*cases)
    assert model.net_.optimizer_.param_groups[0]["lr"] == model.lr_range_.lr_max_
    again = ghl(lr=model.lr_range_.lr_max_).fit(*cases)
    np.testing.assert_array_equal(again.predict_proba(cases[0]), model.predict_proba(cases[0]))


def test_the_estimator_passed_in_is_left_alone(cases):
    model = ghl(callbacks=[OneCycle()], verbose=0)
    before = dict(vars(model))
    torch_state = torch.get_rng_state()
    numpy_state = pickle.dumps(np.random.mtrand._rand)
    lr_range_test(model, *cases)
    assert vars(model) == before
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert pickle.dumps(np.random.mtrand._rand) == numpy_state
    fitted = ghl().fit(*cases)
    weights = copy.deepcopy(fitted.net_.module_.state_dict())
    lr_range_test(fitted, *cases)
    for name, value in fitted.net_.module_.state_dict().items():
        assert torch.equal(value, weights[name])


def test_a_pipeline_is_tested_at_its_end(cases):
    X, y = cases
    scaler = StandardScaler()
    found = lr_range_test(make_pipeline(scaler, "passthrough", ghl()), X, y)
    alone = lr_range_test(ghl(), StandardScaler().fit_transform(X), y)
    assert found.suggestions_ == alone.suggestions_
    assert not hasattr(scaler, "scale_")
    nested = make_pipeline(scaler, make_pipeline(ghl()))
    assert lr_range_test(nested, X, y).suggestions_ == alone.suggestions_


def test_validation_data_are_left_out(cases):
    found = lr_range_test(ghl(validation_fraction=0.25, batch_size=1), *cases, multi_epoch=False)
    assert found.n_batches_ == 36


def test_images_and_sequences_are_tested_too():
    rng = np.random.default_rng(0)
    sem = SEMClassifier(n_blocks=1, n_filters=(2,), hidden_units=None, random_state=0, device="cpu")
    images = rng.normal(size=(12, 16, 16))
    assert lr_range_test(sem, images, [0, 1] * 6).n_batches_ == 100
    windows = rng.normal(size=(30, 1, 8, 6)).astype(np.float32)
    X = RunSequences.from_runs(windows, np.repeat([0, 1], 15), n_steps=3)
    y = np.tile(np.arange(15.0)[::-1], 2)
    rul = CnnLstmRUL(
        n_filters=(2, 2),
        kernel_sizes=((3, 3), (3, 3)),
        strides=((1, 1), (1, 1)),
        pool_size=None,
        lstm_units=3,
        dense_units=(3,),
        device="cpu",
        random_state=0,
    )
    assert lr_range_test(rul, X, y).n_batches_ == 100


def test_progress_is_shown_on_request(cases, capsys):
    lr_range_test(ghl(verbose=1), *cases, n_batches=20, weight_decays=[0.01])
    assert "lr_range_test" not in capsys.readouterr().err
    lr_range_test(ghl(), *cases, n_batches=20, weight_decays=[0.01], verbose=1)
    shown = capsys.readouterr()
    assert "lr_range_test: 100%" in shown.err
    assert not shown.out


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (LogisticRegression(), "LogisticRegression"),
        (GridSearchCV(ghl(), {}), "GridSearchCV"),
        (GHLClassifier, "the class GHLClassifier"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "LogisticRegression"),
        (None, "NoneType"),
    ],
)
def test_what_trains_no_network_is_refused(estimator, name, cases):
    with pytest.raises(TypeError, match=f"range test takes an estimator .* not {name}"):
        lr_range_test(estimator, *cases)


def test_bad_data_are_refused_as_by_fit(cases):
    X, y = cases
    with pytest.raises(ValueError, match="only one class"):
        lr_range_test(ghl(), X, 0 * y)
    with pytest.raises(ValueError, match="batch_size=0 must be"):
        lr_range_test(clone(ghl()).set_params(batch_size=0), X, y)
