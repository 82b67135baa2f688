"""ImageClassifier: images in bytes and in floats, networks by name and by class, augmentation."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback

from skprog import _training
from skprog.estimators import ImageClassifier
from skprog.estimators import _image as module_of_classifier
from skprog.estimators._image import NETWORKS
from skprog.networks import ResNet18

NARROW = {"width": 4}
SMALL = {
    "network_params": NARROW,
    "lr": 0.03,
    "batch_size": 12,
    "max_epochs": 2,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def colours():
    """36 images of 8 x 10 pixels in bytes, a third of them brighter in each of three channels."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 120, (36, 3, 8, 10), dtype=np.uint8)
    y = np.arange(36) % 3
    X[np.arange(36), y] += 90
    return X, np.array(["red", "green", "blue"])[y]


@pytest.fixture(scope="module")
def fitted(colours):
    return ImageClassifier(**SMALL).fit(*colours)


def weights_of(model):
    return torch.cat([p.detach().ravel() for p in model.net_.module_.parameters()])


# Training


def test_colours_are_told(colours):
    X, y = colours
    params = {**SMALL, "network_params": {"width": 8}, "lr": 0.01, "max_epochs": 30}
    model = ImageClassifier(**params).fit(X[:24], y[:24])
    assert model.score(X[24:], y[24:]) == 1
    assert model.shape_in_ == (3, 8, 10)
    assert model.n_features_in_ == 3


@pytest.mark.parametrize("network", sorted(NETWORKS))
def test_every_network_trains_and_gives_probabilities(network, colours):
    X = np.tile(colours[0][::6], (1, 1, 4, 4))
    y = ["even", "odd"] * 3
    params = {**SMALL, "network_params": {"width": 2}, "max_epochs": 1}
    P = ImageClassifier(network, **params).fit(X, y).predict_proba(X)
    assert P.shape == (6, 2)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-9)


def test_the_defaults_are_those_of_the_papers():
    params = ImageClassifier().get_params()
    expected = {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4, "batch_size": 128}
    assert expected.items() <= params.items()


def test_bytes_stay_bytes_until_the_device(colours, monkeypatch):
    seen = []

    def spy(X, **params):
        seen.append(X.dtype)
        return _training.augment_crops(X, **params)

    monkeypatch.setattr(module_of_classifier, "augment_crops", spy)
    ImageClassifier(**SMALL).fit(*colours)
    assert set(seen) == {torch.uint8}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint16, np.float16])
def test_bytes_and_numbers_of_other_types_are_told_alike(dtype, colours, fitted):
    X, y = colours
    model = ImageClassifier(**SMALL).fit(X.astype(dtype), y)
    np.testing.assert_array_equal(model.predict_proba(X.astype(dtype)), fitted.predict_proba(X))


