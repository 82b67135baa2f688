import json
import pickle
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    cross_val_score,
    cross_validate,
)

from skprog import metrics
from skprog.estimators import DummyRUL
from skprog.metrics import (
    maintenance_cost,
    neg_failures_in_service_scorer,
    neg_maintenance_cost_scorer,
    neg_replacement_error_scorer,
    phm2012_score,
    phm2012_scorer,
    relative_change_difference,
    replacement_error,
)
from skprog.sequences import RunSequences

SCORERS = [
    phm2012_scorer,
    neg_replacement_error_scorer,
    neg_failures_in_service_scorer,
    neg_maintenance_cost_scorer,
]
FUNCTIONS = [
    phm2012_score,
    relative_change_difference,
    partial(replacement_error, max_life=1000),
    partial(maintenance_cost, max_life=1000),
]
ruls = st.integers(1, 30).flatmap(
    lambda n: st.tuples(*[hnp.arrays(float, n, elements=st.floats(0, 1e300))] * 2)
)


def ramp(n, offset=0.0):
    """RUL of a run of n windows, 10 s apart, shifted."""
    return 10.0 * np.arange(n)[::-1] + offset


def runs_to_failure(lengths, *, pad=True, condition=None):
    runs = np.repeat(list(lengths), list(lengths.values()))
    time = np.concatenate([10.0 * np.arange(n) for n in lengths.values()])
    X = RunSequences.from_runs(
        np.zeros((len(runs), 1), dtype=np.float16),
        runs,
        pad=pad,
        time=time,
        context=None if condition is None else {"condition": [condition[r] for r in runs]},
    )
    return X, np.concatenate([ramp(n) for n in lengths.values()])[X.ends]


@pytest.mark.parametrize(
    ("percent", "score"), [(-10, 0.25), (-5, 0.5), (0, 1), (20, 0.5), (50, 0.17678), (100, 1 / 32)]
)
@pytest.mark.parametrize("protocol", ["life", "truncation"])
def test_phm2012_score_of_one_prediction(percent, score, protocol):
    y_pred = [1000 * (1 - percent / 100)]
    assert phm2012_score([1000], y_pred, protocol=protocol) == pytest.approx(score, rel=1e-4)


def test_life_is_the_mean_over_windows_then_over_runs():
    y_true = [20.0, 10.0, 0.0, 100.0, 0.0]
    y_pred = [20.0, 11.0, 0.0, 105.0, 0.0]
    runs = ["a", "a", "a", "b", "b"]
    assert phm2012_score(y_true, y_pred, runs=runs) == pytest.approx((1.25 / 2 + 0.5) / 2)


def test_life_leaves_out_what_has_failed():
    assert phm2012_score([10.0, 0.0, 0.0], [10.0, 500.0, 7.0], runs=[0, 0, 1]) == 1


def test_truncation_is_the_mean_over_units():
    y_true, y_pred = [100.0, 100.0, 100.0], [100.0, 110.0, 80.0]
    for runs in (None, ["a", "b", "c"]):
        score = phm2012_score(y_true, y_pred, runs=runs, protocol="truncation")
        assert score == pytest.approx((1 + 0.25 + 0.5) / 3)


def test_rul_of_zero_scores_one_only_if_exact_under_truncation():
    assert phm2012_score([0.0, 0.0], [0.0, 1.0], protocol="truncation") == 0.5
    assert phm2012_score([0.0], [-1.0], protocol="truncation") == 0


@given(ruls)
def test_phm2012_score_lies_in_0_1_whatever_the_size(pair):
    assert 0 <= phm2012_score(*pair, protocol="truncation") <= 1


def test_phm2012_score_does_not_overflow():
    assert phm2012_score([5e-324, 1e-300], [1e308, 1e300]) == 0
    assert phm2012_score([1e308], [-1e308]) > 0


