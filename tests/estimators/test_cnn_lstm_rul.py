"""CnnLstmRUL: what it learns, what it keeps, what it refuses."""

import copy
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.ensemble import VotingRegressor
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingRandomSearchCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, EarlyStopping, LRScheduler

from skprog.callbacks import BestWeights, ProgressBar
from skprog.datasets import make_run_to_failure
from skprog.estimators import CnnLstmRUL
from skprog.metrics import neg_maintenance_cost_scorer
from skprog.preprocessing import AccelRotation45, FrequencyMaxPool, WelchSpectrogram
from skprog.sequences import RunSequences

SMALL = {
    "n_filters": (2, 3),
    "kernel_sizes": ((3, 3), (2, 2)),
    "strides": ((1, 1), (1, 1)),
    "lstm_units": 8,
    "dense_units": (8,),
    "max_epochs": 2,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def spectrograms():
    """Sequences of 4 steps over 4 runs of 15 windows whose level rises to failure, and RUL."""
    rng = np.random.default_rng(0)
    rul = np.tile(np.arange(15)[::-1] * 10.0, 4)
    windows = rng.normal(size=(60, 2, 12, 9)) - rul[:, None, None, None] / 50
    time = np.tile(np.arange(15) * 10.0, 4)
    runs = np.repeat(["a", "b", "c", "d"], 15)
    X = RunSequences.from_runs(windows.astype(np.float16), runs, n_steps=4, time=time)
    return X, rul


@pytest.fixture(scope="module")
def fitted(spectrograms):
    return CnnLstmRUL(**SMALL).fit(*spectrograms)


@pytest.fixture(scope="module")
def raw():
    """Raw windows of 6 simulated runs as sequences of 3 steps, and RUL."""
    data = make_run_to_failure(n_runs=6, n_windows=12, n_timepoints=512, random_state=0)
    X = RunSequences.from_runs(data.windows, data.runs, n_steps=3, time=data.time)
    return X, data.rul


def pipeline(**params):
    return make_pipeline(
        AccelRotation45(),
        WelchSpectrogram(nperseg=128, hop=32, f_max=8400),
        FrequencyMaxPool(2),
        CnnLstmRUL(**{**SMALL, **params}),
    )


def weights(model):
    return torch.cat([value.flatten() for value in model.net_.module_.state_dict().values()])


def test_default_network_has_the_papers_parameter_count():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2, 32, 1, 84, 25)).astype(np.float32)
    model = CnnLstmRUL(max_epochs=1, random_state=0).fit(X, [10.0, 0.0])
    assert sum(p.numel() for p in model.net_.module_.parameters()) == 127_149


def test_rising_level_is_learnt(spectrograms):
    X, y = spectrograms
    model = CnnLstmRUL(**{**SMALL, "max_epochs": 40, "lr": 1e-2, "lr_decay": 0.95}).fit(X, y)
    assert model.score(X, y) > 0.8


@pytest.mark.parametrize("target", ["rul_index", "linear"])
def test_predictions_are_seconds_between_zero_and_max_life(spectrograms, target):
    X, y = spectrograms
    model = CnnLstmRUL(**SMALL, target=target).fit(X, y)
    y_pred = model.predict(X)
    assert model.max_life_ == 140.0
    assert y_pred.dtype == np.float64
    assert y_pred.shape == y.shape
    assert y_pred.min() >= 0
    assert y_pred.max() <= 140.0


def test_max_life_given_is_kept(spectrograms):
    assert CnnLstmRUL(**SMALL, max_life=500).fit(*spectrograms).max_life_ == 500.0


def test_prediction_is_the_mean_of_the_channels(fitted, spectrograms):
    X, _ = spectrograms
    channels = fitted.predict_channels(X)
    assert channels.shape == (2, 60)
    np.testing.assert_array_equal(fitted.predict(X), channels.mean(axis=0))


def test_each_channel_is_a_sample_of_its_own(fitted, spectrograms):
    X, _ = spectrograms
    swapped = X.map(lambda windows: windows[:, ::-1])
    np.testing.assert_array_equal(
        fitted.predict_channels(swapped), fitted.predict_channels(X)[::-1]
    )


def test_stacked_array_predicts_the_same(fitted, spectrograms):
    X, _ = spectrograms
    np.testing.assert_allclose(
        fitted.predict(X), fitted.predict(np.asarray(X)), rtol=0, atol=1e-6 * fitted.max_life_
    )


def test_subset_predicts_the_same(fitted, spectrograms):
    X, _ = spectrograms
    np.testing.assert_array_equal(fitted.predict(X[X.runs == "b"]), fitted.predict(X)[15:30])


