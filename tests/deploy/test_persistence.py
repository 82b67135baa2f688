"""Files without pickle: what comes back, what is refused."""

import hashlib
import json
import os
import pickle
import warnings
from typing import ClassVar

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import ExtraTreeRegressor
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, LRScheduler

import skprog
from skprog import estimators, preprocessing
from skprog._checks import is_seconds, is_size
from skprog.callbacks import AdaptiveCycle
from skprog.deploy import load, save
from skprog.deploy._format import FORMAT
from skprog.deploy._records import EstimatorDecoder, EstimatorEncoder
from skprog.deploy._schema import learnt_by
from skprog.deploy._trusted import ESTIMATORS, NAMES
from skprog.estimators import (
    CnnLstmRUL,
    ConformalRUL,
    DistributionalRUL,
    DummyRUL,
    GHLClassifier,
    ImageClassifier,
    SEMClassifier,
    TimeSeriesClassifier,
)
from skprog.networks import FCN
from skprog.preprocessing import (
    AccelRotation45,
    BandEnergies,
    FrequencyMaxPool,
    PatchSelector,
    RULIndex,
    WelchSpectrogram,
)
from skprog.sequences import RunSequences

RNG = np.random.default_rng(0)
RUL = np.arange(24)[::-1] * 10.0
LABELS = np.array(["healthy", "worn"] * 12)
FEATURES = RNG.normal(size=(24, 6))
WINDOWS = RNG.normal(size=(24, 2, 64))
SPECTROGRAMS = RNG.normal(size=(24, 3, 2, 12, 9)).astype(np.float16)
IMAGES = RNG.integers(0, 255, size=(24, 1, 8, 8), dtype=np.uint8)

SMALL = {"max_epochs": 1, "random_state": 0}
RUL_NET = CnnLstmRUL(**SMALL, lstm_units=4, dense_units=(3,))
SPECTROGRAM_NET = CnnLstmRUL(
    **SMALL,
    n_filters=(2, 3),
    kernel_sizes=((3, 3), (2, 2)),
    strides=((1, 1), (1, 1)),
    lstm_units=4,
    dense_units=(3,),
)
GHL = GHLClassifier(**SMALL, n_filters=(3,), kernel_sizes=(5,), dense_units=4)
SEM = SEMClassifier(n_blocks=1, n_filters=(3,), hidden_units=4, max_steps=2, random_state=0)
SERIES = TimeSeriesClassifier(network_params={"n_filters": (3, 3, 3)}, **SMALL)
IMAGE = ImageClassifier(network_params={"width": 2}, **SMALL)

# Estimator, rows, target, methods that have to agree bit by bit.
FITTED = {
    "CnnLstmRUL": (SPECTROGRAM_NET, SPECTROGRAMS, RUL, ["predict", "predict_channels"]),
    "CnnLstmRUL, linear": (clone(RUL_NET).set_params(target="linear"), FEATURES, RUL, ["predict"]),
    "ConformalRUL": (
        ConformalRUL(RUL_NET, cv=2, coverage=0.5, random_state=0),
        FEATURES,
        RUL,
        ["predict", "predict_interval"],
    ),
    "DistributionalRUL": (
        DistributionalRUL(ExtraTreesClassifier(5, min_samples_leaf=2, random_state=0)),
        SPECTROGRAMS,
        RUL,
        ["predict", "predict_distribution"],
    ),
    "DummyRUL": (DummyRUL(), FEATURES, RUL, ["predict"]),
    "DummyRUL, constant": (DummyRUL("constant", constant=7), FEATURES, RUL, ["predict"]),
    "GHLClassifier": (GHL, WINDOWS, LABELS, ["predict", "predict_proba"]),
    "GHLClassifier, two networks": (
        clone(GHL).set_params(n_networks=2, batch_norm=True, class_weight={"worn": 3.0}),
        WINDOWS,
        LABELS,
        ["predict_proba"],
    ),
    "ImageClassifier": (IMAGE, IMAGES, LABELS, ["predict", "predict_proba"]),
    "SEMClassifier": (SEM, IMAGES[:, 0], LABELS, ["predict", "predict_proba", "defect_map"]),
    "SEMClassifier, tiles": (
        clone(SEM).set_params(tiles="all", patch_size=4, head="local"),
        IMAGES[:, 0],
        LABELS,
        ["predict_proba", "defect_map"],
    ),
    "TimeSeriesClassifier": (SERIES, WINDOWS, LABELS, ["predict", "predict_proba"]),
    "AccelRotation45": (AccelRotation45(), WINDOWS, None, ["transform"]),
    "BandEnergies": (BandEnergies(4), SPECTROGRAMS, None, ["transform"]),
    "FrequencyMaxPool": (FrequencyMaxPool(3), SPECTROGRAMS, None, ["transform"]),
    "PatchSelector": (
        PatchSelector(4, "random", np.random.default_rng(3)),
        IMAGES[:, 0],
        None,
        ["transform"],
    ),
    "RULIndex": (RULIndex(w=0.5), RUL, None, ["transform", "inverse_transform"]),
    "WelchSpectrogram": (
        WelchSpectrogram(nperseg=16, hop=4, window=np.hamming(16)),
        WINDOWS,
        None,
        ["transform"],
    ),
}


def fitted(name):
    estimator, X, y, methods = FITTED[name]
    return clone(estimator).fit(X, y), X, methods


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skprog"


