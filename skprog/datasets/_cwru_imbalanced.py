"""Imbalanced sets of windows, cut from records."""

from __future__ import annotations

import numpy as np
from scipy.signal import decimate
from sklearn.utils import Bunch

from .._checks import as_numbers, check_finite, check_integer

DESCR = """Imbalanced windows of bearing states, split by time

Windows of {n_timepoints} points in g. The earlier part of each record trains, the later part
tests; no sample is in both.{decimated}

Windows of each record
{windows}

{source}"""

# A record's share for its test windows at most: 72 %.
TEST_SHARE = 18, 25
NORMAL = 0
# The filter is padded with 27 samples of the record at each end.
MIN_DECIMATED = 28


def cwru_imbalanced(
    data: Bunch,
    *,
    n_normal: int = 3200,
    n_fault: int = 64,
    n_test_per_class: int = 108,
    n_timepoints: int = 1024,
    decimate_normal: bool = False,
) -> Bunch:
    """Cut records into imbalanced training windows and balanced test windows, split by time.

    The defaults are Set 1 of the gradient harmonized loss paper, 3200 windows of normal bearings
    against 64 of each fault; ``n_fault=16`` is its Set 2 [1]_. The earlier part of a record trains,
    its later part tests, and no sample is in both.

    Parameters
    ----------
    data : :class:`~sklearn.utils.Bunch`
        What :func:`load_cwru` returns, or anything with its ``signals``, ``target``, ``records``
        and ``target_names``. State 0 is normal.
    n_normal : int, default=3200
        Training windows of the normal state.
    n_fault : int, default=64
        Training windows of each fault.
    n_test_per_class : int, default=108
        Test windows of each state. The paper's 108 in all are most likely 9 per state.
    n_timepoints : int, default=1024
        Points per window.
    decimate_normal : bool, default=False
        Take the normal records for 48 kHz and reduce them to 12 kHz, after a low-pass filter of
        zero phase. Their windows then overlap more.

    Returns
    -------
    sets : :class:`~sklearn.utils.Bunch`
        Windows by state, record and time, with these fields:

        X_train, X_test : ndarray of shape (n_windows, n_timepoints), float32
            Acceleration in g.
        y_train, y_test : ndarray of shape (n_windows,), int64
            Index of the state.
        starts_train, starts_test : ndarray of shape (n_windows,), int64
            First sample of each window in its record, after decimation if there is any.
        records_train, records_test : ndarray of shape (n_windows,), int64
            Record of each window.
        target_names : list of str
            Names of the states.
        DESCR : str
            Windows and strides of each record, and the ``DESCR`` of the data.

    Raises
    ------
    ValueError
        If a size is below 1, the windows do not fit into a record, ``data`` has no normal record or
        no fault, or a signal is not one-dimensional, not finite in float32 or too short to be
        decimated.
    TypeError
        If a parameter has the wrong type, or ``data`` lacks a field or has one of the wrong type.

    See Also
    --------
    load_cwru : The records.
    make_bearing_faults : Simulated windows of the same states.

    Notes
    -----
    Test windows are shared among the records of a state by length, training windows in the same
    ratio; a record whose share rounds to 0 is left out. In each record,

    - test windows end at its last sample. Their stride is the largest at which they span at most
      72 % of the record, rounded down to a 32nd of ``n_timepoints``, and at most ``n_timepoints``,
      where they do not overlap. It does not depend on ``n_normal`` or ``n_fault``: Sets 1 and 2
      have the same test windows;
    - training windows begin at its first sample. Their stride is the largest that leaves the test
      windows alone, at most half of ``n_timepoints``.

    Records 97 and 99 have training strides of 193 and 192 and test windows without overlap; faults
    have strides of 512 and 800. With ``decimate_normal`` the training strides of 97 and 99 are both
    21. Its filter runs over whole records and reaches tens of samples far; with the default sizes
    hundreds lie between the parts.

    References
    ----------
    .. [1] Z. Ren, W. Su, T. Lin, R. Zhang, Y. Zhu, K. Yan and J. Hong, "Gradient harmonized loss:
       Improving the performance of intelligent diagnosis models in large imbalance scenarios",
       ICPHM 2022.

    Examples
    --------
    Two records of 300 samples whose values are their places.

    >>> import numpy as np
    >>> from sklearn.utils import Bunch
    >>> from skprog.datasets import cwru_imbalanced
    >>> data = Bunch(
    ...     signals=[np.arange(300.0), np.arange(300.0)],
    ...     target=[0, 1],
    ...     records=[97, 107],
    ...     target_names=["Normal", "IR007"],
    ... )
    >>> sets = cwru_imbalanced(data, n_normal=6, n_fault=2, n_test_per_class=3, n_timepoints=64)
    >>> sets.starts_train
    array([ 0,  8, 16, 24, 32, 40,  0, 32])
    >>> sets.starts_test
    array([108, 172, 236, 108, 172, 236])
    """
    n_normal = check_integer("n_normal", n_normal)
    n_fault = check_integer("n_fault", n_fault)
    n_test = check_integer("n_test_per_class", n_test_per_class)
    n_timepoints = check_integer("n_timepoints", n_timepoints)
    if not isinstance(decimate_normal, bool | np.bool_):
        raise TypeError(f"decimate_normal={decimate_normal!r} must be True or False.")
    signals, target, records, names = _check_data(data)
    if decimate_normal:
        signals = [
            _decimate(x, number) if label == NORMAL else x
            for x, label, number in zip(signals, target, records, strict=True)
        ]

    rows: dict[str, list] = {"train": [], "test": []}
    lines = []
    for label in np.unique(target):
        members = np.flatnonzero(target == label)
        argument, n_train = ("n_normal", n_normal) if label == NORMAL else ("n_fault", n_fault)
        arguments = f"{argument}={n_train}", f"n_test_per_class={n_test}"
        n_tests = _shares(n_test, [len(signals[i]) for i in members])
        n_trains = _shares(n_train, n_tests)
        for i, *counts in zip(members, n_trains, n_tests, strict=True):
            if counts[1] == 0:
                continue
            record = f"record {records[i]} ({len(signals[i])} samples)"
            starts = _lay_out(len(signals[i]), counts, n_timepoints, arguments, record)
            with np.errstate(over="ignore"):
                signal = signals[i].astype(np.float32)
            check_finite(signal, f"signal of record {records[i]}")
            windows = np.lib.stride_tricks.sliding_window_view(signal, n_timepoints)
            for part, first in zip(rows.values(), starts, strict=True):
                same = np.full(len(first), label), first, np.full(len(first), records[i])
                part.append((windows[first], *same))
            lines.append(_describe(records[i], names[label], starts))
    fields: dict[str, np.ndarray] = {}
    for part, found in rows.items():
        keys = [f"{field}_{part}" for field in ("X", "y", "starts", "records")]
        columns = map(np.concatenate, zip(*found, strict=True))
        fields.update(zip(keys, columns, strict=True))
    decimated = " Normal records were taken for 48 kHz and reduced to 12 kHz."
    return Bunch(
        **fields,
        target_names=list(names),
        DESCR=DESCR.format(
            n_timepoints=n_timepoints,
            decimated=decimated * bool(decimate_normal),
            windows="\n".join(lines),
            source=data.get("DESCR", ""),
        ),
    )


