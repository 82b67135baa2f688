"""Values in, trained nets out."""

from dataclasses import FrozenInstanceError, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from skprog._training import ArrayData, Settings, Task, build_net, continue_nets, fit_nets
from skprog.callbacks import ExponentialDecay

PARAMS = {
    "lr": 0.1,
    "momentum": 0.5,
    "max_epochs": 3,
    "batch_size": 8,
    "optimizer": "sgd",
    "weight_decay": 0.01,
    "validation_fraction": None,
    "early_stopping": False,
    "n_iter_no_change": 10,
    "shuffle": True,
    "warm_start": False,
    "amp": None,
    "callbacks": None,
    "net_params": None,
    "checkpoint": None,
    "device": "cpu",
    "verbose": 0,
}
SETTINGS = Settings.of(SimpleNamespace(**PARAMS, n_filters=(3, 4)))
X = np.linspace(-1, 1, 24, dtype=np.float32)[:, None]
LINE = Task(
    name="Line",
    module=torch.nn.Linear,
    module_params={"in_features": 1, "out_features": 1},
    criterion=torch.nn.MSELoss,
    criterion_params={},
    train=ArrayData(X, 3 * X + 1),
)


def weights_of(nets):
    """Return the weights of each net as a list."""
    return [[each.tolist() for each in net.module_.parameters()] for net in nets]


def test_a_line_is_learnt_by_plain_values():
    (net,) = fit_nets(LINE, replace(SETTINGS, max_epochs=60, weight_decay=0.0), seed=0)
    assert net.module_.weight.item() == pytest.approx(3, abs=1e-3)
    assert net.module_.bias.item() == pytest.approx(1, abs=1e-3)


def test_each_net_has_random_numbers_of_its_own_and_the_same_in_another_fit():
    two = fit_nets(LINE, replace(SETTINGS, n_networks=2), seed=0)
    one, other = weights_of(two)
    assert one != other
    assert weights_of(fit_nets(LINE, SETTINGS, seed=0)) == [one]
    assert weights_of(fit_nets(LINE, SETTINGS, seed=1)) != [one]


def test_going_on_leaves_the_nets_that_it_begins_with():
    nets = fit_nets(LINE, SETTINGS, seed=0)
    before = weights_of(nets)
    further = continue_nets(nets, LINE.train, None, replace(SETTINGS, max_epochs=1), seed=0)
    assert weights_of(nets) == before != weights_of(further)
    assert [len(net.history) for net in (*nets, *further)] == [3, 4]


def test_epochs_one_by_one_are_a_fit_but_for_their_random_numbers():
    task = replace(LINE, callbacks=[("lr_decay", ExponentialDecay(0.5))])
    settings = replace(SETTINGS, shuffle=False)
    expected = fit_nets(task, settings, seed=0)
    nets = fit_nets(task, replace(settings, max_epochs=1), seed=0)
    for _ in range(2):
        nets = continue_nets(nets, LINE.train, None, replace(settings, max_epochs=1), seed=0)
    assert weights_of(nets) == weights_of(expected)


def test_steps_take_the_place_of_epochs():
    (net,) = fit_nets(LINE, replace(SETTINGS, max_steps=4), seed=0)
    assert net.history[:, "train_batch_count"] == [3, 1]


def test_callbacks_are_built_anew_for_each_net():
    callback = ExponentialDecay(0.5)
    task = replace(LINE, callbacks=[("lr_decay", callback)])
    nets = fit_nets(task, replace(SETTINGS, n_networks=2), seed=0)
    own = [dict(net.callbacks_)["lr_decay"] for net in nets]
    assert len({id(each) for each in (callback, *own)}) == 3
    assert [net.history[:, "lr"] for net in nets] == [[0.1, 0.05, 0.025]] * 2


def test_buffers_and_parameters_reach_the_net():
    task = replace(
        LINE,
        module=torch.nn.BatchNorm1d,
        module_params={"num_features": 1},
        buffers={"running_mean": np.float64(7)},
    )
    net = build_net(task, SETTINGS)
    assert net.module_.running_mean.tolist() == [7]
    (group,) = net.optimizer_.param_groups
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.1, 0.5, 0.01)
    assert build_net(task, replace(SETTINGS, net_params={"lr": 7.0})).lr == 7


def test_a_loss_that_diverges_is_refused():
    with pytest.raises(ValueError, match=r"training diverged: .* use a smaller lr than 1e\+30"):
        fit_nets(LINE, replace(SETTINGS, lr=1e30), seed=0)


def test_task_and_settings_stay_as_they_are():
    with pytest.raises(FrozenInstanceError):
        SETTINGS.lr = 1.0
    with pytest.raises(FrozenInstanceError):
        LINE.train = None