def test_windows_out_of_use_are_not_encoded(fitted, spectrograms, monkeypatch):
    X, _ = spectrograms
    encoded = []
    encode = fitted.net_.module_.encode
    monkeypatch.setattr(
        fitted.net_.module_, "encode", lambda windows: encoded.append(windows) or encode(windows)
    )
    fitted.predict(X[X.runs == "c"])
    assert sum(map(len, encoded)) == 32


def test_inputs_are_standardised_per_frequency(fitted, spectrograms):
    X, _ = spectrograms
    windows = X.windows.astype(np.float64)
    module = fitted.net_.module_
    np.testing.assert_allclose(module.mean.ravel(), windows.mean(axis=(0, 1, 3)), rtol=1e-5)
    np.testing.assert_allclose(module.scale.ravel(), windows.std(axis=(0, 1, 3)), rtol=1e-5)


def test_constant_frequency_is_not_divided_by_zero(spectrograms):
    X, y = spectrograms
    windows = X.windows.copy()
    windows[:, :, 3] = 2.5
    X = RunSequences.from_runs(windows, np.repeat(["a", "b", "c", "d"], 15), n_steps=4)
    assert np.isfinite(CnnLstmRUL(**SMALL).fit(X, y).predict(X)).all()


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 12, 9), (5, 2, 12, 9)])
def test_ranks_two_to_five_are_read(shape):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, *shape))
    y = np.arange(20.0)
    model = CnnLstmRUL(**SMALL).fit(X, y)
    assert model.shape_in_ == shape
    assert model.predict_channels(X).shape == (2 if len(shape) == 4 else 1, 20)


def test_four_and_five_dimensions_agree_for_one_channel():
    X = np.random.default_rng(0).normal(size=(12, 4, 12, 9)).astype(np.float32)
    y = np.arange(12.0)
    one = CnnLstmRUL(**SMALL).fit(X, y)
    other = CnnLstmRUL(**SMALL).fit(X[:, :, None], y)
    np.testing.assert_array_equal(one.predict(X), other.predict(X[:, :, None]))


def test_cap_limits_the_target(spectrograms):
    X, y = spectrograms
    params = {**SMALL, "max_epochs": 30, "lr": 1e-2, "lr_decay": 0.95, "target": "linear"}
    model = CnnLstmRUL(**params, max_rul=30.0).fit(X, y)
    assert model.max_life_ == 140.0
    assert model.predict(X).max() < 60.0


@pytest.mark.parametrize("target", ["rul_index", "linear"])
@pytest.mark.parametrize("quantile", [0.2, 0.7])
def test_quantile_of_the_rul_is_learnt_where_nothing_else_is_known(target, quantile):
    X, y = np.ones((200, 3)), np.linspace(0, 100, 200)
    params = {**SMALL, "max_epochs": 80, "lr": 1e-2, "lr_decay": 0.96, "target": target}
    rul = CnnLstmRUL(**params, quantile=quantile).fit(X, y).predict(X)
    np.testing.assert_allclose(rul, 100 * quantile, atol=4)


def test_two_fits_agree_bit_for_bit(spectrograms):
    X, y = spectrograms
    params = {**SMALL, "dropout": 0.3, "validation_fraction": 0.25}
    one, other = CnnLstmRUL(**params).fit(X, y), CnnLstmRUL(**params).fit(X, y)
    third = CnnLstmRUL(**{**params, "random_state": 1}).fit(X, y)
    assert torch.equal(weights(one), weights(other))
    assert not torch.equal(weights(one), weights(third))


def test_global_generators_are_untouched(spectrograms):
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    CnnLstmRUL(**{**SMALL, "random_state": None, "dropout": 0.2}).fit(*spectrograms)
    assert torch.equal(torch.get_rng_state(), torch_before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before[1])  # noqa: NPY002


def test_validation_holds_out_whole_runs(spectrograms):
    X, y = spectrograms
    train, valid, note = CnnLstmRUL(validation_fraction=0.25)._hold_out(X, y, None)
    assert not set(X[train].runs) & set(X[valid].runs)
    assert len(valid) == 15
    assert note is None


def test_random_validation_warns(spectrograms):
    model = CnnLstmRUL(**SMALL, validation_fraction=0.2, validation="random")
    with pytest.warns(UserWarning, match="share windows"):
        model.fit(*spectrograms)