def saved_and_loaded(estimator, path):
    save(estimator, path)
    return load(path)


def assert_same(estimator, other, X, methods):
    for method in methods:
        result = getattr(estimator, method)(X)
        other_result = getattr(other, method)(X)
        assert other_result.dtype == result.dtype
        np.testing.assert_array_equal(other_result, result)


def rewrite(path, change, *, signed=True):
    """Change the JSON text and the tensors of a file and, as a forger would, sign it anew."""
    data = path.read_bytes()
    n_header = int.from_bytes(data[:8], "little")
    body = json.loads(json.loads(data[8 : 8 + n_header])["__metadata__"]["skprog"])
    tensors = safetensors.torch.load(data)
    change(body, tensors)
    if signed:
        del body["sha256"]
        digest = hashlib.sha256(json.dumps(body, separators=(",", ":")).encode())
        for name, tensor in sorted(tensors.items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
        body["sha256"] = digest.hexdigest()
    path.write_bytes(safetensors.torch.save(tensors, {"skprog": json.dumps(body)}))


def assert_refused(path, message):
    with pytest.raises(ValueError, match=message) as error:
        load(path)
    assert str(path) in str(error.value)


def test_every_public_estimator_and_transformer_is_tried_here():
    names = {name.partition(",")[0] for name in FITTED}
    assert names == {*estimators.__all__, *preprocessing.__all__}


@pytest.mark.parametrize("name", FITTED)
def test_what_comes_back_predicts_bit_by_bit_and_has_the_same_parameters(name, path):
    estimator, X, methods = fitted(name)
    loaded = saved_and_loaded(estimator, path)
    assert type(loaded) is type(estimator)
    params, other = estimator.get_params(), loaded.get_params()
    generator, other_generator = params.pop("random_state", 0), other.pop("random_state", 0)
    assert getattr(generator, "bit_generator", generator) == generator or (
        generator.bit_generator.state == other_generator.bit_generator.state
    )
    assert {key: repr(value) for key, value in other.items()} == {
        key: repr(value) for key, value in params.items()
    }
    assert {*vars(loaded)} == {*vars(estimator)}
    assert_same(estimator, loaded, X, methods)


@pytest.mark.parametrize("name", FITTED)
def test_what_comes_back_is_pickled_cloned_and_saved_again_to_the_same_bytes(name, path):
    estimator, X, methods = fitted(name)
    loaded = saved_and_loaded(estimator, path)
    before = path.read_bytes()
    save(loaded, path)
    assert path.read_bytes() == before
    assert_same(pickle.loads(pickle.dumps(loaded)), load(path), X, methods)
    assert not [key for key in vars(clone(loaded)) if key.endswith("_")]


@pytest.mark.parametrize(
    "labels", [["a", "b"], [3, 7], [True, False], [1.0, 2.0], np.array([1, 2], np.uint8)]
)
def test_classes_keep_their_type(labels, path):
    y = np.array(list(labels) * 12, dtype=getattr(labels, "dtype", None))
    model = clone(GHL).fit(WINDOWS, y)
    loaded = saved_and_loaded(model, path)
    assert loaded.classes_.dtype == model.classes_.dtype
    np.testing.assert_array_equal(loaded.classes_, model.classes_)
    assert loaded.score(WINDOWS, y) == model.score(WINDOWS, y)


def test_run_sequences_are_predicted_as_before(path):
    windows = SPECTROGRAMS[:, 0]
    X = RunSequences.from_runs(windows, np.repeat(["a", "b"], 12), n_steps=3)
    model = make_pipeline(FrequencyMaxPool(1), clone(SPECTROGRAM_NET)).fit(X, RUL)
    assert_same(model, saved_and_loaded(model, path), X, ["predict"])


@pytest.mark.parametrize(
    "steps",
    [
        [StandardScaler()],
        [MinMaxScaler(), PCA(3)],
        [RobustScaler(), SimpleImputer(), VarianceThreshold()],
        [FunctionTransformer(), MaxAbsScaler()],
        [QuantileTransformer(n_quantiles=10), PowerTransformer()],
        [PolynomialFeatures(), Normalizer()],
        [make_union(StandardScaler(), PCA(2))],
        [ColumnTransformer([("a", StandardScaler(), [0, 1]), ("b", "passthrough", slice(2, 6))])],
    ],
    ids=lambda steps: "-".join(type(step).__name__ for step in steps),
)
def test_scikit_learns_preprocessing_comes_back(steps, path):
    model = make_pipeline(*steps, clone(RUL_NET)).fit(FEATURES, RUL)
    loaded = saved_and_loaded(model, path)
    assert_same(model, loaded, FEATURES, ["predict"])
    assert_same(model[:-1], loaded[:-1], FEATURES, ["transform"])


def test_votes_and_transformed_targets_come_back(path):
    vote = VotingRegressor([("net", RUL_NET), ("dummy", DummyRUL())])
    model = TransformedTargetRegressor(vote, transformer=MinMaxScaler()).fit(FEATURES, RUL)
    assert_same(model, saved_and_loaded(model, path), FEATURES, ["predict"])
    vote = VotingClassifier([("ghl", GHL), ("series", SERIES)], voting="soft").fit(WINDOWS, LABELS)
    loaded = saved_and_loaded(vote, path)
    assert_same(vote, loaded, WINDOWS, ["predict", "predict_proba"])
    # The members are listed twice and written once.
    assert loaded.named_estimators_["ghl"] is loaded.estimators_[0]


@pytest.mark.parametrize(
    "forest",
    [ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor],
)
def test_forests_come_back(forest, path):
    y = LABELS if hasattr(forest, "predict_proba") else np.column_stack([RUL, RUL**2])
    model = forest(3, min_samples_leaf=2, random_state=0).fit(FEATURES, y)
    assert_same(model, saved_and_loaded(model, path), FEATURES, ["predict"])


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("left_child", lambda left: left.fill_(0), "nodes that lead nowhere"),
        ("right_child", lambda right: right.clamp_(min=10**9), "nodes that lead nowhere"),
        ("feature", lambda feature: feature.fill_(6), "nodes that lead nowhere"),
        ("threshold", lambda threshold: threshold.resize_(1), "of another shape|shape"),
        ("values", lambda values: values.resize_(1, 1, 1), "of another shape|shape"),
    ],
)
def test_trees_that_lead_out_of_their_arrays_are_refused(path, key, change, message):
    def rewritten(body, tensors):
        members = body["estimator"]["estimator"]["learnt"]["tree_"]["tree"]["dict"]
        record = dict(map(tuple, members))[key]["array"]
        tensor = tensors[record["tensor"]].clone()
        tensors[record["tensor"]] = change(tensor).clone()
        record["shape"] = list(tensor.shape)

    save(ExtraTreeRegressor(random_state=0).fit(FEATURES, RUL), path)
    rewrite(path, rewritten)
    assert_refused(path, message)