@given(ruls)
def test_rcd_lies_in_minus_1_to_1_and_changes_sign_with_its_arguments(pair):
    y_true, y_pred = pair
    rcd = relative_change_difference(y_true, y_pred)
    assert np.abs(rcd).max() <= 1
    np.testing.assert_array_equal(rcd, -relative_change_difference(y_pred, y_true))


def test_rcd_by_hand():
    rcd = relative_change_difference([100, 100, 0, 0, 100], [50, 200, 0, 7, 0])
    assert rcd.tolist() == [-0.5, 0.5, 0, 1, -1]


def test_rcd_of_runs_is_their_mean_in_order_of_appearance():
    rcd = relative_change_difference([100, 100, 100], [50, 100, 200], runs=["b", "b", "a"])
    assert rcd.tolist() == [-0.25, 0.5]


def test_replacement_error_is_what_is_left_less_the_threshold_in_percent_of_mel():
    # Threshold 100 s of MEL 1000 s; the predictions reach it with 150, 100 and 60 s left.
    y_true = np.tile(ramp(50), 3)
    y_pred = np.r_[ramp(50, -50), ramp(50), ramp(50, 40)]
    runs = np.repeat(["early", "right", "late"], 50)
    result = replacement_error(y_true, y_pred, runs=runs, max_life=1000, span=1)
    assert result.runs.tolist() == ["early", "right", "late"]
    np.testing.assert_allclose(result.error, [5, 0, -4])
    assert not result.failed_in_service.any()
    assert result.mean_abs_error == pytest.approx(3)
    assert result.premature == 0


def test_a_perfect_model_is_late_by_half_the_span():
    result = replacement_error(ramp(300), ramp(300), max_life=2000, span=31)
    np.testing.assert_allclose(result.error, [-100 * 150 / 2000])


def test_a_run_that_is_never_replaced_fails_in_service_and_stays_out_of_the_mean():
    y_true = np.tile(ramp(50), 2)
    y_pred = np.r_[ramp(50, -50), np.full(50, 900.0)]
    runs = np.repeat([0, 1], 50)
    result = replacement_error(y_true, y_pred, runs=runs, max_life=1000, span=1)
    np.testing.assert_allclose(result.error, [5, -10])
    assert result.failed_in_service.tolist() == [False, True]
    assert result.mean_abs_error == pytest.approx(5)


def test_an_alarm_at_failure_comes_too_late():
    result = replacement_error(ramp(50), ramp(50, 100), max_life=1000, span=1)
    assert result.failed_in_service.tolist() == [True]
    assert np.isnan(result.mean_abs_error)


def test_a_run_that_has_not_failed_counts_only_if_it_is_replaced():
    y_true = np.r_[ramp(40, 100), ramp(40, 100), ramp(50)]
    y_pred = np.r_[np.full(40, 900.0), ramp(40, -50), ramp(50)]
    runs = np.repeat(["unknown", "early", "right"], [40, 40, 50])
    rule = {"runs": runs, "max_life": 1000, "span": 1}
    for failed in ([False, False, True], {"unknown": False, "early": False, "right": True}):
        result = replacement_error(y_true, y_pred, **rule, failed=failed)
        np.testing.assert_array_equal(result.error, [np.nan, 15, 0])
        assert not result.failed_in_service.any()
        cost = maintenance_cost(y_true, y_pred, **rule, failed=failed)
        assert cost == pytest.approx(0.15 / 2)
    # All have failed unless something is said.
    result = replacement_error(y_true, y_pred, **rule)
    np.testing.assert_array_equal(result.error, [-10, 15, 0])
    np.testing.assert_array_equal(result.failed_in_service, [True, False, False])


