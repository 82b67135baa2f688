"""Cyclic learning rates against torch's own, on made-up losses and in real fits."""

import copy
import itertools
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from skorch.history import History

from skprog.callbacks import AdaptiveCycle, OneCycle
from skprog.estimators import GHLClassifier, SEMClassifier

FLAT = 12 * [1.0]
OPTIMIZERS = {
    "adam": lambda lr: torch.optim.Adam([torch.zeros(1)], lr=lr),
    "sgd": lambda lr: torch.optim.SGD([torch.zeros(1)], lr=lr, momentum=0.5),
}


class MadeUp:
    """What a callback sees of a net, with losses that are known beforehand."""

    def __init__(self, losses, n_batches, *, lr=0.1, optimizer="sgd"):
        self.losses = losses
        self.n_batches = n_batches
        self.lr = lr
        self.max_epochs = len(losses)
        self.history = History()
        self.optimizer_ = OPTIMIZERS[optimizer](lr)

    def get_iterator(self, dataset, training):
        return range(self.n_batches)

    def train(self, cycle):
        """Train with a callback and return the history."""
        cycle.on_train_begin(self)
        for loss in self.losses:
            self.history.new_epoch()
            cycle.on_epoch_begin(self, dataset_train=[], dataset_valid=[])
            for training in [*(self.n_batches * [True]), False]:
                self.history.new_batch()
                cycle.on_batch_begin(self, training=training)
                group = self.optimizer_.param_groups[0]
                self.history.record_batch("group_lr", group["lr"])
                self.history.record_batch("group_momentum", momentum_of(group))
                cycle.on_batch_end(self, training=training)
            self.history.record("train_batch_count", self.n_batches)
            self.history.record("valid_loss", loss)
            cycle.on_epoch_end(self)
        return self.history


def momentum_of(group):
    return group["betas"][0] if "betas" in group else group["momentum"]


def made_up(cycle, losses=FLAT, n_batches=10, **params):
    return MadeUp(losses, n_batches, **params).train(cycle.initialize())


def changed(cycle, **params):
    return type(cycle)(**{**cycle.get_params(), **params})


def lrs_of(history, entry="lr"):
    """Return the rates of all training batches."""
    batches = itertools.chain.from_iterable(epoch["batches"] for epoch in history)
    return [batch[entry] for batch in batches if "lr" in batch]


def restarts_of(history):
    return [event for event in history[:, "event_lr_restart"] if event]


def of_torch(n_updates, lr_max, *, optimizer="sgd", div=25.0, final_div=1e4, **params):
    """Return rates and momenta of torch's OneCycleLR."""
    optimizer = OPTIMIZERS[optimizer](lr_max)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, lr_max, n_updates, div_factor=div, final_div_factor=final_div, **params
    )
    rates = []
    for _ in range(n_updates):
        group = optimizer.param_groups[0]
        rates.append((group["lr"], momentum_of(group)))
        optimizer.step()
        schedule.step()
    return np.transpose(rates)


