import pickle

import joblib
import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    cross_val_predict,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skprog.decision import find_max_life
from skprog.estimators import CnnLstmRUL, ConformalRUL, DummyRUL
from skprog.estimators._calibration import lower_bound_of_coverage, rank_of_coverage
from skprog.sequences import RunSequences


class Half(RegressorMixin, BaseEstimator):
    """Predict the first step of each row, plus the mean target seen if asked to."""

    def __init__(self, learn=False):
        self.learn = learn

    def fit(self, X, y):
        self.mean_ = float(np.mean(y)) if self.learn else 0.0
        return self

    def predict(self, X):
        return np.asarray(X).reshape(len(X), -1)[:, 0] + self.mean_


class Odd(RegressorMixin, BaseEstimator):
    """Predict the life seen, in a way that may be wrong."""

    def __init__(self, way):
        self.way = way

    def fit(self, X, y):
        self.life_ = float(np.max(y))
        return self

    def predict(self, X):
        rul = np.full(len(X), self.life_)
        ways = {
            "column": rul[:, None],
            "two columns": np.stack([rul, rul], axis=1),
            "one": self.life_,
            "fewer": rul[1:],
            "nan": np.r_[rul[:-1], np.nan],
            "inf": np.r_[rul[:-1], np.inf],
            "text": rul.astype(str),
        }
        return ways.get(self.way, rul)


def runs_of(errors, runs=None):
    """Return sequences whose prediction by Half() misses the RUL by the errors given."""
    runs = np.arange(len(errors)) if runs is None else np.asarray(runs)
    y = np.full(len(errors), 1000.0)
    X = RunSequences.from_runs((y - errors)[:, None], runs, n_steps=1)
    return X, y


def lives(lengths, n_steps=2):
    runs = np.repeat(np.arange(len(lengths)), lengths)
    time = np.concatenate([10.0 * np.arange(n) for n in lengths])
    X = RunSequences.from_runs(np.zeros((len(runs), 1)), runs, n_steps=n_steps, time=time)
    return X, np.concatenate([10.0 * np.arange(n)[::-1] for n in lengths])


def split_once(runs, n_train):
    ids = np.unique(runs)
    held_out = np.isin(runs, ids[n_train:])
    return [(np.flatnonzero(~held_out), np.flatnonzero(held_out))]


# The quantile.


def test_a_single_split_takes_the_ceil_of_n_plus_1_times_coverage_th_smallest_error():
    X, y = runs_of([0.0, 5, 1, 4, 2, 3])
    # Five calibration runs with errors 5 1 4 2 3: 0.5 of 6 is the third, 0.8 the fifth.
    for coverage, error in ((1 / 6, 1), (0.3, 2), (0.5, 3), (0.51, 4), (0.8, 5), (5 / 6, 5)):
        model = ConformalRUL(Half(), cv=split_once(X.runs, 1), coverage=coverage).fit(X, y)
        np.testing.assert_allclose(model.predict_interval(X[:1]), [[1000 - error, 1000 + error]])


def test_the_score_of_a_run_is_the_largest_absolute_error_of_its_windows():
    X, y = runs_of([0.0, 1, -7, 3, 2, -2], ["a", "b", "b", "b", "c", "c"])
    model = ConformalRUL(Half(), cv=split_once(X.runs, 1), coverage=0.5).fit(X, y)
    assert model.runs_.tolist() == ["b", "c"]
    assert model.scores_.tolist() == [7, 2]
    assert model.folds_.tolist() == [0, 0]


def test_leaving_one_run_out_is_the_jackknife_plus_by_hand():
    X, y = lives([2, 3, 7])
    model = ConformalRUL(DummyRUL(), coverage=0.7).fit(X, y)
    # Lives 10, 20, 60; without each the mean is 40, 35, 15, which misses by 30, 15, 45.
    assert sorted(model.scores_) == [15, 30, 45]
    assert model.rank_ == 3
    new, _ = lives([1])
    # Upper bounds 70, 50, 60; lower 10, 20, -30, cut at 0; the mean of 40, 35 and 15 is 30.
    np.testing.assert_allclose(model.predict_interval(new), [[0, 70]])
    np.testing.assert_allclose(model.predict(new), [30])
    model.set_params(coverage=0.5).fit(X, y)
    np.testing.assert_allclose(model.predict_interval(new), [[10, 60]])


