"""The adapter to sktime: its checks, benchmark, search, pipelines and containers."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import KFold, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sktime.base import load
from sktime.benchmarking.classification import ClassificationBenchmark
from sktime.classification.dummy import DummyClassifier
from sktime.classification.model_evaluation import evaluate
from sktime.classification.model_selection import TSCGridSearchCV
from sktime.datasets import load_japanese_vowels
from sktime.datatypes import convert
from sktime.transformations.exponent import ExponentTransformer
from sktime.transformations.padder import PaddingTransformer
from sktime.utils.estimator_checks import check_estimator, parametrize_with_checks

from skprog.datasets import load_ucr
from skprog.estimators import GHLClassifier, TimeSeriesClassifier
from skprog.sktime import SktimeClassifier


def small(**params):
    """Return a classifier that learns the cases below in 20 epochs."""
    params = {"max_epochs": 20, "device": "cpu", "random_state": 0, **params}
    return GHLClassifier(n_filters=(4,), kernel_sizes=(5,), lr=1e-2, batch_size=8, **params)


@pytest.fixture
def cases():
    """Cases of two channels, the first fast or slow, and their labels."""
    rng = np.random.default_rng(0)
    y = np.array(["fast", "slow"])[rng.permutation(40) % 2]
    t = np.arange(24) + rng.uniform(0, 6, (40, 1))
    X = rng.normal(scale=0.1, size=(40, 2, 24))
    X[:, 0] += np.sin(np.where(y == "fast", 2.0, 0.5)[:, np.newaxis] * t)
    return X, y


class Recorder(ClassifierMixin, BaseEstimator):
    """Classifier of any length that keeps what it is given and predicts the first class."""

    takes_unequal_lengths = True

    def fit(self, X, y):
        self.X_, self.y_, self.classes_ = X, y, np.unique(y)
        return self

    def predict(self, X):
        self.X_predicted_ = X
        return np.full(len(X), self.classes_[0])


# sktime's checks


@parametrize_with_checks(SktimeClassifier)
def test_sktime_check(obj, test_name):
    results = check_estimator(obj, raise_exceptions=True, tests_to_run=test_name, verbose=False)
    assert set(results.values()) <= {"PASSED"}


def test_every_setting_is_checked():
    results = check_estimator(SktimeClassifier, tests_to_run="test_deepcopy", verbose=False)
    assert set(results) == {f"test_deepcopy[SktimeClassifier-{i}]" for i in range(3)}
    takes = [model.get_tag("capability:unequal_length") for model in settings()]
    assert takes == [False, True, False]


def settings():
    return [SktimeClassifier(**params) for params in SktimeClassifier.get_test_params()]


# Learning


def test_predictions_are_those_of_the_estimator(cases):
    X, y = cases
    model, bare = SktimeClassifier(small()).fit(X, y), small().fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), bare.predict_proba(X))
    np.testing.assert_array_equal(model.predict(X), bare.predict(X))
    assert model.score(X, y) == 1
    assert model.classes_.tolist() == ["fast", "slow"]


@pytest.mark.parametrize("mtype", ["nested_univ", "pd-multiindex", "df-list"])
def test_any_container_of_sktime_gives_the_same(cases, mtype):
    X, y = cases
    panel = convert(X, "numpy3D", mtype, "Panel")
    estimator = small(max_epochs=1)
    model, twin = SktimeClassifier(estimator).fit(X, y), SktimeClassifier(estimator).fit(panel, y)
    np.testing.assert_array_equal(model.predict_proba(X), twin.predict_proba(panel))


def test_the_estimator_given_is_not_fitted(cases):
    estimator = small(max_epochs=2)
    model = SktimeClassifier(estimator).fit(*cases)
    assert model.estimator is estimator
    assert not hasattr(estimator, "nets_")
    assert model.get_fitted_params()["estimator__n_iter"] == 2


def test_a_generator_as_random_state_is_not_used_up(cases):
    X, y = cases
    model = SktimeClassifier(small(random_state=np.random.RandomState(0), max_epochs=1))
    first, second = (model.fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_sktime_seeds_the_estimator(cases):
    X, y = cases
    models = [SktimeClassifier(small(random_state=None, max_epochs=1)) for _ in range(2)]
    assert models[0].get_tag("property:randomness") == "stochastic"
    for model in models:
        model.set_random_state(0)
        assert model.get_tag("property:randomness") == "deterministic"
    first, second = (model.fit(X, y).predict_proba(X) for model in models)
    np.testing.assert_array_equal(first, second)


def test_estimators_without_probabilities_predict_with_certainty(cases):
    X, y = cases
    model = SktimeClassifier(Recorder())
    assert not model.get_tag("capability:predict_proba")
    np.testing.assert_array_equal(model.fit(X, y).predict_proba(X[:2]), [[1, 0], [1, 0]])


def test_cases_of_one_class_need_no_estimator(cases):
    X, _ = cases
    model = SktimeClassifier(small())
    with pytest.warns(UserWarning, match="single label"):
        model.fit(X, np.array(["fast"] * 40))
    assert model.predict(X[:2]).tolist() == ["fast", "fast"]


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (None, "estimator=None is no classifier of scikit-learn's kind"),
        (FunctionTransformer(), r"estimator=FunctionTransformer\(\) is no classifier"),
        (GHLClassifier, "estimator is the class GHLClassifier; give an instance"),
        (DummyClassifier(), "DummyClassifier is a classifier of sktime's; use it as it is"),
    ],
)
def test_other_things_than_classifiers_are_refused(cases, estimator, message):
    with pytest.raises(TypeError, match=message):
        SktimeClassifier(estimator).fit(*cases)


# Parameters


def test_parameters_of_the_estimator_are_the_adapters():
    model = SktimeClassifier(make_pipeline(FunctionTransformer(np.diff), small()))
    assert model.get_params()["estimator__ghlclassifier__max_epochs"] == 20
    model.set_params(estimator__ghlclassifier__max_epochs=3, batch_size=4)
    assert model.estimator[-1].get_params()["max_epochs"] == 3
    assert model.estimator[-1].batch_size == 4
    with pytest.raises(ValueError, match="no_such"):
        model.set_params(no_such=1)


def test_clones_share_nothing(cases):
    model = SktimeClassifier(small(max_epochs=2)).fit(*cases)
    twin = model.clone().set_params(estimator__max_epochs=1)
    assert model.estimator.max_epochs == 2
    assert not twin.is_fitted


def test_setting_parameters_forgets_the_fit(cases):
    model = SktimeClassifier(small(max_epochs=1)).fit(*cases).set_params(estimator__lr=1)
    assert not model.is_fitted
    assert not hasattr(model, "estimator_")


def test_tags_follow_the_estimator():
    model = SktimeClassifier(small())
    assert model.get_tag("capability:multivariate")
    assert not model.get_tag("capability:missing_values")
    assert not model.get_tag("capability:unequal_length")
    assert model.set_params(estimator=Recorder()).get_tag("capability:unequal_length")
    steps = make_pipeline(None, "passthrough", Recorder())
    assert SktimeClassifier(steps).get_tag("capability:unequal_length")
    steps = make_pipeline(FunctionTransformer(), Recorder())
    assert not SktimeClassifier(steps).get_tag("capability:unequal_length")


def test_saved_models_predict_the_same(cases, tmp_path):
    X, y = cases
    model = SktimeClassifier(small(max_epochs=1)).fit(X, y)
    model.save(tmp_path / "model")
    twin = load(tmp_path / "model.zip")
    np.testing.assert_array_equal(model.predict_proba(X), twin.predict_proba(X))


# Series of unequal length


def frame(lengths, ids):
    """Return a frame of series of two channels, the first of which starts at the case's number."""
    parts = [
        pd.DataFrame({"a": i + np.arange(n) / 100, "b": -i}, index=range(n), dtype=float)
        for i, n in enumerate(lengths)
    ]
    return pd.concat(parts, keys=ids)


