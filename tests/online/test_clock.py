"""Windows that are late, repeated, missing or of no use."""

import copy
import logging
from itertools import product

import numpy as np
import pytest
from _online_runs import (
    CONSTANT,
    IN_RUN,
    N_STEPS,
    RULE,
    TIME,
    WINDOWS,
    Quietness,
    X,
    Y,
    features,
    flat,
    network,
    run,
)
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skprog.decision import MaintenanceRule
from skprog.estimators import CnnLstmRUL, DummyRUL
from skprog.online import OnlineRUL, _streaming
from skprog.online._parts import EncodingsPart, StatesPart
from skprog.online._streaming import leaves, take_apart
from skprog.preprocessing import (
    FrequencyMaxPool,
)
from skprog.sequences import RunSequences


@pytest.fixture
def online(fitted):
    """Three windows into a run, at 0, 10 and 20 s."""
    online = OnlineRUL(fitted("network"), RULE)
    run(online, WINDOWS[:3], TIME[:3])
    return online


@pytest.mark.parametrize(
    ("window", "time", "kind", "problem"),
    [
        (None, 30.0, "missing", "the window at 30.0 s has not come"),
        (None, None, "missing", "window 4 has not come"),
        (WINDOWS[3], 15.0, "late", "the window at 15.0 s comes after that of 20.0 s"),
        (WINDOWS[3], 20.0, "repeated", "the window at 20.0 s has come before"),
        (np.full((2, 64), np.nan), 30.0, "invalid", "the window at 30.0 s holds NaN or infinity"),
        (np.full((2, 64), np.inf), 30.0, "invalid", "holds NaN or infinity"),
        (
            np.full((2, 64), 1e30) * [[1], [-1]] * np.sin(np.arange(64)),
            30.0,
            "invalid",
            "of no use",
        ),
    ],
)
def test_a_bad_window_is_reported_and_survived(online, caplog, window, time, kind, problem):
    last = online.last
    with caplog.at_level(logging.WARNING, "skprog.online"):
        assert online.update(window, time) == last
    assert problem in online.problem
    assert online.problem.startswith(f"{kind}: ")
    assert caplog.messages == [online.problem]
    assert online.counts == {**dict.fromkeys(online.counts, 0), kind: 1}
    assert online.n_windows == 3
    rest = [online.update(*pair) for pair in zip(WINDOWS[3:], TIME[3:] + 10, strict=True)]
    expected = OnlineRUL(online.pipeline, RULE)
    assert rest == run(expected)[3:]
    assert online.problem is None


def test_without_times_equal_values_are_a_repetition(fitted):
    online = OnlineRUL(fitted("network"), RULE)
    for window in WINDOWS[:3]:
        first = online.update(window)
        assert online.update(window.copy()) is first
    assert online.counts["repeated"] == 3
    assert online.problem == "repeated: window 4 has the values of the one before"
    assert online.n_windows == 3


def test_a_gap_in_time_is_reported_and_the_window_after_it_taken(online, caplog):
    with caplog.at_level(logging.WARNING, "skprog.online"):
        online.update(WINDOWS[6], 60.0)
    assert online.problem == "missing: 3 of the windows before 60.0 s"
    assert caplog.messages == [online.problem]
    assert online.counts["missing"] == 3
    assert online.n_windows == 4
    windows, time = WINDOWS[[0, 1, 2, 6]], TIME[[0, 1, 2, 6]]
    batch = RunSequences.from_runs(windows, np.zeros(4), n_steps=N_STEPS, time=time)
    np.testing.assert_allclose(
        online.last.rul, online.pipeline.predict(batch)[-1], rtol=0, atol=1e-6 * Y.max()
    )


def test_what_was_heard_of_once_is_not_missing_again(online):
    online.update(None, 30.0)
    online.update(np.full((2, 64), np.nan), 40.0)
    online.update(WINDOWS[5], 50.0)
    assert online.counts == {"missing": 1, "late": 0, "repeated": 0, "invalid": 1}


def test_a_clock_that_jumped_ahead_by_mistake_leaves_no_trace(online):
    online.update(None, 1000.0)
    online.update(WINDOWS[3], 30.0)
    online.update(WINDOWS[4], 40.0)
    online.update(WINDOWS[6], 60.0)
    assert online.counts == {"missing": 2, "late": 0, "repeated": 0, "invalid": 0}


