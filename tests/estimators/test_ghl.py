"""GHLClassifier and what all torch classifiers share."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback

from skprog.callbacks import GradientSimilarity
from skprog.estimators import GHLClassifier
from skprog.losses import ClassCostLoss, GradientHarmonizedLoss
from skprog.networks import DiagnosisCNN
from skprog.sequences import RunSequences

SMALL = {
    "n_filters": (4, 4),
    "kernel_sizes": (9, 5),
    "dense_units": 16,
    "max_epochs": 2,
    "batch_size": 32,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def windows():
    """Noise on which each of three classes has a tone of its own: 60, 12 and 12 windows."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [60, 12, 12])
    tones = np.sin(np.arange(96) * np.array([0.0, 0.5, 1.2])[:, np.newaxis])
    return (tones[y] + 0.3 * rng.standard_normal((84, 96))).astype(np.float32), y


@pytest.fixture(scope="module")
def fitted(windows):
    return GHLClassifier(**SMALL).fit(*windows)


def weights_of(model):
    return torch.cat([p.detach().ravel() for net in model.nets_ for p in net.module_.parameters()])


def test_default_network_has_97104_parameters_and_896_features():
    network = DiagnosisCNN(n_channels=1, n_timepoints=1024, n_classes=12)
    assert sum(parameter.numel() for parameter in network.parameters()) == 97_104
    assert network.encoder(torch.zeros(3, 1, 1, 1024)).shape == (3, 896)


@pytest.mark.parametrize("params", [{"batch_norm": True}, {"global_pooling": "max"}])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_one_row_of_logits_per_window(params, padding):
    network = DiagnosisCNN(2, 128, 5, padding=padding, kernel_sizes=(10, 7), **params)
    assert network(torch.zeros(3, 2, 128)).shape == (3, 5)


def test_same_padding_keeps_the_length():
    network = DiagnosisCNN(1, 40, 2, padding="same", kernel_sizes=(4, 3), pool_size=1)
    assert network.encoder(torch.zeros(1, 1, 1, 40)).shape == (1, 16 * 40)


def test_classes_with_a_tone_each_are_learnt(windows):
    X, y = windows
    model = GHLClassifier(**SMALL | {"max_epochs": 40, "lr": 1e-2}).fit(X, y)
    assert model.score(X, y) > 0.95


@pytest.mark.parametrize(
    "labels",
    [np.array(["healthy", "ball", "race"]), np.array([7, -1, 3]), np.array([2.0, 0.0, 1.0])],
)
def test_labels_of_any_type_come_back(windows, fitted, labels):
    labels = np.sort(labels)
    X, y = windows
    model = GHLClassifier(**SMALL).fit(X, labels[y])
    np.testing.assert_array_equal(model.classes_, labels)
    np.testing.assert_array_equal(model.predict(X), labels[fitted.predict(X)])


def test_probabilities_sum_to_one_and_lead_to_the_prediction(windows, fitted):
    P = fitted.predict_proba(windows[0])
    assert P.shape == (84, 3)
    assert P.dtype == np.float64
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(fitted.predict(windows[0]), P.argmax(axis=1))


def test_a_window_is_told_alike_alone_and_among_others(windows, fitted):
    X = windows[0]
    np.testing.assert_array_equal(fitted.predict_proba(X[3:4]), fitted.predict_proba(X)[3:4])


def test_two_dimensions_are_one_channel(windows, fitted):
    X, y = windows
    model = GHLClassifier(**SMALL).fit(X[:, np.newaxis], y)
    np.testing.assert_array_equal(model.predict_proba(X[:, np.newaxis]), fitted.predict_proba(X))


def test_channels_are_heard_together(windows):
    X, y = windows
    silent = np.zeros_like(X)
    model = GHLClassifier(**SMALL).fit(np.stack([silent, X], axis=1), y)
    assert model.shape_in_ == (2, 96)
    assert model.net_.module_.encoder[0].in_channels == 2
    with pytest.raises(ValueError, match="expecting 2 features"):
        model.predict(X[:, np.newaxis])