@pytest.mark.parametrize("cycle", [OneCycle(), AdaptiveCycle(patience=12)])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize(("three_phase", "pct_start"), [(False, 0.3), (True, 0.3), (True, 0.5)])
def test_without_restarts_rates_are_those_of_torch(cycle, optimizer, three_phase, pct_start):
    cycle = changed(cycle, three_phase=three_phase, pct_start=pct_start)
    history = made_up(cycle, optimizer=optimizer)
    lrs, momenta = of_torch(
        120, 0.1, optimizer=optimizer, three_phase=three_phase, pct_start=pct_start
    )
    np.testing.assert_allclose(lrs_of(history, "group_lr"), lrs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(lrs_of(history, "group_momentum"), momenta, rtol=0, atol=1e-12)
    assert lrs_of(history) == lrs_of(history, "group_lr")
    assert lrs_of(history, "momentum") == lrs_of(history, "group_momentum")


@given(
    st.integers(2, 60), st.sampled_from([0.05, 0.1, 0.25, 0.3, 0.45, 0.5]), st.booleans(), st.data()
)
def test_any_cycle_is_that_of_torch(n_updates, pct_start, three_phase, data):
    # torch divides by zero where the rise has no length.
    if pct_start * n_updates == 1:
        n_updates += 1
    lr_max = data.draw(st.floats(1e-4, 10))
    div, final_div = data.draw(st.floats(1, 100)), data.draw(st.floats(1, 1e5))
    lr_min = lr_max / div
    phases = {"pct_start": pct_start, "three_phase": three_phase}
    cycle = OneCycle(lr_max, lr_min=lr_min, lr_final=lr_min / final_div, **phases)
    expected = of_torch(n_updates, lr_max, div=div, final_div=final_div, **phases)
    np.testing.assert_allclose(cycle.schedule(n_updates), expected, rtol=1e-12, atol=1e-12)


def test_rates_are_the_ones_worked_out_by_hand():
    cycle = OneCycle(1e-2, lr_min=1e-3, lr_final=1e-5, three_phase=True)
    lrs, momenta = cycle.schedule(20)
    known = {0: 1e-3, 1: 1.85942e-3, 2: 4.10942e-3, 5: 1e-2, 6: 9.14058e-3, 10: 1e-3}
    known |= {11: 9.70148e-4, 15: 4.19044e-4, 19: 1e-5}
    assert {i: lrs[i] for i in known} == pytest.approx(known, rel=1e-5)
    known = {0: 0.95, 1: 0.9405, 2: 0.9155, 5: 0.85, 10: 0.95, 19: 0.95}
    assert {i: momenta[i] for i in known} == pytest.approx(known, abs=5e-5)
    lrs, _ = changed(cycle, three_phase=False).schedule(20)
    first = [1e-3, 1.85942e-3, 4.10942e-3, 6.89058e-3, 9.14058e-3, 1e-2, 9.87476e-3, 9.50534e-3]
    assert [*lrs[:8], *lrs[-2:]] == pytest.approx([*first, 1.35235e-4, 1e-5], rel=1e-5)


@given(st.integers(1, 5), st.sampled_from([0.2, 0.25, 0.3, 0.5]), st.booleans())
def test_the_shortest_cycles_have_rates_within_the_bounds(n_batches, pct_start, three_phase):
    cycle = OneCycle(0.1, pct_start=pct_start, three_phase=three_phase)
    lrs, momenta = cycle.schedule(n_batches)
    assert all(4e-7 <= lr <= 0.1 for lr in lrs)
    assert all(0.85 <= momentum <= 0.95 for momentum in momenta)


def test_a_single_batch_has_the_peak():
    assert OneCycle(0.1).schedule(1) == ([0.1], [0.85])


@given(st.data())
@settings(max_examples=200)
def test_every_restart_keeps_its_promises(data):
    n_epochs, n_batches = data.draw(st.integers(1, 25)), data.draw(st.integers(1, 12))
    loss = st.sampled_from([0.5, 1.0, 2.0, math.nan, math.inf, -1.0])
    losses = data.draw(st.lists(loss, min_size=n_epochs, max_size=n_epochs))
    three_phase = data.draw(st.booleans())
    cycle = AdaptiveCycle(
        lr_max=0.1,
        lr_min=data.draw(st.sampled_from([None, 0.1, 0.05])),
        lr_final=data.draw(st.sampled_from([None, 4e-3, 1e-6])),
        n_updates=data.draw(st.one_of(st.none(), st.integers(1, 400))),
        patience=data.draw(st.integers(0, 3)),
        factor=data.draw(st.floats(0.05, 0.95)),
        pct_start=data.draw(st.floats(0.01, 0.5 if three_phase else 0.99)),
        three_phase=three_phase,
        restart=data.draw(st.sampled_from(["remaining", "full"])),
        reduce_from=data.draw(st.sampled_from(["current", "max"])),
        count_from=data.draw(st.sampled_from(["start", "peak"])),
    )
    history = made_up(cycle, losses, n_batches)
    lrs, events = lrs_of(history), restarts_of(history)
    assert len(lrs) == n_epochs * n_batches
    assert min(lrs) >= cycle.end_
    assert max(lrs) <= 0.1
    peaks = [0.1, *(event["new_peak"] for event in events)]
    assert peaks == sorted(peaks, reverse=True)
    for event in events:
        first = lrs[event["epoch"] * n_batches]
        assert first == max(0.5 * event["new_peak"], cycle.end_)
        base = peaks[peaks.index(event["new_peak"]) - 1]
        reduced = event["old_lr"] if cycle.reduce_from == "current" else base
        assert event["new_peak"] == cycle.factor * reduced
        assert max(lrs[event["epoch"] * n_batches :]) <= event["new_peak"]
    if cycle.restart == "remaining" and cycle.interval_ < len(lrs):
        assert lrs[-1] == cycle.end_


def test_patience_lets_as_many_epochs_pass():
    # The first epoch is the best; epochs 2 to 4 are let pass and 5 is one too many.
    events = restarts_of(made_up(AdaptiveCycle(patience=3, pct_start=0.2)))
    assert [event["epoch"] for event in events] == [5, 9]
    assert not restarts_of(made_up(AdaptiveCycle(patience=11)))


def test_a_restart_takes_the_rate_of_the_next_batch():
    expected, _ = OneCycle(0.1).schedule(120)
    history = made_up(AdaptiveCycle(patience=5))
    assert restarts_of(history) == [
        {"epoch": 7, "old_lr": expected[70], "new_peak": expected[70] / 2, "before_peak": False}
    ]
    # Five epochs of ten batches are left, and the cycle over them is torch's.
    np.testing.assert_allclose(
        lrs_of(history)[70:],
        of_torch(50, expected[70] / 2, div=2, final_div=expected[70] / 4 / 4e-7)[0],
        rtol=1e-12,
    )
    assert lrs_of(history)[-1] == pytest.approx(4e-7)


def test_a_restart_may_reduce_the_peak_instead():
    event = restarts_of(made_up(AdaptiveCycle(patience=5, reduce_from="max")))[0]
    assert event["new_peak"] == 0.05


def test_a_full_restart_is_cut_off_at_the_end():
    lrs = lrs_of(made_up(AdaptiveCycle(patience=5, restart="full", factor=0.4)))
    peak = 0.4 * OneCycle(0.1).schedule(120)[0][70]
    whole = OneCycle(peak, lr_min=peak / 2, lr_final=4e-7).schedule(120)[0]
    np.testing.assert_allclose(lrs[70:], whole[:50], rtol=1e-12)


def test_an_early_restart_is_flagged_and_may_be_put_off():
    # The peak comes with batch 36 of 120, in the fourth epoch.
    early = restarts_of(made_up(AdaptiveCycle(patience=0)))[0]
    assert (early["epoch"], early["before_peak"]) == (2, True)
    later = restarts_of(made_up(AdaptiveCycle(patience=0, count_from="peak")))[0]
    assert (later["epoch"], later["before_peak"]) == (4, False)


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_no_improvement(loss):
    history = made_up(AdaptiveCycle(patience=1), [1.0, *(11 * [loss])])
    assert restarts_of(history)[0]["epoch"] == 3
    history = made_up(AdaptiveCycle(patience=1), [loss, loss, 1.0, 0.9, *(8 * [0.9])])
    assert restarts_of(history)[0]["epoch"] == 2


def test_an_improvement_exceeds_min_delta_strictly():
    falling = [1 - 0.125 * i for i in range(8)]
    assert not restarts_of(made_up(AdaptiveCycle(patience=0), falling))
    assert restarts_of(made_up(AdaptiveCycle(patience=0, min_delta=0.125), falling))


def test_the_best_loss_outlives_a_restart():
    # From the restart after epoch 3 the loss falls, but not below the first.
    losses = [1.0, 5.0, 5.0, 4.0, 3.0, *(7 * [2.0])]
    events = restarts_of(made_up(AdaptiveCycle(patience=1), losses))
    assert [event["epoch"] for event in events][:2] == [3, 5]


def test_no_restart_for_a_rise_of_less_than_two_updates():
    # Of 6 epochs with 3 batches, 6 batches are left after epoch 4, and 9 after epoch 3.
    losses = [1.0, 0.9, 0.8, 0.8, 0.7, 0.6]
    assert not restarts_of(made_up(AdaptiveCycle(patience=0), losses, n_batches=3))
    losses = [1.0, 0.9, 0.9, 0.8, 0.7, 0.6]
    [event] = restarts_of(made_up(AdaptiveCycle(patience=0), losses, n_batches=3))
    assert event["epoch"] == 3


def test_no_restart_below_the_final_rate():
    cycle = AdaptiveCycle(lr_max=0.1, lr_final=0.003, factor=0.25, patience=0)
    history = made_up(cycle, 30 * [1.0])
    peaks = [event["new_peak"] for event in restarts_of(history)]
    assert len(peaks) < 8
    assert min(peaks) > 0.003
    assert min(lrs_of(history)) == 0.003


def test_fewer_updates_hold_the_rate():
    history = made_up(AdaptiveCycle(n_updates=24, patience=12))
    steps = np.reshape(lrs_of(history), (24, 5))
    assert (steps == steps[:, :1]).all()
    np.testing.assert_allclose(steps[:, 0], of_torch(24, 0.1)[0], rtol=1e-12)


def test_a_restart_begins_with_a_whole_stretch():
    # Epochs of 7 batches end in the middle of a stretch of 5.
    history = made_up(AdaptiveCycle(n_updates=28, patience=1), 20 * [1.0], n_batches=7)
    first = restarts_of(history)[0]["epoch"] * 7
    lrs = lrs_of(history)[first:]
    assert len(set(lrs[:5])) == 1
    assert lrs[5] > lrs[4]


def test_a_number_of_updates_that_divides_badly_still_ends_at_the_final_rate():
    lrs, _ = OneCycle(0.1, n_updates=20).schedule(110)
    assert lrs[-1] == 4e-7
    assert lrs[0] == 0.004


def test_momentum_stays_where_it_is_not_cycled():
    history = made_up(AdaptiveCycle(cycle_momentum=False))
    assert set(lrs_of(history, "group_momentum")) == {0.5}
    assert "momentum" not in history[0]["batches"][0]


def test_groups_keep_their_share_of_the_rate():
    net = MadeUp(FLAT, 10)
    net.optimizer_.add_param_group({"params": [torch.zeros(1)], "lr": 0.025})
    net.train(OneCycle().initialize())
    whole, quarter = (group["lr"] for group in net.optimizer_.param_groups)
    assert quarter == pytest.approx(whole / 4)


def test_the_schedule_is_what_training_does():
    cycle = AdaptiveCycle(n_updates=40, three_phase=True, patience=12)
    history = made_up(cycle, lr=0.3)
    lrs, momenta = cycle.schedule(120, lr=0.3)
    assert lrs_of(history) == lrs
    assert lrs_of(history, "momentum") == momenta
    assert history[:, "lr"] == lrs[::10]
    assert OneCycle(0.1, cycle_momentum=False).schedule(3)[1] is None
    with pytest.raises(ValueError, match="takes the learning rate of the net; give lr"):
        cycle.schedule(120)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lr_max": 0}, "lr_max=0 must be finite and above 0"),
        ({"lr_min": -1.0}, "lr_min=-1.0 must be"),
        ({"lr_max": 0.1, "lr_min": 0.2}, "lr_min=0.2 and lr_max=0.1 must rise in this order"),
        ({"lr_max": 0.1, "lr_final": 0.05}, "lr_final=0.05, lr_min=0.004"),
        ({"n_updates": 0}, "n_updates=0 must be at least 1"),
        ({"patience": -1}, "patience=-1 must be at least 0"),
        ({"factor": 1.0}, "factor=1.0 must be finite and above 0 and below 1"),
        ({"pct_start": 0.0}, "pct_start=0.0 must be"),
        ({"pct_start": 0.6, "three_phase": True}, "leaves no third phase"),
        ({"restart": "half"}, "restart='half' is not one of 'remaining', 'full'"),
        ({"reduce_from": "peak"}, "reduce_from='peak' is not"),
        ({"count_from": "end"}, "count_from='end' is not"),
        ({"min_delta": -0.1}, "min_delta=-0.1 must be"),
        ({"cycle_momentum": 2}, "cycle_momentum=2 is not"),
    ],
)
def test_bad_arguments_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        AdaptiveCycle(**params).initialize()


