"""How many times as fast one way is as another, with an interval."""

from time import perf_counter

import numpy as np
from scipy.stats import binom


def paired_ratio(slow, fast, n_pairs=15):
    """Time two calls in turns and compare them pair by pair.

    Parameters
    ----------
    slow, fast : callable
        Called without arguments, once each before the pairs that count.
    n_pairs : int, default=15
        Pairs, at least 6. Which call comes first alternates.

    Returns
    -------
    ratio : float
        Median over the pairs of the time of ``slow`` over the time of ``fast``.
    interval : tuple of float
        Order statistics of the ratios that enclose their true median with a probability of at
        least 95 %, whatever the distribution.
    """
    if n_pairs < 6:
        raise ValueError(f"n_pairs={n_pairs} gives no 95 % interval; use 6 or more.")
    slow()
    fast()
    ratios = []
    for i in range(n_pairs):
        seconds = {call: _seconds(call) for call in ((slow, fast), (fast, slow))[i % 2]}
        ratios.append(seconds[slow] / seconds[fast])
    ratios.sort()
    rank = int(binom.ppf(0.025, n_pairs, 0.5))
    return float(np.median(ratios)), (ratios[rank - 1], ratios[n_pairs - rank])


def _seconds(call):
    start = perf_counter()
    call()
    return perf_counter() - start
