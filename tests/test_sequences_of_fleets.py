"""Sequences of machines in the field: failures, stops, dates, several sets of runs."""

import pickle
from datetime import UTC, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import LeaveOneGroupOut

from skprog.estimators import ConformalRUL, DummyRUL
from skprog.sequences import RunSequences

RUNS = np.repeat(["b", "a", "c"], [3, 4, 2])
WINDOWS = np.arange(9.0)[:, None] + np.zeros(2)
TIME = np.concatenate([10.0 * np.arange(n) for n in (3, 4, 2)])


def sequences(**params):
    """Return the sequences of three runs."""
    return RunSequences.from_runs(WINDOWS, RUNS, **{"n_steps": 3, "time": TIME, **params})


@pytest.mark.parametrize("failed", [[True, False, True], {"a": False, "b": True, "c": True}])
def test_failures_go_with_their_rows(failed):
    X = sequences(failed=failed)
    np.testing.assert_array_equal(X.failed, X.runs != "a")
    for key in (slice(2, 7), np.arange(8, 0, -1), X.runs == "a"):
        np.testing.assert_array_equal(X[key].failed, X.failed[key])
    np.testing.assert_array_equal(X.map(np.sqrt).failed, X.failed)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(X)).failed, X.failed)
    assert sequences().failed is None
    assert sequences()[:4].failed is None


def test_ids_of_several_parts_become_text():
    ids = pd.MultiIndex.from_arrays([np.array(["x", "y", "y"]).repeat([3, 4, 2]), RUNS])
    failed = {("x", "b"): False, ("y", "a"): True, ("y", "c"): True}
    X = RunSequences.from_runs(WINDOWS, ids, n_steps=3, failed=failed)
    assert list(dict.fromkeys(X.runs.tolist())) == ["x, b", "y, a", "y, c"]
    np.testing.assert_array_equal(X.failed, X.runs != "x, b")
    assert LeaveOneGroupOut().get_n_splits(groups=X.runs) == 3
    assert len(list(LeaveOneGroupOut().split(X, X.ends, X.runs))) == 3
    rul = np.concatenate([10.0 * np.arange(n)[::-1] for n in (3, 4, 2)])
    model = ConformalRUL(DummyRUL("constant", constant=5), coverage=0.5).fit(X, rul)
    assert model.runs_.tolist() == ["x, b", "y, a", "y, c"]
    alike = pd.MultiIndex.from_tuples([("a, b", "c"), ("a", "b, c")])
    with pytest.raises(ValueError, match="alike once joined"):
        RunSequences.from_runs(np.zeros(2), alike)


@pytest.mark.parametrize(
    ("failed", "message"),
    [
        ([True, False], r"failed has dtype bool and shape \(2,\) but there are 3 runs"),
        ([1, 0, 1], "failed has dtype int64"),
        ([None, True, True], "failed has dtype object"),
        (True, r"shape \(\) but there are 3 runs"),
        ({"a": True}, "failed says nothing of run 'b'; give a bool per run"),
    ],
)
def test_failures_that_are_not_told_run_by_run_are_refused(failed, message):
    with pytest.raises(ValueError, match=message):
        sequences(failed=failed)


def test_a_stop_cuts_sequences_and_is_no_running_time():
    time = np.array([0, 10, 20, 30, 90_030, 90_040, 180_000.0])
    X = RunSequences.from_runs(np.arange(7), np.zeros(7), n_steps=3, time=time, max_gap=60)
    np.testing.assert_array_equal(X.age, [0, 10, 20, 30, 30, 40, 40])
    np.testing.assert_array_equal(X.time, time)
    np.testing.assert_array_equal(
        X.index, [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3], [4, 4, 4], [4, 4, 5], [6, 6, 6]]
    )
    unpadded = RunSequences.from_runs(
        np.arange(7), np.zeros(7), n_steps=3, time=time, max_gap=60, pad=False
    )
    np.testing.assert_array_equal(unpadded.index, [[0, 1, 2], [1, 2, 3]])
    with pytest.raises(ValueError, match=r"run 0.0 has 4 windows in a row, fewer than n_steps=5"):
        RunSequences.from_runs(
            np.arange(7), np.zeros(7), n_steps=5, time=time, max_gap=60, pad=False
        )


