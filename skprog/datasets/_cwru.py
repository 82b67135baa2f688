"""The bearings of Case Western Reserve University."""

from __future__ import annotations

import os
import re
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from scipy.io import loadmat
from sklearn.utils import Bunch

from .._checks import check_integer
from ._cwru_states import STATES
from ._folders import data_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

CWRU_PAGE = "https://engineering.case.edu/bearingdatacenter"
FS = 12_000.0
NOMINAL_RPM = {0: 1797, 1: 1772, 2: 1750}  # by load in hp
MAX_RPM = 10_000

# State and load in hp.
RECORDS = {
    97: ("Normal", 0),
    98: ("Normal", 1),
    99: ("Normal", 2),
    107: ("IR007", 2),
    171: ("IR014", 2),
    211: ("IR021", 2),
    3003: ("IR028", 2),
    120: ("B007", 2),
    187: ("B014", 2),
    224: ("B021", 2),
    3007: ("B028", 2),
    132: ("OR007@6", 2),
    199: ("OR014@6", 2),
    236: ("OR021@6", 2),
}

DESCR = """Bearings of the Bearing Data Center, Case Western Reserve University: twelve states

Acceleration in g at the drive end of a 2 hp motor, whose ball bearing there (SKF 6205-2RS) is
normal or has one fault, seeded by electro-discharge machining: in the inner race, a ball or the
outer race (at 6 o'clock, in the load zone), 0.18 to 0.71 mm (0.007 to 0.028 inch) in diameter.
Faults under a load of 2 hp, normal bearings under 0, 1 and 2 hp; one record each, 12 000 Hz as
published.

Source
    {page}
Terms
    No licence is stated. The files are offered for free download with a request to acknowledge
    the Case Western Reserve University Bearing Data Center.
Citation
    W. A. Smith and R. B. Randall, "Rolling element bearing diagnostics using the Case Western
    Reserve University data: a benchmark study", Mechanical Systems and Signal Processing 64-65,
    2015.
Oddities
    - The normal records were almost certainly taken at 48 kHz: they are as long as the 48 kHz
      records, and the lines of the mains lie where those of the fault records do only when read
      so. Read at 12 kHz, as most papers do, they can be told from faults by the rate alone;
      cwru_imbalanced(decimate_normal=True) reduces them to 12 kHz.
    - The faults of 0.71 mm are in bearings of another make (NTN) and shake up to fifteen times as
      hard, so that amplitude alone tells them.
    - Records 3003 and 3007 name their signals X058 and X050; record 99 also carries the signal
      of 98.
    - Records 99, 3003 and 3007 do not say their speed: the nominal one is given.
    - Records of one kind differ in length; there is no outer-race fault of 0.71 mm.
Loaded
{loaded}
"""


def load_cwru(
    data_home: str | PathLike[str] | None = None, records: int | Sequence[int] | None = None
) -> Bunch:
    """Load bearing states recorded at Case Western Reserve University [1]_.

    Reads the original ``.mat`` files, named by the number of the record (``97.mat``): twelve
    states at the drive end, the faults under 2 hp, the normal bearing under 0, 1 and 2 hp.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder that holds the files themselves. None takes the folder ``cwru`` in the one that the
        environment variable ``SKPROG_DATA`` names.
    records : int or list of int, default=None
        Records to load by number, in this order. None loads all in the folder that belong to the
        twelve states, ordered by state: 97, 98, 99 (normal), 107, 171, 211, 3003 (inner race), 120,
        187, 224, 3007 (ball), 132, 199, 236 (outer race).

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        One entry per record, with these fields:

        signals : list of ndarray of shape (n_samples,), float64
            Acceleration at the drive end in g. Records differ in length.
        target : ndarray of shape (n_records,), int64
            Index of the state, 0 (normal) to 11.
        target_names : list of str
            The twelve states, such as "IR007": inner race (IR), ball (B) or outer race (OR), and
            the diameter of the fault in thousandths of an inch.
        records : ndarray of shape (n_records,), int64
            Number of each record.
        load_hp : ndarray of shape (n_records,), int64
            Load of the motor in hp.
        rpm : ndarray of shape (n_records,), int64
            Speed of the shaft in rpm.
        rpm_is_nominal : ndarray of shape (n_records,), bool
            Whether the file says no speed, so that ``rpm`` is the nominal one of its load.
        fs : float
            Sampling frequency in Hz as published, 12 000. See ``DESCR`` on the normal records.
        fault_mm : ndarray of shape (n_records,), float64
            Diameter of the fault in mm, 0 for a normal bearing.
        DESCR : str
            Source, terms, citation, oddities and what was loaded.

    Raises
    ------
    FileNotFoundError
        If the folder has no records, or not the ones asked for.
    ValueError
        If a record is unknown, or a file is truncated, damaged, without a signal of its own or
        with a speed that is none.
    TypeError
        If ``data_home`` is not a path, or ``records`` are not integers.

    See Also
    --------
    cwru_imbalanced : Training and test windows of these records.
    make_bearing_faults : Simulated windows of the same states.

    Notes
    -----
    The signal is the variable whose number is that of the file (``X099_DE_time`` in ``99.mat``,
    which also has ``X098_DE_time``), or else the only one that ends in ``_DE_time``. Where
    ``99.mat`` is absent, ``99_resaved.mat`` is taken for it.

    References
    ----------
    .. [1] W. A. Smith and R. B. Randall, "Rolling element bearing diagnostics using the Case
       Western Reserve University data: a benchmark study", Mechanical Systems and Signal
       Processing 64-65, 2015.

    Examples
    --------
    >>> from skprog.datasets import load_cwru
    >>> data = load_cwru("data/cwru", [97, 107])  # doctest: +SKIP
    >>> [len(signal) for signal in data.signals]  # doctest: +SKIP
    [243938, 122136]
    """
    folder = data_folder(data_home, "cwru", CWRU_PAGE)
    paths = _choose(folder, records, data_home)
    signals, speeds = zip(*(_read(path, number) for number, path in paths.items()), strict=True)
    names, loads = zip(*(RECORDS[number] for number in paths), strict=True)
    nominal = [NOMINAL_RPM[load] for load in loads]
    is_nominal = [speed is None for speed in speeds]
    rpm = [n if speed is None else speed for n, speed in zip(nominal, speeds, strict=True)]
    lines = [
        f"    {path.name}: {name}, {load} hp, {speed} rpm{' (nominal)' * missing}, {len(x)} samples"
        for path, name, load, speed, missing, x in zip(
            paths.values(), names, loads, rpm, is_nominal, signals, strict=True
        )
    ]
    return Bunch(
        signals=list(signals),
        target=np.array([list(STATES).index(name) for name in names]),
        target_names=list(STATES),
        records=np.array(list(paths)),
        load_hp=np.array(loads),
        rpm=np.array(rpm),
        rpm_is_nominal=np.array(is_nominal),
        fs=FS,
        fault_mm=np.array([STATES[name][1] for name in names]),
        DESCR=DESCR.format(page=CWRU_PAGE, loaded="\n".join(lines)),
    )


