"""Sequences of windows that carry their own past, without copying it."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from ._checks import as_numbers, check_integer, check_plain
from ._runs import check_runs, check_time, run_starts

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import pandas as pd
    from numpy.typing import ArrayLike

__all__ = ["RunSequences"]


class RunSequences:
    """The last windows of a run up to each of its moments, held once.

    An instance behaves as an array of shape (n_sequences, n_steps, ...), yet it holds
    every window once and an integer index into them. Rows know their run, so that splitters,
    scorers and pipelines of scikit-learn work on it unchanged. Build one with
    :meth:`from_runs`.

    Parameters
    ----------
    windows : ndarray of shape (n_windows, ...)
        Windows, or what a transformer has made of them.
    index : ndarray of shape (n_sequences, n_steps)
        Windows of each sequence, oldest first.
    runs : ndarray of shape (n_sequences,)
        Run of each sequence.
    ends : ndarray of shape (n_sequences,)
        Position of each sequence's last window among the windows first given.
    time, age : ndarray of shape (n_sequences,) or None
        Time of the last window and time since the run began, in s.
    context : ndarray of shape (n_sequences, n_context) or None
        Numbers known beforehand, such as load, speed or condition.
    context_names : tuple of str or None
        Names of the columns of ``context``.

    Attributes
    ----------
    shape : tuple of int
        (n_sequences, n_steps, ...).
    dtype : numpy.dtype
        Type of the windows.
    nbytes : int
        Bytes held, which is less than the bytes of the stacked array.

    Notes
    -----
    ``X[i]`` with an integer is one stacked sequence of shape (n_steps, ...). Any other
    index selects rows and returns RunSequences. ``np.asarray(X)`` stacks them all.

    Examples
    --------
    >>> import numpy as np
    >>> from skprog.sequences import RunSequences
    >>> windows = np.arange(5.0)
    >>> X = RunSequences.from_runs(windows, ["a", "a", "a", "b", "b"], n_steps=3)
    >>> np.asarray(X)
    array([[0., 0., 0.],
           [0., 0., 1.],
           [0., 1., 2.],
           [3., 3., 3.],
           [3., 3., 4.]])
    >>> X[X.runs == "b"].ends
    array([3, 4])
    """

    def __init__(
        self,
        windows: np.ndarray,
        index: np.ndarray,
        runs: np.ndarray,
        ends: np.ndarray,
        *,
        time: np.ndarray | None = None,
        age: np.ndarray | None = None,
        context: np.ndarray | None = None,
        context_names: tuple[str, ...] | None = None,
    ) -> None:
        self.windows = windows
        self.index = index
        self.runs = runs
        self.ends = ends
        self.time = time
        self.age = age
        self.context = context
        self.context_names = context_names

    @classmethod
    def from_runs(
        cls,
        windows: ArrayLike,
        runs: ArrayLike,
        *,
        n_steps: int = 32,
        pad: bool = True,
        time: ArrayLike | None = None,
        context: ArrayLike | Mapping[str, ArrayLike] | pd.DataFrame | None = None,
    ) -> RunSequences:
        """Form the sequences of whole runs.

        Parameters
        ----------
        windows : array-like of shape (n_windows, ...)
            Windows sorted by run, then by time. An ndarray is held, not copied.
        runs : array-like of shape (n_windows,)
            Run id of each window.
        n_steps : int, default=32
            Windows per sequence.
        pad : bool, default=True
            Repeat a run's first window where its past is too short, so that each window ends a
            sequence. ``False`` drops the first ``n_steps - 1`` windows of each run instead.
        time : array-like of shape (n_windows,), default=None
            Time of each window in s, not falling within a run.
        context : array-like of shape (n_windows, n_context), mapping or DataFrame, default=None
            Numbers known beforehand for each window; a mapping or DataFrame also names them, and
            (n_windows,) is one column.

        Returns
        -------
        RunSequences
            One row per window, or per window with a full past when ``pad=False``.

        Raises
        ------
        ValueError
            If there are no windows, they differ in shape, ``runs``, ``time`` or ``context`` have
            another length or hold anything but ids or finite numbers, runs are interleaved, time
            falls within a run, ``n_steps`` is below 1, or ``pad=False`` and a run is shorter than
            ``n_steps``.
        TypeError
            If ``n_steps`` is not an integer.
        """
        n_steps = check_integer("n_steps", n_steps)
        windows = _as_windows(windows)
        runs = check_runs(runs, len(windows))
        starts = run_starts(runs)
        lengths = np.diff(np.r_[starts, len(runs)])
        first = np.repeat(starts, lengths)
        ends = np.arange(len(runs))
        if not pad:
            _refuse_short_runs(runs[starts], lengths, n_steps)
            ends = ends[ends - first >= n_steps - 1]
        index = np.maximum(ends[:, None] + np.arange(1 - n_steps, 1), first[ends, None])
        age = None
        if time is not None:
            time = check_time(time, runs)
            age = (time - time[first])[ends]
            time = time[ends]
        names = None
        if context is not None:
            columns, names = _as_context(context, len(windows))
            context = columns[ends]
        return cls(
            windows,
            index,
            runs[ends],
            ends,
            time=time,
            age=age,
            context=context,
            context_names=names,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the stacked array."""
        return (*self.index.shape, *self.windows.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes of the stacked array."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype:
        """Type of the windows."""
        return self.windows.dtype

    @property
    def nbytes(self) -> int:
        """Bytes held: windows and index."""
        return self.windows.nbytes + self.index.nbytes

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            if len(key) != 2 or key[1] is not Ellipsis:
                raise IndexError(
                    "RunSequences takes one index, of rows; use np.asarray(X) to index other axes."
                )
            key = key[0]
        key = _as_key(key)
        index = self.index[key]
        if index.ndim == 1 and np.ndim(key) == 0:
            return self.windows[index]
        if index.ndim != 2:
            raise IndexError("RunSequences takes one index, of rows, and adds no axes.")
        rows = {
            name: value if value is None else value[key]
            for name, value in (("time", self.time), ("age", self.age), ("context", self.context))
        }
        return type(self)(
            self.windows,
            index,
            self.runs[key],
            self.ends[key],
            **rows,
            context_names=self.context_names,
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("Stacking sequences copies their windows; copy=False cannot hold.")
        return np.asarray(self.windows[self.index], dtype=dtype)

    def __repr__(self) -> str:
        stacked = self.index.size * self.windows[:1].nbytes
        return (
            f"RunSequences({len(np.unique(self.runs))} runs, {len(self)} rows, "
            f"shape={self.shape}, dtype={self.dtype}, {self.nbytes / 1e6:.3g} MB held, "
            f"{stacked / 1e6:.3g} MB stacked)"
        )

    def map(self, f: Callable[[np.ndarray], ArrayLike]) -> RunSequences:
        """Apply a function to the windows in use, once each.

        Parameters
        ----------
        f : callable
            Takes windows (n_used, ...), returns an array of the same length.

        Returns
        -------
        RunSequences
            The same rows over the new windows; windows that no row uses are left out.

        Raises
        ------
        ValueError
            If ``f`` returns another number of windows.
        """
        used = np.unique(self.index)
        is_block = len(used) > 0 and used[-1] - used[0] == len(used) - 1
        windows = self.windows[used[0] : used[-1] + 1] if is_block else self.windows[used]
        mapped = np.asarray(f(windows))
        if mapped.shape[:1] != used.shape:
            raise ValueError(
                f"the function returned shape {mapped.shape} for {len(used)} windows; "
                "it must return one row per window."
            )
        return type(self)(
            mapped,
            np.searchsorted(used, self.index),
            self.runs,
            self.ends,
            time=self.time,
            age=self.age,
            context=self.context,
            context_names=self.context_names,
        )


def _as_key(key: Any) -> Any:
    """Return an index that NumPy takes: nullable masks and empty lists are objects or floats."""
    array = np.asarray(key)
    if array.ndim == 1 and array.dtype == object:
        key = array = np.array(array.tolist())
    if array.shape == (0,) and array.dtype.kind == "f":
        key = array.astype(int)
    return key


def _as_windows(windows: Any) -> np.ndarray:
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


def _refuse_short_runs(ids: np.ndarray, lengths: np.ndarray, n_steps: int) -> None:
    short = np.flatnonzero(lengths < n_steps)
    if len(short):
        raise ValueError(
            f"run {ids[short[0]]} has {lengths[short[0]]} windows, fewer than "
            f"n_steps={n_steps}; use pad=True or fewer steps."
        )


def _as_context(context: Any, n_windows: int) -> tuple[np.ndarray, tuple[str, ...] | None]:
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