def test_a_stop_that_nobody_told_of_is_warned_of_once():
    time = np.array([0, 10, 20, 30, 90_030, 90_040, 180_000.0])
    with pytest.warns(UserWarning, match="rises by 90000 s within run 0.0, where 10 s") as caught:
        X = RunSequences.from_runs(np.arange(7), np.zeros(7), n_steps=3, time=time)
    assert len(caught) == 1
    np.testing.assert_array_equal(X.age, time)
    # A few windows missing are no stop, and a step between runs is none.
    sequences(time=np.array([0, 10, 900, 0, 10, 20, 30, 90_000, 90_010.0]))


@given(st.lists(st.floats(0.1, 99), min_size=1, max_size=9))
def test_without_stops_max_gap_changes_nothing(steps):
    time = np.cumsum([0.0, *steps])
    params = {"windows": np.zeros(len(time)), "runs": np.zeros(len(time)), "time": time}
    plain = RunSequences.from_runs(**params, max_gap=1e9)
    cut = RunSequences.from_runs(**params, max_gap=100)
    np.testing.assert_array_equal(cut.age, plain.age)
    np.testing.assert_array_equal(cut.age, time - time[0])
    np.testing.assert_array_equal(cut.index, plain.index)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"max_gap": 60, "time": None}, ValueError, "max_gap=60 needs time"),
        ({"max_gap": 0}, ValueError, "max_gap=0 must be finite and above 0"),
        ({"max_gap": "1d"}, TypeError, "max_gap='1d' must be a number"),
        ({"pad": "no"}, ValueError, "pad='no' is not one of True, False"),
        ({"pad": []}, ValueError, "pad"),
    ],
)
def test_what_is_no_parameter_is_refused(params, error, message):
    with pytest.raises(error, match=message):
        sequences(**params)


DATES = pd.Timestamp("2024-03-31 00:30") + pd.to_timedelta(3600 * np.arange(9), unit="s")
SECONDS = 1711845000.0 + 3600 * np.arange(9)
EAST = timezone(timedelta(hours=5))


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        (DATES, SECONDS),
        (pd.Series(DATES), SECONDS),
        (DATES.to_numpy(), SECONDS),
        (DATES.to_numpy().astype("datetime64[s]"), SECONDS),
        (DATES.tz_localize("UTC").tz_convert("Europe/Paris"), SECONDS),
        (pd.Series(DATES.tz_localize("UTC").tz_convert("Asia/Tokyo")), SECONDS),
        (list(DATES.to_pydatetime()), SECONDS),
        ([d.replace(tzinfo=UTC).astimezone(EAST) for d in DATES.to_pydatetime()], SECONDS),
        (DATES - DATES[0], 3600.0 * np.arange(9)),
        ([timedelta(hours=i) for i in range(9)], 3600.0 * np.arange(9)),
        (np.arange(9).astype("timedelta64[h]"), 3600.0 * np.arange(9)),
    ],
)
def test_dates_are_seconds(time, seconds):
    X = RunSequences.from_runs(np.zeros(9), np.zeros(9), n_steps=2, time=time)
    np.testing.assert_array_equal(X.time, seconds)
    np.testing.assert_array_equal(X.age, seconds - seconds[0])


def test_a_missing_date_is_refused():
    with pytest.raises(ValueError, match="time contains NaN"):
        RunSequences.from_runs(np.zeros(2), np.zeros(2), time=pd.to_datetime(["2024-01-01", None]))
    with pytest.raises(ValueError, match="time falls within run"):
        RunSequences.from_runs(np.zeros(2), np.zeros(2), time=DATES[[1, 0]])


def test_parts_become_one():
    context = {"load": [1.0] * 3 + [2.0] * 4 + [3.0] * 2}
    whole = sequences(context=context, failed=[True, False, True])
    parts = [
        RunSequences.from_runs(
            WINDOWS[rows],
            RUNS[rows],
            n_steps=3,
            time=TIME[rows],
            context={"load": context["load"][rows]},
            failed=[failed],
        )
        for rows, failed in (
            (slice(0, 3), True),
            (slice(3, 7), False),
            (slice(7, 9), True),
        )
    ]
    joined = RunSequences.concatenate(parts)
    np.testing.assert_array_equal(np.asarray(joined), np.asarray(whole))
    for name in ("runs", "ends", "time", "age", "context", "failed"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    assert joined.context_names == ("load",)
    np.testing.assert_array_equal(np.asarray(RunSequences.concatenate(parts[:1])), parts[0])


def test_labels_of_parts_that_hold_all_their_windows_go_by_the_ends():
    rul = np.arange(9.0)
    whole = sequences(pad=False, n_steps=2)
    parts = [whole[whole.runs == run] for run in ("b", "a", "c")]
    own = [
        RunSequences.from_runs(WINDOWS[run == RUNS], RUNS[run == RUNS], n_steps=2, pad=False)
        for run in ("b", "a", "c")
    ]
    np.testing.assert_array_equal(rul[RunSequences.concatenate(own).ends], rul[whole.ends])
    with pytest.raises(ValueError, match="run a is in two parts"):
        RunSequences.concatenate([*parts, parts[1]])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (sequences(n_steps=2), "shape of a sequence"),
        (sequences(time=None), "whether times are known"),
        (sequences(failed=[True] * 3), "whether failures are told"),
        (sequences(context=np.zeros(9)), "columns of context"),
    ],
)
def test_parts_that_differ_are_refused(other, message):
    other.runs = np.char.add(other.runs, "2")
    with pytest.raises(ValueError, match=message):
        RunSequences.concatenate([sequences(), other])