def test_best_weights_are_restored(spectrograms):
    X, y = spectrograms
    params = {**SMALL, "max_epochs": 12, "lr": 0.05, "lr_decay": 1.0, "validation_fraction": 0.25}
    model = CnnLstmRUL(**params).fit(X, y)
    losses = model.history_[:, "valid_loss"]
    assert model.best_epoch_ == 1 + int(np.argmin(losses))
    shorter = CnnLstmRUL(**{**params, "max_epochs": model.best_epoch_}).fit(X, y)
    assert torch.equal(weights(model), weights(shorter))


def test_last_weights_are_kept_where_the_best_are_switched_off(spectrograms):
    X, y = spectrograms
    params = {**SMALL, "max_epochs": 12, "lr": 0.05, "lr_decay": 1.0, "validation_fraction": 0.25}
    best = CnnLstmRUL(**params).fit(X, y)
    model = CnnLstmRUL(**params).set_params(net_params__callbacks__best_weights=None).fit(X, y)
    assert model.best_epoch_ == 12 > best.best_epoch_
    np.testing.assert_array_equal(model.history_[:, "valid_loss"], best.history_[:, "valid_loss"])
    assert not torch.equal(weights(model), weights(best))


def test_early_stopping_stops(spectrograms):
    params = {**SMALL, "max_epochs": 200, "lr": 0.05, "lr_decay": 1.0, "n_iter_no_change": 3}
    model = CnnLstmRUL(**params, early_stopping=True, validation_fraction=0.25).fit(*spectrograms)
    assert model.n_iter_ < 200
    assert model.n_iter_ == model.best_epoch_ + 3


def test_learning_rate_decays_per_epoch(spectrograms):
    model = CnnLstmRUL(**{**SMALL, "max_epochs": 3}, lr=0.01, lr_decay=0.5).fit(*spectrograms)
    np.testing.assert_allclose(model.history_[:, "lr"], [0.01, 0.005, 0.0025])


def test_automatic_learning_rate_lies_in_the_tested_range(spectrograms):
    model = CnnLstmRUL(**SMALL, lr="auto").fit(*spectrograms)
    assert 1e-7 < model.history_[0, "lr"] < 10


def test_warm_start_and_partial_fit_continue(spectrograms):
    X, y = spectrograms
    model = CnnLstmRUL(**SMALL, warm_start=True).fit(X, y)
    assert model.fit(X, y).n_iter_ == 4
    assert model.partial_fit(X, y).n_iter_ == 5
    fresh = CnnLstmRUL(**SMALL).partial_fit(X, y)
    assert fresh.n_iter_ == 1


def test_fitted_copies_predict_the_same(fitted, spectrograms):
    X, _ = spectrograms
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), fitted.predict(X))
    assert not hasattr(clone(fitted), "shape_in_")


def test_refit_on_another_number_of_channels(spectrograms):
    X, y = spectrograms
    model = CnnLstmRUL(**SMALL).fit(X, y)
    one = X.map(lambda windows: windows[:, :1])
    assert model.fit(one, y).predict_channels(one).shape == (1, 60)


def test_bfloat16_agrees_roughly(spectrograms):
    X, y = spectrograms
    half = CnnLstmRUL(**SMALL, amp="bf16").fit(X, y)
    full = CnnLstmRUL(**SMALL).fit(X, y)
    assert not torch.equal(weights(half), weights(full))
    assert len(np.unique(half.predict(X))) > 50
    np.testing.assert_allclose(half.predict(X), full.predict(X), atol=0.05 * full.max_life_)


@pytest.mark.parametrize("shape", [(60, 5), (60, 5, 3)])
def test_bfloat16_takes_vectors_and_single_numbers(shape):
    X = np.random.default_rng(0).standard_normal(shape)
    y = np.arange(60.0)
    half = CnnLstmRUL(**SMALL, amp="bf16").fit(X, y)
    full = CnnLstmRUL(**SMALL).fit(X, y)
    np.testing.assert_allclose(half.predict(X), full.predict(X), atol=0.05 * full.max_life_)


def test_progress_bar_shows_losses_only_when_asked(spectrograms, capsys):
    CnnLstmRUL(**SMALL).fit(*spectrograms)
    assert capsys.readouterr() == ("", "")
    CnnLstmRUL(**SMALL, verbose=1).fit(*spectrograms)
    shown = capsys.readouterr()
    assert "trains on" in shown.out
    assert "train_loss" in shown.err


def test_callbacks_are_cloned_and_reachable(spectrograms):
    stopper = EarlyStopping(monitor="train_loss", patience=3)
    model = CnnLstmRUL(**SMALL, callbacks=[("stopper", stopper)])
    assert model.get_params()["callbacks__stopper__patience"] == 3
    other = clone(model).set_params(callbacks__stopper__patience=7)
    assert other.get_params()["callbacks__stopper__patience"] == 7
    assert stopper.patience == 3
    before = dict(vars(stopper))
    other.fit(*spectrograms)
    assert vars(stopper) == before