def test_series_of_unequal_length_are_a_list_of_arrays():
    X = frame([3, 5, 4], ids=[7, 8, 9])
    X_seen = SktimeClassifier(Recorder()).fit(X, np.array([0, 1, 1])).estimator_.X_
    assert isinstance(X_seen, list)
    assert [case.shape for case in X_seen] == [(2, 3), (2, 5), (2, 4)]
    np.testing.assert_allclose(X_seen[1], [[1, 1.01, 1.02, 1.03, 1.04], [-1] * 5])


def test_few_series_are_told_after_a_fit_on_several_lengths():
    rng = np.random.default_rng(0)
    lengths = [20, 25, 30, 35] * 3
    X = frame(lengths, ids=range(12))
    X += 0.1 * rng.normal(size=X.shape)
    y = np.arange(12) % 2
    fcn = {"network_params": {"n_filters": (4, 4, 4)}, "max_epochs": 1, "random_state": 0}
    model = SktimeClassifier(TimeSeriesClassifier("fcn", **fcn)).fit(X, y)
    assert model.predict(X.loc[[0]]).shape == (1,)
    assert model.predict(X.loc[[0, 4]]).shape == (2,)


def test_series_of_equal_length_are_an_array():
    X = frame([3, 3], ids=[7, 8])
    model = SktimeClassifier(Recorder()).fit(X, np.array([0, 1]))
    assert model.estimator_.X_.shape == (2, 2, 3)
    model.predict(X.to_numpy().reshape(2, 3, 2).swapaxes(1, 2))
    np.testing.assert_array_equal(model.estimator_.X_predicted_, model.estimator_.X_)