def test_a_monitor_that_is_no_name_is_refused():
    with pytest.raises(TypeError, match="monitor=None must be the name"):
        AdaptiveCycle(monitor=None).initialize()


def test_a_start_above_the_rate_of_the_net_is_refused():
    with pytest.raises(ValueError, match=r"lr_min=0\.2 and lr_max=0\.1 must rise"):
        made_up(AdaptiveCycle(lr_min=0.2))


def test_an_entry_that_the_history_lacks_is_refused():
    with pytest.raises(ValueError, match=r"monitor='train_f1' is no entry .* has .*valid_loss"):
        made_up(AdaptiveCycle(monitor="train_f1"))


def test_an_optimizer_without_momentum_is_told_the_way_out():
    net = MadeUp(FLAT, 10)
    net.optimizer_ = torch.optim.Adagrad([torch.zeros(1)])
    with pytest.raises(ValueError, match=r"Adagrad has neither betas nor momentum.*=False"):
        net.train(OneCycle().initialize())


@pytest.mark.parametrize("cycle", [OneCycle(0.1), AdaptiveCycle(0.1, patience=1)])
def test_copies_in_mid_training_go_on_alike(cycle):
    whole = lrs_of(made_up(clone(cycle), FLAT))
    assert clone(cycle).get_params() == cycle.get_params()

    for copied in (copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))):
        net = MadeUp(FLAT, 10)
        begun = clone(cycle).initialize()
        net.losses = FLAT[:4]
        net.train(begun)
        again = copied(begun)
        again.on_train_begin = lambda net: None
        net.losses = FLAT[4:]
        assert lrs_of(net.train(again)) == whole