def test_rows_as_runs_agree_with_the_formula_of_the_jackknife_plus():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((19, 3))
    y = np.abs(X @ [1, 2, 3] + rng.standard_normal(19)) + 10
    new = rng.standard_normal((50, 3))
    model = ConformalRUL(LinearRegression(), coverage=0.8).fit(X, y)
    lower, upper = [], []
    for i in range(19):
        rest = np.arange(19) != i
        fitted = LinearRegression().fit(X[rest], y[rest])
        error = abs(y[i] - fitted.predict(X[[i]])[0])
        lower.append(fitted.predict(new) - error)
        upper.append(fitted.predict(new) + error)
    expected = np.sort(lower, axis=0)[3], np.sort(upper, axis=0)[15]
    np.testing.assert_allclose(model.predict_interval(new), np.transpose(expected))


@given(st.integers(1, 200), st.floats(0.001, 0.999))
def test_the_rank_is_the_smallest_that_covers(n_runs, coverage):
    if coverage > n_runs / (n_runs + 1):
        with pytest.raises(ValueError, match="calibration runs but there are"):
            rank_of_coverage(n_runs, coverage)
        return
    rank = rank_of_coverage(n_runs, coverage)
    assert 1 <= rank <= n_runs
    assert rank / (n_runs + 1) >= coverage - 1e-9
    assert rank == 1 or (rank - 1) / (n_runs + 1) < coverage


@pytest.mark.parametrize("n_runs", [1, 2, 12, 19, 99])
def test_n_over_n_plus_1_itself_is_available(n_runs):
    assert rank_of_coverage(n_runs, n_runs / (n_runs + 1)) == n_runs


# What is guaranteed.


def test_guarantees_known_by_hand():
    assert lower_bound_of_coverage(9, [9], True) == pytest.approx(0.9)
    # Leaving one run out: n/(n + 1) at the highest rank, else 1 - (2(n - r) + 1)/(n + 1).
    assert lower_bound_of_coverage(12, [1] * 12, True) == pytest.approx(12 / 13)
    assert lower_bound_of_coverage(18, [1] * 19, True) == pytest.approx(1 - 3 / 20)
    assert lower_bound_of_coverage(12, [3] * 4, True) == pytest.approx(0.8)
    # Unequal folds, or folds trained on a part of the runs: the larger of the other two.
    assert lower_bound_of_coverage(12, [3, 3, 2, 2, 2], True) == pytest.approx(1 - 1 / 4)
    assert lower_bound_of_coverage(12, [3] * 4, False) == pytest.approx(1 - 1 / 4)
    assert lower_bound_of_coverage(81, [21, 20, 20, 20, 20], False) == pytest.approx(1 - 50 / 106)


@given(st.integers(2, 60), st.integers(1, 60))
def test_the_guarantee_of_leaving_one_out_is_at_least_twice_the_coverage_less_one(n, rank):
    rank = min(rank, n)
    guarantee = lower_bound_of_coverage(rank, [1] * n, True)
    assert guarantee >= 2 * rank / (n + 1) - 1 - 1e-12
    assert guarantee <= rank / (n + 1) + 1e-12


@pytest.mark.parametrize("kind", ["rows", "masks", "fewer", "twice"])
def test_theorem_4_counts_only_where_each_fold_trains_on_all_others(kind):
    X, y = lives([3, 4, 5, 6])
    cv = []
    for run in range(4):
        held_out = X.runs == run
        train, valid = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        # Of the last two, one row of the next run is left out of the training or repeated in it.
        others = {"masks": ~held_out, "fewer": train[1:], "twice": np.r_[train, train[:1]]}
        cv.append((others.get(kind, train), held_out if kind == "masks" else valid))
    model = ConformalRUL(DummyRUL(), cv=cv, coverage=0.8).fit(X, y)
    # 1 - 1/5, and of four p-values 1 - 2 * 4/8.
    assert model.guarantee_ == pytest.approx(0.8 if kind in ("rows", "masks") else 0.5)


