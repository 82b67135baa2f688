"""Estimators written to a file and read from it, and files replaced as a whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ._format import from_bytes, to_bytes

if TYPE_CHECKING:
    from os import PathLike

    from sklearn.base import BaseEstimator


def save(estimator: BaseEstimator, path: str | PathLike[str]) -> None:
    """Write a fitted estimator to one file without pickle.

    The file is a safetensors file: a JSON text names the classes, hyperparameters and what was
    learnt, and the tensors hold weights and arrays. :func:`load` reads it and cannot run code from
    it.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator of skprog, or one of scikit-learn's pipelines, unions, votes, target
        transformers and plain preprocessing around or before it.
    path : str or path-like
        File to write, usually ``.skprog``, in a folder that exists. It is replaced as a whole.

    Raises
    ------
    NotFittedError
        If ``estimator`` is not fitted.
    ValueError
        If a class or the value of a hyperparameter, which the message names, cannot be written
        without code, names a file of this machine, or changed since ``fit``.
    TypeError
        If ``estimator`` is no estimator, or ``path`` no path.
    FileNotFoundError
        If the folder does not exist.
    IsADirectoryError
        If ``path`` is a folder.

    See Also
    --------
    load : Reads the file.

    Notes
    -----
    Not written are the state of the optimizer and of the callbacks, so that the file is as small
    as the weights, and the losses of each batch in ``history_``, of which the epochs are kept.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from skprog.deploy import load, save
    >>> from skprog.preprocessing import RULIndex
    >>> rul_index = RULIndex().fit([0.0, 27_710.0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "index.skprog"
    ...     save(rul_index, path)
    ...     load(path).max_life_
    27710.0
    """
    path = checked_path(path)
    write(path, to_bytes(estimator))


def load(path: str | PathLike[str]) -> BaseEstimator:
    """Read an estimator that :func:`save` wrote.

    Classes come from a fixed table of those of skprog, scikit-learn and torch: nothing in the file
    is imported, evaluated or unpickled.

    Parameters
    ----------
    path : str or path-like
        File to read.

    Returns
    -------
    estimator
        It predicts and transforms bit by bit as the one saved, on the CPU. It cannot be trained
        on, as the optimizer's state is not in the file: ``partial_fit`` and ``warm_start=True``
        are a ValueError, ``fit`` anew works.

    Raises
    ------
    ValueError
        If the file is a pickle, truncated, changed, of a newer format or of something else, or
        names a class that is not in the table.
    TypeError
        If ``path`` is no path.
    FileNotFoundError
        If there is no such file.
    IsADirectoryError
        If ``path`` is a folder.

    Warns
    -----
    InconsistentVersionWarning
        If another version of scikit-learn wrote estimators of its own.

    See Also
    --------
    save : Writes the file.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path={path!r} must be the path of a file, a str or path-like.")
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the name of a file in it.")
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}; check the path.")
    try:
        return from_bytes(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} cannot be loaded: {error}.") from error


def checked_path(path):
    """Return the path of a file to write, in a folder that exists."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path={path!r} must be the path of a file, a str or path-like.")
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the name of a file in it.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} does not exist; create it first.")
    return path


def write(path, data):
    """Replace a file by these bytes, whole or not at all."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(data)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
