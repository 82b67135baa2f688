"""The physics of a fault: impulses, and what they ring."""

import math

import numpy as np
from scipy.signal import lfilter


def impulse_train(rng, rate, shape, *, slip):
    """Return impulses of about 1, ``rate`` per point, (n_windows, n_points)."""
    n_windows, n_points = shape
    turns = 1 + slip * rng.standard_normal((n_windows, math.ceil(1.1 * rate * n_points) + 1))
    turns[:, 0] = rng.uniform(0, 1, n_windows)
    places = np.rint(np.cumsum(turns, axis=1) / rate).astype(int)
    heights = np.exp(0.2 * rng.standard_normal(places.shape))
    row, impulse = np.nonzero(places < n_points)
    train = np.zeros(shape, dtype=np.float32)
    train[row, places[row, impulse]] = heights[row, impulse]
    return train


def ring(x, resonance, fs, *, damping):
    """Pass x through a damped resonance in Hz whose impulse response stays within 1."""
    radius = math.exp(-2 * np.pi * damping * resonance / fs)
    angle = 2 * np.pi * resonance / fs
    b = np.array([0, radius * math.sin(angle)], dtype=np.float32)
    a = np.array([1, -2 * radius * math.cos(angle), radius**2], dtype=np.float32)
    return lfilter(b, a, x.astype(np.float32, copy=False), axis=-1)