def test_a_time_far_ahead_by_mistake_is_set_back(online, caplog):
    online.update(WINDOWS[3], 1e6)
    last = online.last
    for i in (4, 5):
        assert online.update(WINDOWS[i], TIME[i]) == last
    with caplog.at_level(logging.WARNING, "skprog.online"):
        rest = [online.update(WINDOWS[6], TIME[6])]
    assert online.problem == (
        "late: 2 windows before the window at 60.0 s came after that of 1000000.0 s, whose time "
        "seems a mistake; the clock is set back"
    )
    assert caplog.messages[-1] == online.problem
    rest += run(online, WINDOWS[7:], TIME[7:])
    assert online.problem is None
    assert online.counts["late"] == 2
    taken = [0, 1, 2, 3, *range(6, len(WINDOWS))]
    expected = OnlineRUL(online.pipeline, RULE)
    assert rest == run(expected, WINDOWS[taken], TIME[taken])[4:]


@pytest.mark.parametrize("place", range(1, 6))
def test_the_age_is_right_again_after_a_time_far_ahead(place):
    times = np.where(np.arange(9) == place, 1000.0, TIME[:9])
    online = OnlineRUL(DummyRUL().fit(X, Y), RULE)
    run(online, WINDOWS[:9], times)
    expected = OnlineRUL(online.pipeline, RULE)
    assert online.last.rul == run(expected, WINDOWS[:9], TIME[:9])[-1].rul


def test_a_gap_while_the_clock_was_wrong_is_counted(online):
    online.update(WINDOWS[3], 1e6)
    n_missing = online.counts["missing"]
    for time in (40.0, 50.0, 90.0, 100.0, 130.0):
        online.update(WINDOWS[4], time)
        if time == 90.0:
            assert "set back; missing: 3 of" in online.problem
    assert online.counts["missing"] == n_missing + 3 + 2
    assert online.counts["late"] == 2


@pytest.mark.parametrize(
    "times",
    [
        (30, 40, 1010),
        (30, 40, 40, 30),
        (90, 80, 70, 60, 50, 40, 30),
        (30, 40, 1010, 50, 60, 1020, 80, 90),
        (50, 60, 30, 40, 30),
    ],
)
def test_fewer_than_three_late_windows_in_order_do_not_set_the_clock_back(online, times):
    online.update(WINDOWS[3], 1000.0)
    for time in times:
        online.update(WINDOWS[4], float(time))
    n_taken = sum(time > 1000 for time in times)
    assert online.n_windows == 4 + n_taken
    assert online.counts["late"] == len(times) - n_taken


@given(st.lists(st.floats(10, 20), min_size=2, max_size=30), st.data())
def test_one_time_far_ahead_costs_two_windows(steps, data):
    times = np.cumsum(steps)
    place = data.draw(st.integers(0, len(times) - 1))
    sent = times.copy()
    sent[place] = data.draw(st.floats(times[-1] + 1, 1e9))
    online = OnlineRUL(CONSTANT, RULE)
    for time in sent:
        online.update(WINDOWS[0], time)
    assert online.n_windows == place + 1 + max(0, len(times) - place - 3)
    assert online.counts["late"] == min(2, len(times) - place - 1)


@given(st.lists(st.floats(1, 1000), min_size=2, max_size=30), st.data())
def test_a_stream_sent_again_leaves_the_age_right_in_the_end(steps, data):
    times = np.cumsum(steps)
    start = data.draw(st.integers(0, len(times)))
    model = DummyRUL().fit(X, Y)
    once, twice = (OnlineRUL(model, RULE) for _ in range(2))
    for time in [*times, times[-1] + 1]:
        once.update(WINDOWS[0], time)
    for time in [*times, *times[start:], times[-1] + 1]:
        twice.update(WINDOWS[0], time)
    assert twice.last.rul == once.last.rul
    assert twice.counts["late"] == min(2, max(0, len(times) - start - 1))


def test_late_windows_sent_twice_count_once(online):
    for time in (1e6, 30, 30, 40, 40, 50, 50, 60):
        online.update(WINDOWS[3], float(time))
    assert online.n_windows == 3 + 3
    assert online.counts["repeated"] == 1