def _choose(folder, records, data_home):
    """Return the files of the records asked for, {number: path}, in the order to load."""
    found = {n: [folder / f"{n}.mat", folder / f"{n}_resaved.mat"] for n in RECORDS}
    found = {n: [path for path in paths if path.is_file()] for n, paths in found.items()}
    present = {n: paths[0] for n, paths in found.items() if paths}
    if not present:
        origin = (
            f"from SKPROG_DATA={os.environ['SKPROG_DATA']}"
            if data_home is None
            else "from data_home; without it, SKPROG_DATA names the folder that holds 'cwru'"
        )
        raise FileNotFoundError(
            f"No records in {folder} ({origin}): expected the files "
            f"{', '.join(f'{n}.mat' for n in RECORDS)}, or some of them. The data come from "
            f"{CWRU_PAGE}."
        )
    if records is None:
        return present
    numbers = _check_records(records)
    absent = [f"{n}.mat" for n in numbers if n not in present]
    if absent:
        raise FileNotFoundError(
            f"{', '.join(absent)} not in {folder}, which has records "
            f"{', '.join(map(str, present))}. The data come from {CWRU_PAGE}."
        )
    return {n: present[n] for n in numbers}


def _check_records(records):
    if isinstance(records, Integral):
        records = [records]
    if not np.iterable(records) or isinstance(records, str):
        raise TypeError(f"records={records!r} must be a list of numbers such as 97.")
    numbers = list(dict.fromkeys(check_integer("records", n) for n in records))
    unknown = [n for n in numbers if n not in RECORDS]
    if unknown:
        known = ", ".join(map(str, RECORDS))
        raise ValueError(f"Unknown record {unknown[0]}; known are {known}.")
    if not numbers:
        raise ValueError("records is empty; name at least one, or pass None for all.")
    return numbers


def _read(path, number):
    """Return the signal of a record, (n_samples,) in g, and its speed in rpm or None."""
    try:
        contents = loadmat(path)
    except Exception as error:  # scipy and zlib raise about ten kinds
        raise ValueError(
            f"{path} is truncated or damaged ({type(error).__name__}: {error}); fetch it again "
            f"from {CWRU_PAGE}."
        ) from error
    key = _signal_key(path, number, contents)
    signal = contents[key]
    if signal.dtype.kind not in "fiu" or not 0 < signal.size == max(signal.shape):
        raise ValueError(
            f"{path} is damaged: {key} is {signal.dtype} of shape {signal.shape} where one column "
            f"of numbers is due; fetch it again from {CWRU_PAGE}."
        )
    signal = signal.ravel().astype(np.float64)
    if not np.isfinite(signal).all():
        raise ValueError(
            f"{path} is damaged: {key} has values that are not finite; fetch it again from "
            f"{CWRU_PAGE}."
        )
    key = key.replace("_DE_time", "RPM")
    return signal, _speed(path, key, np.ravel(contents.get(key, [])))


def _speed(path, key, values):
    """Return the speed that a file says, in rpm, or None if it says none."""
    if len(values) == 0:
        return None
    is_number = len(values) == 1 and values.dtype.kind in "fiu"
    if not is_number or not 0 < values[0] <= MAX_RPM or values[0] % 1:
        found = repr(values.tolist()[0]) if len(values) == 1 else f"{len(values)} values"
        raise ValueError(
            f"{path} is damaged: {key} is {found} where one whole number of rpm from 1 to "
            f"{MAX_RPM} is due; fetch it again from {CWRU_PAGE}."
        )
    return int(values[0])


def _signal_key(path, number, contents):
    own = f"X{number:03d}_DE_time"
    if own in contents:
        return own
    keys = [key for key in contents if key.endswith("_DE_time")]
    others = [key for key in keys if int(re.sub(r"\D", "", key) or 0) in RECORDS]
    if len(keys) != 1 or others:
        raise ValueError(
            f"{path} has the drive-end signals {', '.join(keys) or 'of no bearing'} where {own} or "
            f"a single one of no other record is due; fetch it again from {CWRU_PAGE}."
        )
    return keys[0]
