"""What a run is: ids, where runs begin and end, time and order within them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from numbers import Real

import numpy as np

from ._checks import (
    as_numbers,
    check_finite,
    check_number,
    check_plain,
    check_rul,
    is_sequences,
    warn,
)

# A step that so many times exceeds the usual one is a stop, not a missing window.
FAR_ABOVE = 100
# By how much of a fall, and of its steps, labels may differ from the time: they are rounded, and
# failures are logged late.
SHARE_OF_FALL, STEPS_OF_FALL = 0.05, 1.5


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
    return _as_text(name, ids) if isinstance(next(iter(ids), None), tuple) else ids


def _as_text(name, ids):
    """Return ids of several parts, such as of a MultiIndex, as text that splitters can compare."""
    text = np.array([_joined(each) for each in ids])
    if len(np.unique(text)) < len(set(ids)):
        raise ValueError(
            f"{name} has ids that are alike once joined by commas; give text of yours."
        )
    return text


def _joined(run):
    return ", ".join(map(str, run)) if isinstance(run, tuple) else run


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
    time = as_numbers("time in s", as_seconds(time))
    if time.shape != (len(runs),):
        raise ValueError(
            f"time has shape {time.shape} but there are {len(runs)} windows; "
            "give one time in s per window."
        )
    check_finite(time, "time")
    falls = (runs[1:] == runs[:-1]) & (np.diff(time) < 0)
    if falls.any():
        raise ValueError(
            f"time falls within run {runs[falls.argmax()]}; sort rows by run, then by time."
        )
    return time


def as_seconds(time):
    """Return dates as seconds since 1970 and time differences as seconds, all else as it is."""
    try:
        array = np.asarray(time)
    except ValueError:  # ragged, which the check of numbers puts into words
        return time
    if array.dtype == object and array.size:
        if all(isinstance(each, timedelta) for each in array.flat):
            array = array.astype("timedelta64[us]")
        elif all(isinstance(each, datetime) for each in array.flat):
            # As UTC, by which NumPy has no zones.
            naive = [d.astimezone(UTC).replace(tzinfo=None) if d.tzinfo else d for d in array.flat]
            array = np.array(naive, dtype="datetime64[us]").reshape(array.shape)
    if array.dtype.kind == "M":
        array = array - np.datetime64(0, "s")
    if array.dtype.kind != "m":
        return time
    return np.where(np.isnat(array), np.nan, array / np.timedelta64(1, "s"))


def find_stops(time, runs, max_gap):
    """Return the rows before which a machine stood still for over ``max_gap`` s, (n_stops,).

    Without ``max_gap`` there are none, and a step far above the others is warned of.
    """
    if max_gap is not None:
        if time is None:
            raise ValueError(f"max_gap={max_gap} needs time; pass time= of each window.")
        check_number("max_gap", max_gap, above=0)
    if time is None or len(time) < 2:
        return np.array([], dtype=int)
    steps = np.where(runs[1:] == runs[:-1], np.diff(time), 0.0)
    if max_gap is not None:
        return 1 + np.flatnonzero(steps > max_gap)
    usual = np.median(steps[steps > 0]) if (steps > 0).any() else np.inf
    if steps.max() > FAR_ABOVE * usual:
        warn(
            f"time rises by {steps.max():.6g} s within run {runs[steps.argmax()]}, where "
            f"{usual:.6g} s are usual; if the machine stood still, pass max_gap={10 * usual:.6g} "
            "or so."
        )
    return np.array([], dtype=int)


def running_time(time, runs, stops):
    """Return the time since each run began, without stops, (n_windows,)."""
    first = np.repeat(run_starts(runs), np.diff(np.r_[run_starts(runs), len(runs)]))
    stood = np.zeros(len(time))
    stood[stops] = time[stops] - time[stops - 1]
    stood = np.cumsum(stood)
    return time - time[first] - (stood - stood[first])


def check_failed(failed, runs):
    """Return whether the run of each row ends by failing, (n_rows,), all of them if None."""
    starts = run_starts(runs)
    if failed is None:
        return np.ones(len(runs), dtype=bool)
    ids = runs[starts].tolist()
    if isinstance(failed, Mapping):
        failed = {_joined(run): has_failed for run, has_failed in failed.items()}
        missing = [run for run in ids if run not in failed]
        if missing:
            raise ValueError(f"failed says nothing of run {missing[0]!r}; give a bool per run.")
        failed = [failed[run] for run in ids]
    failed = np.asarray(failed)
    lengths = np.diff(np.r_[starts, len(runs)])
    if failed.shape == (len(runs),):
        by_row, failed = failed, failed[starts]
        if (np.repeat(failed, lengths) != by_row).any():
            raise ValueError("failed varies within a run; give a bool per run.")
    if failed.dtype.kind != "b" or failed.shape != (len(starts),):
        raise ValueError(
            f"failed has dtype {failed.dtype} and shape {failed.shape} but there are "
            f"{len(starts)} runs; give a bool per run, in order of appearance."
        )
    return np.repeat(failed, lengths)


def check_labels(X, y, *, to_fit=True):
    """Return RUL in s of rows, (n_rows,), refusing labels of RunSequences that are none.

    Within a run they fall by what time rises, or are capped; without times they do not rise. Where
    rows ``to_fit`` leave out some in between, others may be scored that resemble them: it warns.
    """
    y = check_rul(y, len(X))
    if not is_sequences(X):
        return y
    _, run = np.unique(X.runs, return_inverse=True)
    order = np.lexsort((X.ends, run))
    runs = X.runs[order]
    time = X.time if X.age is None else X.age
    check_falls("y", y[order], runs, None if time is None else time[order])
    if to_fit:
        _warn_of_holes(runs, X.ends[order], X.shape[1])
    return y


def check_falls(name, rul, runs, time=None):
    """Refuse RUL that rises within a run or, where it is not capped, falls otherwise than by time.

    Rows are sorted by run, then by time in s.
    """
    rises = (runs[1:] == runs[:-1]) & (np.diff(rul) > 0)
    if rises.any():
        row = int(rises.argmax())
        raise ValueError(
            f"{name} rises within run {runs[row]}, from {rul[row]:.6g} to {rul[row + 1]:.6g} s, as "
            "no RUL does: sort rows by run, then by time; give each life a run id of its own; give "
            "RUL in s, neither age nor transformed."
        )
    for start, stop in run_bounds(runs) if time is not None else ():
        left, at = rul[start:stop], time[start:stop]
        # Between the last row of the highest RUL, maybe a cap, and the first at failure.
        first = np.searchsorted(-left, -left[0], side="right") - 1
        last = np.searchsorted(-left, 0.0) if left[-1] == 0 else len(left) - 1
        if last <= first:
            continue
        fall, elapsed = left[first] - left[last], at[last] - at[first]
        step = np.diff(at[first : last + 1])
        slack = SHARE_OF_FALL * elapsed + STEPS_OF_FALL * np.median(step)
        if not elapsed - step[0] - slack <= fall <= elapsed + slack:
            raise ValueError(
                f"{name} falls by {fall:.6g} within run {runs[start]} while time rises by "
                f"{elapsed:.6g} s; RUL falls as time rises, unless it is capped: give both in s, "
                "and max_gap= to from_runs where the machine stood still."
            )


def _warn_of_holes(runs, ends, n_steps):
    """Warn of rows missing in between, but for every n-th row and sequences cut at stops."""
    steps = np.diff(ends)
    is_within = runs[1:] == runs[:-1]
    usual = np.median(steps[is_within]) if is_within.any() else 0
    is_hole = is_within & (steps > usual) & (steps != n_steps)
    if is_hole.any():
        warn(
            f"rows of run {runs[is_hole.argmax()]} are missing in between; if they are held out to "
            "score by, the score is too good, as rows of one run resemble each other. Split by "
            "run: GroupKFold(5).split(X, y, X.runs)."
        )


def refuse_short_runs(runs, lengths, begins, n_steps):
    """Refuse runs without enough windows in a row; stretches of ``lengths`` start at ``begins``."""
    for run in runs[run_starts(runs)]:
        longest = lengths[runs[begins] == run].max()
        if longest < n_steps:
            raise ValueError(
                f"run {run} has {longest} windows in a row, fewer than n_steps={n_steps}; use "
                "pad=True or fewer steps."
            )


def as_windows(windows):
    """Return windows as an array (n_windows, ...) of real numbers, not copied if it is one."""
    if not hasattr(windows, "__array__") and np.iterable(windows):
        windows = list(windows)
        try:
            shapes = {np.shape(window) for window in windows}
        except ValueError:
            raise ValueError(
                "a window has channels of unequal length; cut them to one length first."
            ) from None
        if len(shapes) > 1:
            raise ValueError(
                f"windows have unequal shapes {sorted(shapes)[:3]}; cut them to one length first."
            )
    check_plain("windows", windows)
    windows = np.ma.getdata(np.asanyarray(windows))
    if windows.ndim == 0 or windows.size == 0:
        raise ValueError(f"windows of shape {windows.shape} hold none; at least 1 is required.")
    if windows.dtype == object and all(isinstance(value, Real) for value in windows.flat):
        windows = windows.astype(np.float64)
    if windows.dtype.kind not in "fiub":
        raise ValueError(f"windows have dtype {windows.dtype}; give real numbers of equal shape.")
    return windows


def as_context(context, n_windows):
    """Return context as numbers (n_windows, n_context), and the names of its columns or None."""
    names = None
    if isinstance(context, Mapping) or hasattr(context, "columns"):
        names = tuple(context.columns if hasattr(context, "columns") else context)
        columns = [as_numbers(f"context column {name}", context[name]) for name in names]
        shapes = {column.shape for column in columns}
        if shapes != {(n_windows,)}:
            raise ValueError(
                f"context has columns of shape {sorted(shapes)} but there are {n_windows} "
                "windows; give uniquely named columns of one number per window."
            )
        context = np.column_stack(columns)
    context = as_numbers("context", context)
    if context.ndim == 1:
        context = context[:, None]
    if context.ndim != 2 or len(context) != n_windows:
        raise ValueError(
            f"context has shape {context.shape} but there are {n_windows} windows; "
            "give one row per window."
        )
    if not np.isfinite(context).all():
        raise ValueError("context contains NaN or infinity; fill the gaps first.")
    return context, names


def check_index(windows, index):
    """Refuse an index that does not lead to windows, and return how many rows it has."""
    if not isinstance(windows, np.ndarray) or windows.ndim == 0:
        raise ValueError(f"windows is a {type(windows).__name__}; give an array (n_windows, ...).")
    is_index = isinstance(index, np.ndarray) and index.ndim == 2 and index.dtype.kind in "iu"
    if not is_index or (index.size and not 0 <= index.min() <= index.max() < len(windows)):
        raise ValueError(
            f"index must be integers (n_sequences, n_steps) from 0 to {len(windows) - 1}, the "
            "positions of windows; build sequences by RunSequences.from_runs."
        )
    return len(index)


def check_field(name, rows, shape, kinds=None):
    """Refuse anything but an array of finite values of a shape and of some kinds."""
    is_array = isinstance(rows, np.ndarray) and rows.shape == shape
    if not is_array or (kinds is not None and rows.dtype.kind not in kinds):
        found = (
            f"{rows.dtype} of shape {rows.shape}" if isinstance(rows, np.ndarray) else repr(rows)
        )
        raise ValueError(
            f"{name} is {found}; give an array of shape {shape} of its kind, one row per sequence, "
            "or build sequences by RunSequences.from_runs."
        )
    if rows.dtype.kind == "f" and not np.isfinite(rows).all():
        raise ValueError(f"{name} holds NaN or infinity; fill or drop such rows.")


def check_parts(parts):
    """Refuse parts of sequences that do not belong in one."""
    wrong = next((part for part in parts if not is_sequences(part)), None)
    if wrong is not None or not parts:
        raise TypeError(f"parts holds {wrong!r}; give RunSequences, at least one.")
    for part in parts[1:]:
        for name, value in {
            "the shape of a sequence": lambda x: x.shape[1:],
            "whether times are known": lambda x: x.time is not None,
            "whether failures are told": lambda x: x.failed is not None,
            "the columns of context": lambda x: (
                None if x.context is None else x.context.shape[1],
                x.context_names,
            ),
        }.items():
            if value(part) != value(parts[0]):
                raise ValueError(
                    f"parts differ in {name}, {value(parts[0])} and {value(part)}; build them "
                    "alike."
                )
    ids = [run for part in parts for run in np.unique(part.runs).tolist()]
    twice = {run for run in ids if ids.count(run) > 1}
    if twice:
        raise ValueError(
            f"run {min(twice)} is in two parts; give each run an id of its own, or select rows of "
            "one RunSequences."
        )
