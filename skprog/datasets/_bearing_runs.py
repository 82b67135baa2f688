"""Runs of bearings to failure, recorded or simulated: operating conditions, times and RUL."""

import re

import numpy as np
from sklearn.utils import Bunch

CHANNELS = ("horizontal", "vertical")

# Speed in rpm and radial load in N.
CONDITIONS = {1: (1800, 4000), 2: (1650, 4200), 3: (1500, 5000)}


def condition_of(name):
    """Return the operating condition that a run id such as "Bearing1_4" names."""
    return int(re.search(r"(\d+)_\d+$", name)[1])


def run_to_failure_bunch(windows, lengths, times, **fields):
    """Join a run's times and its RUL to the windows; the last window of a run has RUL 0.

    Parameters
    ----------
    windows : ndarray of shape (n_windows, n_channels, n_timepoints)
        Windows of all runs, one run after the other.
    lengths : dict of str to int
        Windows of each run, in the order of ``windows``.
    times : list of ndarray
        Start of each window in s, one array per run.
    **fields : object
        What else the Bunch holds.
    """
    names = np.array(list(lengths))
    counts = list(lengths.values())
    return Bunch(
        windows=windows,
        runs=np.repeat(names, counts),
        rul=np.concatenate([time[-1] - time for time in times]),
        time=np.concatenate(times),
        condition=np.repeat([condition_of(name) for name in names], counts),
        bearings=list(lengths),
        channels=list(CHANNELS),
        **fields,
    )