@pytest.mark.parametrize("place", ["forest", "tree"])
def test_trees_of_fewer_features_than_told_are_refused(path, place):
    def change(body, tensors):
        learnt = body["estimator"]["estimator"]["learnt"]
        if place == "tree":
            learnt = learnt["estimators_"][0]["estimator"]["learnt"]
        learnt["n_features_in_"] = 1

    save(ExtraTreesRegressor(2, random_state=0).fit(FEATURES, RUL), path)
    rewrite(path, change)
    assert_refused(path, "of 1 features")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("n_outputs_", 2, "answer otherwise|are not the"),
        ("n_classes_", 3, "are not the"),
        ("classes_", {"tuple": ["a", "b", "c"]}, "are not the"),
        ("n_outputs_", None, "does not hold together"),
    ],
)
@pytest.mark.parametrize("place", ["forest", "tree"])
def test_trees_that_answer_otherwise_than_told_are_refused(path, key, value, message, place):
    def change(body, tensors):
        learnt = body["estimator"]["estimator"]["learnt"]
        if place == "tree":
            learnt = learnt["estimators_"][0]["estimator"]["learnt"]
        if value is None:
            del learnt[key]
        else:
            learnt[key] = value

    save(ExtraTreesClassifier(2, random_state=0).fit(FEATURES, LABELS), path)
    rewrite(path, change)
    assert_refused(path, f"{message}|nothing refers")


def test_votes_that_go_by_something_else_are_refused(path):
    def change(body, tensors):
        body["estimator"]["estimator"]["learnt"]["_voted_with"]["dict"][0][0] = "more"

    save(clone(SEM).fit(IMAGES[:, 0], LABELS), path)
    rewrite(path, change)
    assert_refused(path, "_voted_with of SEMClassifier is not of tiles")


def test_more_layers_than_the_file_has_weights_are_refused_at_once(path):
    def change(body, tensors):
        body["estimator"]["estimator"]["params"]["network_params"]["dict"].append(
            ["n_layers", 10**5]
        )

    model = TimeSeriesClassifier("lstm", network_params={"lstm_units": 3}, **SMALL)
    save(model.fit(WINDOWS, LABELS), path)
    rewrite(path, change)
    assert_refused(path, "its network has more layers than the file has weights")


def test_named_columns_and_output_settings_come_back(path):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(FEATURES, columns=[*"abcdef"])
    model = make_pipeline(StandardScaler().set_output(transform="pandas"), clone(RUL_NET))
    loaded = saved_and_loaded(model.fit(X, RUL), path)
    assert loaded[0].transform(X).columns.tolist() == [*"abcdef"]
    assert loaded[-1].feature_names_in_.tolist() == [*"abcdef"]
    assert_same(model, loaded, X, ["predict"])


def test_history_comes_back_by_epoch_without_its_batches(path):
    model = clone(GHL).set_params(max_epochs=3, validation_fraction=0.25, n_networks=2)
    model.fit(WINDOWS, LABELS)
    loaded = saved_and_loaded(model, path)
    assert loaded.history_ is loaded.net_.history
    for net, other in zip(model.nets_, loaded.nets_, strict=True):
        for epoch, other_epoch in zip(net.history, other.history, strict=True):
            assert other_epoch.pop("batches") == []
            assert other_epoch == {k: v for k, v in epoch.items() if k != "batches"}
    assert (loaded.n_iter_, loaded.best_epoch_) == (model.n_iter_, model.best_epoch_)


def test_learning_rate_range_comes_back(path):
    model = clone(GHL).set_params(lr="auto", batch_size=1).fit(WINDOWS, LABELS)
    loaded = saved_and_loaded(model, path)
    assert repr(loaded.lr_range_) == repr(model.lr_range_)
    assert loaded.lr_range_.lr_max_ == model.lr_range_.lr_max_