def test_a_jump_is_set_back_after_many_windows(online):
    times = [*(3600.0 + 10 * i for i in range(40) if i % 4), *(30.0 + 10 * i for i in range(10))]
    for time in times:
        online.update(WINDOWS[0], time)
    assert online.n_windows == 3 + 30 + 8


@pytest.mark.parametrize(("times", "n_missing"), [((60,), 3), ((30, 60), 2), ((30, 40, 60), 1)])
def test_what_is_missing_before_a_notice_is_counted_too(online, times, n_missing):
    online.update(None, 50.0)
    for time in times:
        online.update(WINDOWS[3], float(time))
    assert online.counts["missing"] == n_missing


def test_what_was_heard_of_ahead_of_its_turn_is_not_missing_again(online):
    online.update(None, 40.0)
    online.update(WINDOWS[3], 30.0)
    online.update(None, 40.0)
    online.update(WINDOWS[5], 50.0)
    assert online.counts == {"missing": 1, "late": 0, "repeated": 1, "invalid": 0}


def test_the_age_goes_on_when_a_clock_that_was_always_ahead_is_set_right():
    online = OnlineRUL(DummyRUL().fit(X, Y), RULE)
    for i in range(10):
        online.update(WINDOWS[0], 3600.0 + 10 * i)
    rul = online.last.rul
    for i in range(10, 13):
        online.update(WINDOWS[0], 10.0 * i)
    assert online.last.rul == rul - 30


def test_what_is_heard_in_time_ends_what_came_late(online):
    online.update(WINDOWS[3], 1000.0)
    run(online, WINDOWS[4:6], TIME[4:6])
    online.update(None, 1010.0)
    run(online, WINDOWS[6:8], TIME[6:8])
    assert online.n_windows == 4


def test_a_notice_far_ahead_by_mistake_does_not_outlive_the_next_window(online):
    online.update(None, 1e6)
    online.update(WINDOWS[3], 30.0)
    online.update(None, 40.0)
    online.update(WINDOWS[5], 50.0)
    assert online.counts == {"missing": 2, "late": 0, "repeated": 0, "invalid": 0}


def test_a_state_remembers_what_came_late(online):
    online.update(WINDOWS[3], 1e6)
    run(online, WINDOWS[4:6], TIME[4:6])
    restored = OnlineRUL(online.pipeline, RULE).load_state_dict(online.state_dict())
    assert run(restored, WINDOWS[6:], TIME[6:]) == run(online, WINDOWS[6:], TIME[6:])
    assert restored.n_windows == online.n_windows == len(WINDOWS) - 2


def test_a_window_sent_again_after_it_came_damaged_is_taken(online):
    online.update(np.full((2, 64), np.nan), 30.0)
    online.update(WINDOWS[3], 30.0)
    assert online.n_windows == 4
    assert online.problem is None


@pytest.mark.parametrize("pad", [True, False])
def test_a_prediction_that_is_nan_leaves_the_alarm_at_work(caplog, pad):
    model = Quietness().fit(X, Y)
    online = OnlineRUL(model, MaintenanceRule(0.4, span=2), pad=pad)
    before = run(online, WINDOWS[:2], TIME[:2])[-1]
    loud = np.full_like(WINDOWS[0], 200)
    with caplog.at_level(logging.WARNING, "skprog.online"):
        assert online.update(loud, 20.0) == before
    assert online.problem == "invalid: the window at 20.0 s makes the RUL nan"
    assert online.counts["invalid"] == 1
    others = np.concatenate([WINDOWS[3:9], np.full_like(WINDOWS[:4], 99)])
    updates = run(online, others, 10.0 * np.arange(3, 13))
    expected = OnlineRUL(model, MaintenanceRule(0.4, span=2), pad=pad)
    run(expected, WINDOWS[:2], TIME[:2])
    np.testing.assert_equal(updates, run(expected, others, 10.0 * np.arange(3, 13)))
    assert updates[-1].decision


def test_a_first_prediction_that_is_nan_is_no_error():
    online = OnlineRUL(Quietness().fit(X, Y))
    assert np.isnan(online.update(np.full_like(WINDOWS[0], 200), 0.0).rul)
    assert online.counts["invalid"] == 1
    assert online.update(WINDOWS[0], 10.0).rul > 0


