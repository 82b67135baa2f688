"""The bearings of the IEEE PHM 2012 challenge, as CSV or in the compact form."""

from __future__ import annotations

import hashlib
import os
import zipfile
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from .._checks import check_option
from ._bearing_runs import run_to_failure_bunch
from ._femto_files import (
    COUNTS_PER_G,
    FEMTO_PAGE,
    FOLDERS,
    FS,
    LEARNING,
    LIVES,
    N_TIMEPOINTS,
    PERIOD,
    TEST,
    check_bearings,
    check_no_gap,
    list_csv_tree,
    read_csv_window,
    read_manifest,
)
from ._folders import data_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from typing import Literal

    from sklearn.utils import Bunch

# Small: zipfile decompresses about ten times what a read asks for.
BLOCK_WINDOWS = 8

DESCR = """FEMTO-ST / PRONOSTIA bearings of the IEEE PHM 2012 Data Challenge

Ball bearings run to failure under constant speed and radial load. Every 10 s the horizontal
and the vertical accelerometer (in this order) were recorded for 0.1 s at 25 600 Hz: one window
of 2 x 2560 values in g, in steps of 0.001 g.
Conditions: 1 = 1800 rpm, 4000 N; 2 = 1650 rpm, 4200 N; 3 = 1500 rpm, 5000 N.

Source
    {page}
Terms
    No formal licence. The challenge document says: "The datasets are being made publicly
    available. Publications making use of these databases are requested to cite the following
    paper."
Citation
    P. Nectoux, R. Gouriveau, K. Medjaher, E. Ramasso, B. Morello, N. Zerhouni and C. Varnier,
    "PRONOSTIA: An experimental platform for bearings accelerated degradation tests", IEEE
    International Conference on Prognostics and Health Management, Denver, 2012.
Oddities
    - Time comes from the number of the window. The clock in the files is wrong for windows 2121
      and 2122 of Bearing1_1.
    - The sensors clip at about 48.1 g (horizontal) and 47.85 g (vertical).
    - Failure at 20 g is nominal: some bearings never reach it, others pass it early.
    - Bearing1_4: the challenge's answer for its RUL (339 s) disagrees with the files (2890 s).
Loaded
{loaded}
"""