def n_covered(model, X, y):
    """Return of how many runs all windows are covered when each in turn is the new one."""
    covered = 0
    for run in np.unique(X.runs):
        new = X.runs == run
        interval = clone(model).fit(X[~new], y[~new]).predict_interval(X[new])
        covered += bool(((interval[:, 0] <= y[new]) & (y[new] <= interval[:, 1])).all())
    return covered


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 40), min_size=4, max_size=8),
    st.floats(0.2, 0.95),
)
def test_leaving_one_run_out_covers_as_guaranteed_whatever_the_lives(lengths, coverage):
    """Over the runs in each role the bound holds exactly, without any probability."""
    X, y = lives(lengths)
    n = len(lengths) - 1
    coverage = min(coverage, n / (n + 1))
    guarantee = lower_bound_of_coverage(rank_of_coverage(n, coverage), [1] * n, True)
    assert (
        n_covered(ConformalRUL(DummyRUL(), coverage=coverage), X, y) >= guarantee * (n + 1) - 1e-9
    )


@settings(max_examples=25)
@given(st.lists(st.floats(-500, 500), min_size=3, max_size=12), st.floats(0.1, 0.9))
def test_a_single_split_covers_as_guaranteed_whatever_the_errors(errors, coverage):
    n = len(errors) - 1
    coverage = min(coverage, n / (n + 1))
    covered = 0
    for new in range(n + 1):
        rest = np.delete(np.arange(n + 1), new)
        # The first run trains, which Half() does not look at.
        X, y = runs_of(np.array([0.0, *np.array(errors)[rest], errors[new]]))
        cv = split_once(X.runs[:-1], 1)
        model = ConformalRUL(Half(), cv=cv, coverage=coverage).fit(X[:-1], y[:-1])
        lower, upper = model.predict_interval(X[-1:])[0]
        covered += lower - 1e-9 <= y[-1] <= upper + 1e-9
    assert covered >= coverage * (n + 1) - 1e-6


# Bounds.


def test_no_interval_begins_below_0_and_none_ends_at_the_largest_life():
    X, y = lives([3, 5, 30])
    model = ConformalRUL(DummyRUL(), coverage=0.75).fit(X, y)
    interval = model.predict_interval(X)
    assert interval.min() == 0
    assert interval.max() > y.max()


def test_every_interval_holds_the_prediction():
    rng = np.random.default_rng(0)
    X, y = lives(rng.integers(2, 40, 9))
    for coverage in (0.1, 0.5, 0.9):
        model = ConformalRUL(DummyRUL(), coverage=coverage).fit(X, y)
        interval, rul = model.predict_interval(X), model.predict(X)
        assert (interval[:, 0] <= rul).all()
        assert (rul <= interval[:, 1]).all()


def test_more_coverage_never_narrows():
    X, y = lives([2, 3, 5, 9, 11, 20, 21, 30, 31])
    widths = [
        np.ptp(ConformalRUL(DummyRUL(), coverage=c).fit(X, y).predict_interval(X), axis=1)
        for c in (0.3, 0.6, 0.9)
    ]
    assert (widths[0] <= widths[1]).all()
    assert (widths[1] <= widths[2]).all()


def test_blocks_of_rows_do_not_show(monkeypatch):
    X, y = lives([2, 3, 5, 9])
    model = ConformalRUL(DummyRUL(), coverage=0.6).fit(X, y)
    expected = model.predict_interval(X)
    monkeypatch.setattr("skprog.estimators._conformal_rul.BLOCK_VALUES", 7)
    np.testing.assert_array_equal(model.predict_interval(X), expected)