def test_inputs_are_standardised_by_the_training_values(windows, fitted):
    X = windows[0]
    assert float(fitted.net_.module_.mean) == pytest.approx(X.mean(dtype=float), rel=1e-5)
    assert float(fitted.net_.module_.scale) == pytest.approx(X.std(dtype=float), rel=1e-5)


def test_equal_seeds_agree_bit_for_bit_and_leave_the_global_generators(windows, fitted):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    again = GHLClassifier(**SMALL).fit(*windows)
    assert torch.equal(weights_of(again), weights_of(fitted))
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


def test_pickle_predicts_alike_and_clone_forgets(windows, fitted):
    X = windows[0]
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.predict_proba(X), fitted.predict_proba(X))
    assert not hasattr(clone(fitted), "nets_")
    assert not hasattr(clone(fitted), "net_")


def test_search_over_alpha_and_over_losses(windows):
    grid = [
        {"loss_params__alpha": [0.2, 1.0], "loss_params__base": ["mse"]},
        {"loss": ["focal", "class_cost", "class_balanced", "mse", "cross_entropy"]},
    ]
    search = GridSearchCV(GHLClassifier(**SMALL), grid, cv=2).fit(*windows)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(search.cv_results_["params"]) == 7


def test_pipeline_and_halving_search_over_epochs(windows):
    model = make_pipeline(FunctionTransformer(np.tanh), GHLClassifier(**SMALL))
    assert cross_val_score(model, *windows, cv=2).shape == (2,)
    search = HalvingRandomSearchCV(
        model,
        {"ghlclassifier__lr": [1e-3, 1e-2, 3e-2]},
        resource="ghlclassifier__max_epochs",
        min_resources=1,
        max_resources=3,
        cv=2,
        random_state=0,
    )
    assert search.fit(*windows).best_params_["ghlclassifier__max_epochs"] == 3


def test_balanced_class_weight_is_the_class_cost_loss(windows):
    X, y = windows
    weighted = GHLClassifier(**SMALL, loss="cross_entropy", class_weight="balanced").fit(X, y)
    costs = GHLClassifier(**SMALL, loss="class_cost").fit(X, y)
    assert torch.equal(weights_of(weighted), weights_of(costs))


def test_class_weight_names_labels(windows):
    X, y = windows
    names = np.array(["a", "b", "c"])
    model = GHLClassifier(**SMALL, class_weight={"b": 3, "c": 0.5}).fit(X, names[y])
    np.testing.assert_array_equal(model.net_.criterion_.class_weight, [1, 3, 0.5])
    with pytest.raises(ValueError, match="class_weight names 'd'"):
        GHLClassifier(**SMALL, class_weight={"d": 2}).fit(X, names[y])


def test_loss_of_torch_takes_the_class_weight(windows):
    model = GHLClassifier(
        **SMALL,
        loss=torch.nn.CrossEntropyLoss,
        loss_params={"label_smoothing": 0.1},
        class_weight={1: 2},
    ).fit(*windows)
    assert model.net_.criterion_.label_smoothing == 0.1
    np.testing.assert_array_equal(model.net_.criterion_.weight, [1, 2, 1])
    with pytest.raises(ValueError, match="MultiMarginLoss2 takes no class_weight"):
        clone(model).set_params(loss=MultiMarginLoss2, loss_params=None).fit(*windows)


class MultiMarginLoss2(torch.nn.Module):
    """A loss of nobody's, without weights."""

    def __init__(self):
        super().__init__()

    def forward(self, logits, y):
        return torch.nn.functional.multi_margin_loss(logits, y)


def test_class_counts_are_those_of_the_training_part(windows):
    model = GHLClassifier(**SMALL, validation_fraction=0.25).fit(*windows)
    np.testing.assert_array_equal(model.net_.criterion_.class_counts, [45, 9, 9])
    assert "valid_loss" in model.history_[-1]
    assert 1 <= model.best_epoch_ <= 2