@pytest.fixture(scope="module")
def cases():
    rng = np.random.default_rng(0)
    y = np.arange(48) % 3
    tone = np.sin(np.outer(1 + y, np.arange(24)) / 3)
    return (tone + 0.5 * rng.normal(size=tone.shape)).astype(np.float32), y


def classifier(*callbacks, **params):
    return GHLClassifier(
        **{
            "n_filters": (3,),
            "kernel_sizes": (5,),
            "dense_units": 6,
            "max_epochs": 12,
            "batch_size": 8,
            "lr": 0.01,
            "device": "cpu",
            "random_state": 0,
            "callbacks": [*callbacks],
            **params,
        }
    )


class Interrupt(Callback):
    """Break off a fit, as a power cut would, in an epoch, counted from 1."""

    at = math.inf

    def on_batch_end(self, net, training, **kwargs):
        if len(net.history) == self.at and training:
            raise RuntimeError("power cut")


# The training loss falls by less again and again.
SHAKY = AdaptiveCycle(0.5, monitor="train_loss", patience=0, min_delta=0.1)


@pytest.mark.parametrize("cycle", [SHAKY, OneCycle(), changed(SHAKY, n_updates=36)])
def test_a_fit_that_resumes_continues_its_cycle(cases, tmp_path, monkeypatch, cycle):
    whole = classifier(cycle, Interrupt()).fit(*cases)
    if isinstance(cycle, AdaptiveCycle):
        assert restarts_of(whole.history_)[0]["epoch"] < 7
    resumed = classifier(cycle, Interrupt(), checkpoint=tmp_path / "fit.pt")
    for at in (4, 7, 8):
        monkeypatch.setattr(Interrupt, "at", at)
        with pytest.raises(RuntimeError, match="power cut"):
            resumed.fit(*cases)
    monkeypatch.setattr(Interrupt, "at", math.inf)
    resumed.fit(*cases)
    assert lrs_of(resumed.history_) == lrs_of(whole.history_)
    assert lrs_of(resumed.history_, "momentum") == lrs_of(whole.history_, "momentum")
    assert resumed.history_[:, "train_loss"] == whole.history_[:, "train_loss"]
    np.testing.assert_array_equal(resumed.predict_proba(cases[0]), whole.predict_proba(cases[0]))


