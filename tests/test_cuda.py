"""The estimators on a GPU, where there is one."""

import pickle

import numpy as np
import pytest
import torch

from skprog.callbacks import GradientAmplification
from skprog.datasets import make_nanofibers
from skprog.estimators import (
    CnnLstmRUL,
    GHLClassifier,
    ImageClassifier,
    SEMClassifier,
    TimeSeriesClassifier,
)
from skprog.estimators._time_series import NETWORKS
from skprog.online import OnlineRUL
from skprog.sequences import RunSequences

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

# CUDA rounds the inputs of convolutions to 10 bits of mantissa.
CLOSE = {"rtol": 0, "atol": 0.02}


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(0)
    y = np.arange(24) % 3
    X = rng.standard_normal((24, 2, 64))
    X[:, 0] += 2 * np.sin(np.arange(64) / (1 + y[:, None]))
    return X, y


def on_cpu(model):
    """Return a model as another machine reads it."""
    copy = pickle.loads(pickle.dumps(model))
    assert next(copy.net_.module_.parameters()).device.type == "cpu"
    return copy


@pytest.mark.parametrize("amp", [None, "bf16", "fp16"])
@pytest.mark.parametrize("network", NETWORKS)
def test_series_are_told_alike_on_both(series, network, amp):
    X, y = series
    model = TimeSeriesClassifier(network, max_epochs=3, amp=amp, device="cuda", random_state=0).fit(
        X, y
    )
    assert next(model.net_.module_.parameters()).is_cuda
    copy = on_cpu(model)
    if amp is not None:
        for net in copy.nets_:
            net.amp = None
    np.testing.assert_allclose(
        copy.predict_proba(X), model.predict_proba(X), **(CLOSE if amp is None else {"atol": 0.06})
    )


@pytest.mark.parametrize("network", ["fcn", "inception_time", "lstm"])
def test_series_of_unequal_length_are_told_alike_on_both(series, network):
    X, y = [x[:, : 40 + i] for i, x in enumerate(series[0])], series[1]
    model = TimeSeriesClassifier(network, max_epochs=2, device="cuda", random_state=0).fit(X, y)
    np.testing.assert_allclose(on_cpu(model).predict_proba(X), model.predict_proba(X), **CLOSE)


def test_fit_resumes_from_a_checkpoint_on_the_gpu(series, tmp_path):
    params = {"lr": "auto", "device": "cuda", "random_state": 0, "validation_fraction": 0.25}
    path = tmp_path / "fit"
    model = TimeSeriesClassifier(max_epochs=2, checkpoint=path, **params).fit(*series)
    model.set_params(max_epochs=4).fit(*series)
    whole = TimeSeriesClassifier(max_epochs=4, **params).fit(*series)
    assert model.n_iter_ == 4
    np.testing.assert_allclose(
        model.history_[:, "train_loss"], whole.history_[:, "train_loss"], rtol=0.1
    )


@pytest.mark.parametrize("loss", ["ghl", "focal", "class_balanced", "mse"])
def test_rare_faults_are_told_alike_on_both(series, loss):
    X, y = series
    X = np.tile(X[:, 0], (1, 16))
    model = GHLClassifier(loss=loss, max_epochs=2, device="cuda", random_state=0).fit(X, y)
    np.testing.assert_allclose(on_cpu(model).predict_proba(X), model.predict_proba(X), **CLOSE)


@pytest.mark.parametrize("apply_to", ["gradient", "update"])
@pytest.mark.parametrize("amp", [None, "bf16", "fp16"])
def test_images_are_told_alike_on_both_with_amplified_gradients(amp, apply_to):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (32, 3, 32, 32), dtype=np.uint8), np.arange(32) % 4
    X[:, 0] //= 1 + y[:, None, None].astype(np.uint8)
    phases = [(4, None, True, 2)]
    callback = GradientAmplification(phases, threshold=0.5, reselect_every=2, apply_to=apply_to)
    model = ImageClassifier(
        network_params={"width": 8},
        batch_size=8,
        max_epochs=4,
        lr=0.01,
        callbacks=[("amplification", callback)],
        amp=amp,
        device="cuda",
        random_state=0,
    ).fit(X, y)
    assert model.history_[:, "amplification_factor"] == [1, 2, 2, 2]
    assert all(np.isfinite([*model.history_[2]["gradient_measures"].values()]))
    np.testing.assert_allclose(on_cpu(model).predict_proba(X), model.predict_proba(X), **CLOSE)


def test_remaining_life_is_predicted_alike_on_both():
    rng = np.random.default_rng(0)
    rul = np.tile(np.arange(15)[::-1] * 10.0, 4)
    windows = rng.normal(size=(60, 1, 84, 25)) - rul[:, None, None, None] / 50
    time = np.tile(np.arange(15) * 10.0, 4)
    X = RunSequences.from_runs(windows, np.repeat(list("abcd"), 15), n_steps=4, time=time)
    model = CnnLstmRUL(max_epochs=2, device="cuda", random_state=0).fit(X, rul)
    np.testing.assert_allclose(on_cpu(model).predict(X), model.predict(X), atol=2)


@pytest.mark.parametrize("amp", [None, "bf16", "fp16"])
def test_window_by_window_equals_batch(amp):
    rng = np.random.default_rng(0)
    windows = rng.normal(size=(30, 2, 84, 25)).astype(np.float32)
    rul = np.tile(np.arange(15)[::-1] * 10.0, 2)
    X = RunSequences.from_runs(windows, np.repeat(list("ab"), 15), n_steps=4)
    model = CnnLstmRUL(max_epochs=2, amp=amp, device="cuda", random_state=0).fit(X, rul)
    online = OnlineRUL(model)
    before = [online.update(window).rul for window in windows[:7]]
    online = OnlineRUL(model).load_state_dict(online.state_dict())
    updates = before + [online.update(window).rul for window in windows[7:15]]
    np.testing.assert_allclose(updates, model.predict(X)[:15], rtol=0, atol=2)


@pytest.mark.parametrize("head", ["dense", "local"])
def test_defect_maps_are_alike_on_both(head):
    data = make_nanofibers(6, size=256, random_state=0)
    model = SEMClassifier(
        tiles="all", augment=True, head=head, max_steps=3, device="cuda", random_state=0
    ).fit(data.images, data.target)
    copy = on_cpu(model)
    np.testing.assert_allclose(
        copy.predict_proba(data.images), model.predict_proba(data.images), **CLOSE
    )
    np.testing.assert_allclose(copy.defect_map(data.images), model.defect_map(data.images), **CLOSE)
    assert model.feature_maps(data.images[0], block=2).shape == (32, 128, 128)