@pytest.mark.parametrize("last", [0.0, 10.0, 70.0])
def test_a_failure_counts_whatever_the_last_label(last):
    y_true = np.tile(10.0 * np.arange(100)[::-1] + last, 2)
    runs = np.repeat(["a", "b"], 100)
    asleep, right = np.full(100, 900.0), y_true[:100]
    rule = {"runs": runs, "max_life": 1000, "span": 1}
    for failed in (None, [True, True]):
        cost = maintenance_cost(y_true, np.r_[asleep, right], **rule, failed=failed)
        assert cost == pytest.approx(0.2)
        assert maintenance_cost(y_true, np.maximum(y_true - 50, 0), **rule) == pytest.approx(0.05)
        result = replacement_error(y_true, np.r_[asleep, right], **rule, failed=failed)
        np.testing.assert_array_equal(result.failed_in_service, [True, False])
        assert result.error[0] == -10


def test_a_run_that_ends_early_is_warned_of_unless_it_is_said_what_became_of_it():
    y_true = np.r_[ramp(40, 400), ramp(50)]
    rule = {"runs": np.repeat([7, 8], [40, 50]), "max_life": 1000, "span": 1}
    with pytest.warns(
        UserWarning, match=r"run 7 ends at a RUL of 400 s, above the threshold of 100"
    ):
        result = replacement_error(y_true, np.full(90, 900.0), **rule)
    np.testing.assert_array_equal(result.failed_in_service, [True, True])
    result = replacement_error(y_true, np.full(90, 900.0), **rule, failed=[False, True])
    np.testing.assert_array_equal(result.failed_in_service, [False, True])


@pytest.mark.parametrize("failed", [[True], [0, 1], True, {"a": True}])
def test_failures_are_told_run_by_run(failed):
    y_true, runs = np.r_[ramp(5), ramp(5)], np.repeat(["a", "b"], 5)
    for function in (replacement_error, maintenance_cost):
        with pytest.raises(ValueError, match="failed"):
            function(y_true, y_true, runs=runs, max_life=50, span=1, failed=failed)


@pytest.mark.parametrize(
    ("scorer", "scores"),
    [
        (neg_failures_in_service_scorer, (-0.5, -1.0)),
        (neg_maintenance_cost_scorer, (-0.4, -0.4)),
    ],
)
def test_scorers_know_which_runs_have_failed(scorer, scores):
    rul = np.r_[ramp(40, 50), ramp(50)]
    runs, time = np.repeat([7, 8], [40, 50]), np.r_[10.0 * np.arange(40), 10.0 * np.arange(50)]
    asleep = DummyRUL("constant", constant=900)
    for failed, score in zip(([False, True], None), scores, strict=True):
        X = RunSequences.from_runs(np.zeros(90), runs, n_steps=2, time=time, failed=failed)
        assert scorer(asleep.fit(X, rul), X, rul, max_life=1000) == score
        # In whatever order runs stand.
        swapped = np.r_[40:90, 0:40]
        assert scorer(asleep, X[swapped], rul[swapped], max_life=1000) == score


def test_scorers_refuse_labels_that_are_no_rul():
    X, y = runs_to_failure({"a": 50, "b": 90})
    model = DummyRUL().fit(X, y)
    for scorer in SCORERS:
        with pytest.raises(
            ValueError, match=r"y falls by 8.16667 within run a while time rises by"
        ):
            scorer(model, X, y / 60)


@pytest.mark.parametrize("function", FUNCTIONS[2:])
def test_rul_that_rises_within_a_run_is_refused(function):
    runs = ["r0"] * 3 + ["r1"] * 3
    function([2.0, 1.0, 0.0, 2.0, 2.0, 0.0], np.ones(6), runs=runs)
    with pytest.raises(ValueError, match="y_true rises within run r1, from 1 to 2 s"):
        function([2.0, 1.0, 0.0, 1.0, 2.0, 0.0], np.ones(6), runs=runs)


@pytest.mark.parametrize("scorer", SCORERS[1:])
def test_scorers_refuse_rows_out_of_order(scorer):
    X, y = runs_to_failure({"a": 50, "b": 90})
    model = DummyRUL().fit(X, y)
    with pytest.raises(ValueError, match="y_true rises within run b"):
        scorer(model, X[::-1], y[::-1])