def test_channels_are_standardised_by_the_training_images(colours, fitted):
    module = fitted.net_.module_
    values = colours[0].astype(np.float64)
    np.testing.assert_allclose(module.mean.ravel(), values.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(module.scale.ravel(), values.std(axis=(0, 2, 3)), rtol=1e-6)
    plain = ImageClassifier(**SMALL, scale=None).fit(*colours).net_.module_
    assert not plain.mean.any()
    assert (plain.scale == 1).all()


def test_augmentation_is_for_training_only_and_changes_it(colours, fitted):
    X, y = colours
    plain = ImageClassifier(**SMALL, augment=False).fit(X, y)
    assert not torch.equal(weights_of(plain), weights_of(fitted))
    np.testing.assert_array_equal(fitted.predict_proba(X), fitted.predict_proba(X))


def test_crops_and_flips_differ_from_epoch_to_epoch(monkeypatch, colours):
    seen = []

    def spy(X, **params):
        seen.append(_training.augment_crops(X, **params))
        return seen[-1]

    monkeypatch.setattr(module_of_classifier, "augment_crops", spy)
    ImageClassifier(**SMALL | {"batch_size": 36, "shuffle": False}).fit(*colours)
    first, second = seen
    assert not torch.equal(first, second)


@pytest.mark.parametrize("offset", [0, 300])
def test_frames_of_crops_have_the_mean_of_each_channel(offset, colours):
    # Opaque images in kelvin: a frame of zeros would be hundreds of standard deviations away.
    X, y = colours
    X = X / np.float32(255) + np.float32(offset)
    X = np.concatenate([X, np.full_like(X[:, :1], 255)], axis=1)
    model = ImageClassifier(**SMALL | {"max_epochs": 12}).fit(X, y)
    assert model.score(X, y) == 1
    module = model.net_.module_
    framed = model.net_.augment(torch.from_numpy(X))
    assert framed.dtype == torch.float32
    standardised = (framed - module.mean) / module.scale
    assert standardised.abs().max() < 10
    assert (standardised[:, 3] == 0).all()


def test_equal_seeds_agree_bit_for_bit_and_leave_the_global_generator(colours, fitted):
    before = torch.get_rng_state()
    again = ImageClassifier(**SMALL).fit(*colours)
    assert torch.equal(weights_of(again), weights_of(fitted))
    assert torch.equal(torch.get_rng_state(), before)
    other = ImageClassifier(**SMALL | {"random_state": 1}).fit(*colours)
    assert not torch.equal(weights_of(other), weights_of(fitted))


class InterruptOnce(Callback):
    """Fail at the start of the third epoch, the first time."""

    armed = True

    def on_epoch_begin(self, net, **kwargs):
        if InterruptOnce.armed and len(net.history) == 3:
            InterruptOnce.armed = False
            raise RuntimeError("power failure")


def test_an_interrupted_fit_resumes_bit_for_bit(colours, tmp_path):
    params = {**SMALL, "max_epochs": 4, "callbacks": [("interrupt", InterruptOnce())]}
    model = ImageClassifier(**params, checkpoint=tmp_path / "fit.pt")
    with pytest.raises(RuntimeError, match="power failure"):
        model.fit(*colours)
    straight = ImageClassifier(**params).fit(*colours)
    assert torch.equal(weights_of(model.fit(*colours)), weights_of(straight))


def test_momentum_reaches_the_optimizer_and_adam_does_without(colours):
    model = ImageClassifier(**SMALL | {"max_epochs": 1}, momentum=0.5).fit(*colours)
    assert model.net_.optimizer_.param_groups[0]["momentum"] == 0.5
    ImageClassifier(**SMALL | {"max_epochs": 1}, optimizer="adam").fit(*colours)


def test_several_networks_are_averaged(colours):
    X, y = colours
    model = ImageClassifier(**SMALL | {"max_epochs": 1}, n_networks=2).fit(X, y)
    logits = model._logits(X)
    softmax = [np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) for z in logits]
    np.testing.assert_allclose(model.predict_proba(X), np.mean(softmax, axis=0))
    assert not np.allclose(*logits)


def test_an_image_is_told_alike_whatever_the_batch(colours, fitted):
    X = colours[0]
    expected = fitted.predict_proba(X)
    changed = pickle.loads(pickle.dumps(fitted)).set_params(batch_size=5)
    np.testing.assert_allclose(changed.predict_proba(X), expected, atol=1e-6)
    np.testing.assert_allclose(fitted.predict_proba(X[7:8]), expected[7:8], atol=1e-6)


def test_mixed_precision_and_weights_of_classes(colours):
    params = {**SMALL, "amp": "bf16", "class_weight": "balanced", "validation_fraction": 0.25}
    model = ImageClassifier(**params).fit(*colours)
    assert "valid_loss" in model.history_[-1]


# As scikit-learn's users do


def test_network_class_and_name_are_the_same(colours, fitted):
    X, y = colours
    other = ImageClassifier(ResNet18, **SMALL).fit(X, y)
    np.testing.assert_array_equal(other.predict_proba(X), fitted.predict_proba(X))


def test_a_class_of_ones_own_is_given_the_sizes_that_it_names(colours):
    class Mean(torch.nn.Module):
        def __init__(self, n_classes, slope=1.0):
            super().__init__()
            self.slope = slope
            self.head = torch.nn.Linear(3, n_classes)

        def forward(self, X):
            return self.head(self.slope * X.mean(dim=(2, 3)))

    params = {**SMALL, "network_params": {"slope": 2.0}}
    model = ImageClassifier(Mean, **params).fit(*colours)
    assert model.net_.module_.network.slope == 2.0
    assert model.net_.module_.network.head.out_features == 3


def test_pickle_predicts_alike_and_clone_forgets(colours, fitted):
    X = colours[0]
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.predict_proba(X), fitted.predict_proba(X))
    assert not hasattr(clone(fitted), "nets_")


