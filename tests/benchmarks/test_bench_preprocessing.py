"""Spectrograms and their pooling against SciPy and NumPy, on one thread."""

import numpy as np
import pytest
from _interleaved import paired_ratio
from scipy.signal import spectrogram

from skprog.preprocessing import WelchSpectrogram

FS, F_MAX, POOL_SIZE = 25_600, 8400, 4


@pytest.fixture
def windows():
    """Return 1000 windows of 3 channels: noise on a slow drift and an offset."""
    drift = np.linspace(-0.5, 1, 2560)
    return np.random.default_rng(0).standard_normal((1000, 3, 2560)) + drift


def scipy_and_numpy(windows):
    frequencies, _, P = spectrogram(
        windows, FS, window="hann", nperseg=1024, noverlap=1024 - 64, mode="psd"
    )
    P = P[..., frequencies < F_MAX, :]
    return P.reshape(*P.shape[:-2], -1, POOL_SIZE, P.shape[-1]).max(axis=-2)


def measure(benchmark, windows):
    """Return the speed over SciPy's and its interval, once both give the same."""
    welch = WelchSpectrogram(
        fs=FS, f_max=F_MAX, output="density", dtype="float32", pool_size=POOL_SIZE
    )
    welch.fit(windows)
    np.testing.assert_allclose(welch.transform(windows), scipy_and_numpy(windows), rtol=1e-5)
    ratio, interval = paired_ratio(
        lambda: scipy_and_numpy(windows), lambda: welch.transform(windows)
    )
    benchmark.extra_info.update(ratio=ratio, interval=interval)
    benchmark.pedantic(welch.transform, args=(windows,), rounds=5)
    return ratio, interval


def test_pooled_density_is_8_times_as_fast_as_scipy_and_numpy(benchmark, windows):
    _, interval = measure(benchmark, windows)
    assert interval[1] >= 8


def test_pooled_density_of_float32_windows(benchmark, windows):
    # SciPy computes in the type of its input: this is measured for the record.
    measure(benchmark, windows.astype(np.float32))


def test_recommended_features_of_1000_windows(benchmark, windows):
    windows = windows.astype(np.float32)
    welch = WelchSpectrogram(fs=FS, f_max=F_MAX, pool_size=POOL_SIZE).fit(windows)
    features = benchmark.pedantic(welch.transform, args=(windows,), rounds=5)
    benchmark.extra_info["windows_per_s"] = len(windows) / benchmark.stats.stats.median
    assert features.dtype == np.float16