def test_error_is_undefined_for_a_life_below_the_threshold_yet_its_failure_counts():
    y_true = np.r_[ramp(10), ramp(10), ramp(11)]
    y_pred = np.r_[ramp(10), np.full(10, 900.0), ramp(11)]
    runs = np.repeat([0, 1, 2], [10, 10, 11])
    result = replacement_error(y_true, y_pred, runs=runs, max_life=1000, span=1)
    np.testing.assert_array_equal(result.error, [np.nan, np.nan, 0])
    assert result.failed_in_service.tolist() == [False, True, False]


def test_premature_is_the_share_of_runs_replaced_over_20_percent_early():
    y_true = np.tile(ramp(51), 3)
    y_pred = np.r_[np.zeros(51), ramp(51, -200), ramp(51, -210)]
    runs = np.repeat([0, 1, 2], 51)
    result = replacement_error(y_true, y_pred, runs=runs, max_life=1000, span=1)
    np.testing.assert_allclose(result.error, [40, 20, 21])
    assert result.premature == pytest.approx(2 / 3)


def test_cost_is_a_fraction_of_mel_and_four_times_as_dear_when_late():
    y_true = np.tile(ramp(50), 4)
    y_pred = np.r_[ramp(50, -50), ramp(50), ramp(50, 40), np.full(50, 900.0)]
    runs = np.repeat(range(4), 50)
    cost = maintenance_cost(y_true, y_pred, runs=runs, max_life=1000, span=1)
    assert cost == pytest.approx((0.05 + 0 + 4 * 0.04 + 4 * 0.1) / 4)
    even = maintenance_cost(y_true, y_pred, runs=runs, max_life=1000, span=1, late_factor=1)
    assert even == pytest.approx((0.05 + 0 + 0.04 + 0.1) / 4)


def test_cost_is_nan_when_no_run_has_an_error():
    assert np.isnan(maintenance_cost(ramp(5), ramp(5), max_life=1000))


@pytest.mark.parametrize("scorer", SCORERS)
def test_scorers_go_through_cross_validation_and_search_and_pickle(scorer):
    X, y = runs_to_failure({"a": 500, "b": 505, "c": 510})
    splits = {"groups": X.runs, "cv": GroupKFold(3)}
    scores = cross_val_score(DummyRUL(), X, y, scoring=scorer, **splits)
    assert np.isfinite(scores).all()
    copied = cross_val_score(DummyRUL(), X, y, scoring=pickle.loads(pickle.dumps(scorer)), **splits)
    np.testing.assert_array_equal(scores, copied)
    search = GridSearchCV(
        DummyRUL("constant", constant=0),
        {"constant": [0, 10.0]},
        scoring=scorer,
        cv=GroupKFold(3),
        error_score="raise",
    )
    search.fit(X, y, groups=X.runs)
    # Scoring the search itself finds max_life_ inside it.
    assert scorer(search, X, y) == scorer(search.best_estimator_, X, y)


def test_scorers_give_the_functions_figures():
    X, y = runs_to_failure({"a": 50, "b": 90})
    model = DummyRUL().fit(X, y)
    y_pred = model.predict(X)
    kwargs = {"runs": X.runs, "max_life": model.max_life_}
    result = replacement_error(y, y_pred, **kwargs)
    assert phm2012_scorer(model, X, y) == phm2012_score(y, y_pred, runs=X.runs)
    assert neg_replacement_error_scorer(model, X, y) == -result.mean_abs_error
    assert neg_failures_in_service_scorer(model, X, y) == -result.failed_in_service.mean()
    assert neg_maintenance_cost_scorer(model, X, y) == -maintenance_cost(y, y_pred, **kwargs)