def test_several_networks_average_and_the_first_is_the_single_one(windows, fitted):
    X, y = windows
    ensemble = GHLClassifier(**SMALL, n_networks=3).fit(X, y)
    assert len(ensemble.nets_) == 3
    assert ensemble.net_ is ensemble.nets_[0]
    singles = [clone(ensemble) for _ in range(3)]
    for single, net in zip(singles, ensemble.nets_, strict=True):
        single.fit(X, y)
        single.nets_ = [net]
    np.testing.assert_array_equal(singles[0].predict_proba(X), fitted.predict_proba(X))
    assert not np.allclose(singles[1].predict_proba(X), fitted.predict_proba(X))
    mean = np.mean([single.predict_proba(X) for single in singles], axis=0)
    np.testing.assert_array_equal(ensemble.predict_proba(X), mean)


class Interrupted(Exception):
    pass


class InterruptAt(Callback):
    """Fail in the last batch of an epoch of one network, until told otherwise."""

    armed = False

    def on_batch_end(self, net, training, **kwargs):
        if InterruptAt.armed and len(net.history) == 2 and net.max_epochs == 3:
            InterruptAt.calls += 1
            if InterruptAt.calls == 5:
                raise Interrupted


def test_interrupted_ensemble_resumes_bit_for_bit(windows, tmp_path):
    params = SMALL | {
        "n_networks": 2,
        "max_epochs": 3,
        "callbacks": [("interrupt", InterruptAt())],
    }
    straight = GHLClassifier(**params).fit(*windows)
    model = GHLClassifier(**params, checkpoint=tmp_path / "fit.ckpt")
    # 3 batches an epoch: the fifth batch is in the second network.
    InterruptAt.armed, InterruptAt.calls = True, 0
    with pytest.raises(Interrupted):
        model.fit(*windows)
    InterruptAt.armed = False
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit.ckpt", "fit.ckpt.1"]
    model.fit(*windows)
    assert torch.equal(weights_of(model), weights_of(straight))
    for resumed, net in zip(model.nets_, straight.nets_, strict=True):
        assert resumed.history[:, "annealing_factor"] == net.history[:, "annealing_factor"]
        assert resumed.history[:, "train_loss"] == net.history[:, "train_loss"]


def test_partial_fit_trains_on_and_knows_the_classes_of_the_first_call(windows):
    X, y = windows
    model = GHLClassifier(**SMALL).partial_fit(X, y)
    before = weights_of(model).clone()
    model.partial_fit(X, y)
    assert len(model.history_) == model.n_iter_ == 2
    assert not torch.equal(weights_of(model), before)
    with pytest.raises(ValueError, match="class 9, which is unknown at fit"):
        model.partial_fit(X, np.full(84, 9))
    assert len(model.history_) == 2


def test_reversed_arrays_are_told_like_others(windows, fitted):
    X = windows[0]
    np.testing.assert_array_equal(fitted.predict_proba(X[::-1]), fitted.predict_proba(X)[::-1])


def test_dates_as_labels_find_their_weight(windows):
    X, y = windows
    days = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], dtype="datetime64[D]")
    model = GHLClassifier(**SMALL, class_weight={days[1]: 5}).fit(X, days[y])
    np.testing.assert_array_equal(model.net_.criterion_.class_weight, [1, 5, 1])


def test_partial_fit_takes_classes_to_come(windows):
    X, y = windows
    with pytest.raises(ValueError, match="classes contains NaN"):
        GHLClassifier(**SMALL).partial_fit(X, y, classes=[0, 1, np.nan])
    model = GHLClassifier(**SMALL).partial_fit(X[:72], y[:72], classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (84, 3)
    model.partial_fit(X, y, classes=[2, 1, 0])
    with pytest.raises(ValueError, match="differ from those of the first fit"):
        model.partial_fit(X, y, classes=[0, 1])


def test_a_pickled_fit_with_callbacks_trains_on(windows):
    model = GHLClassifier(**SMALL, callbacks=[("similarity", GradientSimilarity())]).fit(*windows)
    restored = pickle.loads(pickle.dumps(model)).partial_fit(*windows)
    assert torch.equal(weights_of(restored), weights_of(model.partial_fit(*windows)))
    with pytest.raises(ValueError, match="callbacks__similarity__max_samples changed"):
        restored.set_params(callbacks__similarity__max_samples=3).partial_fit(*windows)
    with pytest.raises(ValueError, match="callbacks"):
        model.set_params(callbacks=None).partial_fit(*windows)


def test_warm_start_goes_on(windows, fitted):
    X, y = windows
    model = GHLClassifier(**SMALL, warm_start=True).fit(X, y)
    assert torch.equal(weights_of(model), weights_of(fitted))
    assert model.fit(X, y).n_iter_ == 4


def test_augmentation_changes_the_training_only(windows, fitted):
    X, y = windows
    model = GHLClassifier(**SMALL, augment=("shift", "gain", "noise")).fit(X, y)
    again = GHLClassifier(**SMALL, augment=("shift", "gain", "noise")).fit(X, y)
    assert torch.equal(weights_of(model), weights_of(again))
    assert not torch.equal(weights_of(model), weights_of(fitted))
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))