# Runs and folds.


def test_no_estimator_has_seen_the_runs_it_calibrates_with():
    X, y = lives([3, 4, 5, 6, 7, 8])
    model = ConformalRUL(DummyRUL(), cv=3, coverage=0.5, random_state=0).fit(X, y)
    assert len(model.estimators_) == 3
    for fold, estimator in enumerate(model.estimators_):
        others = model.runs_[model.folds_ != fold]
        assert estimator.mean_life_ == np.mean([y[X.runs == run].max() for run in others])


def test_random_state_deals_the_runs():
    X, y = lives([3, 4, 5, 6, 7, 8])
    deals = [
        ConformalRUL(DummyRUL(), cv=2, coverage=0.5, random_state=seed).fit(X, y).folds_.tolist()
        for seed in (0, 0, 1, 2, 3)
    ]
    assert deals[0] == deals[1]
    assert len({tuple(deal) for deal in deals}) > 1


@pytest.mark.parametrize(
    "cv",
    [
        None,
        3,
        LeaveOneGroupOut(),
        GroupKFold(3, shuffle=True, random_state=0),
        GroupShuffleSplit(1, random_state=0),
    ],
)
def test_plain_arrays_take_their_runs_from_groups(cv):
    X, y = lives([3, 4, 5, 6, 7, 8])
    ages = X.age[:, None]
    settings = {"cv": cv, "coverage": 0.3, "random_state": 0}
    plain = ConformalRUL(Ridge(), **settings).fit(ages, y, groups=X.runs)
    sequences = make_pipeline(FunctionTransformer(lambda X: X.age[:, None]), Ridge())
    own = ConformalRUL(sequences, **settings).fit(X, y)
    np.testing.assert_allclose(plain.predict_interval(ages), own.predict_interval(X))
    assert plain.guarantee_ == own.guarantee_
    assert plain.runs_.tolist() == own.runs_.tolist()


