"""The files of the FEMTO bearings: names, lives, and what a file holds."""

import json
import re
from pathlib import Path

import numpy as np

from .._checks import check_integer

FEMTO_PAGE = "https://github.com/wkzs111/phm-ieee-2012-data-challenge-dataset"
FS = 25_600.0
N_TIMEPOINTS = 2560
PERIOD = 10.0
COUNTS_PER_G = 1000
MAX_COUNTS = (1 << 23) - 1  # int16 times 256 plus uint8

# Windows in the whole life, windows shown to the challenge's participants, their RUL answer in s.
LIVES = {
    "Bearing1_1": (2803, None, None),
    "Bearing1_2": (871, None, None),
    "Bearing2_1": (911, None, None),
    "Bearing2_2": (797, None, None),
    "Bearing3_1": (515, None, None),
    "Bearing3_2": (1637, None, None),
    "Bearing1_3": (2375, 1802, 5730),
    "Bearing1_4": (1428, 1139, 339),
    "Bearing1_5": (2463, 2302, 1610),
    "Bearing1_6": (2448, 2302, 1460),
    "Bearing1_7": (2259, 1502, 7570),
    "Bearing2_3": (1955, 1202, 7530),
    "Bearing2_4": (751, 612, 1390),
    "Bearing2_5": (2311, 2002, 3090),
    "Bearing2_6": (701, 572, 1290),
    "Bearing2_7": (230, 172, 580),
    "Bearing3_3": (434, 352, 820),
}
LEARNING = tuple(name for name, (_, shown, _) in LIVES.items() if shown is None)
TEST = tuple(name for name in LIVES if name not in LEARNING)
FOLDERS = {name: "Learning_set" if name in LEARNING else "Full_Test_Set" for name in LIVES}


def check_bearings(bearings):
    """Return bearing ids in full ("1_1" becomes "Bearing1_1"), each once, in the order given."""
    if isinstance(bearings, str):
        bearings = [bearings]
    if not np.iterable(bearings):
        raise TypeError(f"bearings={bearings!r} must be a list of names such as '1_1'.")
    names = {}
    for bearing in bearings:
        name = str(bearing)
        name = name if name.startswith("Bearing") else f"Bearing{name}"
        if name not in LIVES:
            raise ValueError(f"Unknown bearing {bearing!r}; known are {', '.join(LIVES)}.")
        names[name] = None
    if not names:
        raise ValueError("bearings is empty; name at least one, or pass None for all.")
    return list(names)


def list_csv_tree(folder):
    """Return the vibration files of each bearing by number: {name: {number: path}}."""
    tree = {}
    for name in LIVES:
        paths = sorted((Path(folder) / FOLDERS[name] / name).glob("acc_*.csv"))
        numbers = {int(m[1]): p for p in paths if (m := re.fullmatch(r"acc_(\d{5})", p.stem))}
        if numbers:
            tree[name] = numbers
    return tree


def check_no_gap(name, numbers, way_out):
    """Refuse a run whose files are not numbered 1, 2, 3 and so on."""
    missing = sorted(set(range(1, max(numbers) + 1)) - set(numbers))
    if missing:
        starts = [n for n in missing if n - 1 not in missing]
        ends = [n for n in missing if n + 1 not in missing]
        ranges = ", ".join(
            f"{a}" if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True)
        )
        raise ValueError(
            f"{name} lacks {len(missing)} of its vibration files (numbers {ranges}), so counting "
            f"files would give a wrong RUL; {way_out}."
        )


def read_csv_window(path):
    """Return one vibration file as counts of 0.001 g, (2, 2560) int32, and its clock, (4,)."""
    text = Path(path).read_bytes()
    rows = text.splitlines()
    try:
        if len(rows) != N_TIMEPOINTS or not text.endswith(b"\n"):
            n_rows = text.count(b"\n")
            raise ValueError(f"{n_rows} complete rows where {N_TIMEPOINTS} are due")
        separator = ";" if b";" in rows[0] else ","
        table = np.loadtxt(rows, delimiter=separator, comments=None, ndmin=2, encoding="ascii")
        if table.shape[1] != 6:
            raise ValueError(f"{table.shape[1]} columns where 6 are due")
        x = table[:, 4:].T
        counts = np.rint(x * COUNTS_PER_G)
        if not np.isfinite(x).all() or np.abs(counts).max() > MAX_COUNTS:
            raise ValueError(f"acceleration beyond {MAX_COUNTS / COUNTS_PER_G} g")
        if (counts / COUNTS_PER_G != x).any():
            raise ValueError("acceleration that is not a multiple of 0.001 g")
    except ValueError as error:
        raise ValueError(
            f"{path} is truncated or damaged: {error}; fetch it again from {FEMTO_PAGE}."
        ) from error
    return counts.astype(np.int32, order="C"), table[0, :4]


def read_manifest(folder):
    """Return the entries of a folder's manifest, {name: entry}, or None if it has none."""
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        return None
    try:
        entries = {entry["bearing"]: entry for entry in json.loads(path.read_bytes())["bearings"]}
        for name in check_bearings(entries):
            n_windows, file, *digests = (
                entries[name][key] for key in ("n_windows", "file", "sha256", "counts_sha256")
            )
            check_integer("n_windows", n_windows)
            if not (Path(file).name == file and set(map(len, digests)) == {64}):
                raise ValueError(f"the entry of {name} is not valid")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {error}); fetch it again, or delete it "
            "and run compact_femto."
        ) from error
    return {name: entries[name] for name in LIVES if name in entries}