def test_unknown_callback_name_lists_the_known():
    model = CnnLstmRUL(callbacks=[("stopper", EarlyStopping())])
    with pytest.raises(ValueError, match=r"no callback 'stoper'; it has \['stopper'\]"):
        model.set_params(callbacks__stoper__patience=2)


def test_momentum_reaches_the_optimizer(spectrograms):
    model = CnnLstmRUL(**SMALL, optimizer="sgd").fit(*spectrograms)
    assert model.net_.optimizer_.param_groups[0]["momentum"] == 0.9
    model.set_params(momentum=0.3).fit(*spectrograms)
    assert model.net_.optimizer_.param_groups[0]["momentum"] == 0.3


def test_net_params_reach_skorch(spectrograms):
    model = CnnLstmRUL(**SMALL, optimizer="sgd", net_params={"optimizer__momentum": 0.5})
    model.set_params(net_params__optimizer__momentum=0.9).fit(*spectrograms)
    assert model.net_.optimizer_.param_groups[0]["momentum"] == 0.9
    assert model.get_params()["net_params__optimizer__momentum"] == 0.9


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"early_stopping": True}, "early_stopping=True needs validation data; set validation_fr"),
        (
            {"callbacks": [EarlyStopping()]},
            r"EarlyStopping\(monitor='valid_loss'\) needs validation data; "
            "set validation_fraction=0.2 or monitor='train_loss'",
        ),
        ({"target": "index"}, "target='index' is not one of 'rul_index', 'linear'"),
        ({"quantile": 1.0}, "quantile=1.0"),
        ({"validation": "time"}, "validation='time' is not one of"),
        ({"optimizer": "adamm"}, "optimizer='adamm' is not one of"),
        ({"amp": "fp8"}, "amp='fp8' is not one of"),
        ({"amp": "fp16", "device": "cpu"}, "amp='fp16' needs a GPU; use amp='bf16' on a CPU"),
        ({"padding": "full"}, "padding='full' is not one of"),
        ({"lr": 0}, "lr=0 must be finite and above 0"),
        ({"lr_decay": 1.5}, "lr_decay=1.5 must be finite and above 0 and at most 1"),
        ({"lr": "Auto"}, "lr='Auto' is not one of 'auto'"),
        ({"lr": "a number"}, "lr='a number' is not one of 'auto'"),
        ({"device": "cud"}, "device='cud' is not available"),
        ({"optimizer": int}, "is not one of 'adam', 'adamw', 'sgd'"),
        ({"shuffle": "no"}, "shuffle='no' is not one of True, False"),
        ({"random_state": "abc"}, "random_state='abc' is no seed"),
        ({"random_state": -1}, "random_state=-1 is no seed"),
        (
            {"net_params": {"callbacks": []}},
            "net_params sets 'callbacks', which is",
        ),
        ({"net_params": {"lr": 1}}, "net_params sets 'lr'"),
        ({"net_params": {"callbacks__best_weights": 3}}, "'callbacks__best_weights' to None only"),
        ({"net_params": {"callbacks__best_weights": None}}, "which takes a validation_fraction"),
        ({"callbacks": [LRScheduler()]}, "would overwrite the rates of LRScheduler"),
        ({"callbacks": [("train_loss", ProgressBar())]}, "one of the estimator's own"),
        ({"callbacks": [ProgressBar(), ProgressBar()]}, "'ProgressBar' twice"),
        ({"warm_start": True, "checkpoint": "fit.ckpt"}, "set checkpoint=None for warm_start"),
        ({"checkpoint": "no/such/folder/fit.ckpt"}, "create the folder first"),
        ({"max_epochs": 0}, "max_epochs=0 must be at least 1"),
        ({"batch_size": 0}, "batch_size=0 must be at least 1"),
        ({"chunk_length": 0}, "chunk_length=0 must be at least 1"),
        ({"dropout": 1.0}, "dropout=1.0 must be finite and at least 0 and below 1"),
        ({"validation_fraction": 1.0}, "validation_fraction=1.0 must be"),
        ({"max_life": -1}, "max_life=-1 must be"),
        ({"max_rul": 0}, "max_rul=0 must be"),
        ({"n_conv_layers": 3}, "n_conv_layers=3 exceeds the 2 layers"),
        ({"kernel_sizes": (3, 3)}, "the kernel of convolutional layer 1 is 3; give two integers"),
        ({"pool_size": (0, 2)}, r"the pool of convolutional layer 1 is \(0, 2\)"),
        ({"dense_units": (0,)}, r"dense_units=\(0,\) must hold integers of at least 1"),
        ({"dense_units": 8}, "dense_units=8 must hold integers of at least 1"),
        ({"n_filters": 4}, "n_filters=4 must hold integers of at least 1"),
        ({"kernel_sizes": ((3, 3), (6, 6))}, "vanishes: convolutional layer 2 has a 6 x 6 kernel"),
        ({"pool_size": (9, 9)}, "the pooling after convolutional layer 1"),
    ],
)
def test_bad_parameter_is_refused_with_a_way_out(spectrograms, params, message):
    with pytest.raises(ValueError, match=message):
        CnnLstmRUL(**{**SMALL, **params}).fit(*spectrograms)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"net_params": 3}, "net_params=3 must be a dict"),
        ({"callbacks": ["x"]}, "callbacks holds 'x'; give instances"),
        ({"callbacks": [EarlyStopping]}, "give instances"),
        ({"callbacks": 3}, "callbacks=3 must be a list"),
        ({"callbacks": [("a",)]}, "give instances"),
        ({"checkpoint": 3}, "checkpoint=3 must be the path"),
        ({"lr": None}, "lr=None must be a number"),
    ],
)
def test_wrong_type_is_refused(spectrograms, params, message):
    with pytest.raises(TypeError, match=message):
        CnnLstmRUL(**{**SMALL, **params}).fit(*spectrograms)