def test_scorers_take_settings_by_partial_and_several_at_once():
    X, y = runs_to_failure({"a": 50, "b": 90})
    scoring = {
        "cost": neg_maintenance_cost_scorer,
        "wide": partial(neg_maintenance_cost_scorer, max_life=2000, span=1),
        "late": partial(neg_maintenance_cost_scorer, late_factor=40),
    }
    result = cross_validate(DummyRUL(), X, y, groups=X.runs, cv=GroupKFold(2), scoring=scoring)
    assert (result["test_late"] <= result["test_cost"]).all()
    assert (result["test_wide"] != result["test_cost"]).any()


@pytest.mark.parametrize("scorer", SCORERS)
def test_scorers_refuse_rows_that_know_no_run(scorer):
    X, y = np.zeros((5, 2)), ramp(5)
    with pytest.raises(TypeError, match="X of type ndarray has no runs"):
        scorer(DummyRUL().fit(X, y), X, y)


@pytest.mark.parametrize("scorer", SCORERS[1:])
def test_scorers_need_a_max_life(scorer):
    class Plain:
        def predict(self, X):
            return np.zeros(len(X))

    X, y = runs_to_failure({"a": 50})
    with pytest.raises(ValueError, match="Plain has no max_life_; pass max_life"):
        scorer(Plain(), X, y)
    assert scorer(Plain(), X, y, max_life=1000) <= 0


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("y_true", "y_pred", "runs", "message"),
    [
        ([], [], None, "y_true is empty"),
        ([1.0, 2.0], [1.0], None, "both must be"),
        ([[1.0]], [[1.0]], None, "both must be"),
        ([np.nan], [1.0], None, "y_true contains NaN"),
        ([1.0], [np.inf], None, "y_pred contains infinity"),
        ([-1.0], [1.0], None, r"negative RUL -1\.0 s"),
        (np.array(["2020-01-01"], "M8[s]"), [1.0], None, "y_true must be real numbers"),
        ([1.0], ["long"], None, "y_pred must be real numbers"),
        ([1.0], [1j], None, "y_pred must be real numbers"),
        ([1.0, 2.0], [1.0, 2.0], [0], "2 windows"),
        ([3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [0, 1, 0], "interleaved"),
    ],
)
def test_bad_input_is_refused(function, y_true, y_pred, runs, message):
    with pytest.raises(ValueError, match=message):
        function(y_true, y_pred, runs=runs)


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="protocol='mean' is not one of 'life', 'truncation'"):
        phm2012_score([1.0], [1.0], protocol="mean")
    with pytest.raises(ValueError, match="run a has 2 windows"):
        phm2012_score([2.0, 1.0], [2.0, 1.0], runs=["a", "a"], protocol="truncation")
    with pytest.raises(ValueError, match="no window has RUL > 0"):
        phm2012_score([0.0], [1.0])
    with pytest.raises(ValueError, match="max_life=0"):
        replacement_error([1.0], [1.0], max_life=0)
    with pytest.raises(ValueError, match="threshold=2"):
        replacement_error([1.0], [1.0], max_life=1, threshold=2)
    with pytest.raises(ValueError, match="late_factor=-1"):
        maintenance_cost([1.0], [1.0], max_life=1, late_factor=-1)


def test_every_public_name_is_listed():
    assert {name for name in metrics.__all__ if name.endswith("_scorer")} == {
        scorer.__name__ for scorer in SCORERS
    }


@pytest.fixture(scope="module")
def lives(real_data):
    """Windows of each real bearing, without reading the windows."""
    manifest = json.loads((real_data / "femto" / "manifest.json").read_text())
    return {entry["bearing"].removeprefix("Bearing"): entry for entry in manifest["bearings"]}


@pytest.fixture(scope="module")
def bearings(lives):
    """Rows of all real bearings with a full past, and the paper's four test bearings at hand."""
    lengths = {name: entry["n_windows"] for name, entry in lives.items()}
    X, y = runs_to_failure(lengths, pad=False, condition={name: int(name[0]) for name in lengths})
    return X, y, np.isin(X.runs, ["2_2", "2_5", "1_4", "2_1"])


