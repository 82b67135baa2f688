"""
Features of a fleet that memory does not hold
=============================================

The windows of a fleet lie on disk, a file per bearing. dask maps the pipeline of features over
blocks of windows, a few at a time, and writes spectrograms to one file, from which RunSequences
reads. Memory stays below --bound, a fraction of the fleet; a run that exceeds it ends in an error.

    python examples/studies/extract_fleet_features.py
"""

import argparse
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import dask.array as da
import joblib
import numpy as np
import psutil
from sklearn.pipeline import make_pipeline

from skprog.datasets import make_run_to_failure
from skprog.preprocessing import AccelRotation45, WelchSpectrogram
from skprog.sequences import RunSequences

FEATURES = make_pipeline(AccelRotation45(), WelchSpectrogram(f_max=8400, pool_size=4))


def write_bearing(path, n_windows, seed):
    """Simulate a bearing and write its windows."""
    data = make_run_to_failure(n_runs=1, n_windows=n_windows, life_spread=0.0, random_state=seed)
    np.save(path, data.windows)


@contextmanager
def memory_below(bound):
    """Measure by how many bytes the process grows, and refuse more than ``bound``."""
    process, done, peak = psutil.Process(), threading.Event(), [0]
    before = process.memory_info().rss

    def watch():
        while not done.wait(0.002):
            peak[0] = max(peak[0], process.memory_info().rss - before)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
    if peak[0] > bound:
        raise MemoryError(
            f"extraction took {peak[0] / 1e6:.0f} MB, above the bound of {bound / 1e6:.0f} MB; use "
            "fewer --jobs or a smaller --block."
        )


class Fleet:
    """The windows of all files as one array, of which rows are read when asked for."""

    def __init__(self, paths):
        shapes = [np.load(path, mmap_mode="r").shape for path in paths]
        self.paths = paths
        self.lengths = [shape[0] for shape in shapes]
        self.starts = np.cumsum([0, *self.lengths])
        self.shape = (sum(self.lengths), *shapes[0][1:])
        self.ndim = len(self.shape)
        self.dtype = np.dtype(np.float32)

    def chunks(self, n_block):
        """Return how many windows the blocks have, none of which spans two files."""
        return tuple(
            min(n_block, length - start)
            for length in self.lengths
            for start in range(0, length, n_block)
        )

    def __getitem__(self, key):
        rows = key[0]
        file = np.searchsorted(self.starts, rows.start, side="right") - 1
        rows = slice(rows.start - self.starts[file], rows.stop - self.starts[file])
        return np.array(np.load(self.paths[file], mmap_mode="r")[rows])


class NpyFile:
    """A .npy file that blocks are written to, mapped only while one is."""

    def __init__(self, path, shape, dtype):
        self.path = path
        np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)

    def __setitem__(self, rows, block):
        np.load(self.path, mmap_mode="r+")[rows] = block


def extract(fleet, target, features, n_block, n_jobs):
    """Map what made ``features`` of a first window over the fleet, and write to ``target``."""
    windows = da.from_array(fleet, (fleet.chunks(n_block), -1, -1), name=False, inline_array=True)
    spectrograms = windows.map_blocks(
        FEATURES.transform,
        new_axis=3,
        chunks=(windows.chunks[0], *((n,) for n in features.shape[1:])),
        meta=features[:0],
    )
    file = NpyFile(target, spectrograms.shape, features.dtype)
    da.store(spectrograms, file, lock=False, scheduler="threads", num_workers=n_jobs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--bearings", type=int, default=80)
    parser.add_argument("--windows", type=int, default=400, help="windows of a bearing, about")
    parser.add_argument("--bound", type=float, default=200.0, help="memory to grow by, in MB")
    parser.add_argument("--block", type=int, default=64, help="windows of a block")
    parser.add_argument("--jobs", type=int, default=2, help="blocks at a time")
    parser.add_argument("--quick", action="store_true", help="half of the bearings")
    arguments = parser.parse_args()
    for name in ("bearings", "windows", "block", "jobs"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name} {getattr(arguments, name)} must be at least 1")
    n_bearings = arguments.bearings // 2 if arguments.quick else arguments.bearings
    bound = arguments.bound * 1e6
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"bearing_{i:03}.npy") for i in range(n_bearings)]
        # In other processes, so that this one's memory is the extraction's alone.
        joblib.Parallel(n_jobs=arguments.jobs)(
            joblib.delayed(write_bearing)(path, arguments.windows, seed)
            for seed, path in enumerate(paths)
        )
        n_bytes = sum(path.stat().st_size for path in paths)
        if n_bytes <= bound:
            raise ValueError(
                f"the fleet of {n_bytes / 1e6:.0f} MB fits into --bound {arguments.bound:.0f} MB; "
                "use more --bearings."
            )
        target = Path(folder, "spectrograms.npy")
        fleet = Fleet(paths)
        features = FEATURES.fit_transform(fleet[slice(0, 1), ...])
        with memory_below(bound) as peak:
            extract(fleet, target, features, arguments.block, arguments.jobs)
        spectrograms = np.load(target, mmap_mode="r")
        print(f"fleet: {n_bearings} bearings, {len(spectrograms)} windows, {n_bytes / 1e6:.0f} MB")
        print(f"memory: {peak[0] / 1e6:.0f} MB at most, bound {bound / 1e6:.0f} MB")
        middle = n_bearings // 2
        rows = slice(*fleet.starts[middle : middle + 2])
        alone = FEATURES.transform(np.load(paths[middle]))
        np.testing.assert_array_equal(spectrograms[rows], alone)
        print(f"bearing {middle}: the same as without dask")
        runs = np.repeat(np.arange(n_bearings), fleet.lengths)
        print(RunSequences.from_runs(spectrograms, runs))
        del spectrograms


if __name__ == "__main__":
    main()
