import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import VotingRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Bunch

from skprog.decision import MaintenanceRule, ema, find_max_life, replacement_time
from skprog.estimators import DummyRUL
from skprog.preprocessing import RULIndex
from skprog.sequences import RunSequences

RUNS = np.repeat(["b", "a"], [4, 3])
TIME = np.r_[0:40:10, 0:30:10].astype(float)
RUL = np.array([500.0, 300.0, 200.0, 400.0, 900.0, 800.0, 700.0])
seconds = hnp.arrays(float, st.integers(1, 40), elements=st.floats(0, 1e5))


class Model(BaseEstimator):
    """Predicts what it is told."""

    def __init__(self):
        self.max_life_ = 2000.0

    def fit(self, X, y):
        return self

    def predict(self, X):
        return RUL[X.ends]


@pytest.fixture
def X():
    return RunSequences.from_runs(np.zeros((7, 1)), RUNS, n_steps=2, time=TIME)


def test_ema_is_the_recursion_started_at_the_first_value():
    assert ema([8.0, 4.0, 0.0], span=3).tolist() == [8.0, 6.0, 3.0]


@given(seconds, st.floats(1, 100))
def test_ema_agrees_with_the_recursion_written_out(rul, span):
    alpha = 2 / (span + 1)
    wanted = [rul[0]]
    for value in rul[1:]:
        wanted.append(alpha * value + (1 - alpha) * wanted[-1])
    np.testing.assert_allclose(ema(rul, span=span), wanted, rtol=1e-9, atol=1e-6)


@given(seconds, st.floats(1, 100))
def test_ema_stays_between_the_extremes(rul, span):
    smoothed = ema(rul, span=span)
    assert smoothed.min() >= rul.min() - 1e-6
    assert smoothed.max() <= rul.max() + 1e-6


def test_ema_keeps_a_constant_to_the_last_bit():
    assert (ema(np.full(500, 0.1), span=30) == 0.1).all()


def test_ema_of_two_runs_is_the_ema_of_each():
    both = ema(RUL, RUNS, span=5)
    np.testing.assert_array_equal(both, np.r_[ema(RUL[:4], span=5), ema(RUL[4:], span=5)])


def test_ema_and_the_mean_of_channels_commute():
    channels = np.random.default_rng(0).uniform(0, 1e4, (3, 50))
    runs = np.repeat([0, 1], 25)
    np.testing.assert_allclose(ema(channels, runs).mean(0), ema(channels.mean(0), runs))


def test_span_delays_a_ramp_by_about_half_of_it():
    ramp = np.arange(1000.0)[::-1]
    np.testing.assert_allclose(ema(ramp, span=31)[-1] - ramp[-1], 15, rtol=1e-6)


def test_replacement_is_at_the_first_window_at_the_threshold_even_if_rul_recovers():
    times = replacement_time(RUL, RUNS, TIME, max_life=2000, span=1)
    np.testing.assert_array_equal(times, [20.0, np.nan])


def test_smoothing_delays_replacement():
    rul = np.linspace(1000, 0, 101)
    time = 10.0 * np.arange(101)
    raw = replacement_time(rul, None, time, max_life=2000, span=1)
    smooth = replacement_time(rul, None, time, max_life=2000, span=21)
    np.testing.assert_allclose(smooth - raw, 100)


def test_a_rule_decides_from_replacement_to_the_end_of_the_run():
    rule = MaintenanceRule(span=1, max_life=2000)
    assert rule.decide(RUL, RUNS).tolist() == [False, False, True, True, False, False, False]


def test_a_rule_names_the_time_of_each_run(X):
    times = MaintenanceRule(span=1, max_life=2000).replacement_times(RUL, X)
    assert list(times) == ["b", "a"]
    assert times["b"] == 20.0
    assert np.isnan(times["a"])


def test_apply_predicts_and_takes_the_max_life_of_the_model(X):
    rule = MaintenanceRule(span=1)
    assert rule.apply(Model(), X)["b"] == 20.0
    assert rule.apply(make_pipeline(Model()), X)["b"] == 20.0
    assert rule.max_life is None
    # The rule's own comes first.
    assert MaintenanceRule(span=1, max_life=9000).apply(Model(), X) == {"b": 0.0, "a": 0.0}


