"""Hyperband: the table of brackets, who competes, and a search that behaves as scikit-learn's."""

import pickle
import warnings

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression, SGDRegressor
from sklearn.model_selection import (
    GroupKFold,
    HalvingRandomSearchCV,
    KFold,
    ParameterSampler,
    ShuffleSplit,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skprog.datasets import make_run_to_failure
from skprog.estimators import CnnLstmRUL
from skprog.metrics import neg_maintenance_cost_scorer
from skprog.model_selection import HyperbandSearchCV, cnn_lstm_search_space
from skprog.networks import CnnLstm
from skprog.preprocessing import WelchSpectrogram
from skprog.sequences import RunSequences

SPACE = {"alpha": loguniform(1e-6, 1e-1), "eta0": loguniform(1e-4, 1e-1)}
# Schedules of Li et al. worked out by hand, (candidates, resource) by bracket. Halving keeps the
# ceiling of a fraction, so that bracket 2 of 27 ends with two candidates.
R27 = {
    3: [(27, 1), (9, 3), (3, 9), (1, 27)],
    2: [(12, 3), (4, 9), (2, 27)],
    1: [(6, 9), (2, 27)],
    0: [(4, 27)],
}
R25 = {
    2: [(9, 2), (3, 6), (1, 18), (1, 25)],
    1: [(5, 8), (2, 24), (2, 25)],
    0: [(3, 25)],
}
R243_5 = [(243, 1), (81, 3), (27, 9), (9, 27), (3, 81), (1, 243)]


class Curve(RegressorMixin, BaseEstimator):
    """Scores ``level``, less a penalty for training; fails for what a test wants to fail."""

    def __init__(self, level=0.0, max_epochs=1, penalty=0.0, fail=None, fail_from=1):
        self.level = level
        self.max_epochs = max_epochs
        self.penalty = penalty
        self.fail = fail
        self.fail_from = fail_from

    def fit(self, X, y, note=None):
        if self.fail is not None and self.level > self.fail and self.max_epochs >= self.fail_from:
            raise ValueError(f"level={self.level} is out of reach")
        self.n_features_in_ = X.shape[1]
        self.note_ = note
        return self

    def predict(self, X):
        return np.zeros(len(X))

    def score(self, X, y):
        return self.level - self.penalty * self.max_epochs


def search_of(estimator=None, space=None, **params):
    """Return a search over a curve of two folds, seeded."""
    estimator = Curve() if estimator is None else estimator
    space = {"level": loguniform(0.1, 1.0)} if space is None else space
    return HyperbandSearchCV(estimator, space, **{"cv": 2, "random_state": 0, **params})


def schedule(results, bracket):
    """Return (candidates, resource) of each rung of a bracket."""
    rows = results["bracket"] == bracket
    iters, resources = results["iter"][rows], results["n_resources"][rows]
    return [
        (int((iters == i).sum()), *set(resources[iters == i].tolist())) for i in np.unique(iters)
    ]


@pytest.fixture(scope="module")
def data():
    """Rows of a linear relation with a little noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    return X, X @ [1.0, -2.0, 0.5, 0.0] + 0.1 * rng.standard_normal(60)


@pytest.fixture(scope="module")
def bearings():
    """Spectrograms of three short simulated runs, and their RUL."""
    run = make_run_to_failure(n_runs=3, n_windows=16, n_timepoints=512, random_state=0)
    S = WelchSpectrogram(nperseg=64, hop=32, pool_size=2).fit_transform(run.windows)
    X = RunSequences.from_runs(S, run.runs, n_steps=4, time=run.time)
    return X, run.rul[X.ends]


@pytest.mark.parametrize(("max_resources", "expected"), [(27, R27), (25, R25)])
def test_brackets_are_those_of_li_et_al(data, max_resources, expected):
    results = search_of(max_resources=max_resources).fit(*data).cv_results_
    assert {s: schedule(results, s) for s in expected} == expected
    assert set(results["bracket"]) == set(expected)
    assert all(
        row["max_epochs"] == n
        for row, n in zip(results["params"], results["n_resources"], strict=True)
    )


def test_a_logarithm_that_rounds_down_loses_no_rung(data):
    X, y = data
    results = search_of(max_resources=243).fit(X[:8], y[:8]).cv_results_
    assert schedule(results, 5) == R243_5


@pytest.mark.parametrize(("max_resources", "n_brackets"), [(1, 1), (2, 1), (3, 2), (9, 3), (26, 3)])
def test_every_bracket_ends_at_full_resource(data, max_resources, n_brackets):
    results = search_of(max_resources=max_resources).fit(*data).cv_results_
    assert set(results["bracket"]) == set(range(n_brackets))
    for s in range(n_brackets):
        assert schedule(results, s)[-1][1] == max_resources


def test_only_candidates_at_full_resource_compete(data):
    search = search_of(Curve(penalty=1.0)).fit(*data)
    results = search.cv_results_
    full = results["n_resources"] == 27
    assert results["mean_test_score"][~full].min() > results["mean_test_score"][full].max()
    assert full[search.best_index_]
    assert search.best_score_ == results["mean_test_score"][full].max()
    assert search.best_params_ == results["params"][search.best_index_]
    assert search.best_estimator_.max_epochs == 27


def test_a_bracket_is_a_halving_search(data):
    model = SGDRegressor(tol=None, random_state=0)
    search = search_of(model, SPACE, resource="max_iter").fit(*data)
    seeds = np.random.RandomState(0)
    for s, schedule_s in R27.items():
        halving = HalvingRandomSearchCV(
            model,
            SPACE,
            n_candidates=schedule_s[0][0],
            min_resources=schedule_s[0][1],
            max_resources=27,
            resource="max_iter",
            cv=2,
            random_state=seeds.randint(2**31 - 1),
        ).fit(*data)
        rows = search.cv_results_["bracket"] == s
        for column in ("mean_test_score", "split1_test_score", "param_eta0", "iter", "n_resources"):
            np.testing.assert_array_equal(
                search.cv_results_[column][rows], halving.cv_results_[column]
            )


def test_survivors_are_scored_again_where_the_last_rung_ends_early(data):
    results = search_of(max_resources=25).fit(*data).cv_results_
    for s, n_last in ((2, 18), (1, 24)):
        in_bracket = results["bracket"] == s
        last = [
            row["level"]
            for row in np.array(results["params"])[in_bracket & (results["n_resources"] == n_last)]
        ]
        full = [
            row["level"]
            for row in np.array(results["params"])[in_bracket & (results["n_resources"] == 25)]
        ]
        assert sorted(last) == sorted(full)


def test_all_brackets_see_the_same_splits(data):
    seen = set()

    def score(estimator, X, y):
        seen.add(X.tobytes())
        return estimator.level

    search_of(cv=ShuffleSplit(3, random_state=0), scoring=score, max_resources=9).fit(*data)
    assert len(seen) == 3


@pytest.mark.parametrize("cv", [KFold(2, shuffle=True), ShuffleSplit(2)])
def test_splits_that_change_are_refused(data, cv):
    with pytest.raises(ValueError, match=r"must yield consistent folds.*random_state to an int"):
        search_of(cv=cv).fit(*data)


def test_the_same_seed_gives_the_same_search(data):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again = (search_of(random_state=3).fit(*data) for _ in range(2))
    other = search_of(random_state=4).fit(*data)
    assert first.cv_results_["params"] == again.cv_results_["params"]
    assert first.cv_results_["params"] != other.cv_results_["params"]
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_iterations_repeat_the_brackets_with_new_candidates(data):
    results = search_of(n_iterations=2, max_resources=9).fit(*data).cv_results_
    parts = [results["iteration"] == i for i in (0, 1)]
    assert parts[0].sum() == parts[1].sum() == len(results["params"]) / 2
    levels = [set(results["param_level"][part]) for part in parts]
    assert not levels[0] & levels[1]


def test_several_jobs_score_as_one(data):
    model = SGDRegressor(tol=None, random_state=0)
    one, two = (
        search_of(model, SPACE, resource="max_iter", max_resources=9, n_jobs=n).fit(*data)
        for n in (None, 2)
    )
    np.testing.assert_array_equal(
        one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"]
    )


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"max_resources": 0}, ValueError, "max_resources=0 must be at least 1"),
        ({"max_resources": "auto"}, TypeError, "max_resources='auto' must be an integer"),
        ({"factor": 1}, ValueError, "factor=1 must be at least 2"),
        ({"factor": 2.5}, TypeError, "factor=2.5 must be an integer"),
        ({"n_iterations": 0}, ValueError, "n_iterations=0 must be at least 1"),
        ({"resource": "max_epoch"}, ValueError, "'max_epoch' is no parameter of Curve; near ones"),
        ({"resource": "n_samples"}, ValueError, "resource='n_samples' is no parameter of Curve"),
        ({"resource": "zzz"}, ValueError, "see its get_params"),
        ({"resource": 3}, ValueError, "'resource' parameter.*must be an instance of 'str'"),
        ({"resource": "level"}, ValueError, "resource='level' is 0.0 in the est.*name an integer"),
        ({"resource": "fail", "estimator": Curve(fail=True)}, ValueError, "'fail' is True in the"),
        ({"space": {"max_epochs": loguniform(1, 9)}}, ValueError, "part of the searched"),
        ({"space": []}, ValueError, r"param_distributions=\[\] holds nothing.*give dicts of names"),
        ({"space": [("level", [1])]}, TypeError, "is not a dict"),
        ({"space": "level"}, ValueError, "'param_distributions' parameter"),
        ({"space": {"levels": loguniform(1, 2)}}, ValueError, "Invalid parameter 'levels'"),
        ({"cv": 1}, ValueError, "must be an int in the range .2, inf"),
        ({"cv": "kfold"}, ValueError, "'cv' parameter"),
        ({"scoring": "r3"}, ValueError, "'scoring' parameter"),
        ({"scoring": ["r2"]}, ValueError, "holds several metrics, and one decides"),
        ({"scoring": {"a": "r2"}}, ValueError, "holds several metrics, and one decides"),
        ({"scoring": lambda *_: {"a": 1.0, "b": 2.0}}, ValueError, "returns several metrics"),
        (
            {"scoring": lambda *_: {"score": 1.0, "b": 2.0}, "refit": "b"},
            ValueError,
            "returns several metrics",
        ),
        ({"refit": 1.5}, ValueError, "'refit' parameter"),
        ({"error_score": "nan"}, ValueError, "'error_score' parameter"),
        ({"n_jobs": 1.5}, ValueError, "'n_jobs' parameter"),
        ({"random_state": "a"}, ValueError, "'random_state' parameter"),
        ({"verbose": "a"}, ValueError, "'verbose' parameter"),
        ({"estimator": 3}, ValueError, "'estimator' parameter"),
    ],
)
def test_bad_arguments_are_refused(data, params, error, match):
    with pytest.raises(error, match=match):
        search_of(**params).fit(*data)


def test_unknown_resource_names_the_one_of_the_step(data):
    model = make_pipeline(StandardScaler(), Curve())
    with pytest.raises(ValueError, match=r"no parameter of Pipeline; near.*curve__max_epochs"):
        search_of(model, {"curve__level": [1.0]}).fit(*data)


def test_pipeline(data):
    model = make_pipeline(StandardScaler(), SGDRegressor(tol=None, random_state=0))
    space = {f"sgdregressor__{name}": values for name, values in SPACE.items()}
    search = search_of(model, space, resource="sgdregressor__max_iter", max_resources=9).fit(*data)
    assert search.best_estimator_[-1].max_iter == 9
    assert search.score(*data) > 0.5
    assert search.predict(data[0]).shape == data[1].shape


def test_clone_pickle_and_repr(data):
    search = search_of(max_resources=9)
    assert clone(search).get_params()["max_resources"] == 9
    search.fit(*data)
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(
        again.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
    )
    assert not hasattr(clone(search), "cv_results_")
    assert "HyperbandSearchCV" in search._repr_html_()
    assert search.n_features_in_ == 4
    assert not search.multimetric_


def test_refit_and_delegation(data):
    without = search_of(max_resources=9, refit=False).fit(*data)
    assert not hasattr(without, "best_estimator_")
    assert not hasattr(without, "predict")
    assert without.best_params_["max_epochs"] == 9
    named = search_of(max_resources=9, scoring="r2", refit="r2").fit(*data)
    assert named.best_estimator_.max_epochs == 9
    own = search_of(max_resources=9, refit=lambda results: 2).fit(*data)
    assert own.best_index_ == 2
    assert own.best_estimator_.get_params()["level"] == own.cv_results_["params"][2]["level"]
    with pytest.raises(IndexError, match="out of range"):
        search_of(max_resources=9, refit=lambda results: 999).fit(*data)


def test_fit_parameters_reach_the_estimator(data):
    search = search_of(max_resources=3).fit(*data, note="as given")
    assert search.best_estimator_.note_ == "as given"


def test_classifier_keeps_its_classes(data):
    X, y = data
    labels = np.where(y > 0, "late", "early")
    space = {"C": loguniform(1e-2, 1e2)}
    with warnings.catch_warnings():
        # Few iterations do not converge, which is the point of a rung.
        warnings.simplefilter("ignore")
        search = search_of(LogisticRegression(), space, resource="max_iter").fit(X, labels)
    assert list(search.classes_) == ["early", "late"]
    assert search.predict_proba(X).shape == (60, 2)


class Tasks:
    """A callback of scikit-learn 1.9 that notes the tasks it hears of."""

    def __init__(self):
        self.begun, self.ended = [], []

    def setup(self, estimator, context):
        """Do nothing."""

    def teardown(self, estimator, context):
        """Do nothing."""

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(context.task_name)

    def on_fit_task_end(self, estimator, context):
        self.ended.append(context.task_name)


def test_callbacks_of_scikit_learn_hear_of_every_fit(data):
    pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has none")
    tasks = Tasks()
    search = search_of(max_resources=25).set_callbacks(tasks).fit(*data)
    assert tasks.begun.count("candidate-split-evaluation") == 2 * len(search.cv_results_["params"])
    assert tasks.begun.count("halving-iteration") == 8
    assert sorted(tasks.begun) == sorted(tasks.ended)


FAILURES = (
    "ignore::sklearn.exceptions.FitFailedWarning",
    "ignore:One or more of the (test|train) scores are non-finite:UserWarning",
)


@pytest.mark.filterwarnings(*FAILURES)
def test_failed_candidates_lose_and_are_named(data):
    with pytest.warns(FitFailedWarning, match="is out of reach"):
        search = search_of(Curve(fail=0.5)).fit(*data)
    results = search.cv_results_
    failed = results["param_level"] > 0.5
    assert failed.any()
    assert np.isnan(results["mean_test_score"][failed]).all()
    assert 0.1 < search.best_params_["level"] <= 0.5


@pytest.mark.filterwarnings(*FAILURES)
@pytest.mark.parametrize("bracket", [0, 1, 2, 3])
def test_a_rung_that_fails_throughout_does_not_end_the_search(data, bracket):
    class FailsOnce(Curve):
        def fit(self, X, y):
            if self.level in doomed:
                raise ValueError(f"level={self.level} is doomed")
            return super().fit(X, y)

    doomed = []
    whole = search_of(FailsOnce()).fit(*data)
    table = whole.cv_results_
    first = (table["bracket"] == bracket) & (table["iter"] == 0)
    doomed += table["param_level"][first].tolist()
    with pytest.warns(FitFailedWarning, match=f"All the {2 * first.sum()} fits failed") as caught:
        search = search_of(FailsOnce()).fit(*data)
    named = {each.filename for each in caught if "All the" in str(each.message)}
    assert named == {__file__}
    results = search.cv_results_
    assert {s: schedule(results, s) for s in R27} == R27
    of_bracket = results["bracket"] == bracket
    np.testing.assert_array_equal(np.isnan(results["mean_test_score"]), of_bracket)
    assert set(results["rank_test_score"][of_bracket]) == {results["rank_test_score"].max()}
    assert results["param_level"].count() == len(results["params"])
    assert not of_bracket[search.best_index_]


def test_a_search_of_which_every_fit_fails_says_why(data):
    with (
        pytest.warns(FitFailedWarning),
        pytest.raises(ValueError, match=r"(?s)All the .* fits failed.*is out of reach"),
    ):
        search_of(Curve(fail=0.0)).fit(*data)


@pytest.mark.filterwarnings(*FAILURES)
def test_scores_are_kept_when_none_is_left_at_full_resource(data):
    search = search_of(Curve(fail=0.0, fail_from=27))
    with (
        pytest.warns(FitFailedWarning),
        pytest.raises(ValueError, match="none of the 9 candidates at max_epochs=27 has a score"),
    ):
        search.fit(*data)
    assert np.isfinite(search.cv_results_["mean_test_score"]).sum() > 27


def test_error_score_may_be_a_number_or_end_the_search(data):
    with pytest.warns(FitFailedWarning):
        search = search_of(Curve(fail=0.5), error_score=-1.0).fit(*data)
    assert search.cv_results_["mean_test_score"].min() == -1.0
    with pytest.raises(ValueError, match="is out of reach"):
        search_of(Curve(fail=0.5), error_score="raise").fit(*data)


@pytest.mark.filterwarnings(*FAILURES)
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_failed_candidates_lose_whatever_their_error_score(data, n_jobs):
    search = search_of(Curve(fail=0.5), error_score=9, max_resources=9, n_jobs=n_jobs).fit(*data)
    results = search.cv_results_
    levels, full = results["param_level"], results["n_resources"] == 9
    np.testing.assert_array_equal(results["mean_test_score"] == 9.0, levels > 0.5)
    assert search.best_params_["level"] == levels[full & (levels <= 0.5)].max()
    # One of nine goes on: the best of those that did not fail.
    first, last = ((results["bracket"] == 2) & (results["iter"] == i) for i in (0, 2))
    assert levels[last].max() == levels[first & (levels <= 0.5)].max()
    assert search.error_score == 9
    assert type(search.error_score) is int


@pytest.mark.filterwarnings("ignore:Scoring failed:UserWarning")
def test_candidates_that_cannot_be_scored_lose_whatever_their_error_score(data):
    def score(estimator, X, y):
        if estimator.level > 0.5:
            raise ValueError("predictions contain NaN")
        return -estimator.level

    search = search_of(scoring=score, error_score=0.0).fit(*data)
    assert search.cv_results_["mean_test_score"].max() == 0.0
    assert search.best_score_ == -search.best_params_["level"] < 0.0


def test_a_score_that_equals_the_error_score_may_win(data):
    search = search_of(scoring=lambda *_: 0.0, error_score=0.0).fit(*data)
    assert search.best_score_ == 0.0


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite:UserWarning")
def test_scores_of_nan_point_at_the_data(data):
    with pytest.raises(ValueError, match=r"fits failed.*or scored NaN.*check the data"):
        search_of(scoring=lambda *_: np.nan).fit(*data)


@pytest.mark.filterwarnings(*FAILURES)
@pytest.mark.parametrize("error_score", [np.nan, 9.0])
def test_a_search_that_ends_without_a_best_leaves_its_table_alone(data, error_score):
    search = search_of(max_resources=9, error_score=error_score).fit(*data)
    before = search.cv_results_
    search.set_params(estimator=Curve(fail=0.0, fail_from=9))
    with pytest.raises(ValueError, match="none of the 6 candidates at max_epochs=9 has a score"):
        search.fit(*data)
    assert {name for name in vars(search) if name.endswith("_")} == {"cv_results_"}
    assert search.cv_results_ is not before
    assert search.error_score is error_score
    assert not hasattr(search, "_table")


@pytest.mark.filterwarnings(*FAILURES)
@pytest.mark.parametrize(
    "params",
    [
        {"estimator": Curve(fail=0.0)},
        {"estimator": Curve(fail=0.3), "error_score": "raise"},
        {"estimator": Curve(fail=0.0), "error_score": 9.0},
        {"cv": ShuffleSplit(2)},
        {"refit": lambda results: 999},
        {"scoring": lambda *_: {"score": 1.0}},
    ],
)
def test_a_search_that_fails_keeps_what_was_fitted_before(data, params):
    search = search_of(max_resources=9).fit(*data)
    before = vars(search).copy()
    with pytest.raises((ValueError, IndexError)):
        search.set_params(**params).fit(*data)
    assert vars(search).keys() == before.keys()
    changed = {name for name, value in before.items() if vars(search)[name] is not value}
    assert changed == set(params)
    assert search.predict(data[0]).shape == data[1].shape


@pytest.mark.filterwarnings("ignore:The total space of parameters:UserWarning")
def test_few_discrete_candidates_skip_rungs(data):
    results = search_of(space={"level": [0.1, 0.2, 0.3, 0.4]}).fit(*data).cv_results_
    assert schedule(results, 3) == [(4, 1), (2, 3), (1, 27)]


def test_progress_bar_counts_the_rungs(data, capsys):
    search_of(max_resources=25, verbose=1).fit(*data)
    assert "8/8" in capsys.readouterr().err
    search_of(max_resources=25).fit(*data)
    assert not capsys.readouterr().err


@pytest.mark.filterwarnings(*FAILURES)
def test_table_1_on_bearings_split_by_run(bearings):
    X, y = bearings
    model = make_pipeline(CnnLstmRUL(batch_size=32, random_state=0))
    search = HyperbandSearchCV(
        model,
        cnn_lstm_search_space(prefix="cnnlstmrul__"),
        resource="cnnlstmrul__max_epochs",
        max_resources=4,
        factor=2,
        cv=GroupKFold(3),
        scoring=neg_maintenance_cost_scorer,
        random_state=0,
    )
    with pytest.warns(FitFailedWarning, match="the feature map vanishes: "):
        search.fit(X, y, groups=X.runs)
    results = search.cv_results_
    assert search.n_splits_ == 3
    assert np.isnan(results["mean_test_score"]).any()
    assert np.isfinite(search.best_score_)
    assert search.predict(X).shape == y.shape
    assert search.best_estimator_[-1].max_epochs == 4


def test_search_space_is_table_1():
    params = list(ParameterSampler(cnn_lstm_search_space(), 600, random_state=0))
    n_layers = [candidate["n_conv_layers"] for candidate in params]
    assert set(n_layers) == {1, 2, 3}
    for candidate in params:
        n = candidate["n_conv_layers"]
        assert {len(candidate[name]) for name in ("n_filters", "kernel_sizes", "strides")} == {n}
    first, later = (
        [pair for c in params for pair in c["strides"][part]]
        for part in (slice(0, 1), slice(1, None))
    )
    bounds = {
        "filters 1": ([(c["n_filters"][0],) for c in params], (2,), (4,)),
        "filters 2, 3": ([(f,) for c in params for f in c["n_filters"][1:]], (4,), (8,)),
        "kernels": ([k for c in params for k in c["kernel_sizes"]], (3, 3), (7, 5)),
        "strides 1": (first, (1, 1), (3, 3)),
        "strides 2, 3": (later, (1, 1), (3, 2)),
        "pools": ([c["pool_size"] for c in params if c["pool_size"]], (2, 2), (3, 3)),
        "lstm": ([(c["lstm_units"],) for c in params], (16,), (128,)),
        "dense": ([c["dense_units"] for c in params], (16, 8), (128, 32)),
    }
    for name, (drawn, low, high) in bounds.items():
        assert tuple(np.min(drawn, axis=0)) == low, name
        assert tuple(np.max(drawn, axis=0)) == high, name
    rates = np.log10([c["lr"] for c in params])
    assert -8 <= rates.min() < -7.8
    assert -0.2 < rates.max() <= 0
    assert any(c["pool_size"] is None for c in params)


def test_candidates_of_table_1_build_or_say_which_layer_does_not_fit():
    n_built = 0
    for candidate in ParameterSampler(cnn_lstm_search_space(), 100, random_state=1):
        candidate.pop("lr")
        try:
            CnnLstm((84, 25), **candidate)
        except ValueError as error:
            assert "convolutional layer" in str(error)  # noqa: PT017
        else:
            n_built += 1
    assert 20 < n_built < 100


@pytest.mark.filterwarnings(*FAILURES)
def test_search_space_serves_a_halving_search(bearings):
    X, y = bearings
    search = HalvingRandomSearchCV(
        CnnLstmRUL(batch_size=32, random_state=0),
        cnn_lstm_search_space(),
        n_candidates=6,
        resource="max_epochs",
        max_resources=3,
        cv=GroupKFold(2),
        random_state=0,
    ).fit(X, y, groups=X.runs)
    assert search.n_resources_ == [1, 3]


def test_prefix_without_underscores_is_refused():
    with pytest.raises(ValueError, match=r"prefix='cnnlstmrul' must end.*'cnnlstmrul__'"):
        cnn_lstm_search_space(prefix="cnnlstmrul")


@pytest.mark.parametrize("prefix", [None, 3])
def test_prefix_that_is_no_string_is_refused(prefix):
    with pytest.raises(TypeError, match=f"prefix={prefix} must be a string, such as"):
        cnn_lstm_search_space(prefix=prefix)


def test_search_space_pickles_and_draws_plain_integers():
    space = pickle.loads(pickle.dumps(cnn_lstm_search_space()))
    (drawn,) = ParameterSampler(space, 1, random_state=0)
    (again,) = ParameterSampler(cnn_lstm_search_space(), 1, random_state=0)
    assert drawn == again
    assert {type(n) for n in drawn["n_filters"]} == {int}