def test_search_over_networks_and_their_parameters(colours):
    X, y = colours
    grid = [
        {"network": ["resnet18"], "network__width": [2, 4]},
        {"network": ["resnet50"], "network__width": [1], "augment": [False]},
    ]
    model = ImageClassifier(max_epochs=1, lr=0.01, random_state=0)
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 3


def test_pipeline_and_halving_search(colours):
    pipe = make_pipeline(FunctionTransformer(np.invert), ImageClassifier(**SMALL))
    search = HalvingRandomSearchCV(
        pipe,
        {"imageclassifier__lr": [0.01, 0.03]},
        resource="imageclassifier__max_epochs",
        max_resources=2,
        min_resources=1,
        factor=2,
        cv=2,
        random_state=0,
        error_score="raise",
    )
    assert search.fit(*colours).n_resources_[-1] == 2


def test_refit_on_another_number_of_channels(colours):
    X, y = colours
    model = ImageClassifier(**SMALL).fit(X, y)
    assert model.fit(X[:, :1], y).predict(X[:, :1]).shape == (36,)


def test_partial_fit_trains_one_epoch(colours):
    X, y = colours
    model = ImageClassifier(**SMALL).partial_fit(X[:18], y[:18])
    assert model.partial_fit(X[18:], y[18:]).n_iter_ == 2


# Bad input


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X: X[:, 0], r"X has shape \(36, 8, 10\); .* for grey images is X\[:, np.newaxis\]"),
        (lambda X: X.transpose(0, 2, 3, 1), r"channels last; .* X\.transpose\(0, 3, 1, 2\)"),
        (lambda X: X[:, 0, 0], r"X has 2 dimensions; ImageClassifier takes \(n_images, n_channels"),
        (lambda X: X[:0], "minimum of 1 is required"),
        (lambda X: X[:, :, :, :0], "and so no values"),
        (lambda X: X[:, :, :5], "images of 5 x 10 pixels but ResNet18 needs at least 8 x 8"),
        (lambda X: np.where(X > 200, np.nan, X), "contains NaN"),
        (lambda X: X[:-1], "y has 36 labels but X has 35 cases"),
    ],
)
def test_bad_images_are_refused(spoil, message, colours):
    X, y = colours
    with pytest.raises(ValueError, match=message):
        ImageClassifier(**SMALL).fit(spoil(X), y)


def test_another_shape_than_fitted_is_refused(colours, fitted):
    with pytest.raises(ValueError, match=r"rows of shape \(3, 8, 9\).*prepare both alike"):
        fitted.predict(colours[0][..., :9])
    with pytest.raises(ValueError, match=r"and for a single one|for a single one X\[np.newaxis\]"):
        fitted.predict(colours[0][0])
    with pytest.raises(ValueError, match="with the channels last"):
        fitted.predict(colours[0].transpose(0, 2, 3, 1))


def test_a_single_image_too_small_to_train_on_is_told(colours):
    X, y = colours
    with pytest.raises(ValueError, match="X has 1 image of 8 x 8 pixels, too few for batch norm"):
        ImageClassifier(**SMALL).partial_fit(X[:1, ..., :8], y[:1], classes=np.unique(y))


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"network": "resnet"}, ValueError, "network='resnet' is not one of 'resnet18'"),
        ({"network": ResNet18(3, 2, width=1)}, TypeError, "network is an instance of ResNet18"),
        ({"network_params": {"n_channels": 3}}, ValueError, "'n_channels'.*; open are width"),
        ({"network_params": {"width": 0}}, ValueError, "width=0 must be at least 1"),
        ({"augment": "flip"}, ValueError, "augment='flip' is not one of True, False"),
        ({"scale": "case"}, ValueError, "scale='case' is not one of 'standard', None"),
        ({"momentum": 1}, ValueError, "momentum=1 must be finite and at least 0 and below 1"),
    ],
)
def test_bad_parameters_are_refused(params, error, message, colours):
    with pytest.raises(error, match=message):
        ImageClassifier(**SMALL | params).fit(*colours)


def test_sample_weight_is_refused(colours):
    with pytest.raises(TypeError, match="takes no sample_weight in fit; weigh classes by"):
        ImageClassifier(**SMALL).fit(*colours, sample_weight=np.ones(36))