def test_float16_is_read_as_it_is(windows, fitted):
    X, y = windows
    half = GHLClassifier(**SMALL).fit(X.astype(np.float16), y)
    np.testing.assert_allclose(half.predict_proba(X), fitted.predict_proba(X), atol=0.01)


def test_lr_auto_bf16_and_progress_bar(windows, capsys):
    model = GHLClassifier(**SMALL, lr="auto", amp="bf16", verbose=1).fit(*windows)
    assert 1e-4 < model.net_.optimizer_.param_groups[0]["lr"] < 1
    assert "GHLClassifier" in capsys.readouterr().out


def test_swapped_axes_warn(windows):
    X, y = windows
    with pytest.warns(UserWarning, match="more channels"):
        GHLClassifier(**SMALL | {"kernel_sizes": (1, 1), "pool_size": 1}).fit(
            X[:, :, np.newaxis], y
        )


def bad(change, X, y):
    """Return X and y with one thing wrong."""
    X, y = X.copy(), y.copy()
    if change == "nan":
        X[3, 5] = np.nan
    elif change == "inf":
        X[3, 5] = np.inf
    elif change == "one class":
        y[:] = 1
    elif change == "rank":
        X = X.reshape(84, 2, 4, 12)
    elif change == "length":
        y = y[:-1]
    elif change == "none":
        y = None
    elif change == "nan label":
        y = np.where(y == 0, np.nan, y)
    elif change == "masked label":
        y = np.ma.masked_array(y, mask=np.arange(84) < 3)
    elif change == "mixed labels":
        y = ["a"] * 60 + [1] * 24
    elif change == "missing label":
        y = np.where(y == 0, None, "b")
    elif change == "continuous":
        y = y + np.random.default_rng(0).random(84)
    elif change == "short":
        X = X[:, :12]
    elif change == "empty":
        X, y = X[:0], y[:0]
    elif change == "sequences":
        X = RunSequences.from_runs(X, np.zeros(84), n_steps=2)
    return X, y


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("nan", "contains NaN .first in row 3"),
        ("inf", "contains infinity"),
        ("one class", "only one class, 1"),
        ("rank", "X has 4 dimensions"),
        ("length", "inconsistent|83 labels but X has 84"),
        ("none", "requires y to be passed"),
        ("nan label", "Input y contains NaN"),
        ("missing label", "y has missing labels"),
        ("masked label", "y has missing labels"),
        ("mixed labels", "y mixes text with other labels"),
        ("continuous", "Unknown label type"),
        ("short", "kernel of convolutional layer 2 spans 5 timepoints but only 1"),
        ("empty", "0 sample"),
        ("sequences", "takes arrays of cases"),
    ],
)
def test_bad_data_are_refused_and_what_was_fitted_stays(windows, change, message):
    model = GHLClassifier(**SMALL).fit(*windows)
    expected = model.predict_proba(windows[0])
    with pytest.raises(ValueError, match=message):
        model.fit(*bad(change, *windows))
    np.testing.assert_array_equal(model.predict_proba(windows[0]), expected)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"loss": "hinge"}, ValueError, "loss='hinge' is not one of 'cross_entropy'"),
        ({"loss": torch.nn.CrossEntropyLoss()}, ValueError, "loss="),
        ({"loss_params": [1]}, TypeError, "must be a dict"),
        ({"loss_params": {"alpha": -1}}, ValueError, "alpha=-1 must be"),
        ({"loss_params": {"alpha": np.nan}}, ValueError, "alpha=nan must be finite"),
        ({"loss_params": {"gamma": 2}}, ValueError, "has 'gamma', which is not open to choice"),
        ({"loss": "focal", "loss_params": {"gamma": -1}}, ValueError, "gamma=-1"),
        ({"class_weight": "equal"}, ValueError, "class_weight='equal'"),
        ({"class_weight": {0: -1}}, ValueError, "finite numbers of at least 0"),
        ({"class_weight": {0: 0, 1: 0, 2: 0}}, ValueError, "at least one class of samples"),
        ({"class_weight": {0: 1e300}}, ValueError, "between 1e-30 and 1e30"),
        ({"loss": torch.nn.NLLLoss}, ValueError, "gives -10.0 for logits that are right"),
        ({"loss": torch.nn.MSELoss}, ValueError, "for logits that are right"),
        ({"loss": torch.nn.Module}, ValueError, "for logits that are right"),
        (
            {"loss": torch.nn.CrossEntropyLoss, "loss_params": {"reduction": "none"}},
            ValueError,
            "for logits that are right",
        ),
        (
            {
                "loss": torch.nn.CrossEntropyLoss,
                "loss_params": {"weight": torch.ones(3)},
                "class_weight": "balanced",
            },
            ValueError,
            "say the same",
        ),
        ({"net_params": {"criterion__alpha": 1}}, ValueError, "the estimator's own"),
        ({"net_params": {"module__dropout": 0.5}}, ValueError, "the estimator's own"),
        ({"net_params": {"optimizer__lr": 1}}, ValueError, "the estimator's own"),
        ({"loss": np.array(["ghl"])}, TypeError, "loss is an array"),
        ({"verbose": "0"}, TypeError, "verbose='0'"),
        ({"n_networks": 0}, ValueError, "n_networks=0 must be at least 1"),
        ({"n_filters": (4,)}, ValueError, "one entry per layer"),
        ({"n_filters": 4}, ValueError, "must hold integers"),
        ({"kernel_sizes": (0, 3)}, ValueError, "must hold integers"),
        ({"pool_size": 0}, ValueError, "pool_size=0"),
        ({"pool_size": 90}, ValueError, "the pooling after convolutional layer 1 spans 90"),
        ({"dense_units": 1.5}, TypeError, "dense_units=1.5"),
        ({"padding": "full"}, ValueError, "padding='full'"),
        ({"global_pooling": "sum"}, ValueError, "global_pooling='sum'"),
        ({"dropout": 1.0}, ValueError, "dropout=1.0"),
        ({"augment": "shift"}, TypeError, "augment='shift' must be a tuple of names"),
        ({"augment": np.array(["shift"])}, TypeError, "must be a tuple of names"),
        ({"augment": 3}, TypeError, "must be a tuple of names"),
        ({"augment": ("flip",)}, ValueError, "augment='flip' is not one of 'shift'"),
        ({"batch_norm": "no"}, ValueError, "batch_norm='no'"),
        ({"class_weight": [1, 2, 3]}, TypeError, "must be a dict from class to weight"),
        ({"class_weight": np.ones(3)}, TypeError, "must be a dict from class to weight"),
        ({"loss_params": {"class_counts": [1, 1, 1]}}, ValueError, "'class_counts', which is not"),
        ({"loss": "mse", "loss_params": {"base": "rmse"}}, ValueError, "open are none"),
        ({"lr": 0}, ValueError, "lr=0"),
        ({"early_stopping": True}, ValueError, "validation_fraction=0.2"),
        ({"callbacks": [("f1_annealing", Callback())]}, ValueError, "'f1_annealing' twice"),
    ],
)
def test_bad_parameters_are_refused(windows, params, error, message):
    with pytest.raises(error, match=message):
        GHLClassifier(**SMALL | params).fit(*windows)