def test_training_does_not_go_on_and_starts_anew(path):
    model = clone(GHL).set_params(warm_start=True).fit(WINDOWS, LABELS)
    loaded = saved_and_loaded(model, path)
    for train in (loaded.fit, loaded.partial_fit):
        with pytest.raises(ValueError, match=r"without the state of its optimizer.*warm_start=Fal"):
            train(WINDOWS, LABELS)
        assert_same(model, loaded, WINDOWS, ["predict_proba"])
    loaded.set_params(warm_start=False).fit(WINDOWS, LABELS)
    assert_same(model, loaded, WINDOWS, ["predict_proba"])


def test_global_generators_stay_as_they_are(path):
    save(clone(GHL).fit(WINDOWS, LABELS), path)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    load(path)
    assert torch.rand(1) == expected


def test_classes_of_torch_and_callbacks_are_written_by_name(path):
    model = TimeSeriesClassifier(
        FCN,
        network_params={"n_filters": (3, 3, 3)},
        loss=torch.nn.CrossEntropyLoss,
        loss_params={"weight": torch.tensor([1.0, 2.0])},
        optimizer=torch.optim.RMSprop,
        net_params={"optimizer__momentum": 0.5},
        validation_fraction=0.25,
        callbacks=[
            EarlyStopping(patience=9),
            ("score", EpochScoring("accuracy", lower_is_better=False)),
            ("steps", LRScheduler("StepLR", step_size=2)),
        ],
        **SMALL,
    ).fit(WINDOWS, LABELS)
    loaded = saved_and_loaded(model, path)
    assert_same(model, loaded, WINDOWS, ["predict_proba"])
    params, other = model.get_params(), loaded.get_params()
    assert other["network"] is FCN
    assert other["optimizer"] is torch.optim.RMSprop
    assert other["loss"] is torch.nn.CrossEntropyLoss
    assert torch.equal(other["loss_params__weight"], params["loss_params__weight"])
    assert other["callbacks__EarlyStopping__sink"] is print
    assert other["callbacks__score__scoring"] == "accuracy"
    assert other["callbacks__steps__step_size"] == 2


def test_unfitted_members_of_a_vote_keep_their_callbacks(path):
    net = clone(RUL_NET).set_params(lr_decay=1.0, callbacks=[AdaptiveCycle(monitor="train_loss")])
    vote = VotingRegressor([("net", net)]).fit(FEATURES, RUL)
    loaded = saved_and_loaded(vote, path)
    assert loaded.get_params()["net__callbacks__AdaptiveCycle__monitor"] == "train_loss"
    assert not hasattr(loaded.estimators[0][1], "net_")


class OwnNetwork(torch.nn.Sequential):
    def __init__(self, n_channels, n_timepoints, n_classes):
        super().__init__(torch.nn.Flatten(), torch.nn.Linear(n_channels * n_timepoints, n_classes))


class OwnLoss(torch.nn.CrossEntropyLoss):
    pass


class OwnOptimizer(torch.optim.SGD):
    pass


class OwnCallback(Callback):
    pass


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"network": OwnNetwork, "network_params": None}, r"TimeSeriesClassifier\.network"),
        ({"loss": OwnLoss}, r"TimeSeriesClassifier\.loss"),
        ({"optimizer": OwnOptimizer}, r"TimeSeriesClassifier\.optimizer"),
        ({"callbacks": [OwnCallback()]}, r"TimeSeriesClassifier\.callbacks\[0\]"),
        (
            {"callbacks": [("s", EpochScoring(lambda net, X, y: 0.0, name="s"))]},
            r"EpochScoring\.scoring",
        ),
        ({"checkpoint": "fit.pt"}, r"checkpoint='.*fit.pt'.*set_params\(checkpoint=None\)"),
    ],
)
def test_parameter_that_takes_code_is_refused_by_name(params, named, path):
    if "checkpoint" in params:
        params = {"checkpoint": str(path.with_name("fit.pt"))}
    model = clone(SERIES).set_params(**params, validation_fraction=0.25).fit(WINDOWS, LABELS)
    with pytest.raises(ValueError, match=named):
        save(model, path)
    assert not path.exists()


def test_other_code_is_refused_by_name(path, tmp_path):
    function = make_pipeline(FunctionTransformer(np.log1p), clone(RUL_NET)).fit(FEATURES**2, RUL)
    with pytest.raises(ValueError, match=r"FunctionTransformer\.func=.*cannot be written without"):
        save(function, path)
    cached = make_pipeline(StandardScaler(), clone(RUL_NET), memory=str(tmp_path / "cache"))
    with pytest.raises(ValueError, match=r"memory='.*' of Pipeline is a file of this machine"):
        save(cached.fit(FEATURES, RUL), path)
    foreign = make_pipeline(StandardScaler(), LinearRegression()).fit(FEATURES, RUL)
    with pytest.raises(ValueError, match="is a LinearRegression, which load does not know"):
        save(foreign, path)


def test_network_that_no_longer_fits_its_parameters_is_refused(path):
    model = clone(RUL_NET).fit(FEATURES, RUL).set_params(lstm_units=5)
    with pytest.raises(ValueError, match="lstm_units of CnnLstmRUL changed since fit; set it back"):
        save(model, path)
    pool = FrequencyMaxPool(2).fit(SPECTROGRAMS).set_params(pool_size=3)
    with pytest.raises(ValueError, match="_fitted_params of FrequencyMaxPool does not follow"):
        save(pool, path)