def test_failed_refit_leaves_the_fitted_model(spectrograms):
    X, y = spectrograms
    model = CnnLstmRUL(**SMALL, optimizer="sgd", warm_start=True).fit(X, y)
    expected = model.predict(X)
    failures = [({"lr_decay": 2}, X, 10 * y), ({}, X, -y)]
    for params, bad_X, bad_y in failures:
        with pytest.raises(ValueError, match=r"(lr_decay=2|Negative)"):
            model.set_params(**params).fit(bad_X, bad_y)
        model.set_params(lr_decay=0.8)
        np.testing.assert_array_equal(model.predict(X), expected)
    fresh = CnnLstmRUL(**SMALL).fit(X, y)
    expected = fresh.predict(X)
    with pytest.raises(ValueError, match="diverged"):
        fresh.set_params(optimizer="sgd", lr=1e18).fit(X, y)
    np.testing.assert_array_equal(fresh.predict(X), expected)


def test_rows_held_out_stay_so_when_training_goes_on(spectrograms, tmp_path):
    X, y = spectrograms
    held_out = []

    class Recorder(Callback):
        def on_epoch_begin(self, net, dataset_valid=None, **kwargs):
            held_out.append(tuple(np.unique(dataset_valid.runs)))

    params = {**SMALL, "validation_fraction": 0.25, "callbacks": [("recorder", Recorder())]}
    model = CnnLstmRUL(**{**params, "random_state": None}).fit(X, y)
    for _ in range(4):
        model.partial_fit(X, y)
    assert len(set(held_out)) == 1


def test_resuming_without_random_state_keeps_the_split_and_the_seed(spectrograms, tmp_path):
    X, y = spectrograms
    params = {**SMALL, "random_state": None, "validation_fraction": 0.25}
    path = tmp_path / "fit.ckpt"
    first = CnnLstmRUL(**params, checkpoint=path).fit(X, y)
    seeds = {CnnLstmRUL(**params, checkpoint=path).fit(X, y)._seed for _ in range(3)}
    assert seeds == {first._seed}


def test_training_that_goes_on_refuses_changes_and_warns_of_longer_lives(spectrograms):
    X, y = spectrograms
    model = CnnLstmRUL(**SMALL, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="lstm_units changed since the first fit"):
        copy.deepcopy(model).set_params(lstm_units=9).fit(X, y)
    with pytest.warns(UserWarning, match=r"cut to max_life_=140\.0 s"):
        model.fit(X, y + 140)


def test_training_that_goes_on_keeps_its_own_best_weights(spectrograms):
    X, y = spectrograms
    params = {**SMALL, "max_epochs": 4, "validation_fraction": 0.25, "warm_start": True}
    model = CnnLstmRUL(**params).fit(X, y).fit(X, y)
    assert 5 <= model.best_epoch_ <= 8


def test_partial_fit_refuses_a_checkpoint(spectrograms, tmp_path):
    with pytest.raises(ValueError, match="set checkpoint=None for partial_fit"):
        CnnLstmRUL(**SMALL, checkpoint=tmp_path / "fit.ckpt").partial_fit(*spectrograms)