def _check_data(data):
    try:
        signals, target, records, names = (
            data[key] for key in ("signals", "target", "records", "target_names")
        )
    except (KeyError, IndexError, TypeError) as error:
        raise TypeError(
            "data must be what load_cwru returns: signals, target, records and target_names "
            f"({type(error).__name__}: {error})."
        ) from None
    fields = {"signals": signals, "target": target, "records": records, "target_names": names}
    for field, values in fields.items():
        if not np.iterable(values) or isinstance(values, dict | set):
            raise TypeError(f"data.{field} is {values!r}; give a list, as load_cwru does.")
    signals, names = list(signals), list(names)
    target, records = np.asarray(target), np.asarray(records)
    if target.size and target.dtype.kind not in "iu":
        raise TypeError(
            f"data.target is of {target.dtype}; give integers, the index of the state of each "
            "record."
        )
    if target.ndim != 1 or records.ndim != 1:
        raise ValueError(
            f"data.target has shape {target.shape} and data.records {records.shape}; give one of "
            "each per record."
        )
    if not len(signals) == len(target) == len(records):
        raise ValueError(
            f"data has {len(signals)} signals, {len(target)} targets and {len(records)} records; "
            "give one of each per record."
        )
    states = np.unique(target).tolist()
    if not set(states) <= set(range(len(names))):
        raise ValueError(
            f"data has the states {states} but {len(names)} target_names; count states from 0."
        )
    if NORMAL not in states or len(states) < 2:
        raise ValueError(
            f"data has the states {states}; load a normal record (state {NORMAL}) and at least one "
            "fault."
        )
    signals = [
        _check_signal(f"signal of record {record}", x)
        for x, record in zip(signals, records, strict=True)
    ]
    return signals, target, records, names