def test_parameters_without_effect_on_the_network_may_change_after_fit(path):
    model = clone(RUL_NET).fit(FEATURES, RUL).set_params(max_epochs=9, device="cuda")
    loaded = saved_and_loaded(model, path)
    assert loaded.get_params()["device"] == "cuda"
    assert loaded.net_.device == "cpu"
    assert_same(model, loaded, FEATURES, ["predict"])


def test_what_is_not_fitted_or_no_estimator_is_refused(path):
    for estimator in (RUL_NET, make_pipeline(StandardScaler(), RUL_NET), RULIndex()):
        with pytest.raises(NotFittedError):
            save(clone(estimator), path)
    for thing in (CnnLstmRUL, None, 3, {"a": 1}):
        with pytest.raises(TypeError, match="is no estimator"):
            save(thing, path)


def test_paths_are_checked(tmp_path):
    model = RULIndex().fit(RUL)
    with pytest.raises(TypeError, match="path=3 must be the path of a file"):
        save(model, 3)
    with pytest.raises(TypeError, match="path=None must be the path of a file"):
        load(None)
    with pytest.raises(FileNotFoundError, match=r"folder .*absent does not exist; create it first"):
        save(model, tmp_path / "absent" / "model")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load(tmp_path / "absent")
    for f in (lambda path: save(model, path), load):
        with pytest.raises(IsADirectoryError, match="is a folder"):
            f(tmp_path)


def test_file_is_replaced_as_a_whole_or_not_at_all(path, monkeypatch):
    save(RULIndex().fit(RUL), str(path))
    before = path.read_bytes()

    def fail(source, target):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save(RULIndex(w=0.5).fit(RUL), path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.fixture
def file(path):
    save(clone(GHL).fit(WINDOWS, LABELS), path)
    return path


def test_tampered_class_name_is_refused(file):
    def change(body, tensors):
        body["estimator"]["estimator"]["class"] = "os.system"

    rewrite(file, change)
    assert_refused(file, "names the class 'os.system', which load does not know; update skprog")


def test_truncated_file_is_refused_wherever_it_ends(file):
    data = file.read_bytes()
    for n_bytes in (len(data) - 1, len(data) // 2, 300, 9, 4, 0):
        file.write_bytes(data[:n_bytes])
        message = "truncated at" if n_bytes > 8 else "empty" if n_bytes == 0 else "no file of"
        assert_refused(file, message)


def test_newer_format_is_refused(file):
    rewrite(file, lambda body, tensors: body.update(format=FORMAT + 1))
    assert_refused(file, f"has format {FORMAT + 1} but this version .* up to {FORMAT}; update skp")


@pytest.mark.parametrize("number", [0, -1, "1", None, True, 1.0])
def test_format_that_is_none_is_refused(file, number):
    rewrite(file, lambda body, tensors: body.update(format=number))
    assert_refused(file, "its format is .*, which is none")


def test_flipped_bit_is_noticed(file):
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)
    assert_refused(file, "changed or damaged since it was written")


def test_length_of_the_header_may_begin_like_a_pickle(path):
    # The header's length is a multiple of 8, so that some text makes it end in 0x80.
    first = set()
    for n in range(0, 260, 4):
        save(DummyRUL("constant", constant=1.0, by="x" * n).fit(FEATURES, RUL), path)
        first.add(path.read_bytes()[:1])
        assert load(path).by == "x" * n
    assert b"\x80" in first


class Payload:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickle_is_refused_and_does_not_run(file, tmp_path):
    touched = tmp_path / "touched"
    payload = pickle.dumps(Payload(touched))
    file.write_bytes(payload)
    assert_refused(file, "is a pickle, which can run code")
    file.write_bytes(pickle.dumps(Payload(touched), protocol=0))
    assert_refused(file, "no file of skprog.deploy.save")
    torch.save({"model": Payload(touched)}, file)
    assert_refused(file, "is a pickle, which can run code")
    assert not touched.exists()


def test_pickle_inside_a_file_is_refused_and_does_not_run(file, tmp_path):
    touched = tmp_path / "touched"
    payload = pickle.dumps(Payload(touched))
    original = file.read_bytes()

    def as_tensor(body, tensors):
        tensors["pickle"] = torch.frombuffer(bytearray(payload), dtype=torch.uint8)

    def as_weights(body, tensors):
        name = next(iter(tensors))
        tensors[name] = torch.frombuffer(bytearray(payload), dtype=torch.uint8)

    def as_value(body, tensors):
        body["estimator"]["estimator"]["params"]["lr"] = {"pickle": payload.hex()}

    def as_reduce(body, tensors):
        body["estimator"] = {"__reduce__": ["os.system", f"touch {touched}"]}

    def as_object(body, tensors):
        body["estimator"]["estimator"]["params"]["loss"] = {"object": "os.system"}

    def as_objects(body, tensors):
        record = {"dtype": "|O", "shape": [1], "order": "C", "tensor": "pickle"}
        body["estimator"]["estimator"]["learnt"]["classes_"] = {"array": record}
        as_tensor(body, tensors)

    for change, message in (
        (as_tensor, "nothing refers to its tensor 'pickle'"),
        (as_weights, "has|have"),
        (as_value, "holds {'pickle': .*}, which is no value"),
        (as_reduce, "holds {'__reduce__': .*}, which is no value"),
        (as_object, "names 'os.system', which load does not know"),
        (as_objects, "in place of object"),
    ):
        file.write_bytes(original)
        rewrite(file, change)
        assert_refused(file, message)
    assert not touched.exists()


def test_weights_of_another_network_are_refused(file):
    original = file.read_bytes()
    name = "net0/head.1.weight"

    def smaller(body, tensors):
        tensors[name] = tensors[name][:, 1:].contiguous()

    def other_type(body, tensors):
        tensors[name] = tensors[name].double()

    def missing(body, tensors):
        del tensors[name]

    def unnamed(body, tensors):
        del body["estimator"]["estimator"]["nets"][0]["weights"]["head.1.weight"]

    def foreign(body, tensors):
        body["estimator"]["estimator"]["nets"][0]["weights"]["more"] = name

    def huge(body, tensors):
        body["estimator"]["estimator"]["params"]["dense_units"] = 10**12

    for change, message in (
        (smaller, r"weights 'head.1.weight' have shape \(4, .*\) .* in place of"),
        (other_type, "dtype torch.float64 in place of"),
        (missing, "the tensor 'net0/head.1.weight' is missing"),
        (unnamed, "weights 'head.1.weight' are missing"),
        (foreign, "weights 'more' are of no layer"),
        (huge, "in place of"),
    ):
        file.write_bytes(original)
        rewrite(file, change)
        assert_refused(file, message)


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("params", "max_epochs", "many", "max_epochs='many' must be an integer"),
        ("params", "dropout", 7, "dropout=7 must be"),
        ("params", "optimizer", "bogus", "optimizer='bogus'"),
        ("params", "n_filters", 5, "n_filters=5 must hold integers"),
        ("params", "device", 3, "device=3 must be a str"),
        ("params", "unheard_of", 1, "unheard_of"),
        ("params", "checkpoint", "//elsewhere/pickle", "checkpoint of GHLClassifier is another"),
        ("learnt", "shape_in_", [2, 64], "shape_in_=.* is not what GHLClassifier learns"),
        ("learnt", "shape_in_", {"tuple": [2, 80]}, "in place of"),
        ("learnt", "classes_", 2, "classes_=2 is not what"),
        ("learnt", "n_iter_", "1", "n_iter_='1' is not what"),
        ("learnt", "predict", 1, "learns no 'predict'"),
        ("learnt", "__class__", 1, "learns no '__class__'"),
        ("learnt", "lr", 1, "learns no 'lr'"),
    ],
)
def test_parameters_and_attributes_of_another_kind_are_refused(file, section, key, value, message):
    rewrite(file, lambda body, _: body["estimator"]["estimator"][section].update({key: value}))
    assert_refused(file, message)