SINE = (np.sin(np.arange(64)) * [[1], [-1]]).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        *product(["network", "recipe", "regressor on features"], [1e30, 1e300]),
        # It takes any float32.
        ("dummy", 1e300),
    ],
)
@pytest.mark.parametrize("position", [0, 1, 7])
def test_values_that_overflow_are_invalid_at_any_position(fitted, name, position, scale):
    params = {"n_steps": N_STEPS, "context": {"condition": 1}}
    online = OnlineRUL(fitted(name), RULE, **params)
    run(online, WINDOWS[:position], TIME[:position])
    last = online.last
    np.testing.assert_equal(online.update(scale * SINE.astype(float), TIME[position]), last)
    assert online.counts == {"missing": 0, "late": 0, "repeated": 0, "invalid": 1}
    assert online.n_windows == position
    rest = run(online, WINDOWS[position:], TIME[position:] + 10)
    expected = OnlineRUL(fitted(name), RULE, **params)
    run(expected, WINDOWS[:position], TIME[:position])
    assert rest == run(expected, WINDOWS[position:], TIME[position:] + 10)


@pytest.mark.parametrize("position", [0, 1, 7])
@pytest.mark.parametrize("pad", [True, False])
def test_a_foreign_step_that_overflows_makes_the_window_invalid(pad, position):
    def cubes(X):
        with np.errstate(over="ignore"):
            return flat(np.abs(np.asarray(X)[:, -1]) ** 3)

    model = make_pipeline(FunctionTransformer(cubes), LinearRegression()).fit(X, Y)
    online = OnlineRUL(model, RULE, n_steps=N_STEPS, pad=pad)
    run(online, WINDOWS[:position], TIME[:position])
    online.update(1e30 * SINE, TIME[position])
    assert "has values of no use: Input X contains infinity" in online.problem
    assert online.counts["invalid"] == 1
    run(online, WINDOWS[position:], TIME[position:] + 10)
    assert online.counts["invalid"] == 1
    assert np.isfinite(online.last.rul)


def test_a_context_that_is_lacking_is_an_error_at_the_first_window(fitted):
    online = OnlineRUL(fitted("dummy"), RULE)
    with pytest.raises(ValueError, match=r"needs X\.context"):
        online.update(WINDOWS[0], 0.0)


@pytest.mark.parametrize(
    ("times", "n_missing"),
    [
        # None stands for a window reported missing without a time.
        ([0, 10, None, 30], 1),
        ([0, 10, None, None, 40, 50], 2),
        ([0, 10, None, 50], 3),
        ([0, None, 20, 30, 50], 2),
        ([None, 10, 20, 30], 1),
        ([0, 10, None, 30, None, 50], 2),
        ([0.3, 0.1 + 0.2, 10.3, 20.3, 40.3], 1),
        ([0, 10, 20, 20 + 1e-9, 30, 40, 60], 1),
        ([0, 1e-310, 10, 20, 30], 0),
        ([0, 5e-324, 1e-323, 10, 20, 30], 0),
        ([0, None, 5e-324, 1e-323, 10], 1),
        ([0, 10, 10.001, 20, 20.001, 30, 40, 60], 1),
        ([0, 10, 20, 30, 100_030, 100_040], 9_999),
        ([-8e307, 8e307, 8.1e307], 0),
        ([0, 10, 20, 1_000_020], 99_999),
    ],
)
def test_what_is_missing_is_counted_once(times, n_missing):
    online = OnlineRUL(DummyRUL("constant", constant=5).fit(X, Y), RULE)
    for i, time in enumerate(times):
        online.update(None if time is None else WINDOWS[i], time)
    assert online.counts == {"missing": n_missing, "late": 0, "repeated": 0, "invalid": 0}


def test_a_window_reported_missing_without_a_time_is_remembered_by_the_state(fitted):
    online = OnlineRUL(fitted("network"), RULE)
    run(online, WINDOWS[:2], TIME[:2])
    online.update(None)
    restored = OnlineRUL(fitted("network"), RULE).load_state_dict(online.state_dict())
    restored.update(WINDOWS[3], 30.0)
    assert restored.counts["missing"] == 1