def _decimate(x, record):
    if len(x) < MIN_DECIMATED:
        raise ValueError(
            f"Record {record} has {len(x)} samples, but decimation needs {MIN_DECIMATED}; leave "
            "the record out or pass decimate_normal=False."
        )
    return decimate(x, 4, zero_phase=True)


def _check_signal(name, values):
    x = as_numbers(name, values)
    if x.ndim != 1:
        raise ValueError(f"The {name} has shape {x.shape}; give one dimension.")
    check_finite(x, name)
    return x


def _shares(total, weights):
    """Split a count in the ratio of integer weights, largest remainders first."""
    # With Python's integers, which do not overflow.
    products = [total * int(weight) for weight in weights]
    whole = max(1, sum(map(int, weights)))
    shares = [product // whole for product in products]
    by_remainder = sorted(range(len(shares)), key=lambda i: -(products[i] % whole))
    for i in by_remainder[: total - sum(shares)]:
        shares[i] += 1
    return shares


def _lay_out(length, counts, n_timepoints, arguments, record):
    """Return where the training and the test windows of a record start."""
    n_train, n_test = counts
    share, whole = TEST_SHARE
    room = length * share // whole
    stride = _largest_stride(room, n_test, n_timepoints, n_timepoints)
    if stride is None:
        raise ValueError(_does_not_fit(arguments[1], n_test, "test", room, n_timepoints, record))
    step = max(1, n_timepoints // 32)
    if stride > step:
        stride -= stride % step
    test = length - n_timepoints - stride * np.arange(n_test)[::-1]

    room = int(test[0])
    stride = _largest_stride(room, n_train, n_timepoints, max(1, n_timepoints // 2))
    if stride is None:
        raise ValueError(
            _does_not_fit(arguments[0], n_train, "training", room, n_timepoints, record)
        )
    return stride * np.arange(n_train), test


def _largest_stride(room, n_windows, n_timepoints, limit):
    """Return the largest stride at which windows fit, or None if they do not fit at 1."""
    spare = room - n_timepoints
    if n_windows and spare < n_windows - 1:
        return None
    return limit if n_windows < 2 else min(limit, spare // (n_windows - 1))


def _does_not_fit(argument, n_windows, part, room, n_timepoints, record):
    return (
        f"{argument} asks {record} for {n_windows} {part} windows of {n_timepoints} points, but "
        f"{max(0, room - n_timepoints + 1)} fit into the {room} samples for them; use fewer or "
        "shorter windows, or longer records."
    )


def _describe(record, name, starts):
    parts = []
    for part, places in zip(("training", "test"), starts, strict=True):
        apart = f", {places[1] - places[0]} apart" if len(places) > 1 else ""
        parts.append(f"{part} {len(places)}{apart}")
    return f"    {record} ({name}): {'; '.join(parts)}"