def load_femto(
    data_home: str | PathLike[str] | None = None,
    bearings: str | Sequence[str] | None = None,
    subset: Literal["learning", "test"] | None = None,
    *,
    allow_gaps: bool = False,
    verbose: int = 0,
) -> Bunch:
    """Load run-to-failure bearings of the IEEE PHM 2012 challenge (FEMTO-ST) [1]_.

    Reads the original tree of CSV files (folders ``Learning_set`` and ``Full_Test_Set``) and the
    compact form that :func:`compact_femto` writes (``manifest.json`` and a ``.npz`` per bearing).
    ``Test_set`` is never read: its runs stop before failure, so that their RUL is not in the
    files; ``truncated_at`` names the windows at which they stop.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder that holds the files themselves. None takes the folder ``femto`` in the one that
        the environment variable ``SKPROG_DATA`` names.
    bearings : str or list of str, default=None
        Bearings to load, as "1_1" or "Bearing1_1", in this order. None loads all in the folder.
    subset : {"learning", "test"}, default=None
        Load the challenge's learning set (1_1, 1_2, 2_1, 2_2, 3_1, 3_2) or its test set only.
        None loads both.
    allow_gaps : bool, default=False
        Load CSV runs with missing file numbers; time then follows the file number.
    verbose : int, default=0
        Above 0, show a progress bar.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Runs one after the other, with these fields:

        windows : ndarray of shape (n_windows, 2, 2560), float32
            Horizontal and vertical acceleration in g.
        runs : ndarray of shape (n_windows,), str
            Bearing of each window, such as "Bearing1_1".
        rul : ndarray of shape (n_windows,), float64
            Remaining useful life in s, 0 at the last window of a run. It counts to the last file
            present: a CSV run whose last files are missing cannot be told from a whole one.
        time : ndarray of shape (n_windows,), float64
            Time since the first window of the run in s, from the number of the window.
        condition : ndarray of shape (n_windows,), int64
            Operating condition, 1 to 3.
        bearings : list of str
            Bearings loaded, in order.
        channels : list of str
            Names of the two channels.
        fs : float
            Sampling frequency in Hz.
        period : float
            Time from one window to the next in s.
        truncated_at : dict of str to int
            Windows of a test bearing that the challenge's participants were given.
        DESCR : str
            Source, terms, citation, oddities and what was loaded.

    Raises
    ------
    FileNotFoundError
        If the folder has no bearings, or not the ones asked for.
    ValueError
        If a bearing or subset is unknown, a file is truncated or damaged, the counts of a bearing
        differ from the manifest's ``counts_sha256``, or file numbers are missing.
    TypeError
        If ``data_home`` is not a path, or ``bearings`` is not a list of names.

    See Also
    --------
    compact_femto : Write the compact form from the CSV files.
    paper_split : Training and test bearings.
    make_run_to_failure : Simulated bearings with the same fields.

    Notes
    -----
    Bearings are read one at a time into the result: peak memory stays close to its size.

    References
    ----------
    .. [1] P. Nectoux, R. Gouriveau, K. Medjaher, E. Ramasso, B. Morello, N. Zerhouni and
       C. Varnier, "PRONOSTIA: An experimental platform for bearings accelerated degradation
       tests", IEEE International Conference on Prognostics and Health Management, 2012.

    Examples
    --------
    >>> from skprog.datasets import load_femto
    >>> data = load_femto("data/femto", ["2_7", "3_3"])  # doctest: +SKIP
    >>> data.windows.shape  # doctest: +SKIP
    (664, 2, 2560)
    """
    check_option("subset", subset, (None, "learning", "test"))
    folder = data_folder(data_home, "femto", FEMTO_PAGE)
    manifest = read_manifest(folder)
    present = list_csv_tree(folder) if manifest is None else manifest
    if not present:
        raise FileNotFoundError(
            f"No bearings in {folder} ({_origin(data_home)}): expected manifest.json with "
            "Bearing*.npz, or the folders Learning_set and Full_Test_Set (Test_set holds runs cut "
            f"before failure and is not read). The data come from {FEMTO_PAGE}."
        )
    names = _choose(present, bearings, subset, folder)
    times = [_times(name, present[name], manifest is not None, allow_gaps) for name in names]
    lengths = {name: len(time) for name, time in zip(names, times, strict=True)}
    if manifest is not None:
        _check_files_present(folder, names, manifest)

    windows = np.empty((sum(lengths.values()), 2, N_TIMEPOINTS), dtype=np.float32)
    start = 0
    with tqdm(total=len(windows), unit="window", disable=not verbose) as bar:
        for name in names:
            rows = windows[start : start + lengths[name]]
            if manifest is None:
                blocks = (read_csv_window(path)[0][None] for path in present[name].values())
                _fill(rows, blocks, bar)
            else:
                blocks = _npz_blocks(folder / manifest[name]["file"], len(rows))
                if _fill(rows, blocks, bar) != manifest[name]["counts_sha256"]:
                    raise ValueError(
                        f"{name} differs from manifest.json: the counts_sha256 of "
                        f"{folder / manifest[name]['file']} is another; fetch the file and its "
                        "manifest again, or run compact_femto."
                    )
            start += len(rows)
    return run_to_failure_bunch(
        windows,
        lengths,
        times,
        fs=FS,
        period=PERIOD,
        truncated_at={name: LIVES[name][1] for name in names if name in TEST},
        DESCR=_describe(lengths),
    )


def _origin(data_home):
    if data_home is None:
        return f"from SKPROG_DATA={os.environ['SKPROG_DATA']}"
    return "from data_home; without it, SKPROG_DATA names the folder that holds 'femto'"


