"""Sets of the UCR and UEA archives of time-series classification."""

from __future__ import annotations

import difflib
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import Bunch

from ._folders import check_path, data_folder
from ._ucr_files import SUFFIXES, UCR_PAGE, read_cases

if TYPE_CHECKING:
    from os import PathLike

# In the wheel of sktime, whose folder also holds sets of other kinds.
BUNDLED = (
    "ACSF1",
    "ArrowHead",
    "BasicMotions",
    "GunPoint",
    "ItalyPowerDemand",
    "JapaneseVowels",
    "OSULeaf",
    "PLAID",
)

DESCR = """{name}: a set of the UCR and UEA archives of time-series classification

{n_channels}, {lengths}, {n_classes} classes, the archive's split into training and test cases.

Source
    {page}
Terms
    Free for research, with citation.
Citation
    H. A. Dau, E. Keogh, K. Kamgar, C.-C. M. Yeh, Y. Zhu, S. Gharghabi, C. A. Ratanamahatana et
    al., "The UCR time series classification archive", 2018 (one channel).
    A. Bagnall, H. A. Dau, J. Lines, M. Flynn, J. Large, A. Bostrom, P. Southam and E. Keogh, "The
    UEA multivariate time series classification archive, 2018", arXiv:1811.00075, 2018 (several
    channels).
Loaded
{loaded}
"""


def load_ucr(name: str, data_home: str | PathLike[str] | None = None) -> Bunch:
    """Load a set of the UCR or UEA archive of time-series classification [1]_, [2]_.

    Reads ``NAME_TRAIN`` and ``NAME_TEST`` in the archives' formats: ``.ts``, ``.tsv``, ``.txt`` and
    ``.arff``, packed (``.ts.gz``) or not; of several the first in this order.

    Parameters
    ----------
    name : str
        Name of the set in the archive, such as "GunPoint".
    data_home : str or path-like, default=None
        Folder that holds the two files or a folder ``NAME`` with them. None takes the folder
        ``ucr`` in the one that the environment variable ``SKPROG_DATA`` names. Sets that are not
        there come from sktime, which is installed with ACSF1, ArrowHead, BasicMotions, GunPoint,
        ItalyPowerDemand, JapaneseVowels, OSULeaf and PLAID: these need neither folder nor variable.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        The set, with these fields:

        X_train : ndarray of shape (n_cases, n_channels, n_timepoints), float64, or list of ndarray
            Training cases as in the file. If the cases of the set differ in length, a list of
            arrays of shape (n_channels, n_timepoints).
        y_train : ndarray of shape (n_cases,), str
            Class of each.
        X_test : ndarray of shape (n_cases, n_channels, n_timepoints), float64, or list of ndarray
            Test cases, in the order of the file.
        y_test : ndarray of shape (n_cases,), str
            Class of each.
        target_names : list of str
            The classes, in the order of ``numpy.unique``.
        DESCR : str
            Source, terms, citation and what was loaded.

    Raises
    ------
    FileNotFoundError
        If there is no such set, or one of its two files is missing.
    ValueError
        If a file is damaged, truncated or empty, has timestamps, missing values or no classes, or
        the two files differ in channels or the test cases have a class that the others have not.
    TypeError
        If ``name`` is not a string or ``data_home`` is not a path.

    See Also
    --------
    skprog.estimators.TimeSeriesClassifier : Networks for such cases.
    skprog.sktime.SktimeClassifier : The adapter to sktime, which has a reader of its own.

    Notes
    -----
    Labels are text, spelt as in the file; sktime's reader puts ``.ts`` labels in lower case. In
    ``.tsv`` and ``.txt`` files they are numbers, written as whole ones ("1.0000000e+00" is "1") to
    agree with the other formats.

    Missing values at the end of all channels of a case are taken for padding and cut off, since
    most formats of the archive pad unequal series so. Others are refused.

    References
    ----------
    .. [1] H. A. Dau et al., "The UCR time series classification archive", 2018.
    .. [2] A. Bagnall et al., "The UEA multivariate time series classification archive, 2018",
       arXiv:1811.00075, 2018.

    Examples
    --------
    >>> from skprog.datasets import load_ucr
    >>> data = load_ucr("BasicMotions")
    >>> data.X_train.shape, data.X_test.shape
    ((40, 6, 100), (40, 6, 100))
    >>> data.target_names
    ['Badminton', 'Running', 'Standing', 'Walking']
    """
    if not isinstance(name, str):
        raise TypeError(f"name={name!r} must be the name of a set, such as 'GunPoint'.")
    paths = _find(name, data_home)
    cases, labels = zip(*map(read_cases, paths), strict=True)
    _check_alike(paths, cases, labels)
    lengths = sorted({case.shape[1] for part in cases for case in part})
    if len(lengths) == 1:
        cases = [np.stack(part) for part in cases]
    names = np.unique(labels[0]).tolist()
    n_channels = len(cases[0][0])
    lines = [
        f"    {path}: {len(y)} cases, "
        + ", ".join(f"{np.sum(y == label)} of {label}" for label in names)
        for path, y in zip(paths, labels, strict=True)
    ]
    return Bunch(
        X_train=cases[0],
        y_train=labels[0],
        X_test=cases[1],
        y_test=labels[1],
        target_names=names,
        DESCR=DESCR.format(
            name=name,
            n_channels="1 channel" if n_channels == 1 else f"{n_channels} channels",
            lengths=" to ".join(f"{n}" for n in sorted({lengths[0], lengths[-1]})) + " timepoints",
            n_classes=len(names),
            page=UCR_PAGE,
            loaded="\n".join(lines),
        ),
    )


