"""DistributionalRUL and the recipe: distributions worked out by hand, and what is refused."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier, VotingRegressor
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skprog.datasets import make_run_to_failure
from skprog.decision import MaintenanceRule, find_max_life
from skprog.deploy import load, save
from skprog.estimators import ConformalRUL, DistributionalRUL
from skprog.metrics import phm2012_score, phm2012_scorer
from skprog.online import OnlineRUL
from skprog.recipes import bearing_rul_pipeline
from skprog.sequences import RunSequences

PRIOR = DummyClassifier(strategy="prior")
TREES = ExtraTreesClassifier(20, min_samples_leaf=3, random_state=0)


@pytest.fixture(scope="module")
def simulated():
    data = make_run_to_failure(4, n_windows=40, random_state=0)
    return data, RunSequences.from_runs(data.windows, data.runs, n_steps=4, time=data.time)


@pytest.mark.parametrize(
    ("statistic", "expected"), [("mean", 500), ("median", 500), (0.2, 200), (0.9, 900)]
)
def test_statistics_of_rul_spread_evenly(statistic, expected):
    X, y = np.zeros((10_001, 1)), np.linspace(0, 1000, 10_001)
    model = DistributionalRUL(PRIOR, statistic=statistic).fit(X, y)
    np.testing.assert_allclose(model.predict(X[:2]), expected, atol=2)


@pytest.mark.parametrize("n_bins", [2, 5, 40])
def test_distribution_of_a_prior_is_the_share_of_each_bin(n_bins):
    y = np.random.default_rng(0).gamma(2, 300, size=500)
    model = DistributionalRUL(PRIOR, n_bins=n_bins).fit(np.zeros((500, 2)), y)
    expected = np.histogram(y, model.bin_edges_)[0] / 500
    np.testing.assert_allclose(model.predict_distribution(np.zeros((3, 2))), [expected] * 3)
    assert model.bin_edges_[-1] == model.max_life_ == y.max()
    assert model.bin_edges_[1] == pytest.approx(y.max() / 140)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_predicted_value_has_the_highest_expected_score(seed):
    rng = np.random.default_rng(seed)
    y = rng.uniform(0, 1000, size=rng.integers(3, 60))
    model = DistributionalRUL(PRIOR, max_life=1000).fit(np.zeros((len(y), 1)), y)
    (probabilities,) = model.predict_distribution([[0]])
    centres = (model.bin_edges_[:-1] + model.bin_edges_[1:]) / 2

    def expected_score(rul):
        points = [phm2012_score([centre], [rul], protocol="truncation") for centre in centres]
        return probabilities @ points

    (rul,) = model.predict([[0]])
    best = max(
        -minimize_scalar(lambda rul: -expected_score(rul), bounds=pair, method="bounded").fun
        for pair in pairwise(centres)
    )
    assert expected_score(rul) == pytest.approx(best, abs=0.02)


def test_every_run_counts_alike_unless_told_otherwise():
    runs = np.repeat(["long", "short"], [90, 10])
    X = RunSequences.from_runs(np.zeros((100, 1)), runs, n_steps=1)
    y = np.repeat([100.0, 1000.0], [90, 10])
    alike = DistributionalRUL(PRIOR, n_bins=8, max_life=1000).fit(X, y)
    windows = clone(alike).set_params(balance=None).fit(X, y)
    for model, share in ((alike, 0.5), (windows, 0.1)):
        assert model.predict_distribution(X[:1])[0, -1] == pytest.approx(share)


@pytest.mark.parametrize("n_steps", [1, 3, 99])
@pytest.mark.parametrize("shape", [(), (2,), (3, 2)])
def test_last_steps_of_sequences_are_averaged(n_steps, shape):
    windows = np.random.default_rng(0).normal(size=(40, *shape))
    X = RunSequences.from_runs(windows, np.repeat(["a", "b"], 20), n_steps=5)
    y = np.tile(np.arange(20.0)[::-1], 2)
    model = DistributionalRUL(TREES, n_steps=n_steps, balance=None).fit(X, y)
    features = np.asarray(X)[:, -min(n_steps, 5) :].mean(axis=1).reshape(40, -1)
    other = DistributionalRUL(TREES).fit(features, y)
    np.testing.assert_allclose(model.predict(X), other.predict(features))
    np.testing.assert_allclose(model.predict(np.asarray(X)), model.predict(X))


@pytest.mark.parametrize("n_context", [0, 2])
def test_age_and_context_are_features_where_asked_for(n_context, tmp_path):
    time = np.tile(np.arange(20.0), 2)
    columns = np.random.default_rng(0).normal(size=(40, n_context))
    given = {"time": time, "context": columns if n_context else None}
    X = RunSequences.from_runs(np.zeros((40, 3)), np.repeat(["a", "b"], 20), n_steps=2, **given)
    y = 19 - time
    model = DistributionalRUL(TREES, context=True, balance=None).fit(X, y)
    features = np.column_stack([np.zeros((40, 3)), time, columns])
    other = DistributionalRUL(TREES).fit(features, y)
    np.testing.assert_array_equal(model.predict(X), other.predict(features))
    save(model, tmp_path / "model.skprog")
    loaded = load(tmp_path / "model.skprog")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    with pytest.raises(ValueError, match="context=True needs the age of the unit"):
        model.predict(np.asarray(X))
    X.context = np.zeros((40, 1))
    with pytest.raises(ValueError, match=f"X has 1 columns of context but .* on {n_context}"):
        model.predict(X)


def test_all_axes_of_an_array_are_features():
    X = np.random.default_rng(0).normal(size=(40, 4, 3, 2))
    y = np.arange(40.0)
    model = DistributionalRUL(TREES, n_steps=1).fit(X, y)
    assert model.classifier_.n_features_in_ == 24
    flat = DistributionalRUL(TREES).fit(X.reshape(40, -1), y)
    np.testing.assert_array_equal(model.predict(X), flat.predict(X.reshape(40, -1)))


def test_names_of_columns_are_kept_and_checked():
    X = pd.DataFrame({"rms": np.arange(20.0), "kurtosis": 1.0})
    model = DistributionalRUL(TREES).fit(X, np.arange(20.0))
    assert list(model.feature_names_in_) == ["rms", "kurtosis"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X[["kurtosis", "rms"]])


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"classifier": "trees"}, TypeError, "must be a classifier with predict_proba"),
        ({"classifier": ExtraTreesClassifier}, TypeError, "must be a classifier with predict_pr"),
        ({"classifier": StandardScaler()}, TypeError, "must be a classifier with predict_proba"),
        ({"statistic": "mode"}, ValueError, "statistic='mode' is not one of"),
        ({"statistic": 1.0}, ValueError, "statistic=1.0"),
        ({"statistic": None}, TypeError, "statistic=None"),
        ({"n_bins": 1}, ValueError, "n_bins=1 must be at least 2"),
        ({"context": True}, ValueError, "context=True needs the age of the unit; pass RunSequ"),
        ({"context": "age"}, ValueError, "context='age' is not one of"),
        ({"n_steps": 0}, ValueError, "n_steps=0 must be at least 1"),
        ({"balance": "classes"}, ValueError, "balance='classes' is not one of"),
        ({"max_life": 0}, ValueError, "max_life=0"),
        (
            {"classifier": KNeighborsClassifier()},
            ValueError,
            "KNeighborsClassifier takes no sample_weight; set balance=None",
        ),
    ],
)
def test_bad_parameter_is_refused_and_the_last_fit_kept(params, error, message):
    X = RunSequences.from_runs(np.arange(20.0), ["a"] * 20, n_steps=1)
    y = np.arange(20.0)[::-1]
    model = DistributionalRUL(TREES).fit(X, y)
    before = model.predict(X)
    with pytest.raises(error, match=message):
        model.set_params(**params).fit(X, y)
    model.set_params(**DistributionalRUL(TREES).get_params(deep=False))
    np.testing.assert_array_equal(model.predict(X), before)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((3, 2)), [1.0, 2.0], "y has 2 values but X has 3 rows"),
        (np.zeros((3, 2)), [1.0, 2.0, -1.0], "Negative values"),
        (np.zeros((3, 2)), [0.0, 0.0, 0.0], "y is 0 throughout"),
        (np.array([[1.0], [np.nan]]), [1.0, 2.0], "NaN"),
    ],
)
def test_bad_data_is_refused(X, y, message):
    with pytest.raises(ValueError, match=message):
        DistributionalRUL(TREES).fit(X, y)


def test_rul_beyond_max_life_falls_into_the_last_bin():
    model = DistributionalRUL(PRIOR, max_life=10, statistic="mean").fit(
        np.zeros((3, 1)), [99.0] * 3
    )
    assert model.predict_distribution([[0.0]])[0, -1] == 1
    assert model.predict([[0.0]]) <= 10


def test_recipe_knows_worn_bearings_from_new_ones(simulated):
    data, X = simulated
    model = bearing_rul_pipeline(fs=data.fs, random_state=0).fit(X, data.rul)
    rul = model.predict(X)
    for run in data.bearings:
        own = rul[X.runs == run]
        assert own[-5:].mean() < 0.3 * own[:10].mean()
    assert find_max_life(model) == data.rul.max()
    replaced = MaintenanceRule(span=5).apply(model, X)
    assert all(time > 0 for time in replaced.values())


def test_recipe_takes_raw_windows_without_runs(simulated):
    data, _ = simulated
    model = bearing_rul_pipeline(fs=data.fs, context=False, random_state=0)
    model.fit(data.windows, data.rul)
    assert model[-1].classifier_.n_features_in_ == 72
    assert model.predict(data.windows[:3]).shape == (3,)


def test_recipe_can_be_searched_over_and_averaged(simulated):
    data, X = simulated
    pipeline = bearing_rul_pipeline(fs=data.fs, n_estimators=5, random_state=0)
    features = pipeline[:-1].fit_transform(X)
    search = GridSearchCV(
        pipeline[-1],
        {"statistic": ["phm2012", "median"], "classifier__min_samples_leaf": [5, 40]},
        cv=GroupKFold(2),
        scoring=phm2012_scorer,
        error_score="raise",
    ).fit(features, data.rul, groups=X.runs)
    assert len(search.cv_results_["params"]) == 4
    both = VotingRegressor([("one", pipeline[-1]), ("other", search.best_estimator_)])
    both = make_pipeline(*pipeline[:-1], both).fit(X, data.rul)
    assert both.predict(X).shape == (len(X),)


def test_recipe_is_followed_window_by_window_with_its_interval(simulated):
    data, X = simulated
    pipeline = bearing_rul_pipeline(fs=data.fs, n_estimators=5, random_state=0)
    model = make_pipeline(*pipeline[:-1], ConformalRUL(pipeline[-1], coverage=0.5))
    model.fit(X, data.rul)
    own = X.runs == data.bearings[1]
    online = OnlineRUL(model, MaintenanceRule())
    updates = [
        online.update(window, time)
        for window, time in zip(data.windows[own], data.time[own], strict=True)
    ]
    np.testing.assert_allclose([each.rul for each in updates], model.predict(X[own]))
    intervals = model[-1].predict_interval(model[:-1].transform(X[own]))
    np.testing.assert_allclose([each.interval for each in updates], intervals)