def test_windows_in_place_of_sequences_warn():
    windows = np.random.default_rng(0).normal(size=(12, 3, 12, 9))
    with pytest.warns(UserWarning, match="read as 3 steps of one channel"):
        CnnLstmRUL(**SMALL).fit(windows, np.arange(12.0))


def test_stacked_sequences_held_out_warn(spectrograms):
    X, y = spectrograms
    with pytest.warns(UserWarning, match="X knows no runs"):
        CnnLstmRUL(**SMALL, validation_fraction=0.25).fit(np.asarray(X), y)


def test_threads_side_by_side_agree_with_a_serial_run(spectrograms):
    X, y = spectrograms
    params = {**SMALL, "dropout": 0.3, "batch_size": 8}
    expected = weights(CnnLstmRUL(**params).fit(X, y))
    before = torch.get_rng_state()
    with ThreadPoolExecutor(2) as pool:
        fits = list(pool.map(lambda _: CnnLstmRUL(**params).fit(X, y), range(4)))
    assert all(torch.equal(weights(fit), expected) for fit in fits)
    assert torch.equal(torch.get_rng_state(), before)


def test_sizes_drawn_by_numpy_are_accepted(spectrograms):
    params = {
        "lstm_units": np.int64(4),
        "batch_size": np.uint8(64),
        "chunk_length": np.uint8(8),
        "n_filters": np.array([2, 3]),
        "kernel_sizes": np.array([[3, 3], [2, 2]], dtype=np.uint8),
        "lr": np.float32(1e-3),
        "dropout": np.float64(0.1),
    }
    model = CnnLstmRUL(**{**SMALL, **params}).fit(*spectrograms)
    assert model.net_.module_.lstm.hidden_size == 4


def test_target_stays_the_one_fitted(spectrograms):
    X, y = spectrograms
    model = CnnLstmRUL(**SMALL).fit(X, y)
    expected = model.predict(X)
    np.testing.assert_array_equal(model.set_params(target="linear").predict(X), expected)


def test_targets_beyond_max_life_are_cut(spectrograms):
    X, y = spectrograms
    for target, lowest, highest in (("linear", 0, 1), ("rul_index", 0.2, 1)):
        model = CnnLstmRUL(**SMALL, target=target, max_life=50).fit(X, y)
        data = model._data(X, y)
        assert (data.y.min(), data.y.max()) == pytest.approx((lowest, highest))


def test_validation_by_run_needs_two_runs(spectrograms):
    X, y = spectrograms
    with pytest.raises(ValueError, match="needs at least 2 runs in X"):
        CnnLstmRUL(**SMALL, validation_fraction=0.5).fit(X[:15], y[:15])


def test_diverging_training_is_an_error(spectrograms):
    with pytest.raises(ValueError, match=r"training diverged.*use a smaller lr than 1e"):
        CnnLstmRUL(**SMALL, optimizer="sgd", lr=1e18).fit(*spectrograms)


@pytest.mark.parametrize("target", ["rul_index", "linear"])
def test_an_output_that_is_nan_names_the_sequence(spectrograms, target):
    X, y = spectrograms
    model = CnnLstmRUL(**SMALL, target=target).fit(X, y)
    X = np.array(X[:8], dtype=np.float32)
    X[5, -1, 1] = 3e38
    model.net_.module_.scale.fill_(1e-9)
    with pytest.raises(ValueError, match=r"NaN or infinite for 1 of 8 sequences, first .* 5;"):
        model.predict(X)
    with torch.no_grad():
        model.net_.module_.head[-1].bias.fill_(torch.nan)
    with pytest.raises(ValueError, match=r"for 7 of 7 sequences.* or fit again"):
        model.predict(X[1:])


def test_bad_data_is_refused(spectrograms, fitted):
    X, y = spectrograms
    stacked = np.asarray(X)
    model = CnnLstmRUL(**SMALL)
    with pytest.raises(ValueError, match="Negative values in data passed as y"):
        model.fit(X, y - 1)
    with pytest.raises(ValueError, match="y has 59 values but X has 60 rows"):
        model.fit(X, y[:-1])
    with pytest.raises(ValueError, match="Input y contains NaN"):
        model.fit(X, np.where(y == 0, np.nan, y))
    with pytest.raises(ValueError, match="X has 0 sequences"):
        model.fit(X[:0], y[:0])
    with pytest.raises(ValueError, match="X has 6 dimensions; sequences have 2 to 5"):
        model.fit(stacked[..., None], y)
    broken = stacked.copy()
    broken[7, 0, 0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="first in row 7"):
        model.fit(broken, y)
    with pytest.raises(ValueError, match="prepare both alike"):
        fitted.predict(X.map(lambda windows: windows[:, :1]))
    with pytest.raises(TypeError, match="sample_weight"):
        model.fit(X, y, sample_weight=np.ones(60))