def test_max_life_is_found_inside_ensembles_and_searches():
    X, y = np.zeros((20, 2)), 10.0 * np.arange(20)[::-1]
    short = make_pipeline(DummyRUL())
    long = make_pipeline(FunctionTransformer(), FunctionTransformer(), DummyRUL())
    ensemble = VotingRegressor([("short", short), ("long", long)])
    assert find_max_life(ensemble.fit(X, y)) == 190
    search = GridSearchCV(ensemble, {"weights": [None]}, cv=2)
    assert find_max_life(search.fit(X, y)) == 190


def test_max_life_of_a_transformed_target_is_in_seconds_or_has_to_be_given():
    X, y = np.zeros((20, 2)), 10.0 * np.arange(20)[::-1]
    model = TransformedTargetRegressor(DummyRUL(), transformer=RULIndex()).fit(X, y)
    assert model.regressor_.max_life_ == 1
    assert find_max_life(make_pipeline(model)) == 190
    scaled = TransformedTargetRegressor(DummyRUL(), func=np.sqrt, inverse_func=np.square).fit(X, y)
    with pytest.raises(ValueError, match="TransformedTargetRegressor has no max_life_; pass max_"):
        find_max_life(scaled)


def test_ema_takes_spans_of_any_width_and_ruls_of_any_size():
    np.testing.assert_array_equal(ema(RUL, span=np.uint8(255)), ema(RUL, span=255))
    huge = [1.7e308, -1.7e308, 1.7e308]
    np.testing.assert_allclose(ema(huge, span=3), np.multiply([1, 0, 0.5], 1.7e308), atol=1e293)


def test_a_rule_takes_runs_in_a_list():
    X = Bunch(runs=["b"] * 4 + ["a"] * 3, time=TIME.tolist())
    assert MaintenanceRule(span=1, max_life=2000).replacement_times(RUL, X)["b"] == 20.0


def test_rules_clone_and_pickle():
    rule = MaintenanceRule(0.2, span=5, max_life=100.0)
    for copy in (clone(rule), pickle.loads(pickle.dumps(rule))):
        assert copy.get_params() == rule.get_params()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rul": []}, "at least 1 window"),
        ({"rul": [1.0, np.nan]}, "rul contains NaN"),
        ({"rul": [1.0, np.inf]}, "rul contains infinity"),
        ({"rul": np.array(["2020-01-01"], "M8[s]")}, "rul must be real numbers"),
        ({"rul": ["long"]}, "rul must be real numbers"),
        ({"rul": [1j]}, "rul must be real numbers"),
        ({"rul": [1.0, 2.0], "runs": [0]}, "2 windows"),
        ({"rul": [1.0, 2.0, 3.0], "runs": [0, 1, 0]}, "interleaved"),
        ({"rul": [1.0], "span": 0}, "span=0 must be finite and at least 1"),
    ],
)
def test_ema_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        ema(**arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": TIME[:3]}, "time has shape"),
        ({"time": np.full(7, np.nan)}, "time contains NaN"),
        ({"rul": np.ones((2, 7))}, "give one RUL per window"),
        ({"time": TIME.astype(complex)}, "time in s must be real numbers"),
        ({"time": TIME[::-1]}, "time falls within run b; sort rows by run, then by time"),
        ({"max_life": 0}, "max_life=0"),
        ({"max_life": np.inf}, "max_life=inf"),
        ({"threshold": 1.5}, "threshold=1.5"),
        ({"threshold": -0.1}, "threshold=-0.1"),
        ({"span": 0.5}, "span=0.5"),
    ],
)
def test_replacement_time_refuses(change, message):
    arguments = {"rul": RUL, "runs": RUNS, "time": TIME, "max_life": 2000} | change
    with pytest.raises(ValueError, match=message):
        replacement_time(**arguments)


def test_a_rule_without_max_life_is_refused(X):
    with pytest.raises(ValueError, match=r"max_life is None; pass max_life=model\.max_life_"):
        MaintenanceRule().decide(RUL, RUNS)
    with pytest.raises(ValueError, match="max_life is None"):
        MaintenanceRule().replacement_times(RUL, X)


def test_a_model_without_max_life_is_refused(X):
    class Plain:
        def predict(self, X):
            return RUL

    with pytest.raises(ValueError, match="Plain has no max_life_"):
        MaintenanceRule().apply(Plain(), X)


def test_sequences_without_time_are_refused():
    X = RunSequences.from_runs(np.zeros((7, 1)), RUNS, n_steps=2)
    with pytest.raises(ValueError, match="pass time="):
        MaintenanceRule(max_life=2000).replacement_times(RUL, X)