def test_epochs_added_to_a_checkpoint_are_a_cycle_of_their_own(cases, tmp_path):
    model = classifier(OneCycle(), max_epochs=3, checkpoint=tmp_path / "fit.pt").fit(*cases)
    lrs = lrs_of(model.set_params(max_epochs=5).fit(*cases).history_)
    assert lrs == OneCycle(0.01).schedule(18)[0] + OneCycle(0.01).schedule(12)[0]


def test_training_that_goes_on_is_a_cycle_of_its_own(cases):
    model = classifier(OneCycle(), max_epochs=2, warm_start=True).fit(*cases)
    one, two = OneCycle(0.01).schedule(6)[0], OneCycle(0.01).schedule(12)[0]
    assert lrs_of(model.fit(*cases).history_) == two + two
    model = pickle.loads(pickle.dumps(model))
    assert lrs_of(model.partial_fit(*cases).history_) == two + two + one


def test_a_training_of_steps_is_a_cycle_over_them():
    X = np.random.default_rng(0).normal(size=(12, 16, 16)).astype(np.float32)
    model = SEMClassifier(
        n_blocks=1,
        n_filters=(2,),
        hidden_units=None,
        max_steps=10,
        batch_size=4,
        warm_start=True,
        device="cpu",
        random_state=0,
        callbacks=[OneCycle()],
    ).fit(X, [0, 1] * 6)
    ten = OneCycle(1e-3).schedule(10)[0]
    assert lrs_of(model.history_) == ten
    assert lrs_of(model.fit(X, [0, 1] * 6).history_) == ten + ten


