"""Callbacks that read the classes of a batch, against what a third one recorded."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import f1_score
from skorch import NeuralNet
from skorch.callbacks import Callback

from skprog.callbacks import F1Annealing, GradientSimilarity
from skprog.estimators import GHLClassifier
from skprog.losses import GradientHarmonizedLoss

SMALL = {
    "n_filters": (3,),
    "kernel_sizes": (5,),
    "dense_units": 8,
    "max_epochs": 4,
    "batch_size": 25,
    "lr": 1e-2,
    "random_state": 0,
}
HISTORY = ("train_loss", "train_f1", "annealing_factor")


class Recorder(Callback):
    """Keep logits and classes of each epoch's training batches."""

    def initialize(self):
        self.epochs = []
        return self

    def on_epoch_begin(self, net, **kwargs):
        self.epochs.append(([], []))

    def on_batch_end(self, net, batch, training, y_pred=None, **kwargs):
        if training:
            self.epochs[-1][0].append(y_pred.detach().clone())
            self.epochs[-1][1].append(batch[1].clone())

    def logits_and_classes(self):
        """Return a pair of arrays for each epoch."""
        return [(torch.cat(z).double().numpy(), torch.cat(y).numpy()) for z, y in self.epochs]


@pytest.fixture(scope="module")
def windows():
    """Noise with a faint tone by class: 60, 12 and 12 windows."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [60, 12, 12])
    tones = np.sin(np.arange(40) * np.array([0.0, 0.5, 1.2])[:, np.newaxis])
    return (0.5 * tones[y] + rng.standard_normal((84, 40))).astype(np.float32), y


def recorded_fit(X, y, *callbacks, **params):
    """Return a fitted model and its recorder."""
    callbacks = [("recorder", Recorder()), *callbacks]
    model = GHLClassifier(**SMALL | params, callbacks=callbacks).fit(X, y)
    return model, dict(model.net_.callbacks_)["recorder"]


def mean_angles(logits, y, max_samples=None):
    """Return the mean angle between softmax less one-hot of two samples, by class."""
    softmax = np.exp(logits - logits.max(axis=1, keepdims=True))
    gradients = softmax / softmax.sum(axis=1, keepdims=True) - np.eye(logits.shape[1])[y]
    units = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    means = []
    for c in range(logits.shape[1]):
        own = units[y == c]
        if max_samples is not None and len(own) > max_samples:
            own = own[np.linspace(0, len(own) - 1, max_samples).astype(int)]
        angles = np.arccos(np.clip(own @ own.T, -1, 1))
        pairs = ~np.eye(len(own), dtype=bool)
        means.append(angles[pairs].mean() if len(own) > 1 else np.nan)
    return means


@pytest.mark.parametrize("validation_fraction", [None, 0.25])
def test_f1_is_that_of_the_predictions_made_in_training(windows, validation_fraction):
    model, recorder = recorded_fit(*windows, validation_fraction=validation_fraction)
    expected = [
        f1_score(y, logits.argmax(axis=1), average=None, labels=[0, 1, 2], zero_division=0)
        for logits, y in recorder.logits_and_classes()
    ]
    np.testing.assert_allclose(model.history_[:, "train_f1"], expected, rtol=1e-15)
    assert np.min(expected) < np.max(expected)


def test_history_has_a_list_by_class_for_each_epoch(windows):
    history = GHLClassifier(**SMALL).fit(*windows).history_
    for name in HISTORY[1:]:
        assert len(history[:, name]) == 4
        for values in history[:, name]:
            assert isinstance(values, list)
            assert [type(value) for value in values] == [float, float, float]


def test_factor_is_1_less_the_macro_f1_of_the_epoch_before(windows):
    history = GHLClassifier(**SMALL).fit(*windows).history_
    factors = history[:, "annealing_factor"]
    assert factors[0] == [1.0, 1.0, 1.0]
    for factor, f1_scores in zip(factors[1:], history[:-1, "train_f1"], strict=True):
        assert factor == 3 * [1 - np.mean(f1_scores)]
    assert factors[-1][0] < 1


@pytest.mark.parametrize(
    ("annealing", "expected"),
    [
        ("per_class", lambda f1_scores: 1 - f1_scores),
        ("f1", lambda f1_scores: np.full(3, f1_scores.mean())),
        (None, np.ones_like),
    ],
)
def test_factor_follows_the_option_of_the_loss(windows, annealing, expected):
    model = GHLClassifier(**SMALL, loss_params={"annealing": annealing}).fit(*windows)
    f1_scores = np.array(model.history_[:-1, "train_f1"])
    factors = [[1, 1, 1], *map(expected, f1_scores)]
    np.testing.assert_allclose(model.history_[:, "annealing_factor"], factors, rtol=1e-15)


def test_the_loss_trains_with_the_factor_of_the_history(windows):
    factors = []

    class Reader(Callback):
        def on_batch_end(self, net, **kwargs):
            factors.append(net.criterion_.annealing_factor.tolist())

    model = GHLClassifier(**SMALL, callbacks=[Reader()]).fit(*windows)
    assert factors == [each for each in model.history_[:, "annealing_factor"] for _ in range(4)]


def test_annealing_survives_a_checkpoint(windows, tmp_path):
    path = tmp_path / "fit.ckpt"
    straight = GHLClassifier(**SMALL | {"max_epochs": 6}).fit(*windows)
    GHLClassifier(**SMALL | {"max_epochs": 3}, checkpoint=path).fit(*windows)
    resumed = GHLClassifier(**SMALL | {"max_epochs": 6}, checkpoint=path).fit(*windows)
    assert len(resumed.history_) == 6
    assert resumed.history_[:, HISTORY] == straight.history_[:, HISTORY]
    assert resumed.history_[3, "annealing_factor"] != [1.0, 1.0, 1.0]
    np.testing.assert_array_equal(
        resumed.predict_proba(windows[0]), straight.predict_proba(windows[0])
    )


@pytest.mark.parametrize("copied", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy])
def test_annealing_goes_on_in_a_copy_as_in_the_original(windows, copied):
    model = GHLClassifier(**SMALL).fit(*windows)
    other = copied(model)
    assert other.history_[:, HISTORY] == model.history_[:, HISTORY]
    for each in (model, other):
        each.partial_fit(*windows)
    assert other.history_[:, HISTORY] == model.history_[:, HISTORY]


@pytest.mark.parametrize("way", ["partial_fit", "warm_start"])
def test_annealing_goes_on_when_training_does(windows, way):
    model = GHLClassifier(**SMALL | {"max_epochs": 1}, warm_start=way == "warm_start")
    for _ in range(4):
        (model.partial_fit if way == "partial_fit" else model.fit)(*windows)
    f1_scores = np.array(model.history_[:-1, "train_f1"])
    np.testing.assert_allclose(
        np.array(model.history_[1:, "annealing_factor"])[:, 0], 1 - f1_scores.mean(axis=1)
    )


def test_a_class_not_seen_yet_has_f1_0_and_no_part_in_the_factor(windows):
    model = GHLClassifier(**SMALL)
    for _ in range(2):
        model.partial_fit(*windows, classes=[0, 1, 2, 3])
    first, second = model.history_[:, HISTORY[1:]]
    assert first[0][3] == 0.0
    np.testing.assert_allclose(second[1], 4 * [1 - np.mean(first[0][:3])])


def test_each_network_anneals_by_itself(windows):
    model = GHLClassifier(**SMALL, n_networks=2).fit(*windows)
    one, other = (np.array(net.history[:, "annealing_factor"]) for net in model.nets_)
    assert (one[0] == other[0]).all()
    assert (one != other).any()


def test_clone_forgets_the_annealing(windows):
    model = GHLClassifier(**SMALL, callbacks=[("similarity", GradientSimilarity(20))])
    model.fit(*windows)
    assert not hasattr(clone(model), "nets_")
    again = clone(model).fit(*windows)
    assert again.history_[:, HISTORY] == model.history_[:, HISTORY]
    assert again.callbacks[0][1].get_params() == {"max_samples": 20}
    assert not hasattr(model.callbacks[0][1], "batches_")
    assert not hasattr(clone(F1Annealing().initialize()), "f1_scores_")


def test_annealing_works_in_a_net_of_skorch(windows):
    X, y = windows
    net = NeuralNet(
        torch.nn.Linear,
        GradientHarmonizedLoss,
        module__in_features=40,
        module__out_features=3,
        criterion__class_counts=[60, 12, 12],
        train_split=None,
        max_epochs=3,
        verbose=0,
        callbacks=[F1Annealing(), GradientSimilarity()],
    ).fit(X, y)
    macro = np.mean(net.history[:-1, "train_f1"], axis=1)
    factors = np.array(net.history[:, "annealing_factor"])
    np.testing.assert_allclose(factors, np.repeat([[1], *(1 - macro)[:, None]], 3, axis=1))
    assert np.shape(net.history[:, "gradient_angles"]) == (3, 3)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_annealing_refuses_a_loss_that_does_not_anneal(windows, loss):
    with pytest.raises(ValueError, match=r"needs a loss that anneals, .* not \w+Loss"):
        GHLClassifier(**SMALL, loss=loss, callbacks=[F1Annealing()]).fit(*windows)


@pytest.mark.parametrize("loss", ["ghl", "cross_entropy", "mse", "class_cost", "focal"])
def test_similarity_is_the_mean_angle_within_each_class(windows, loss):
    model, recorder = recorded_fit(*windows, GradientSimilarity(), loss=loss)
    expected = [mean_angles(*epoch) for epoch in recorder.logits_and_classes()]
    np.testing.assert_allclose(model.history_[:, "gradient_angles"], expected, atol=1e-5)
    assert np.min(expected) > 0.001
    assert np.max(expected) <= np.pi / 3


@pytest.mark.parametrize("max_samples", [2, 5, 20])
def test_similarity_takes_samples_from_the_whole_epoch(windows, max_samples):
    model, recorder = recorded_fit(*windows, GradientSimilarity(max_samples=max_samples))
    expected = [mean_angles(*epoch, max_samples) for epoch in recorder.logits_and_classes()]
    np.testing.assert_allclose(model.history_[:, "gradient_angles"], expected, atol=1e-5)


def test_similarity_leaves_training_as_it_is(windows):
    plain = GHLClassifier(**SMALL).fit(*windows)
    observed = GHLClassifier(**SMALL, callbacks=[GradientSimilarity()]).fit(*windows)
    assert observed.history_[:, HISTORY] == plain.history_[:, HISTORY]


def test_similarity_of_a_class_of_one_sample_is_not_a_number(windows):
    X, y = windows
    model = GHLClassifier(**SMALL, callbacks=[GradientSimilarity()]).fit(X[:-11], y[:-11])
    angles = np.array(model.history_[:, "gradient_angles"])
    assert np.isnan(angles[:, 2]).all()
    assert np.isfinite(angles[:, :2]).all()


def test_similarity_leaves_out_validation_data(windows):
    model, recorder = recorded_fit(*windows, GradientSimilarity(), validation_fraction=0.25)
    expected = [mean_angles(*epoch) for epoch in recorder.logits_and_classes()]
    assert len(recorder.logits_and_classes()[0][1]) == 63
    np.testing.assert_allclose(model.history_[:, "gradient_angles"], expected, atol=1e-5)


def test_similarity_survives_a_checkpoint_and_a_pickle(windows, tmp_path):
    params = SMALL | {"callbacks": [("similarity", GradientSimilarity())]}
    straight = GHLClassifier(**params).fit(*windows)
    for epochs in (2, 4):
        resumed = GHLClassifier(
            **params | {"max_epochs": epochs}, checkpoint=tmp_path / "fit.ckpt"
        ).fit(*windows)
    assert resumed.history_[:, "gradient_angles"] == straight.history_[:, "gradient_angles"]
    loaded = pickle.loads(pickle.dumps(resumed))
    assert loaded.history_[:, "gradient_angles"] == straight.history_[:, "gradient_angles"]


def test_similarity_refuses_a_loss_of_torch(windows):
    model = GHLClassifier(**SMALL, loss=torch.nn.CrossEntropyLoss, callbacks=[GradientSimilarity()])
    with pytest.raises(ValueError, match=r"needs a loss of skprog.losses, not CrossEntropyLoss"):
        model.fit(*windows)


@pytest.mark.parametrize(
    ("max_samples", "error", "message"),
    [
        (1, ValueError, "max_samples=1 must be at least 2"),
        (2.5, TypeError, r"max_samples=2.5 must be an integer"),
        (None, TypeError, "max_samples=None must be an integer"),
    ],
)
def test_bad_number_of_samples_is_refused(windows, max_samples, error, message):
    with pytest.raises(error, match=message):
        GradientSimilarity(max_samples).initialize()
    callbacks = [("similarity", GradientSimilarity(max_samples))]
    with pytest.raises(error, match=message):
        GHLClassifier(**SMALL, callbacks=callbacks).fit(*windows)