def test_a_tiny_period_is_no_error(fitted):
    online = OnlineRUL(fitted("network"), RULE, period=1e-310)
    run(online, WINDOWS[:2], TIME[:2])
    assert online.counts["missing"] == 10**9 - 1


def test_a_period_given_finds_the_first_gap_too(fitted):
    online = OnlineRUL(fitted("network"), RULE, period=10)
    run(online, WINDOWS[:2], [0.0, 20.0])
    assert online.counts["missing"] == 1


def test_jitter_is_no_gap(fitted):
    online = OnlineRUL(fitted("network"), RULE)
    run(online, WINDOWS[:5], [0.0, 9.0, 20.0, 33.0, 42.5])
    assert online.counts["missing"] == 0


@pytest.mark.parametrize(
    ("window", "time", "error", "match"),
    [
        (WINDOWS[3][:1], 30.0, ValueError, r"shape \(1, 64\) but those before have \(2, 64\)"),
        (WINDOWS[3:5], 30.0, ValueError, "give one window at a time"),
        (WINDOWS[3].T, 30.0, ValueError, r"shape \(64, 2\)"),
        ([[1.0, 2.0], [1.0]], 30.0, ValueError, "channels of unequal length"),
        ([["a"] * 64] * 2, 30.0, ValueError, "dtype <U1"),
        (WINDOWS[3] * 1j, 30.0, ValueError, "dtype complex64"),
        (WINDOWS[3], None, ValueError, "time=None but earlier windows of this run came with one"),
        (WINDOWS[3], np.nan, ValueError, "time=nan must be finite"),
        (WINDOWS[3], "now", TypeError, "time='now' must be a number"),
    ],
)
def test_wrong_arguments_are_errors_that_change_nothing(online, window, time, error, match):
    with pytest.raises(error, match=match):
        online.update(window, time)
    assert online.counts == dict.fromkeys(online.counts, 0)
    assert run(online, WINDOWS[3:], TIME[3:]) == run(OnlineRUL(online.pipeline, RULE))[3:]


def test_time_after_windows_without_is_an_error(fitted):
    online = OnlineRUL(fitted("network"), RULE)
    online.update(WINDOWS[0])
    with pytest.raises(ValueError, match="came without one; give a time in s for all"):
        online.update(WINDOWS[1], 10.0)


def test_a_first_window_of_a_wrong_shape_is_an_error(fitted):
    for window, match in ((WINDOWS[0][:1], "n_channels=1"), (WINDOWS[0][:, :32], "n_timepoints")):
        online = OnlineRUL(fitted("network"), RULE)
        with pytest.raises(ValueError, match=match):
            online.update(window)
        assert online.n_windows == 0
    bare = OnlineRUL(network(n_conv_layers=0).fit(np.zeros((9, 4, 3)), np.arange(9.0)))
    with pytest.raises(ValueError, match=r"shape \(2,\) where the network was fitted on \(3,\)"):
        bare.update([1.0, 2.0])


def test_a_transformer_that_is_derived_is_given_every_window(fitted):
    class Louder(FrequencyMaxPool):
        def transform(self, X):
            return super().transform(X).map(lambda S: S + 1)

    model = make_pipeline(*features()[:2], Louder(2), network()).fit(X, Y)
    rul = [update.rul for update in run(OnlineRUL(model, RULE, n_steps=N_STEPS))]
    np.testing.assert_allclose(rul, model.predict(X[IN_RUN]), rtol=0, atol=1e-6 * Y.max())


@pytest.mark.parametrize("window_shape", [(), (3,)])
@pytest.mark.parametrize("n_steps", [1, 4])
@pytest.mark.parametrize("amp", [None, "bf16"])
def test_vectors_and_single_numbers_are_windows_too(amp, n_steps, window_shape):
    rng = np.random.default_rng(0)
    values = rng.standard_normal((30, n_steps, *window_shape))
    model = network(amp=amp).fit(values, np.arange(30.0))
    run_of_values = rng.standard_normal((10, *window_shape)).astype(np.float32)
    X = RunSequences.from_runs(run_of_values, np.zeros(10), n_steps=n_steps)
    online = OnlineRUL(model)
    rul = [online.update(window).rul for window in run_of_values]
    np.testing.assert_allclose(rul, model.predict(X), rtol=0, atol=1e-6 * 29)


