"""Sequences of windows that carry their own past, without copying it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ._checks import check_integer, check_option
from ._runs import (
    as_context,
    as_windows,
    check_failed,
    check_field,
    check_index,
    check_parts,
    check_runs,
    check_time,
    find_stops,
    refuse_short_runs,
    run_starts,
    running_time,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    import pandas as pd
    from numpy.typing import ArrayLike

__all__ = ["RunSequences"]

# What each row may have besides its run.
ROW_FIELDS = ("time", "age", "context", "failed")


class RunSequences:
    """The last windows of a run up to each of its moments, held once.

    An instance behaves as an array of shape (n_sequences, n_steps, ...), yet it holds every window
    once and an integer index into them. Rows know their run, so that splitters, scorers and
    pipelines of scikit-learn work on it unchanged. Build one with :meth:`from_runs`.

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
    failed : ndarray of bool of shape (n_sequences,) or None
        Whether the run of each sequence ends by failing; None where nothing was said.

    Attributes
    ----------
    shape : tuple of int
        (n_sequences, n_steps, ...).
    dtype : numpy.dtype
        Type of the windows.
    nbytes : int
        Bytes held, which is less than the bytes of the stacked array.

    Raises
    ------
    ValueError
        If an array is of another shape or type, ``index`` leads beyond the windows, or numbers are
        not finite.

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
        failed: np.ndarray | None = None,
    ) -> None:
        n_rows = check_index(windows, index)
        check_field("runs", runs, (n_rows,))
        check_field("ends", ends, (n_rows,), "iu")
        for name, rows, kinds in (
            ("time", time, "fiu"),
            ("age", age, "fiu"),
            ("failed", failed, "b"),
        ):
            if rows is not None:
                check_field(name, rows, (n_rows,), kinds)
        if context is not None:
            check_field("context", context, (n_rows, context.shape[-1]), "fiub")
        self.windows = windows
        self.index = index
        self.runs = runs
        self.ends = ends
        self.time = time
        self.age = age
        self.context = context
        self.context_names = context_names
        self.failed = failed

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
        failed: ArrayLike | Mapping[Any, bool] | None = None,
        max_gap: float | None = None,
    ) -> RunSequences:
        """Form the sequences of whole runs.

        Parameters
        ----------
        windows : array-like of shape (n_windows, ...)
            Windows sorted by run, then by time. An ndarray is held, not copied.
        runs : array-like of shape (n_windows,)
            Run id of each window. Ids of several parts, such as those of a MultiIndex, become text.
        n_steps : int, default=32
            Windows per sequence.
        pad : bool, default=True
            Repeat a run's first window where its past is too short, so that each window ends a
            sequence; False drops the first ``n_steps - 1`` windows of each run.
        time : array-like of shape (n_windows,), default=None
            Time of each window in s, not falling within a run. Dates of NumPy or pandas become
            seconds since 1970, in UTC where they know their zone, time differences seconds.
        context : array-like of shape (n_windows, n_context), mapping or DataFrame, default=None
            Numbers known beforehand for each window; a mapping or DataFrame also names them, and
            (n_windows,) is one column.
        failed : array-like of bool of shape (n_runs,) or mapping from run to bool, default=None
            Whether each run, in order of appearance, ends by failing; False for a machine that was
            stopped in time or still runs. None says nothing, and metrics take all for failed.
        max_gap : float, default=None
            Longest step in s between two windows of a run that is running time. At longer ones the
            machine stood still: no sequence reaches across them, and they count for no age. None
            warns of a step that is over 100 times the usual one.

        Returns
        -------
        RunSequences
            One row per window, or per window with a full past when ``pad=False``.

        Raises
        ------
        ValueError
            If there are no windows, they differ in shape, ``runs``, ``time`` or ``context`` have
            another length or hold anything but ids or finite numbers, runs are interleaved, time
            falls within a run, ``n_steps`` is below 1, ``pad`` is no bool, ``failed`` says nothing
            or something else of a run, ``max_gap`` is given without ``time``, or ``pad=False`` and
            a run has no ``n_steps`` windows in a row.
        TypeError
            If ``n_steps`` is not an integer, or ``max_gap`` no number.

        Warns
        -----
        UserWarning
            If a step in time is over 100 times the usual one and ``max_gap`` is None.
        """
        n_steps = check_integer("n_steps", n_steps)
        check_option("pad", pad, (True, False))
        windows = as_windows(windows)
        runs = check_runs(runs, len(windows))
        time = None if time is None else check_time(time, runs)
        stops = find_stops(time, runs, max_gap)
        begins = np.union1d(run_starts(runs), stops)
        first = np.repeat(begins, np.diff(np.r_[begins, len(runs)]))
        ends = np.arange(len(runs))
        if not pad:
            ends = ends[ends - first >= n_steps - 1]
            refuse_short_runs(runs, np.diff(np.r_[begins, len(runs)]), begins, n_steps)
        index = np.maximum(ends[:, None] + np.arange(1 - n_steps, 1), first[ends, None])
        age = None if time is None else running_time(time, runs, stops)[ends]
        time = None if time is None else time[ends]
        failed = None if failed is None else check_failed(failed, runs)[ends]
        columns, names = None, None
        if context is not None:
            columns, names = as_context(context, len(windows))
            columns = columns[ends]
        return cls(
            windows,
            index,
            runs[ends],
            ends,
            time=time,
            age=age,
            context=columns,
            context_names=names,
            failed=failed,
        )

    @classmethod
    def concatenate(cls, parts: Sequence[RunSequences]) -> RunSequences:
        """Put sequences of several sets of runs into one.

        Parameters
        ----------
        parts : sequence of RunSequences
            Sequences of as many steps and of windows of one shape, each run in one part only.

        Returns
        -------
        RunSequences
            The rows of one part after those of another. ``ends`` count through the windows of all,
            so that ``np.concatenate([rul_a, rul_b])[X.ends]`` are the labels of parts that held
            all their windows.

        Raises
        ------
        ValueError
            If parts differ in steps, window shape, context or whether they know times, or a run is
            in two of them.
        TypeError
            If a part is no RunSequences.
        """
        parts = list(parts)
        check_parts(parts)
        lengths = [len(part.windows) for part in parts]
        # As many as were first given, unless the last of them are left out.
        spans = [max(len(part.windows), 1 + part.ends.max(initial=-1)) for part in parts]
        starts, offsets = (np.r_[0, np.cumsum(each)[:-1]].tolist() for each in (lengths, spans))
        fields = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ROW_FIELDS
            if getattr(parts[0], name) is not None
        }
        return cls(
            np.concatenate([part.windows for part in parts]),
            np.concatenate([part.index + i for part, i in zip(parts, starts, strict=True)]),
            np.concatenate([part.runs for part in parts]),
            np.concatenate([part.ends + i for part, i in zip(parts, offsets, strict=True)]),
            **fields,
            context_names=parts[0].context_names,
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
        rows = {n: value[key] for n in ROW_FIELDS if (value := getattr(self, n)) is not None}
        return self._replaced(index=index, runs=self.runs[key], ends=self.ends[key], **rows)

    def _replaced(self, **changed: Any) -> RunSequences:
        """Return these sequences with other values for some attributes, unchecked."""
        replaced = object.__new__(type(self))
        vars(replaced).update({**vars(self), **changed})
        return replaced

    def __getstate__(self) -> dict[str, Any]:
        # A pickle of some rows is not to carry the windows of all others.
        return vars(self._of_windows_in_use())

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func in JOINING:
            raise TypeError(
                f"np.{func.__name__} would lose runs and times of RunSequences; use "
                "RunSequences.concatenate([...])."
            )
        return func(*map(_stacked, args), **{name: _stacked(x) for name, x in kwargs.items()})

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
        kept = self._of_windows_in_use()
        mapped = np.asarray(f(kept.windows))
        if mapped.shape[:1] != (len(kept.windows),):
            raise ValueError(
                f"the function returned shape {mapped.shape} for {len(kept.windows)} windows; "
                "it must return one row per window."
            )
        return kept._replaced(windows=mapped)

    def _of_windows_in_use(self) -> RunSequences:
        """Return the same rows over those windows alone that they use, in a view if in a block."""
        used = np.unique(self.index)
        if len(used) == len(self.windows):
            return self
        is_block = len(used) > 0 and used[-1] - used[0] == len(used) - 1
        windows = self.windows[used[0] : used[-1] + 1] if is_block else self.windows[used]
        return self._replaced(windows=windows, index=np.searchsorted(used, self.index))


# Functions of NumPy that put arrays into one.
JOINING = {np.concatenate, np.vstack, np.hstack, np.append, np.stack}


def _stacked(value: Any) -> Any:
    """Return sequences, in lists of them too, as stacked arrays."""
    if isinstance(value, list | tuple):
        return type(value)(map(_stacked, value))
    return np.asarray(value) if isinstance(value, RunSequences) else value


def _as_key(key: Any) -> Any:
    """Return an index that NumPy takes: nullable masks and empty lists are objects or floats."""
    array = np.asarray(key)
    if array.ndim == 1 and array.dtype == object:
        key = array = np.array(array.tolist())
    if array.shape == (0,) and array.dtype.kind == "f":
        key = array.astype(int)
    return key