def test_groups_may_join_runs_of_sequences():
    X, y = lives([3, 4, 5, 6])
    model = ConformalRUL(DummyRUL(), coverage=0.5).fit(X, y, groups=X.runs // 2)
    assert model.runs_.tolist() == [0, 1]


def test_rows_without_groups_are_runs_of_their_own():
    model = ConformalRUL(Ridge(), coverage=0.5, cv=2).fit(np.eye(6), np.arange(6.0))
    assert len(model.scores_) == 6


@pytest.mark.parametrize("dtype", ["string", "category", object])
def test_groups_may_be_text_of_pandas(dtype):
    pandas = pytest.importorskip("pandas")
    X, y = lives([3, 4, 5, 6])
    names = pandas.Series(np.array([*"dbca"])[X.runs], dtype=dtype)
    ages = X.age[:, None]
    model = ConformalRUL(Ridge(), coverage=0.5).fit(ages, y, groups=names)
    other = ConformalRUL(Ridge(), coverage=0.5).fit(ages, y, groups=names.tolist())
    assert model.runs_.tolist() == [*"abcd"]
    np.testing.assert_array_equal(model.predict_interval(ages), other.predict_interval(ages))
    # Runs that came from such a column are object arrays.
    X = RunSequences.from_runs(ages, names, n_steps=1)
    model = ConformalRUL(Half(), coverage=0.5)
    assert model.fit(X, y, groups=X.runs).scores_.tolist() == model.fit(X, y).scores_.tolist()


def test_groups_reach_the_model_inside_a_search_where_they_are_routed():
    X, y = lives([3, 4, 5, 6, 7, 8])
    ages, runs = X.age[:, None], X.runs
    grid = {"estimator__alpha": [0.1, 1.0]}
    model = ConformalRUL(Ridge(), cv=2, coverage=0.5, random_state=0)
    search = GridSearchCV(model, grid, cv=GroupKFold(2)).fit(ages, y, groups=runs)
    # As Notes of the class say, each row has become a run.
    assert len(search.best_estimator_.runs_) == len(y)
    with sklearn.config_context(enable_metadata_routing=True):
        model.set_fit_request(groups=True)
        search = GridSearchCV(model, grid, cv=GroupKFold(2)).fit(ages, y, groups=runs)
    assert search.best_estimator_.runs_.tolist() == [0, 1, 2, 3, 4, 5]


def test_predictions_in_a_column_are_taken_as_they_are():
    X, y = lives([3, 4, 5, 6])
    column = ConformalRUL(Odd("column"), coverage=0.5).fit(X, y)
    plain = ConformalRUL(Odd("plain"), coverage=0.5).fit(X, y)
    assert column.scores_.tolist() == plain.scores_.tolist()
    assert column.predict(X).shape == (len(y),)
    np.testing.assert_array_equal(column.predict_interval(X), plain.predict_interval(X))


def test_inner_pipeline_grid_search_clone_and_pickle():
    X, y = lives([12, 14, 16, 18], n_steps=3)
    network = CnnLstmRUL(lstm_units=4, dense_units=(4,), max_epochs=1, random_state=0)
    model = ConformalRUL(make_pipeline(FunctionTransformer(), network), cv=2, coverage=0.5)
    search = GridSearchCV(
        model, {"estimator__cnnlstmrul__lr": [1e-3, 1e-2]}, cv=GroupKFold(2), error_score="raise"
    )
    search.fit(X, y, groups=X.runs)
    best = search.best_estimator_
    assert best.estimators_[0][-1].lr == search.best_params_["estimator__cnnlstmrul__lr"]
    again = pickle.loads(pickle.dumps(best))
    np.testing.assert_array_equal(again.predict_interval(X), best.predict_interval(X))
    assert not hasattr(clone(best), "scores_")
    assert find_max_life(best) == max(each[-1].max_life_ for each in best.estimators_)
    scores = cross_val_predict(model, X, y, groups=X.runs, cv=GroupKFold(2))
    assert scores.shape == y.shape


def test_fits_side_by_side_agree_with_fits_in_turn():
    X, y = lives([3, 4, 5, 6])
    one = ConformalRUL(DummyRUL(), coverage=0.5).fit(X, y)
    with joblib.parallel_config(backend="threading"):
        two = ConformalRUL(DummyRUL(), coverage=0.5, n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(one.predict_interval(X), two.predict_interval(X))


def test_a_fit_that_fails_leaves_the_earlier_one():
    X, y = lives([3, 4, 5, 6])
    model = ConformalRUL(DummyRUL(), coverage=0.5).fit(X, y)
    before = model.predict_interval(X)
    with pytest.raises(ValueError, match="strategy"):
        model.set_params(estimator__strategy="none").fit(X, y)
    np.testing.assert_array_equal(model.predict_interval(X), before)


# Refusals.


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"coverage": 0.9}, ValueError, r"needs 9 .* there are 4; .* 4/5: use coverage=0.8 or"),
        ({"coverage": 0.0}, ValueError, "coverage=0.0 must be finite and above 0 and below 1"),
        ({"coverage": 1}, ValueError, "coverage=1 must be"),
        ({"coverage": np.nan}, ValueError, "coverage=nan must be"),
        ({"coverage": "high"}, TypeError, "coverage='high' must be a number"),
        ({"cv": 1}, ValueError, "cv=1 must be at least 2"),
        ({"cv": 5}, ValueError, "cv=5 exceeds the 4 runs"),
        ({"cv": "four"}, ValueError, "cv"),
        ({"cv": KFold(2).split(np.zeros(18))}, ValueError, "cv parts run 2; use a splitter of"),
        ({"cv": [(np.arange(3), np.arange(3, 6))]}, ValueError, "cv parts run 1"),
        ({"cv": GroupShuffleSplit(5, random_state=0)}, ValueError, "holds run .* out twice"),
        ({"cv": []}, ValueError, "cv holds no run out"),
        ({"estimator": DummyRUL}, TypeError, "must be an estimator with fit and predict"),
        ({"estimator": None}, TypeError, "estimator=None must be an estimator"),
    ],
)
def test_bad_parameters_are_refused(params, error, match):
    X, y = lives([3, 4, 5, 6])
    model = ConformalRUL(DummyRUL(), coverage=0.5).set_params(**params)
    with pytest.raises(error, match=match):
        model.fit(X, y)