@pytest.mark.real_data
def test_mean_life_of_the_same_condition_on_the_papers_split(bearings):
    X, y, test = bearings
    model = DummyRUL(by="condition").fit(X[~test], y[~test])
    assert model.max_life_ == 27_710
    y_test, y_pred, runs = y[test], model.predict(X[test]), X.runs[test]
    assert phm2012_score(y_test, y_pred, runs=runs) == pytest.approx(0.262, abs=5e-4)
    only = runs == "2_1"
    assert phm2012_score(y_test[only], y_pred[only]) == pytest.approx(0.96, abs=5e-3)
    absolute = np.abs(y_test - y_pred)
    mae = np.mean([absolute[runs == run].mean() for run in np.unique(runs)])
    assert mae == pytest.approx(4563, abs=1)

    smooth = replacement_error(y_test, y_pred, runs=runs, max_life=27_710)
    raw = replacement_error(y_test, y_pred, runs=runs, max_life=27_710, span=1)
    order = [list(smooth.runs).index(run) for run in ("2_2", "2_5", "1_4", "2_1")]
    assert smooth.error[order] == pytest.approx([-4.6, 50.1, -10, -0.5], abs=0.06)
    assert raw.error[order].round().tolist() == [-4, 51, -10, 0]
    assert smooth.runs[smooth.failed_in_service].tolist() == ["1_4"]


@pytest.mark.real_data
def test_mean_life_of_the_same_condition_on_the_missing_bearing(lives):
    # Bearing 1_3 ran for 2375 windows; its lengths alone give the baseline's error.
    lengths = {name: entry["n_windows"] for name, entry in lives.items()} | {"1_3": 2375}
    X, y = runs_to_failure(lengths, pad=False, condition={name: int(name[0]) for name in lengths})
    test = np.isin(X.runs, ["2_2", "2_5", "1_4", "2_1", "1_3"])
    model = DummyRUL(by="condition").fit(X[~test], y[~test])
    assert phm2012_scorer(model, X[test], y[test]) == pytest.approx(0.30, abs=5e-3)
    rows = X.runs == "1_3"
    raw = replacement_error(y[rows], model.predict(X[rows]), max_life=27_710, span=1)
    assert raw.error.round().tolist() == [7]


@pytest.mark.real_data
def test_constant_on_the_papers_split(bearings):
    X, y, test = bearings
    model = DummyRUL("constant", constant=5000).fit(X[~test], y[~test])
    assert phm2012_scorer(model, X[test], y[test]) == pytest.approx(0.204, abs=5e-4)
    assert neg_failures_in_service_scorer(model, X[test], y[test]) == -1
    assert neg_maintenance_cost_scorer(model, X[test], y[test]) == pytest.approx(-0.4)


@pytest.mark.real_data
def test_baselines_leaving_one_bearing_out(bearings):
    X, y, _ = bearings
    for model, score in (
        (DummyRUL(by="condition"), 0.072),
        (DummyRUL("constant", constant=5000), 0.154),
    ):
        scores = cross_val_score(
            model, X, y, groups=X.runs, cv=LeaveOneGroupOut(), scoring=phm2012_scorer
        )
        assert len(scores) == 16
        assert scores.mean() == pytest.approx(score, abs=6e-4)


@pytest.mark.real_data
def test_truncation_takes_the_official_points(lives):
    answers = {name: entry["challenge_actual_rul_s"] for name, entry in lives.items()}
    y_true = np.array([answer for answer in answers.values() if answer is not None], dtype=float)
    assert len(y_true) == 10
    assert phm2012_score(y_true, y_true, protocol="truncation") == 1
    assert phm2012_score(y_true, 1.1 * y_true, protocol="truncation") == pytest.approx(0.25)
