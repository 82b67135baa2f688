"""Tapers of segments, by name or as values, and their spectra."""

from functools import lru_cache

import numpy as np


def scaled_taper(taper, fs):
    """Return a taper scaled so that squared spectra are one-sided densities."""
    power = np.sum(taper**2)
    if not 0 < power < np.inf:
        raise ValueError(
            f"window has a sum of squares of {power}; give finite values, not all of them 0."
        )
    return taper * np.sqrt(2 / (fs * power))


def taper_constants(taper, n_bins):
    """Return a taper as float32 and its own spectrum, which soon fades for most tapers."""
    import torch

    leak = np.fft.rfft(taper)[:n_bins] / len(taper)
    n_leak = 1 + max(np.flatnonzero(np.abs(leak) > 1e-10 * np.abs(leak).max()), default=-1)
    return torch.from_numpy(taper.astype(np.float32)), leak[:n_leak].astype(np.complex64)


@lru_cache(maxsize=16)
def named_constants(window, nperseg, fs, n_bins):
    """Return the constants of a named taper, which a stream asks for window by window."""
    return taper_constants(scaled_taper(taper_values(window, nperseg), fs), n_bins)


@lru_cache(maxsize=16)
def taper_values(window, nperseg):
    """Return the values of a named taper, before it is scaled."""
    # Here, because it takes longer to import than all of skprog.
    from scipy.signal import get_window

    return get_window(window, nperseg)