def test_sample_weight_is_refused_in_favour_of_class_weight(windows):
    with pytest.raises(TypeError, match="no sample_weight in fit; weigh classes by class_weight"):
        GHLClassifier(**SMALL).fit(*windows, sample_weight=np.ones(84))


def test_lr_auto_is_not_misled_by_batches_that_differ(windows):
    for loss in ("ghl", "class_cost"):
        model = GHLClassifier(**SMALL | {"max_epochs": 1}, loss=loss, lr="auto").fit(*windows)
        assert 1e-4 < model.net_.optimizer_.param_groups[0]["lr"] < 1


def test_each_class_is_on_both_sides_of_the_validation_split(windows):
    X, y = windows
    rows = np.r_[:60, 60:62, 72:74]
    for fraction in (0.1, 0.9):
        model = GHLClassifier(**SMALL, validation_fraction=fraction).fit(X[rows], y[rows])
        np.testing.assert_array_equal(
            model.net_.criterion_.class_counts, [round(60 * (1 - fraction)), 1, 1]
        )


def test_validation_loss_weighs_classes_alike(windows):
    model = GHLClassifier(**SMALL, validation_fraction=0.25).fit(*windows)
    loss = model.net_.criterion_
    logits, y = torch.randn(20, 3), torch.arange(20) % 3
    assert loss.train().sample_weights(logits, y)[y == 0].max() < 1
    assert loss.eval()(logits, y) == ClassCostLoss([45, 9, 9])(logits, y)