def _find(name, data_home):
    """Return the paths of the training and the test file."""
    if not re.fullmatch(r"[\w-]+", name):
        raise ValueError(f"name={name!r} is no name of a set; give one such as 'GunPoint'.")
    if data_home is not None:
        home = check_path("data_home", data_home)
        origin = "from data_home"
        if not home.is_dir():
            raise FileNotFoundError(f"data_home={str(home)!r} is no folder. {_expected(name)}.")
    elif os.environ.get("SKPROG_DATA"):
        home = data_folder(None, "ucr", UCR_PAGE)
        origin = f"from SKPROG_DATA={os.environ['SKPROG_DATA']}"
    else:
        home = None
    folders = [] if home is None else [home / name, home]
    if name in BUNDLED:
        folders.append(_bundled_folder() / name)
    for folder in folders:
        found = {part: _file(folder, f"{name}_{part}") for part in ("TRAIN", "TEST")}
        for part, path in found.items():
            if path is None and any(found.values()):
                raise FileNotFoundError(
                    f"{folder} has only one of the two files of {name!r}: there is no "
                    f"{name}_{part}.ts (or {', '.join(SUFFIXES[1:])}). The data come from "
                    f"{UCR_PAGE}."
                )
        if all(found.values()):
            return list(found.values())
    where = (
        "data_home is None and the environment variable SKPROG_DATA is not set; pass the folder of "
        "the files, or set SKPROG_DATA to the folder that holds 'ucr'"
        if home is None
        else f"looked in {folders[0]} and {folders[1]} ({origin})"
    )
    near = _near_names(name, home)
    raise FileNotFoundError(
        f"No set {name!r}: {where}. {_expected(name)}."
        + f" Similar names are {', '.join(near)}." * bool(near)
        + f" Without any file there are {', '.join(BUNDLED)}."
    )


def _expected(name):
    return (
        f"Expected are {name}_TRAIN.ts and {name}_TEST.ts (or {', '.join(SUFFIXES[1:])}), which "
        f"come from {UCR_PAGE}"
    )


def _file(folder, stem):
    paths = (folder / f"{stem}{suffix}" for suffix in SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def _bundled_folder():
    return Path(find_spec("sktime").submodule_search_locations[0]) / "datasets" / "data"


def _near_names(name, home):
    """Return names like the given one: in the folder, bundled or of the archive's list."""
    from sktime.datasets.tsc_dataset_names import multivariate, univariate

    paths = [] if home is None else [*home.glob("*_TRAIN.*"), *home.glob("*/*_TRAIN.*")]
    present = [path.name.partition("_TRAIN.")[0] for path in paths]
    known = {known.lower(): known for known in [*univariate, *multivariate, *BUNDLED, *present]}
    near = (known[key] for key in difflib.get_close_matches(name.lower(), known, n=4))
    return [each for each in near if each != name]


def _check_alike(paths, cases, labels):
    """Refuse training and test cases that differ in channels or in classes."""
    n_train, n_test = (len(part[0]) for part in cases)
    if n_train != n_test:
        raise ValueError(
            f"{paths[1]} has {n_test} channels but {paths[0]} has {n_train}; they belong to "
            "different sets."
        )
    unknown = np.setdiff1d(labels[1], labels[0])
    if len(unknown):
        raise ValueError(
            f"{paths[1]} has the class {unknown.tolist()[0]!r}, which {paths[0]} has not; they "
            "belong to different sets."
        )