def test_a_loud_window_is_forgotten_after_the_sequences_that_hold_it(fitted):
    windows = WINDOWS.copy()
    windows[6] *= 1e12
    expected = fitted("network").predict(
        RunSequences.from_runs(windows, np.zeros(len(windows)), n_steps=N_STEPS)
    )
    rul = [update.rul for update in run(OnlineRUL(fitted("network"), RULE), windows)]
    np.testing.assert_allclose(rul, expected, rtol=0, atol=1e-6 * Y.max())
    quiet = [update.rul for update in run(OnlineRUL(fitted("network"), RULE))]
    assert rul[6] != quiet[6]
    assert rul[6 + N_STEPS :] == quiet[6 + N_STEPS :]


@pytest.mark.parametrize("shape", [(20,), (1, 84, 25), (3, 84, 25)])
def test_loud_windows_are_rounded_as_in_a_batch(shape):
    rng = np.random.default_rng(0)
    age = np.linspace(0, 1, 50).reshape(-1, *[1] * len(shape))
    windows = (0.3 * rng.standard_normal((50, *shape)) + 3 * age).astype(np.float32)
    X = RunSequences.from_runs(windows, np.zeros(50))
    model = CnnLstmRUL(max_epochs=4, lr=3e-3, random_state=0).fit(X, np.arange(50.0)[::-1])
    for loudness in (1, 100, 300, 1000):
        loud = np.float32(loudness) * windows
        online = OnlineRUL(model)
        rul = [online.update(window).rul for window in loud]
        expected = model.predict(RunSequences.from_runs(loud, np.zeros(50)))
        np.testing.assert_allclose(rul, expected, rtol=0, atol=1e-6 * 49)


@pytest.mark.parametrize(("amp", "kept"), [(None, StatesPart), ("bf16", EncodingsPart)])
def test_states_are_kept_where_they_are_exact(amp, kept):
    parts = take_apart(make_pipeline(*features(), network(amp=amp)).fit(X, Y))
    assert [type(leaf) for leaf in leaves(parts)] == [kept]


@pytest.mark.parametrize("name", ["network", "warm start", "votes", "conformal first", "search"])
def test_a_model_fitted_again_in_mid_run_changes_nothing(fitted, name):
    if name == "warm start":
        model = make_pipeline(*features(), network(warm_start=True)).fit(X, Y)
    else:
        model = copy.deepcopy(fitted(name))
    expected = run(OnlineRUL(model, RULE))
    online = OnlineRUL(model, RULE)
    run(online, WINDOWS[:7], TIME[:7])
    model.fit(X, np.minimum(Y, Y.max() / 3))
    again = OnlineRUL(model, RULE)
    with pytest.raises(ValueError, match="another model"):
        again.load_state_dict(online.state_dict())
    assert run(online, WINDOWS[7:], TIME[7:]) == expected[7:]
    assert run(again)[-1] != expected[-1]
    assert run(online.reset()) == expected


def test_preprocessing_fitted_again_in_mid_run_changes_nothing(fitted):
    model = copy.deepcopy(fitted("network"))
    expected = run(OnlineRUL(model, RULE))
    online = OnlineRUL(model, RULE)
    run(online, WINDOWS[:7], TIME[:7])
    model[1].set_params(fs=128).fit(X)
    assert run(online, WINDOWS[7:], TIME[7:]) == expected[7:]


@pytest.mark.parametrize("n_windows", [3, 7])
@pytest.mark.parametrize("to_gpu", [True, False])
def test_a_state_from_a_gpu_is_not_for_a_cpu(fitted, monkeypatch, n_windows, to_gpu):
    on_cpu = OnlineRUL(fitted("network"), RULE)
    # As take_apart has it for a network on a GPU.
    monkeypatch.setattr(_streaming, "StatesPart", EncodingsPart)
    on_gpu = OnlineRUL(fitted("network"), RULE)
    source, target = (on_cpu, on_gpu) if to_gpu else (on_gpu, on_cpu)
    run(source, WINDOWS[:n_windows], TIME[:n_windows])
    with pytest.raises(ValueError, match="a network on a GPU keeps others than one on a CPU"):
        target.load_state_dict(source.state_dict())
