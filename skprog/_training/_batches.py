"""Training data that make their own batches in memory, with no collation row by row.

Knows torch and what a run is.
"""

import numpy as np
import torch

from .._runs import run_starts


class ArrayData:
    """Rows of an array with their targets, in batches of near-equal size.

    Parameters
    ----------
    X : ndarray of shape (n_rows, ...)
        Rows.
    y : ndarray of shape (n_rows,)
        Targets.
    """

    lengths = None

    def __init__(self, X, y):
        self.X = X
        self.y = y

    def __len__(self):
        return len(self.X)

    def batches(self, batch_size, *, shuffle):
        """Yield pairs of tensors (rows, targets)."""
        order = torch.randperm(len(self)).numpy() if shuffle else np.arange(len(self))
        for rows in np.array_split(order, n_batches(len(self), batch_size)):
            yield torch.from_numpy(self.X[rows]), torch.from_numpy(self.y[rows])

    def moments(self, *, by_channel=False):
        """Return mean and standard deviation of all values, or of each channel's (n_channels,).

        A standard deviation of 0 is returned as 1.
        """
        blocks = np.array_split(self.X, n_batches(len(self), 512))
        return _moments(blocks, self._n_values(), by_axis=by_channel)

    def _n_values(self):
        return self.X.size


class SeriesData(ArrayData):
    """Series of unequal length with their targets, in batches as long as their longest series.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_channels, n_timepoints)
        Series, with zeros after their end.
    y : ndarray of shape (n_rows,)
        Targets.
    lengths : ndarray of shape (n_rows,)
        Length of each series, in timepoints.
    """

    def __init__(self, X, y, lengths):
        super().__init__(X, y)
        self.lengths = lengths

    def batches(self, batch_size, *, shuffle):
        """Yield ({"X": rows, "lengths": (n_rows,)}, targets) as tensors."""
        numbered = ArrayData(np.arange(len(self)), self.y)
        for rows, y in numbered.batches(batch_size, shuffle=shuffle):
            rows = rows.numpy()
            lengths = self.lengths[rows]
            X = torch.from_numpy(self.X[rows, :, : lengths.max()])
            yield {"X": X, "lengths": torch.from_numpy(lengths)}, y

    def _n_values(self):
        return self.X.shape[1] * self.lengths.sum()


class SequenceData:
    """Sequences of windows with their targets; a batch holds each distinct window once.

    Every channel of a window is a window of its own, and every channel of a sequence a sequence
    of its own with the same target. Sequences are numbered channel by channel.

    Parameters
    ----------
    windows : ndarray of shape (n_windows, n_channels, *window_shape)
        Distinct windows.
    index : ndarray of shape (n_rows, n_steps)
        Windows of each row.
    y : ndarray of shape (n_rows,) or None
        Targets.
    runs : ndarray of shape (n_rows,) or None
        Run of each row; consecutive rows of a run stay together in chunks.
    chunk_length : int, default=1
        Consecutive rows that enter a batch together when shuffled.
    """

    def __init__(self, windows, index, y=None, *, runs=None, chunk_length=1):
        self.n_channels = windows.shape[1]
        self.windows = windows.reshape(-1, *windows.shape[2:])
        self.index = index
        self.y = y
        self.runs = runs
        self.chunk_length = chunk_length

    def __len__(self):
        return len(self.index) * self.n_channels

    def sequence_index(self, sequences):
        """Return the windows (n, n_steps) of the sequences numbered."""
        channels, rows = np.divmod(sequences, len(self.index))
        return self.index[rows] * self.n_channels + channels[:, None]

    def batches(self, batch_size, *, shuffle):
        """Yield ({"X": distinct windows, "index": (n, n_steps)}, targets) as tensors."""
        order = self._shuffled() if shuffle else np.arange(len(self))
        for sequences in np.array_split(order, n_batches(len(self), batch_size)):
            used, index = np.unique(self.sequence_index(sequences), return_inverse=True)
            index = index.reshape(len(sequences), -1)
            X = {"X": torch.from_numpy(self.windows[used]), "index": torch.from_numpy(index)}
            yield X, torch.from_numpy(self.y[sequences % len(self.index)])

    def moments(self):
        """Return mean and standard deviation of the windows in use along their first axis.

        A standard deviation of 0 is returned as 1.
        """
        used = np.unique(self.index) * self.n_channels
        blocks = (
            self.windows[(part[:, None] + np.arange(self.n_channels)).ravel()]
            for part in np.array_split(used, n_batches(len(used), 128))
        )
        n_values = len(used) * self.n_channels * self.windows[0].size
        return _moments(blocks, n_values, by_axis=True)

    def _shuffled(self):
        """Return all sequences in chunks from random places."""
        rows = np.arange(len(self.index))
        breaks = [] if self.runs is None else run_starts(self.runs)[1:]
        chunks = []
        for channel in range(self.n_channels):
            for block in np.split(rows + channel * len(rows), breaks):
                # Rolled, so that chunks begin elsewhere in each epoch and stay of near-equal size.
                block = np.roll(block, int(torch.randint(len(block), ())))
                chunks += np.array_split(block, n_batches(len(block), self.chunk_length))
        return np.concatenate([chunks[i] for i in torch.randperm(len(chunks))])


def _moments(blocks, n_values, *, by_axis):
    """Return mean and standard deviation of all values, or of each place on the second axis."""
    total, squares = 0.0, 0.0
    for block in blocks:
        block = block.astype(np.float64)
        axes = (0, *range(2, block.ndim)) if by_axis else None
        total = total + block.sum(axis=axes)
        squares = squares + np.square(block).sum(axis=axes)
    n = n_values / np.size(total)
    mean = total / n
    scale = np.sqrt(np.maximum(squares / n - mean**2, 0))
    return mean, np.where(scale > 1e-7 * np.abs(mean), scale, 1.0)


def n_batches(n_rows, batch_size):
    """Return how many batches of at most ``batch_size`` rows are needed."""
    return -(-int(n_rows) // int(batch_size))