FIT_WITH_CHECKPOINT = """
import os, sys, numpy as np, torch
from skorch.callbacks import Callback
from skprog.estimators import CnnLstmRUL
from skprog.sequences import RunSequences

class Killer(Callback):
    def __init__(self, after=None):
        self.after = after
    def on_batch_end(self, net, training=False, **kwargs):
        if os.environ.get("KILL_AT") and training:
            done = sum(len(epoch["batches"]) for epoch in net.history)
            if done == int(os.environ["KILL_AT"]):
                os._exit(9)

rng = np.random.default_rng(0)
rul = np.tile(np.arange(20.0)[::-1], 3)
windows = rng.normal(size=(60, 3)) - rul[:, None] / 5
X = RunSequences.from_runs(windows, np.repeat([0, 1, 2], 20), n_steps=3)
model = CnnLstmRUL(lstm_units=8, dense_units=(8,), dropout=0.2, max_epochs=6, batch_size=8,
    chunk_length=4, validation_fraction=0.3, n_iter_no_change=3, early_stopping=True, lr=0.01,
    random_state=0, callbacks=[("killer", Killer())], checkpoint=sys.argv[1] or None)
model.fit(X, rul)
state = model.net_.module_.state_dict()
np.savez(sys.argv[2], *[value.numpy() for value in state.values()],
    losses=model.history_[:, ("train_loss", "valid_loss", "lr")], best=model.best_epoch_)
"""


def test_killed_fit_resumes_bit_for_bit(tmp_path):
    script = tmp_path / "fit.py"
    script.write_text(FIT_WITH_CHECKPOINT)

    def run(checkpoint, out, **env):
        done = subprocess.run(
            [sys.executable, script, checkpoint, out],
            env={**os.environ, "OMP_NUM_THREADS": "1", **env},
            check=False,
        )
        return done.returncode

    checkpoint = str(tmp_path / "fit.ckpt")
    assert run("", tmp_path / "whole.npz") == 0
    assert run(checkpoint, tmp_path / "killed.npz", KILL_AT="13") == 9
    assert not (tmp_path / "killed.npz").exists()
    assert run(checkpoint, tmp_path / "resumed.npz") == 0
    whole, resumed = np.load(tmp_path / "whole.npz"), np.load(tmp_path / "resumed.npz")
    for name in whole.files:
        np.testing.assert_array_equal(whole[name], resumed[name])


def test_checkpoint_of_another_fit_is_refused(spectrograms, tmp_path):
    X, y = spectrograms
    path = tmp_path / "fit.ckpt"
    CnnLstmRUL(**SMALL, checkpoint=path).fit(X, y)
    with pytest.raises(ValueError, match="by a fit with other lstm_units; delete it"):
        CnnLstmRUL(**{**SMALL, "lstm_units": 9}, checkpoint=path).fit(X, y)
    with pytest.raises(ValueError, match="by a fit with other data"):
        CnnLstmRUL(**SMALL, checkpoint=path).fit(X[:30], y[:30])
    with pytest.raises(ValueError, match="holds 2 epochs, more than max_epochs=1"):
        CnnLstmRUL(**{**SMALL, "max_epochs": 1}, checkpoint=path).fit(X, y)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="cannot be read"):
        CnnLstmRUL(**SMALL, checkpoint=path).fit(X, y)


def test_checkpoint_knows_its_data_in_a_memory_map_again(spectrograms, tmp_path):
    X, y = spectrograms
    np.save(tmp_path / "windows.npy", X.windows)
    mapped = np.load(tmp_path / "windows.npy", mmap_mode="r")
    again = RunSequences.from_runs(mapped, X.runs, n_steps=4, time=X.time)
    path = tmp_path / "fit.ckpt"
    first = CnnLstmRUL(**SMALL, checkpoint=path).fit(X, y)
    assert torch.equal(weights(CnnLstmRUL(**SMALL, checkpoint=path).fit(again, y)), weights(first))


def test_checkpoint_is_extended_by_more_epochs(spectrograms, tmp_path):
    X, y = spectrograms
    path = tmp_path / "fit.ckpt"
    CnnLstmRUL(**SMALL, checkpoint=path).fit(X, y)
    longer = CnnLstmRUL(**{**SMALL, "max_epochs": 4}, checkpoint=path).fit(X, y)
    whole = CnnLstmRUL(**{**SMALL, "max_epochs": 4}).fit(X, y)
    assert torch.equal(weights(longer), weights(whole))


