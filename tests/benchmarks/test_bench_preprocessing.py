"""Spectrograms and their pooling against SciPy and NumPy, on one thread."""

import numpy as np
import pytest
import torch
from _interleaved import paired_ratio
from scipy.signal import spectrogram
from sklearn.pipeline import make_pipeline

from skprog.preprocessing import FrequencyMaxPool, WelchSpectrogram

FS, F_MAX, POOL_SIZE = 25_600, 8400, 4


@pytest.fixture(autouse=True)
def one_thread():
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


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


# SciPy computes in the precision of its input, and float32 takes it less time than float64.
TAPER_AND_FFT = pytest.mark.xfail(
    reason="the taper and the FFT alone take an eighth of SciPy's time"
)


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=TAPER_AND_FFT)])
def test_density_and_pooling_are_8_times_as_fast_as_scipy_and_numpy(benchmark, windows, dtype):
    windows = windows.astype(dtype)
    welch = WelchSpectrogram(fs=FS, f_max=F_MAX, output="density", dtype="float32")
    pipeline = make_pipeline(welch, FrequencyMaxPool(POOL_SIZE)).fit(windows)
    np.testing.assert_allclose(pipeline.transform(windows), scipy_and_numpy(windows), rtol=1e-5)
    ratio, interval = paired_ratio(
        lambda: scipy_and_numpy(windows), lambda: pipeline.transform(windows)
    )
    benchmark.extra_info.update(ratio=ratio, interval=interval)
    benchmark.pedantic(pipeline.transform, args=(windows,), rounds=5)
    assert interval[1] >= 8


def test_recommended_features_of_1000_windows(benchmark, windows):
    windows = windows.astype(np.float32)
    pipeline = make_pipeline(WelchSpectrogram(fs=FS, f_max=F_MAX), FrequencyMaxPool(POOL_SIZE))
    pipeline.fit(windows)
    features = benchmark.pedantic(pipeline.transform, args=(windows,), rounds=5)
    benchmark.extra_info["windows_per_s"] = len(windows) / benchmark.stats.stats.median
    assert features.dtype == np.float16
