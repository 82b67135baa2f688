"""What a run is: ids, borders, time and order."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skprog._runs import (
    all_one_run,
    check_falls,
    check_ids,
    check_runs,
    check_time,
    run_bounds,
    run_starts,
)

RUNS = np.array(["b", "b", "a", "c", "c"])


@pytest.mark.parametrize(
    "runs", [[], [3], ["b", "b", "a"], [2, 2, 1, 0], [True, False], [1.5, 0.5], ("1_1", "1_2")]
)
def test_whole_runs_in_any_order_pass(runs):
    assert check_runs(runs, len(runs)).tolist() == list(runs)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), min_size=1, max_size=8))
def test_runs_pass_when_and_only_when_none_comes_back(blocks):
    runs = np.repeat(*np.transpose(blocks))
    seen = [run for run, before in zip(runs, [None, *runs[:-1]], strict=True) if run != before]
    if len(seen) == len(set(seen)):
        np.testing.assert_array_equal(check_runs(runs, len(runs)), runs)
    else:
        first = min(run for run in seen if seen.count(run) > 1)
        with pytest.raises(ValueError, match=f"interleaved: run {first} starts more than once"):
            check_runs(runs, len(runs))


@pytest.mark.parametrize(
    "kind", [np.array, list, pd.Series, pd.Categorical, lambda runs: np.array(runs, dtype=object)]
)
def test_interleaved_run_ids_are_named_as_the_user_wrote_them(kind):
    message = r"^runs are interleaved: run 1_2 starts more than once; sort the windows by run, then"
    with pytest.raises(ValueError, match=message):
        check_runs(kind(["1_2", "1_1", "1_2"]), 3)


@pytest.mark.parametrize(
    "runs",
    [
        [1.0, np.nan, 2.0],
        [np.nan] * 3,
        [None] * 3,
        ["a", None, "b"],
        np.array(["a", np.nan, "b"], dtype=object),
        np.array([1, "a", "a"], dtype=object),
        pd.Series(["a", pd.NA, "b"], dtype="string"),
        [1, 1, "1"],
        ("a", "a", np.nan),
        np.array(["2020-01-01", "NaT", "2020-01-02"], dtype="datetime64[D]"),
    ],
)
def test_missing_or_mixed_run_ids_are_refused(runs):
    with pytest.raises(ValueError, match=r"^runs has missing or mixed ids; give ids of one type"):
        check_runs(runs, 3)


def test_run_ids_that_are_none_or_masked_are_refused():
    with pytest.raises(ValueError, match=r"^runs is None; give one id per window\.$"):
        check_runs(None, 4)
    with pytest.raises(ValueError, match="runs has masked ids; fill them or drop"):
        check_runs(np.ma.array([0, 0, 1, 1], mask=[0, 0, 0, 1]), 4)


@pytest.mark.parametrize("runs", [[0] * 3, [[0]] * 4, "aaaa", 5])
def test_run_ids_of_another_shape_are_refused(runs):
    with pytest.raises(ValueError, match=r"runs has shape .* but there are 4 windows; give one"):
        check_runs(runs, 4)


def test_ids_may_come_back_where_rows_need_no_order():
    assert check_ids("groups", [1, 0, 1], 3).tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match=r"^groups has shape \(2,\) but there are 3 rows"):
        check_ids("groups", [1, 0], 3)


def test_a_run_begins_where_its_id_does():
    assert run_starts(RUNS).tolist() == [0, 2, 3]
    assert run_bounds(RUNS) == [(0, 2), (2, 3), (3, 5)]
    assert run_starts(RUNS[:0]).tolist() == []


def test_no_ids_make_all_windows_one_run():
    assert run_bounds(all_one_run(None, 4)) == [(0, 4)]
    assert all_one_run(["a", "b"], 2).tolist() == ["a", "b"]


def test_time_may_stand_still_and_begin_anew_with_a_run():
    assert check_time([3, 3, 0, 1, 2], RUNS).dtype == np.float64


@pytest.mark.parametrize(
    ("time", "message"),
    [
        ([0, 1, 2, 3], r"^time has shape \(4,\) but there are 5 windows; give one time in s"),
        ([0, 1, np.nan, 0, 1], r"^Input time contains NaN \(first in row 2\)"),
        ([1, 0, 0, 0, 1], "^time falls within run b; sort rows by run, then by time"),
    ],
)
def test_times_that_are_none_are_refused(time, message):
    with pytest.raises(ValueError, match=message):
        check_time(time, RUNS)


def test_rul_stays_or_falls_within_a_run():
    check_falls("y", np.array([2, 1, 9, 5, 5]), RUNS)
    message = r"y rises within run c, from 4 to 5 s, .* give each life a run id of its own"
    with pytest.raises(ValueError, match=message):
        check_falls("y", np.array([2, 1, 9, 4, 5]), RUNS)


CAPPED = np.minimum(10.0 * np.arange(100)[::-1], 500.0)
WHOLE = 10.0 * np.arange(100)[::-1]


@pytest.mark.parametrize(
    "rul",
    [
        WHOLE,
        CAPPED,
        WHOLE + 10,  # ends a step before the failure
        WHOLE + 3000,  # stopped long before
        np.full(100, 500.0),  # all capped
        np.maximum(WHOLE - 300, 0),  # runs on after its failure
        np.round(WHOLE / 60) * 60,  # in whole minutes
        np.maximum(WHOLE - 7, 0),  # logged late
    ],
)
def test_rul_that_falls_as_time_rises_passes(rul):
    time = 1e6 + 10.0 * np.arange(100)
    for rows in (slice(None), slice(None, None, 7), [0, 99]):
        check_falls("y", rul[rows], np.zeros(100)[rows], time[rows])


@pytest.mark.parametrize(
    ("rul", "fall"),
    [
        (WHOLE / 60, "falls by 16.5 within run 0.0 while time rises by 990 s"),  # minutes
        (np.arange(100.0)[::-1], "falls by 99 within"),  # cycles
        (CAPPED / 3600, "falls by 0.138889 within run 0.0 while time rises by 500 s"),
        (WHOLE * 1000, "falls by 990000 within"),  # ms
        (np.sqrt(WHOLE), "falls by 31.46"),
    ],
)
def test_rul_in_other_units_than_time_is_refused(rul, fall):
    with pytest.raises(ValueError, match=fall):
        check_falls("y", rul, np.zeros(100), 10.0 * np.arange(100))


@given(st.lists(st.floats(1, 20), min_size=3, max_size=40), st.data())
def test_any_part_of_a_capped_life_passes(steps, data):
    time = np.cumsum(steps)
    cap = data.draw(st.floats(1, time[-1]))
    rows = sorted(data.draw(st.sets(st.integers(0, len(time) - 1), min_size=1)))
    check_falls("y", np.minimum(time[-1] - time, cap)[rows], np.zeros(len(rows)), time[rows])