def test_cases_keep_their_order_whatever_they_are_called():
    X = frame([3, 5, 4, 2], ids=["d", "a", "c", "b"])
    X_seen = SktimeClassifier(Recorder()).fit(X, np.array([0, 1, 1, 0])).estimator_.X_
    assert [case[0, 0] for case in X_seen] == [0, 1, 2, 3]


def test_speakers_are_told_by_vowels_of_unequal_length():
    # Cases come by speaker: the first three.
    X, y = (part[:90] for part in load_japanese_vowels(split="train", return_X_y=True))
    X_test, y_test = (part[:154] for part in load_japanese_vowels(split="test", return_X_y=True))
    estimator = TimeSeriesClassifier(
        network_params={"n_filters": (8, 8, 8)}, lr=1e-2, max_epochs=10, random_state=0
    )
    model = SktimeClassifier(estimator).fit(X, y)
    assert model.score(X_test, y_test) > 0.9
    data = load_ucr("JapaneseVowels")
    bare = estimator.fit(data.X_train[:90], data.y_train[:90])
    np.testing.assert_array_equal(
        model.predict_proba(X_test), bare.predict_proba(data.X_test[:154])
    )


def test_series_of_unequal_length_need_an_estimator_that_takes_them():
    X = frame([12, 14], ids=[0, 1])
    with pytest.raises(ValueError, match="unequal length"):
        SktimeClassifier(small()).fit(X, np.array([0, 1]))


# sktime's tools


# sktime takes the spread of the folds, of which an original split is one.
@pytest.mark.filterwarnings("ignore:Degrees of freedom <= 0:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered in scalar divide:RuntimeWarning")
def test_benchmark_runs_every_pair_and_resumes(cases, tmp_path):
    X, y = cases
    benchmark = ClassificationBenchmark()
    models = {f"{n} epochs": SktimeClassifier(small(max_epochs=n)) for n in (1, 20)}
    models["too long"] = SktimeClassifier(small().set_params(kernel_sizes=(99,)))
    benchmark.add_estimator(models)
    split = PredefinedSplit(np.repeat([-1, 0], 20))
    benchmark.add_task((X, y), split, [accuracy_score], task_id="split")
    benchmark.add_task((X[:, :1], y), KFold(2), [accuracy_score], task_id="folds")
    path = str(tmp_path / "results.json")
    results = benchmark.run(path).set_index(["validation_id", "model_id"])
    assert len(results) == 4
    failed = [(pair.task_id, pair.model_id) for pair in benchmark.failed_experiments]
    assert failed == [("split", "too long"), ("folds", "too long")]
    assert (results["accuracy_score_mean"].xs("20 epochs", level=1) > 0.9).all()
    bare = small().fit(X[:20], y[:20]).score(X[20:], y[20:])
    assert results.loc[("split", "20 epochs"), "accuracy_score_mean"] == bare
    again = benchmark.run(path).set_index(["validation_id", "model_id"])
    assert again["fit_time_mean"].to_dict() == pytest.approx(results["fit_time_mean"].to_dict())


def test_evaluate_scores_as_scikit_learn_does(cases):
    X, y = cases

    def macro_f1(y_true, y_pred):
        return f1_score(y_true, y_pred, average="macro")

    folds = KFold(2, shuffle=True, random_state=0)
    scores = evaluate(SktimeClassifier(small(max_epochs=3)), cv=folds, X=X, y=y, scoring=[macro_f1])
    for (train, test), score in zip(folds.split(X), scores["test_macro_f1"], strict=True):
        bare = small(max_epochs=3).fit(X[train], y[train])
        assert score == macro_f1(y[test], bare.predict(X[test]))


def test_grid_search_tunes_the_estimator(cases):
    X, y = cases
    grid = {"estimator__max_epochs": [1, 20], "estimator__batch_size": [8]}
    search = TSCGridSearchCV(SktimeClassifier(small()), grid, cv=KFold(2), error_score="raise")
    search.fit(X, y)
    assert search.best_params_ == {"estimator__max_epochs": 20, "estimator__batch_size": 8}
    assert search.best_estimator_.estimator_.n_iter_ == 20
    assert accuracy_score(y, search.predict(X)) == 1


def test_transformers_of_sktime_come_before(cases):
    X, y = cases
    model = ExponentTransformer(power=2, offset=0) * SktimeClassifier(small(max_epochs=2))
    bare = small(max_epochs=2).fit(X**2, y)
    np.testing.assert_array_equal(model.fit(X, y).predict_proba(X), bare.predict_proba(X**2))


def test_padding_makes_series_of_unequal_length_fit_any_estimator(cases):
    X, y = cases
    panel = [pd.DataFrame(case.T[: 20 + i % 5]) for i, case in enumerate(X)]
    model = PaddingTransformer() * SktimeClassifier(small())
    assert model.get_tag("capability:unequal_length")
    assert accuracy_score(y, model.fit(panel, y).predict(panel)) > 0.9