def test_scheduler_of_skorch_resumes(spectrograms, tmp_path):
    X, y = spectrograms
    scheduler = LRScheduler("StepLR", step_size=1, gamma=0.5)
    params = {**SMALL, "lr_decay": 1.0, "callbacks": [("scheduler", scheduler)]}
    path = tmp_path / "fit.ckpt"
    CnnLstmRUL(**params, checkpoint=path).fit(X, y)
    longer = CnnLstmRUL(**{**params, "max_epochs": 4}, checkpoint=path).fit(X, y)
    whole = CnnLstmRUL(**{**params, "max_epochs": 4}).fit(X, y)
    np.testing.assert_allclose(
        whole.history_[:, "lr"], CnnLstmRUL().lr * 0.5 ** np.arange(4), rtol=1e-6
    )
    assert torch.equal(weights(longer), weights(whole))


@pytest.mark.parametrize(
    "params",
    [
        {"shuffle": False},
        {"chunk_length": 1, "dropout": 0.2},
        {"amp": "bf16"},
        {"lr": "auto"},
        {"callbacks": [("stop", EarlyStopping(monitor="train_loss", load_best=True))]},
        {"validation_fraction": 0.25, "verbose": 1},
    ],
)
def test_resumed_fit_equals_a_whole_one(spectrograms, tmp_path, params):
    X, y = spectrograms
    path = tmp_path / "fit.ckpt"
    params = {**SMALL, **params}
    CnnLstmRUL(**params, checkpoint=path).fit(X, y)
    resumed = CnnLstmRUL(**{**params, "max_epochs": 5}, checkpoint=path).fit(X, y)
    whole = CnnLstmRUL(**{**params, "max_epochs": 5}).fit(X, y)
    assert torch.equal(weights(resumed), weights(whole))
    assert resumed.best_epoch_ == whole.best_epoch_


def test_grid_search_with_groups(raw):
    X, y = raw
    search = GridSearchCV(pipeline(), {"cnnlstmrul__lr": [1e-3, 1e-2]}, cv=GroupKFold(3))
    search.fit(X, y, groups=X.runs)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(X).shape == y.shape


def test_cross_val_predict_with_groups(raw):
    X, y = raw
    y_pred = cross_val_predict(pipeline(), X, y, groups=X.runs, cv=GroupKFold(3))
    assert y_pred.shape == y.shape


def test_halving_search_over_epochs(raw):
    X, y = raw
    search = HalvingRandomSearchCV(
        pipeline(),
        {"cnnlstmrul__lr": [1e-4, 1e-3, 1e-2, 1e-1]},
        resource="cnnlstmrul__max_epochs",
        min_resources=1,
        max_resources=3,
        n_candidates=3,
        cv=GroupKFold(3),
        n_jobs=2,
        random_state=0,
    ).fit(X, y, groups=X.runs)
    assert search.best_params_["cnnlstmrul__max_epochs"] == 3


def test_impossible_geometry_is_a_failed_candidate(raw):
    X, y = raw
    grid = {"cnnlstmrul__kernel_sizes": [((3, 3), (2, 2)), ((3, 3), (99, 2))]}
    search = GridSearchCV(pipeline(), grid, cv=GroupKFold(2))
    with (
        pytest.warns(FitFailedWarning, match="feature map vanishes"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(X, y, groups=X.runs)
    assert search.best_index_ == 0


def test_voting_over_pipelines_averages_seconds(raw):
    X, y = raw
    one, other = pipeline(), pipeline(target="linear")
    vote = VotingRegressor([("a", one), ("b", other)]).fit(X, y)
    expected = (one.fit(X, y).predict(X) + other.fit(X, y).predict(X)) / 2
    np.testing.assert_allclose(vote.predict(X), expected)
    scores = cross_validate(
        vote, X, y, groups=X.runs, cv=GroupKFold(2), scoring=neg_maintenance_cost_scorer
    )
    assert np.isfinite(scores["test_score"]).all()


def test_pipeline_with_memory_computes_features_once(raw, tmp_path):
    X, y = raw
    cached = make_pipeline(*[step for _, step in pipeline().steps], memory=str(tmp_path))
    expected = cached.fit(X, y).predict(X)

    def refuse(self, X):
        raise AssertionError("computed again")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WelchSpectrogram, "fit_transform", refuse)
        again = clone(cached).fit(X, y)
    np.testing.assert_array_equal(again.predict(X), expected)


def test_best_weights_needs_a_positive_patience():
    with pytest.raises(ValueError, match="patience=0 must be at least 1"):
        BestWeights(patience=0).initialize()