@pytest.mark.parametrize("key", ["shape_in_", "classes_", "_seed", "_class_weight"])
def test_missing_attributes_are_refused(file, key):
    rewrite(file, lambda body, _: body["estimator"]["estimator"]["learnt"].pop(key))
    assert_refused(file, "missing|no attribute|nothing refers")


def test_a_file_records_the_version_that_wrote_it(file):
    seen = {}
    rewrite(file, lambda body, _: seen.update(body["versions"]))
    assert seen["skprog"] == skprog.__version__
    assert seen["torch"] == torch.__version__


class Twice(RegressorMixin, BaseEstimator):
    """Twice the mean life, as somebody adds an estimator."""

    __module__ = "skprog.estimators._twice"
    _learnt: ClassVar = {"max_life_": is_seconds, "n_features_in_": is_size}

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        self.max_life_ = float(y.max())
        return self

    def predict(self, X):
        return np.full(len(X), 2 * self.max_life_)


class Mute(Twice):
    """One that learns more than it says."""

    def fit(self, X, y):
        self.more_ = 1.0
        return super().fit(X, y)


@pytest.fixture
def added(monkeypatch):
    """Return a function that adds a class to those that a file may name."""

    def add(cls):
        name = f"skprog.estimators.{cls.__name__}"
        monkeypatch.setitem(ESTIMATORS, name, cls)
        monkeypatch.setitem(NAMES, cls, name)
        return cls

    return add


@pytest.mark.parametrize("name", [*estimators.__all__, *preprocessing.__all__])
def test_every_class_says_what_it_learns(name):
    cls = getattr(estimators, name, None) or getattr(preprocessing, name)
    assert all(map(callable, learnt_by(cls).values()))


def test_an_estimator_that_is_added_comes_back(path, added):
    model = added(Twice)().fit(FEATURES, RUL)
    assert_same(model, saved_and_loaded(model, path), FEATURES, ["predict"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda learnt: learnt.update(max_life_="a text"), "max_life_='a text' is not what Twice"),
        (lambda learnt: learnt.update(more_=1.0), "Twice learns no 'more_'"),
        (lambda learnt: learnt.pop("n_features_in_"), "n_features_in_ of Twice is missing"),
    ],
)
def test_an_edited_file_of_an_added_estimator_is_refused(path, added, change, message):
    save(added(Twice)().fit(FEATURES, RUL), path)
    rewrite(path, lambda body, _: change(body["estimator"]["estimator"]["learnt"]))
    assert_refused(path, message)