def test_a_class_to_come_cannot_be_weighed_by_its_number(windows):
    X, y = windows
    for params in ({"loss": "class_cost"}, {"class_weight": "balanced"}):
        with pytest.raises(ValueError, match="class 2 has no case at first"):
            GHLClassifier(**SMALL, **params).partial_fit(X[:72], y[:72], classes=[0, 1, 2])


def test_a_further_networks_checkpoint_of_another_seed_is_refused(windows, tmp_path):
    params = SMALL | {"random_state": None, "n_networks": 2, "checkpoint": tmp_path / "fit.ckpt"}
    GHLClassifier(**params).fit(*windows)
    (tmp_path / "fit.ckpt").unlink()
    with pytest.raises(ValueError, match=r"fit.ckpt.1 was written by a fit with other seed"):
        GHLClassifier(**params).fit(*windows)


class OwnGHL(GradientHarmonizedLoss):
    """A loss that passes everything on."""

    def __init__(self, *args, extra=1, **kwargs):
        super().__init__(*args, **kwargs)
        self.extra = extra


def test_a_loss_that_passes_arguments_on_is_given_them(windows):
    params = {"loss": OwnGHL, "loss_params": {"extra": 3, "alpha": 0.5}, "class_weight": {1: 2}}
    loss = GHLClassifier(**SMALL, **params).fit(*windows).net_.criterion_
    assert (loss.extra, loss.alpha) == (3, 0.5)
    np.testing.assert_array_equal(loss.class_weight, [1, 2, 1])


def test_data_frame_and_balanced_accuracy(windows):
    X, y = windows
    frame = pd.DataFrame(X, columns=[f"t{i}" for i in range(96)])
    labels = pd.Series(np.array(["a", "b", "c"])[y])
    model = GHLClassifier(**SMALL)
    scores = cross_validate(model, frame, labels, cv=2, scoring="balanced_accuracy")
    assert np.isfinite(scores["test_score"]).all()


def test_a_class_of_one_cannot_be_held_out(windows):
    X, y = windows
    y = np.where(np.arange(84) == 83, 3, y)
    with pytest.raises(ValueError, match="class 3 has 1 case"):
        GHLClassifier(**SMALL, validation_fraction=0.2).fit(X, y)


def test_the_loss_is_the_one_named(fitted, windows):
    assert isinstance(fitted.net_.criterion_, GradientHarmonizedLoss)
    model = GHLClassifier(**SMALL, loss="class_cost", loss_params={"base": "rmse"}).fit(*windows)
    assert isinstance(model.net_.criterion_, ClassCostLoss)
    assert model.net_.criterion_.base == "rmse"
    assert "annealing_factor" not in model.history_[-1]
