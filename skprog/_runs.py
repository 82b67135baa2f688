"""What a run is: ids, where runs begin and end, time and order within them."""

import numpy as np

from ._checks import as_numbers, check_finite


def check_ids(name, ids, n_rows, *, row="row"):
    """Return ids as an array of shape (n_rows,), refusing missing ones and several types."""
    if np.ma.is_masked(ids):
        raise ValueError(f"{name} has masked ids; fill them or drop their {row}s first.")
    # Text beside numbers turns them into text.
    is_mixed = isinstance(ids, list | tuple) and len({isinstance(each, str) for each in ids}) > 1
    ids = np.asarray(ids)
    if ids.shape != (n_rows,):
        raise ValueError(
            f"{name} has shape {ids.shape} but there are {n_rows} {row}s; give one run id per "
            f"{row}."
        )
    try:
        # NaN and NaT differ from themselves; what is mixed has no order.
        is_missing = is_mixed or (ids != ids).any() or None in ids.tolist()
        np.sort(ids[run_starts(ids)])
    except TypeError:
        is_missing = True
    if is_missing:
        raise ValueError(f"{name} has missing or mixed ids; give ids of one type, one per {row}.")
    return ids


def check_runs(runs, n_windows):
    """Return run ids as an array of shape (n_windows,), refusing interleaved runs."""
    if runs is None:
        raise ValueError("runs is None; give one id per window.")
    runs = check_ids("runs", runs, n_windows, row="window")
    ids, counts = np.unique(runs[run_starts(runs)], return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"runs are interleaved: run {ids[counts > 1][0]} starts more than once; "
            "sort the windows by run, then by time."
        )
    return runs


def all_one_run(runs, n_windows):
    """Return checked run ids, (n_windows,); None makes all windows one run."""
    return np.zeros(n_windows, dtype=int) if runs is None else check_runs(runs, n_windows)


def run_starts(runs):
    """Return the row at which each run begins, (n_runs,)."""
    return np.flatnonzero(np.r_[True, runs[1:] != runs[:-1]][: len(runs)])


def run_bounds(runs):
    """Return (start, stop) of each run, in order of appearance."""
    starts = run_starts(runs)
    return list(zip(starts, np.r_[starts[1:], len(runs)], strict=True))


def check_time(time, runs):
    """Return time in s as float64, (n_windows,), refusing a time that falls within a run."""
    time = as_numbers("time in s", time)
    if time.shape != (len(runs),):
        raise ValueError(
            f"time has shape {time.shape} but there are {len(runs)} windows; "
            "give one time in s per window."
        )
    check_finite(time, "time")
    check_order("time", time, runs, "falls")
    return time


def check_order(name, values, runs, wrong):
    """Refuse values that change the wrong way, "falls" or "rises", within a run."""
    before, after = values[:-1], values[1:]
    found = (runs[1:] == runs[:-1]) & (after < before if wrong == "falls" else after > before)
    if found.any():
        raise ValueError(
            f"{name} {wrong} within run {runs[found.argmax()]}; sort rows by run, then by time."
        )