def test_a_class_that_does_not_say_what_it_learns_is_neither_saved_nor_loaded(
    path, added, monkeypatch
):
    with pytest.raises(ValueError, match="Mute learns no 'more_'"):
        save(added(Mute)().fit(FEATURES, RUL), path)
    save(added(Twice)().fit(FEATURES, RUL), path)
    monkeypatch.delattr(Twice, "_learnt")
    assert_refused(path, "Twice does not say by _learnt what it learns")
    with pytest.raises(ValueError, match="Twice does not say by _learnt what it learns"):
        save(Twice().fit(FEATURES, RUL), path)


@pytest.mark.parametrize("name", FITTED)
def test_an_attribute_more_is_refused_whatever_the_class(path, name):
    save(fitted(name)[0], path)
    rewrite(path, lambda body, _: body["estimator"]["estimator"]["learnt"].update(more_=1))
    assert_refused(path, "learns no 'more_'")


def test_transformer_that_does_not_follow_from_its_parameters_is_refused(path):
    def change(body, tensors):
        body["estimator"]["estimator"]["params"]["hop"] = 5

    save(WelchSpectrogram(nperseg=16, hop=4).fit(WINDOWS), path)
    rewrite(path, change)
    assert_refused(path, "of WelchSpectrogram does not follow from its parameters")


def test_array_of_another_shape_than_told_is_refused(path):
    def change(body, tensors):
        tensors["array0"] = tensors["array0"][1:].clone()

    save(make_pipeline(StandardScaler(), clone(RUL_NET)).fit(FEATURES, RUL), path)
    rewrite(path, change)
    assert_refused(path, r"'array0' has dtype float64 and shape \(5,\) in place of .* \(6,\)")


def test_scikit_learns_parameters_are_checked(path):
    def change(body, tensors):
        steps = body["estimator"]["estimator"]["params"]["steps"]
        steps[0]["tuple"][1]["estimator"]["params"]["with_mean"] = "perhaps"

    save(make_pipeline(StandardScaler(), clone(RUL_NET)).fit(FEATURES, RUL), path)
    rewrite(path, change)
    assert_refused(path, "'with_mean' parameter of StandardScaler must be")


def test_other_files_are_refused(path):
    for data in (b"no model at all", b"\x10" + bytes(7) + b"{not json at all", bytes(100)):
        path.write_bytes(data)
        assert_refused(path, "no file of skprog.deploy.save")
    path.write_bytes(safetensors.torch.save({"weights": torch.zeros(3)}))
    assert_refused(path, "no file of skprog.deploy.save")


def test_other_version_of_scikit_learn_warns_where_it_matters(path):
    def change(body, tensors):
        body["versions"]["scikit-learn"] = "1.0.0"

    save(make_pipeline(StandardScaler(), clone(RUL_NET)).fit(FEATURES, RUL), path)
    rewrite(path, change)
    with pytest.warns(InconsistentVersionWarning, match=r"from version 1\.0\.0"):
        load(path)
    save(RULIndex().fit(RUL), path)
    rewrite(path, change)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(path)


def coded(value):
    """Encode a value, pass it through JSON and decode it."""
    encoder = EstimatorEncoder()
    text = json.dumps(encoder.encode(value, "value"), allow_nan=False)
    return EstimatorDecoder(encoder.tensors).decode(json.loads(text))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
KEYS = st.booleans() | st.integers() | st.text()