def _choose(present, bearings, subset, folder):
    members = {"learning": LEARNING, "test": TEST, None: tuple(LIVES)}[subset]
    if bearings is None:
        names = [name for name in present if name in members]
    else:
        names = check_bearings(bearings)
        others = [name for name in names if name not in members]
        if others:
            raise ValueError(f"{', '.join(others)} not in subset={subset!r}; leave subset out.")
    absent = [name for name in names if name not in present]
    if absent or not names:
        raise FileNotFoundError(
            f"{', '.join(absent) or f'No bearing of subset={subset!r}'} not in {folder}, which "
            f"has {', '.join(present)}. The data come from {FEMTO_PAGE}."
        )
    return names


def _times(name, entry, compact, allow_gaps):
    if compact:
        return PERIOD * np.arange(entry["n_windows"])
    if not allow_gaps:
        check_no_gap(name, entry, "complete the folder, or pass allow_gaps=True")
    return PERIOD * (np.array(sorted(entry), dtype=float) - 1)


def _check_files_present(folder, names, manifest):
    absent = [manifest[name]["file"] for name in names]
    absent = [file for file in absent if not (folder / file).is_file()]
    if absent:
        raise FileNotFoundError(
            f"{folder} lacks {', '.join(absent)}, listed in its manifest.json; pass bearings= to "
            f"load others, or complete the folder. The data come from {FEMTO_PAGE}."
        )


def _fill(rows, blocks, bar):
    """Write blocks of counts into float32 rows as g and return the hash of the counts."""
    digest = hashlib.sha256()
    start = 0
    for counts in blocks:
        digest.update(counts.astype("<i4", copy=False))
        block = rows[start : start + len(counts)]
        block[...] = counts
        # Below 2**24 counts this float32 division rounds as the float64 one does.
        block /= np.float32(COUNTS_PER_G)
        start += len(counts)
        bar.update(len(counts))
    return digest.hexdigest()


def _npz_blocks(path, n_windows):
    """Yield the counts of a compact file in blocks of windows, both planes side by side."""
    shape = (n_windows, 2, N_TIMEPOINTS)
    with path.open("rb") as stream:
        try:
            with (
                zipfile.ZipFile(stream) as archive,
                archive.open("hi.npy") as hi,
                archive.open("lo.npy") as lo,
            ):
                hi_dtype = _npy_dtype(hi, shape, "bh")
                lo_dtype = _npy_dtype(lo, shape, "B")
                for start in range(0, n_windows, BLOCK_WINDOWS):
                    n_block = min(BLOCK_WINDOWS, n_windows - start)
                    high = _read_block(hi, n_block, hi_dtype).astype(np.int32)
                    yield high * 256 + _read_block(lo, n_block, lo_dtype)
                # zipfile checks its own checksum once it has read to the end.
                if hi.read(1) or lo.read(1):
                    raise ValueError("a plane is longer than its header says")
        except Exception as error:  # zipfile, zlib, lzma and numpy raise about ten kinds
            raise ValueError(
                f"{path} is truncated or damaged ({type(error).__name__}: {error}); fetch it "
                "again or run compact_femto."
            ) from error


def _npy_dtype(plane, shape, kinds):
    version = np.lib.format.read_magic(plane)
    if version != (1, 0):
        raise ValueError(f"npy version {version} where (1, 0) is due")
    found, fortran_order, dtype = np.lib.format.read_array_header_1_0(plane)
    if found != shape or fortran_order or dtype.char not in kinds:
        raise ValueError(f"a plane of {found} {dtype} where {shape} is due")
    return dtype


def _read_block(plane, n_windows, dtype):
    n_bytes = n_windows * 2 * N_TIMEPOINTS * dtype.itemsize
    data = plane.read(n_bytes)
    if len(data) != n_bytes:
        raise ValueError("a plane is shorter than its header says")
    return np.frombuffer(data, dtype=dtype).reshape(n_windows, 2, N_TIMEPOINTS)


def _describe(lengths):
    lines = []
    for name, n_windows in lengths.items():
        whole = LIVES[name][0]
        part = "" if n_windows == whole else f" of {whole}, so RUL counts to the last one present"
        lines.append(f"    {name}: {n_windows} windows{part} ({FOLDERS[name]})")
    return DESCR.format(page=FEMTO_PAGE, loaded="\n".join(lines))