@pytest.mark.parametrize(
    ("groups", "match"),
    [
        ([0, 1], "groups has shape .* give one run id per row"),
        (np.arange(18), "groups part run 0 of X"),
        (np.array([None] * 18), "groups has missing or mixed ids"),
        (np.array(["a"] * 17 + [None], dtype=object), "groups has missing or mixed ids"),
        (np.array(["a"] * 17 + [1], dtype=object), "groups has missing or mixed ids"),
        (["a"] * 17 + [1], "groups has missing or mixed ids"),
        (np.ma.masked_equal(np.arange(18) // 4, 1), "groups has masked ids; fill them or drop"),
        (np.full(18, np.nan), "groups has missing or mixed ids"),
        (np.zeros(18), "X has 1 run in n_samples=18; at least 2"),
    ],
)
def test_bad_groups_are_refused(groups, match):
    X, y = lives([3, 4, 5, 6])
    with pytest.raises(ValueError, match=match):
        ConformalRUL(DummyRUL(), coverage=0.5).fit(X, y, groups=groups)


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (np.zeros(3), "y has 3 values but X has 18 rows"),
        (np.full(18, -1.0), "Negative values in data passed as y"),
        (np.full(18, np.nan), "Input y contains NaN"),
        (None, "requires y to be passed"),
    ],
)
def test_bad_rul_is_refused(y, match):
    X, _ = lives([3, 4, 5, 6])
    with pytest.raises(ValueError, match=match):
        ConformalRUL(DummyRUL(), coverage=0.5).fit(X, y)


BAD_PREDICTIONS = [
    ("two columns", r"Odd predicts shape \(\d, 2\) for \d rows; use an estimator that"),
    ("one", r"Odd predicts shape \(\) for \d rows"),
    ("fewer", r"Odd predicts shape \(\d,\) for \d rows"),
    ("nan", r"Odd predicts NaN or infinity \(first in row \d\)"),
    ("inf", "Odd predicts NaN or infinity"),
    ("text", "what Odd predicts must be real numbers"),
]


@pytest.mark.parametrize(("way", "match"), BAD_PREDICTIONS)
def test_predictions_that_are_no_rul_are_refused_in_fit(way, match):
    X, y = lives([3, 4, 5, 6])
    with pytest.raises(ValueError, match=match):
        ConformalRUL(Odd(way), coverage=0.5).fit(X, y)


@pytest.mark.parametrize("method", ["predict", "predict_interval"])
@pytest.mark.parametrize(("way", "match"), BAD_PREDICTIONS)
def test_predictions_that_are_no_rul_are_refused_later_too(way, match, method):
    X, y = lives([3, 4, 5, 6])
    model = ConformalRUL(Odd("plain"), coverage=0.5).fit(X, y)
    model.estimators_[-1].way = way
    with pytest.raises(ValueError, match=match):
        getattr(model, method)(X[:5])


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="X has 0 rows; give whole runs, at least 2"):
        ConformalRUL(Ridge(), coverage=0.5).fit(np.zeros((0, 2)), np.zeros(0))


@pytest.mark.parametrize("method", ["predict", "predict_interval"])
def test_an_unfitted_model_says_so(method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(ConformalRUL(DummyRUL()), method)(lives([3])[0])


def test_folds_sorted_by_length_are_refused():
    X, y = lives([3, 14, 22, 2, 16])
    with pytest.raises(ValueError, match=r"sorts runs by length.*GroupKFold\(2, shuffle=True\)"):
        ConformalRUL(DummyRUL(), cv=GroupKFold(2), coverage=0.5).fit(X, y)