@given(
    st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(KEYS, inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_plain_values_come_back(value):
    # NaN differs from itself, but not in words; nor does 1 look like True or 1.0 there.
    assert repr(coded(value)) == repr(value)


@given(
    hnp.arrays(
        hnp.boolean_dtypes()
        | hnp.integer_dtypes()
        | hnp.unsigned_integer_dtypes()
        | hnp.floating_dtypes(sizes=(16, 32, 64))
        | hnp.unicode_string_dtypes()
        | hnp.datetime64_dtypes(),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    ),
    st.booleans(),
)
def test_arrays_come_back_with_type_and_bits(array, is_fortran):
    array = np.asarray(array, order="F" if is_fortran else "C")
    other = coded(array)
    native = array.astype(array.dtype.newbyteorder("="))
    assert (other.dtype, other.shape) == (native.dtype, native.shape)
    assert other.tobytes() == native.tobytes()


@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_keep_their_order_in_memory_by_which_products_round(order):
    array = np.asarray(FEATURES, order=order)
    assert coded(array).flags[f"{order}_CONTIGUOUS"]


@pytest.mark.parametrize(
    "value",
    [
        np.float32(0.1),
        np.float64("nan"),
        np.int8(-3),
        np.uint64(2**64 - 1),
        np.bool_(True),
        np.str_("worn"),
        np.datetime64("2020-01-02"),
        np.dtype("float32"),
        slice(1, None, 2),
    ],
)
def test_numbers_of_numpy_come_back_as_they_were(value):
    other = coded(value)
    assert type(other) is type(value)
    assert repr(other) == repr(value)


def test_objects_tensors_and_generators_come_back():
    objects = np.array(["a", 1, 2.5, None, True], dtype=object)
    assert coded(objects).tolist() == objects.tolist()
    assert torch.equal(coded(torch.tensor([1.0, 2.0])), torch.tensor([1.0, 2.0]))
    state, other = np.random.RandomState(3), coded(np.random.RandomState(3))
    assert state.normal() == other.normal()
    for bits in (np.random.PCG64, np.random.Philox, np.random.MT19937, np.random.SFC64):
        generator = np.random.Generator(bits(3))
        assert coded(generator).normal() == generator.normal()


def test_value_of_no_known_kind_is_refused():
    for value in (1j, {1, 2}, b"bytes", object(), np.array([1j]), lambda: 0, os.system):
        with pytest.raises(ValueError, match="lr of X"):
            EstimatorEncoder().encode(value, "lr of X")


def test_deeply_nested_text_is_refused(file):
    def change(body, tensors):
        value = 0
        for _ in range(400):
            value = [value]
        body["estimator"] = value

    rewrite(file, change)
    assert_refused(file, "holds no estimator|does not hold together|nothing refers")


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("params", "coverage", 5, "coverage=5 must be finite and above 0 and below 1"),
        ("params", "cv", -3, "cv=-3 must be at least 2"),
        ("params", "cv", "four", "Expected `cv` as an integer"),
        ("params", "estimator", None, "must be an estimator with fit and predict"),
        ("learnt", "guarantee_", 2.0, "guarantee_=2.0 is not what ConformalRUL learns"),
        ("learnt", "guarantee_", {"float": "nan"}, "guarantee_=nan is not what"),
        ("learnt", "rank_", 0, "rank_=0 is not what"),
        ("learnt", "rank_", 100, "rank_=100 exceeds the 3 scores"),
        ("learnt", "scores_", np.array([-1.0, 0, 1]), "scores_=.* is not what"),
        ("learnt", "scores_", np.array([0, np.nan, 1]), "scores_=.* is not what"),
        ("learnt", "scores_", np.array([0, np.inf, 1]), "scores_=.* is not what"),
        ("learnt", "scores_", np.zeros(2), "runs_ has 3 values for 2 scores"),
        ("learnt", "scores_", np.zeros(0), "scores_=.* is not what"),
        ("learnt", "folds_", np.array([7, 7, 7]), "folds_ leads beyond the 3 estimators"),
        ("learnt", "folds_", np.array([0, -1, 2]), "folds_=.* is not what"),
        ("learnt", "folds_", np.array([0.0, 1, 2]), "folds_=.* is not what"),
        ("learnt", "folds_", np.array([0, 1]), "folds_ has 2 values for 3 scores"),
        ("learnt", "runs_", np.array([["a", "b", "c"]]), "runs_=.* is not what"),
        ("learnt", "estimators_", [], "folds_ leads beyond the 0 estimators"),
        ("learnt", "estimators_", [1, 2, 3], "estimators_=.* is not what"),
        ("learnt", "estimators_", [DummyRUL()] * 3, "not fitted"),
    ],
)
def test_conformal_rul_that_no_fit_leaves_is_refused(path, section, key, value, message):
    def change(body, tensors):
        record = body["estimator"]["estimator"]
        encoder = EstimatorEncoder()
        # What is given as JSON stands as it is.
        coded = value if isinstance(value, dict) else encoder.encode(value, "value")
        text = json.dumps(coded).replace('"array0"', '"forged"')
        record[section][key] = json.loads(text)
        for tensor in encoder.tensors.values():
            tensors["forged"] = tensor
        used = json.dumps(body["estimator"])
        for name in [name for name in tensors if f'"{name}"' not in used]:
            del tensors[name]

    runs = np.repeat(["a", "b", "c"], 8)
    save(ConformalRUL(DummyRUL(), coverage=0.5).fit(FEATURES, RUL, groups=runs), path)
    rewrite(path, change)
    assert_refused(path, message)


@pytest.mark.parametrize(
    "key", ["estimators_", "runs_", "scores_", "folds_", "rank_", "guarantee_"]
)
def test_conformal_rul_without_all_it_learns_is_refused(path, key):
    save(ConformalRUL(DummyRUL(), coverage=0.5).fit(FEATURES, RUL), path)
    rewrite(path, lambda body, _: body["estimator"]["estimator"]["learnt"].pop(key))
    assert_refused(path, f"{key} of ConformalRUL is missing")


@pytest.mark.parametrize(
    "cv",
    [
        GroupKFold(2, shuffle=True, random_state=0),
        GroupShuffleSplit(1, train_size=1, random_state=0),
        LeaveOneGroupOut(),
    ],
)
def test_splitters_of_conformal_rul_come_back(cv, path):
    runs = np.repeat(["a", "b", "c"], 8)
    model = ConformalRUL(DummyRUL(), cv=cv, coverage=0.5).fit(FEATURES, RUL, groups=runs)
    loaded = saved_and_loaded(model, path)
    assert repr(loaded.cv) == repr(cv)
    assert_same(model, loaded, FEATURES, ["predict", "predict_interval"])
    before = path.read_bytes()
    save(loaded, path)
    assert path.read_bytes() == before
    assert loaded.fit(FEATURES, RUL, groups=runs).folds_.tolist() == model.folds_.tolist()


def test_splitters_that_cannot_be_are_refused(path):
    def change(body, tensors):
        body["estimator"]["estimator"]["params"]["cv"]["splitter"]["params"]["n_splits"] = -3

    save(
        ConformalRUL(DummyRUL(), cv=GroupKFold(2, shuffle=True), coverage=0.5).fit(FEATURES, RUL),
        path,
    )
    rewrite(path, change)
    assert_refused(path, "k-fold cross-validation requires at least one train/test split")