def test_validation_data_drive_the_restarts(cases):
    cycle = AdaptiveCycle(0.5, patience=0)
    model = classifier(cycle, validation_fraction=0.25, max_epochs=15).fit(*cases)
    losses = model.history_[:, "valid_loss"]
    [first, *_] = restarts_of(model.history_)
    rises = [i for i in range(1, 15) if losses[i] >= min(losses[:i])]
    assert first["epoch"] == rises[0] + 1
    assert isinstance(model.history_[:, "event_lr_restart"][0], dict | None)


def test_without_validation_data_the_way_out_is_told(cases):
    with pytest.raises(ValueError, match=r"AdaptiveCycle\(monitor='valid_loss'\) needs validation"):
        classifier(AdaptiveCycle()).fit(*cases)


def test_parameters_are_searched_by_name(cases):
    model = classifier(callbacks=[("cycle", OneCycle())])
    model.set_params(callbacks__cycle__pct_start=0.5, max_epochs=2).fit(*cases)
    assert lrs_of(model.history_) == OneCycle(0.01, pct_start=0.5).schedule(12)[0]


def test_automatic_rate_is_the_peak(cases):
    model = classifier(OneCycle(), lr="auto", max_epochs=2).fit(*cases)
    peak = model.lr_range_.lr_max_
    assert lrs_of(model.history_) == OneCycle(peak).schedule(12)[0]
    assert OneCycle(peak).schedule(12)[0][0] == pytest.approx(model.lr_range_.lr_min_)


def skorch_net(*callbacks, **params):
    torch.manual_seed(0)
    return NeuralNetClassifier(
        torch.nn.Linear(24, 3),
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=4,
        batch_size=8,
        lr=0.1,
        verbose=params.pop("verbose", 0),
        callbacks=[*callbacks],
        **params,
    )


def test_nets_of_skorch_take_the_cycles_too(cases, capsys):
    X, y = cases[0], cases[1].astype(np.int64)
    # A fifth is held out, so that an epoch has 38 rows in 5 batches.
    net = skorch_net(AdaptiveCycle(patience=9), verbose=1).fit(X, y)
    twenty = OneCycle(0.1).schedule(20)[0]
    assert lrs_of(net.history) == twenty
    assert lrs_of(net.partial_fit(X, y).history) == twenty + twenty
    assert "lr_restart" in capsys.readouterr().out


def test_nets_of_skorch_without_validation_data_are_told_so(cases):
    X, y = cases[0], cases[1].astype(np.int64)
    with pytest.raises(ValueError, match="needs validation data; hold some out or set monitor='tr"):
        skorch_net(AdaptiveCycle(), train_split=None).fit(X, y)
    net = skorch_net(AdaptiveCycle(monitor="train_loss"), train_split=None).fit(X, y)
    assert len(net.history) == 4