def test_parts_are_sequences():
    with pytest.raises(TypeError, match="give RunSequences"):
        RunSequences.concatenate([sequences(), WINDOWS])
    with pytest.raises(TypeError, match="at least one"):
        RunSequences.concatenate([])


@pytest.mark.parametrize("join", [np.concatenate, np.vstack, np.hstack, np.stack])
def test_joining_by_numpy_is_refused(join):
    X = sequences()
    with pytest.raises(TypeError, match=r"lose runs and times .* RunSequences.concatenate"):
        join([X, X])
    with pytest.raises(TypeError, match=r"np.append would lose"):
        np.append(X, X, axis=0)


def test_other_functions_of_numpy_take_the_stacked_array():
    X = sequences()
    stacked = np.asarray(X)
    assert np.mean(X) == stacked.mean()
    np.testing.assert_array_equal(np.max(X, axis=0), stacked.max(axis=0))
    np.testing.assert_array_equal(np.where(stacked > 1, X, 0), np.where(stacked > 1, stacked, 0))
    np.testing.assert_array_equal(np.full_like(X, 7), np.full_like(stacked, 7))
    assert np.array_equal(X, stacked)
    assert np.shape(X) == X.shape


def test_a_pickle_of_one_run_carries_its_own_windows_alone():
    windows = np.random.default_rng(0).standard_normal((1000, 200))
    X = RunSequences.from_runs(windows, np.repeat(range(100), 10), n_steps=4)
    one = X[X.runs == 7]
    pickled = pickle.dumps(one)
    assert len(pickled) < 10 * windows[0].nbytes + 2000
    copied = pickle.loads(pickled)
    np.testing.assert_array_equal(np.asarray(copied), np.asarray(one))
    np.testing.assert_array_equal(copied.ends, one.ends)
    # Rows that are no block of windows, too.
    scattered = X[[5, 700]]
    np.testing.assert_array_equal(
        np.asarray(pickle.loads(pickle.dumps(scattered))), np.asarray(scattered)
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"age": np.full(2, np.nan)}, "age holds NaN or infinity"),
        ({"time": np.array([0.0, np.inf])}, "time holds NaN or infinity"),
        ({"time": np.zeros(3)}, r"time is float64 of shape \(3,\); give an array of shape \(2,\)"),
        ({"runs": [0, 1]}, r"runs is \[0, 1\]; give an array of shape \(2,\)"),
        ({"ends": np.zeros(2)}, "ends is float64"),
        ({"failed": np.zeros(2)}, "failed is float64"),
        ({"context": np.array([[1.0], [np.nan]])}, "context holds NaN"),
        ({"context": np.zeros((3, 1))}, r"context is float64 of shape \(3, 1\)"),
        ({"index": np.array([[0, 1], [1, 4]])}, "index must be integers .* from 0 to 3"),
        ({"index": np.array([[0, 1], [1, -1]])}, "index must be integers"),
        ({"index": np.zeros((2, 2))}, "index must be integers"),
        ({"index": np.array([0, 1])}, "index must be integers"),
        ({"windows": [1.0, 2.0]}, "windows is a list; give an array"),
    ],
)
def test_sequences_built_by_hand_are_checked(changed, message):
    sound = {
        "windows": np.zeros((4, 3)),
        "index": np.array([[0, 1], [1, 2]]),
        "runs": np.array([0, 0]),
        "ends": np.array([1, 2]),
    }
    assert len(RunSequences(**sound)) == 2
    with pytest.raises(ValueError, match=message):
        RunSequences(**{**sound, **changed})
