"""Spectrograms, pooling, rotation and the RUL index."""

import pickle
from math import sqrt

import joblib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal, sparse
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from skprog.preprocessing import (
    AccelRotation45,
    BandEnergies,
    FrequencyMaxPool,
    RULIndex,
    WelchSpectrogram,
)
from skprog.preprocessing import _windows as windows_module
from skprog.sequences import RunSequences

SMALL = {"fs": 256, "nperseg": 16, "hop": 4}
TRANSFORMERS = [
    WelchSpectrogram(**SMALL),
    WelchSpectrogram(**SMALL, output="density", dtype="float32"),
    WelchSpectrogram(**SMALL, pool_size=2),
    FrequencyMaxPool(pool_size=2),
    BandEnergies(n_bands=2),
    AccelRotation45(),
]
over_all = pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda t: type(t).__name__)


@pytest.fixture
def windows():
    """12 windows of 2 channels and 40 points."""
    return np.random.default_rng(0).standard_normal((12, 2, 40), dtype=np.float32)


@pytest.fixture(params=[1, 2**20], ids=["row_by_row", "whole"])
def block_size(request, monkeypatch):
    monkeypatch.setattr(windows_module, "CACHE_BYTES", request.param)


def scipy_density(X, *, fs=256, nperseg=16, hop=4, window="hann"):
    """Return frequencies, times and density by SciPy in float64."""
    return signal.spectrogram(
        np.asarray(X, float),
        fs,
        window=signal.get_window(window, nperseg),
        nperseg=nperseg,
        noverlap=nperseg - hop,
        mode="psd",
    )


# WelchSpectrogram


@pytest.mark.usefixtures("block_size")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("window", ["hann", "boxcar", "flattop", ("kaiser", 8.6), ("tukey", 0.3)])
@pytest.mark.parametrize(("nperseg", "hop"), [(1024, 64), (256, 100), (255, 255), (97, 13)])
def test_density_equals_scipy(nperseg, hop, window, dtype):
    X = np.random.default_rng(0).standard_normal((2, 3, 2560)).astype(dtype)
    welch = WelchSpectrogram(
        nperseg=nperseg, hop=hop, window=window, output="density", dtype="float32"
    )
    P = welch.fit_transform(X)
    frequencies, times, expected = scipy_density(
        X, fs=25_600, nperseg=nperseg, hop=hop, window=window
    )
    # A few bins are nearly empty; there float32 can only be right relative to the rest.
    np.testing.assert_allclose(P, expected, rtol=1e-5, atol=1e-7 * expected.max())
    np.testing.assert_allclose(welch.frequencies_, frequencies)
    np.testing.assert_allclose(welch.segment_times_, times)


@given(
    n_timepoints=st.integers(2, 200),
    nperseg=st.integers(2, 64),
    hop=st.integers(1, 80),
    seed=st.integers(0, 99),
)
def test_any_geometry_equals_scipy(n_timepoints, nperseg, hop, seed):
    n_timepoints = max(n_timepoints, nperseg)
    X = np.random.default_rng(seed).standard_normal((3, n_timepoints)).astype(np.float32)
    welch = WelchSpectrogram(nperseg=nperseg, hop=hop, output="density", dtype="float32")
    P = welch.fit_transform(X)
    frequencies = np.arange(nperseg // 2 + 1) * 25_600 / nperseg
    # SciPy overlaps no gap, so segments further apart are transformed one by one.
    for i, start in enumerate(range(0, n_timepoints - nperseg + 1, hop)):
        segment = X[:, start : start + nperseg]
        _, expected = signal.periodogram(segment.astype(float), 25_600, window="hann")
        np.testing.assert_allclose(P[:, :, i], expected, rtol=1e-4, atol=1e-6 * expected.max())
    assert P.shape == (3, len(frequencies), i + 1)


def test_offset_and_drift_cost_no_accuracy():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((4, 2560))
    X = (noise + 1000 + np.linspace(-3, 3, 2560)).astype(np.float32)
    welch = WelchSpectrogram(output="density", dtype="float32")
    expected = scipy_density(X, fs=25_600, nperseg=1024, hop=64)[2]
    np.testing.assert_allclose(welch.fit_transform(X), expected, 1e-5, 1e-7 * expected.max())


def test_tone_carries_half_its_squared_amplitude():
    X = 3 * np.sin(2 * np.pi * 32 * np.arange(256) / 256)[np.newaxis]
    welch = WelchSpectrogram(fs=256, nperseg=128, hop=32, output="density", dtype="float32")
    P = welch.fit_transform(X)
    np.testing.assert_allclose(P.sum(axis=-2) * 2, 4.5, rtol=1e-5)
    assert set(welch.frequencies_[P[0].argmax(axis=0)]) == {32.0}


def test_constant_window_has_no_density_and_its_logarithm_is_minus_12():
    X = np.full((1, 40), 3.7)
    density = WelchSpectrogram(**SMALL, output="density", dtype="float32").fit_transform(X)
    assert (density == 0).all()
    assert (WelchSpectrogram(**SMALL).fit_transform(X) == -12).all()


def test_log_is_the_tenth_logarithm_of_the_density(windows):
    density = WelchSpectrogram(**SMALL, output="density", dtype="float32").fit_transform(windows)
    log = WelchSpectrogram(**SMALL, dtype="float32").fit_transform(windows)
    np.testing.assert_allclose(log, np.log10(density), rtol=1e-5, atol=1e-6)
    half = WelchSpectrogram(**SMALL).fit_transform(windows)
    assert half.dtype == np.float16
    np.testing.assert_array_equal(half, log.astype(np.float16))


def test_defaults_below_8400_hz_give_336_bins_of_25_hz_and_25_segments():
    welch = WelchSpectrogram(f_max=8400).fit(np.zeros((1, 2560)))
    assert welch.transform(np.zeros((1, 2560))).shape == (1, 336, 25)
    np.testing.assert_array_equal(welch.frequencies_, 25.0 * np.arange(336))
    np.testing.assert_allclose(welch.segment_times_, (512 + 64 * np.arange(25)) / 25_600)


def test_f_max_leaves_the_bins_below_it_alone(windows):
    whole = WelchSpectrogram(**SMALL, dtype="float32").fit_transform(windows)
    for f_max, n_freqs in [(16, 1), (17, 2), (128, 8), (128.1, 9), (144, 9)]:
        welch = WelchSpectrogram(**SMALL, f_max=f_max, dtype="float32")
        np.testing.assert_array_equal(welch.fit_transform(windows), whole[..., :n_freqs, :])
    for f_max in (145, 1e9):
        with pytest.warns(UserWarning, match=r"lies above half of fs=256 Hz"):
            welch = WelchSpectrogram(**SMALL, f_max=f_max, dtype="float32").fit(windows)
        np.testing.assert_array_equal(welch.transform(windows), whole)


def test_taper_may_be_given_as_an_array(windows):
    taper = signal.get_window("hann", 16)
    expected = WelchSpectrogram(**SMALL).fit_transform(windows)
    given_taper = WelchSpectrogram(**SMALL, window=taper).fit_transform(windows)
    np.testing.assert_array_equal(given_taper, expected)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"nperseg": 41}, ValueError, "nperseg=41 exceeds the window length n_timepoints=40; use"),
        ({"nperseg": 1}, ValueError, "nperseg=1 must be at least 2"),
        ({"nperseg": 16.0}, TypeError, r"nperseg=16\.0 must be an integer"),
        ({"hop": 0}, ValueError, "hop=0 must be at least 1"),
        ({"fs": 0}, ValueError, "fs=0 must be finite and above 0"),
        ({"f_max": -1.0}, ValueError, r"f_max=-1\.0 must be finite and above 0"),
        ({"output": "psd"}, ValueError, "output='psd' is not one of 'density', 'log'"),
        ({"dtype": "float64"}, ValueError, "dtype='float64' is not one of"),
        ({"pool_size": 0}, ValueError, "pool_size=0 must be at least 1"),
        ({"pool_size": 2.0}, TypeError, r"pool_size=2\.0 must be an integer"),
        ({"pool_size": 10}, ValueError, "pool_size=10 exceeds the 9 bins; use a smaller"),
        (
            {"pool_size": 3, "f_max": 20},
            ValueError,
            r"pool_size=3 exceeds the 2 bins below f_max=20; use .* raise f_max",
        ),
        ({"window": "hunn"}, ValueError, "window='hunn' is unknown to scipy.signal.get_window"),
        ({"window": ("kaiser",)}, ValueError, "is unknown to scipy"),
        ({"window": np.ones(7)}, ValueError, r"window has shape \(7,\) but nperseg=16"),
        ({"window": np.zeros(16)}, ValueError, "sum of squares of 0"),
        ({"window": np.full(16, np.nan)}, ValueError, "sum of squares of nan"),
    ],
)
def test_wrong_parameter_of_the_spectrogram_is_refused(windows, params, error, message):
    with pytest.raises(error, match=message):
        WelchSpectrogram(**{**SMALL, **params}).fit(windows)


def test_segment_longer_than_window_says_when_channels_and_time_look_swapped(windows):
    swapped = windows.swapaxes(-1, -2)
    with pytest.raises(ValueError, match=r"n_timepoints=2; .* look swapped"):
        WelchSpectrogram(**SMALL).fit(swapped)


def test_density_that_overflows_float16_is_refused_and_its_logarithm_is_not(windows):
    X = 3000 * windows
    welch = WelchSpectrogram(**SMALL, output="density").fit(X)
    with pytest.raises(ValueError, match=r'exceeds 65504, the largest float16; use output="log"'):
        welch.transform(X)
    assert np.isfinite(WelchSpectrogram(**SMALL).fit_transform(X)).all()


def test_density_that_overflows_float32_is_refused(windows):
    with pytest.raises(ValueError, match=r"the largest float32; .* scale the windows down"):
        WelchSpectrogram(**SMALL).fit_transform(1e25 * windows)


@pytest.mark.usefixtures("block_size")
@pytest.mark.parametrize("params", [{}, {"output": "density", "dtype": "float32"}])
@pytest.mark.parametrize("window", ["hann", "boxcar"])
@pytest.mark.parametrize(("nperseg", "f_max"), [(16, None), (17, None), (16, 100)])
@pytest.mark.parametrize("pool_size", [1, 2, 3, 4])
def test_pooling_at_once_equals_pooling_afterwards(
    windows, pool_size, nperseg, f_max, window, params
):
    params = {**SMALL, "nperseg": nperseg, "f_max": f_max, "window": window, **params}
    whole = WelchSpectrogram(**params).fit(windows)
    pooled = WelchSpectrogram(**params, pool_size=pool_size).fit(windows)
    expected = FrequencyMaxPool(pool_size).fit_transform(whole.transform(windows))
    P = pooled.transform(windows)
    assert P.dtype == expected.dtype
    np.testing.assert_allclose(P, expected, rtol=1e-6 if P.dtype == np.float32 else 1e-3)
    n_freqs = expected.shape[-2]
    assert len(pooled.frequencies_) == n_freqs
    for i, frequency in enumerate(pooled.frequencies_):
        group = whole.frequencies_[i * pool_size : (i + 1) * pool_size]
        assert frequency == pytest.approx((group[0] + group[-1]) / 2)


def test_pooling_at_once_halves_the_nyquist_bin_before_it_compares():
    points = np.arange(16)
    # It has no twin at a negative frequency: of equal amplitude, twice the power of another bin.
    X = 1.2 * np.cos(np.pi * points) + 2 * np.cos(np.pi / 2 * points)
    params = {**SMALL, "window": "boxcar", "output": "density", "dtype": "float32"}
    P = WelchSpectrogram(**params, pool_size=9).fit_transform(X[np.newaxis])
    np.testing.assert_allclose(P, [[[2**2 / 2 / 16]]], rtol=1e-5)


# FrequencyMaxPool


@pytest.mark.usefixtures("block_size")
@pytest.mark.parametrize("pool_size", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_pooling_keeps_the_largest_of_each_group(windows, pool_size, dtype):
    S = WelchSpectrogram(**SMALL, dtype=np.dtype(dtype).name).fit_transform(windows)
    for spectrograms in (S, np.ascontiguousarray(S)):
        pooled = FrequencyMaxPool(pool_size).fit_transform(spectrograms)
        n_bands = 9 // pool_size
        assert pooled.dtype == dtype
        assert pooled.flags.c_contiguous
        assert pooled.shape == (12, 2, n_bands, 7)
        for band in range(n_bands):
            group = S[..., band * pool_size : (band + 1) * pool_size, :]
            np.testing.assert_array_equal(pooled[..., band, :], group.max(axis=-2))


def test_a_field_of_packed_records_is_taken():
    records = np.zeros((3, 8, 2), dtype=[("flag", np.int8), ("power", np.float16)])
    records["power"] = np.random.default_rng(0).standard_normal((3, 8, 2))
    S = records["power"]
    assert S.strides[-1] % S.itemsize
    pool = FrequencyMaxPool(2).fit(S)
    np.testing.assert_array_equal(pool.transform(S), pool.transform(S.copy()))
    rotated = AccelRotation45().fit_transform(S[:, :2])
    np.testing.assert_array_equal(rotated, AccelRotation45().fit_transform(S[:, :2].copy()))


@pytest.mark.parametrize(
    ("pool_size", "error", "message"),
    [
        (0, ValueError, "pool_size=0 must be at least 1"),
        (2.0, TypeError, r"pool_size=2\.0 must be an integer"),
        (3, ValueError, "pool_size=3 exceeds n_freqs=2; use a smaller pool_size"),
    ],
)
def test_wrong_pool_size_is_refused(windows, pool_size, error, message):
    with pytest.raises(error, match=message):
        FrequencyMaxPool(pool_size).fit(windows)


# AccelRotation45


def test_rotation_appends_the_sum_over_the_root_of_two(windows):
    rotated = AccelRotation45().fit_transform(windows)
    np.testing.assert_array_equal(rotated[:, :2], windows)
    np.testing.assert_allclose(rotated[:, 2], windows.sum(axis=1) / sqrt(2), rtol=1e-5, atol=1e-6)


def test_rotation_keeps_the_length_of_a_vector_along_45_degrees():
    rotated = AccelRotation45().fit_transform(np.full((1, 2, 3), 5.0))
    np.testing.assert_allclose(rotated[0, 2], sqrt(50), rtol=1e-6)


@pytest.mark.parametrize("shape", [(12, 1, 40), (12, 3, 40), (4, 5, 3, 40)])
def test_wrong_channel_count_is_refused(shape):
    with pytest.raises(ValueError, match=f"n_channels={shape[-2]} but AccelRotation45 takes 2"):
        AccelRotation45().fit(np.zeros(shape))


def test_rotation_says_when_channels_and_time_look_swapped(windows):
    with pytest.raises(ValueError, match="look swapped"):
        AccelRotation45().fit(windows.swapaxes(1, 2))


def test_rotation_that_overflows_float16_is_refused():
    X = np.full((1, 2, 3), 60_000, dtype=np.float16)
    with pytest.raises(ValueError, match="exceeds the largest float16, 65504; pass float32"):
        AccelRotation45().fit_transform(X)


# What holds for each of them


def work(transformer, X):
    """Fit and transform, whichever of them refuses."""
    return clone(transformer).fit(X).transform(X)


@over_all
def test_transform_of_sequences_and_of_their_stack_agree(transformer, windows):
    X = RunSequences.from_runs(windows, np.repeat([0, 1], 6), n_steps=3, pad=False)
    mapped = work(transformer, X)
    assert isinstance(mapped, RunSequences)
    assert len(mapped) == 8
    np.testing.assert_array_equal(mapped.runs, X.runs)
    stacked = work(transformer, np.asarray(X))
    assert mapped.dtype == stacked.dtype
    tolerance = 1e-3 if stacked.dtype == np.float16 else 1e-5
    np.testing.assert_allclose(np.asarray(mapped), stacked, rtol=tolerance, atol=1e-6)


@over_all
def test_fitted_on_sequences_transforms_plain_windows(transformer, windows):
    X = RunSequences.from_runs(windows, np.zeros(12), n_steps=3)
    fitted = clone(transformer).fit(X)
    np.testing.assert_array_equal(fitted.transform(windows), fitted.transform(X).windows)


@over_all
def test_leading_axes_pass_through(transformer, windows):
    expected = work(transformer, windows)
    many = work(transformer, windows.reshape(3, 2, 2, 2, 40))
    np.testing.assert_allclose(many.reshape(expected.shape), expected, rtol=1e-3, atol=1e-6)


@over_all
def test_every_window_stands_for_itself(transformer, windows):
    fitted = clone(transformer).fit(windows)
    alone = np.concatenate([fitted.transform(windows[[i]]) for i in range(12)])
    np.testing.assert_allclose(alone, fitted.transform(windows), rtol=1e-3, atol=1e-6)


@over_all
@pytest.mark.parametrize(
    "dtype", ["float64", "int16", "int64", "bool", ">f4", "object", "longdouble"]
)
def test_other_types_are_computed_as_floats(transformer, windows, dtype):
    X = (10 * windows).astype(dtype)
    result = work(transformer, X)
    expected = work(transformer, X.astype(np.float32))
    is_kept = dtype in ("float64", "int64", "object", "longdouble")
    if not (is_kept and hasattr(transformer, "kept_dtypes")):
        assert result.dtype == expected.dtype
        np.testing.assert_array_equal(result, expected)
        return
    # Differences are taken in float64.
    is_rotated = isinstance(transformer, AccelRotation45)
    assert result.dtype == (np.float64 if is_rotated else expected.dtype)
    np.testing.assert_allclose(result, expected, rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("transformer", [FrequencyMaxPool(2), AccelRotation45()])
def test_float16_and_float32_are_kept(transformer, windows, dtype):
    assert work(transformer, windows.astype(dtype)).dtype == dtype


def test_spectrogram_of_float16_windows_is_computed_in_float32(windows):
    half = windows.astype(np.float16)
    np.testing.assert_array_equal(
        work(TRANSFORMERS[1], half), work(TRANSFORMERS[1], half.astype(np.float32))
    )


@over_all
def test_memory_order_strides_and_read_only_input_change_nothing(transformer, windows):
    expected = work(transformer, windows)
    backwards = windows[:, :, ::-1].copy()[:, :, ::-1]
    frozen = windows.copy()
    frozen.flags.writeable = False
    for X in (np.asfortranarray(windows), backwards, frozen, windows.tolist()):
        np.testing.assert_allclose(work(transformer, X), expected, rtol=1e-3, atol=1e-6)


@over_all
def test_input_is_left_as_it_was(transformer, windows):
    before = windows.copy()
    result = work(transformer, windows)
    assert not np.shares_memory(result, windows)
    np.testing.assert_array_equal(windows, before)


@over_all
def test_clone_pickle_and_a_caching_pipeline_work(transformer, windows, tmp_path):
    expected = work(transformer, windows)
    fitted = clone(transformer).fit(windows)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(windows), expected)
    assert vars(clone(fitted)).keys() == transformer.get_params().keys()
    X = RunSequences.from_runs(windows, np.zeros(12), n_steps=3)
    pipeline = make_pipeline(
        clone(transformer), "passthrough", memory=joblib.Memory(tmp_path, verbose=0)
    )
    for _ in range(2):
        np.testing.assert_array_equal(pipeline.fit_transform(X).windows, expected)


@over_all
@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (
            lambda X: np.where(X[3, 0, 5] == X, np.nan, X),
            ValueError,
            r"NaN \(first in row 3\)",
        ),
        (lambda X: np.where(X[3, 0, 5] == X, -np.inf, X), ValueError, "inf.*first in row 3"),
        (lambda X: 1e300 * X.astype(float), ValueError, "infinity or a value too large"),
        (lambda X: X[:0], ValueError, "0 sample"),
        (lambda X: X[:, :, :0], ValueError, "no values"),
        (lambda X: [[[0.0] * 40] * 2, [[0.0] * 39] * 2], ValueError, "unequal length; cut"),
        (lambda X: [[[0.0] * 40, [0.0] * 39]], ValueError, "unequal length; cut"),
        (lambda X: X + 1j, ValueError, "Complex data not supported"),
        (lambda X: np.ma.array(X, mask=X > 1), ValueError, "X has masked values; fill"),
        (lambda X: X.astype("datetime64[s]"), ValueError, "must be real numbers; convert"),
        (lambda X: sparse.csr_array(X[0]), TypeError, "[Ss]parse"),
        (lambda X: X[0, 0], ValueError, "Reshape your data"),
        (lambda X: RunSequences.from_runs(X, np.zeros(12))[:0], ValueError, "0 sequences"),
        (
            lambda X: RunSequences.from_runs(X[:, 0, 0], np.zeros(12)),
            ValueError,
            "takes X of shape",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_windows_are_refused(transformer, windows, spoil, error, message):
    X = spoil(windows)
    with pytest.raises(error, match=message):
        clone(transformer).fit(X)
    with pytest.raises(error, match=message):
        clone(transformer).fit(windows).transform(X)


@pytest.mark.parametrize("transformer", [FrequencyMaxPool(2), AccelRotation45()])
def test_a_single_window_without_its_axis_of_rows_is_refused(transformer, windows):
    with pytest.raises(ValueError, match=r"for a single window pass X\[np.newaxis\]"):
        transformer.fit(windows[0])


@pytest.mark.parametrize(
    ("transformer", "other", "message"),
    [
        (TRANSFORMERS[0], np.s_[..., :39], "n_timepoints=39 but WelchSpectrogram was fitted on"),
        (FrequencyMaxPool(1), np.s_[:, :1], "n_freqs=1 but FrequencyMaxPool was fitted on"),
        (AccelRotation45(), np.s_[..., :39], "n_timepoints=39 but AccelRotation45 was fitted on"),
    ],
)
def test_windows_of_another_size_than_fitted_are_refused(transformer, other, message, windows):
    fitted = clone(transformer).fit(windows)
    with pytest.raises(ValueError, match=message):
        fitted.transform(windows[other])
    X = RunSequences.from_runs(windows[other], np.zeros(12), n_steps=2)
    with pytest.raises(ValueError, match=message):
        fitted.transform(X)


def test_refit_on_other_ranks_and_channels_forgets_the_former(windows):
    welch = WelchSpectrogram(**SMALL).fit(windows[:, 0])
    assert welch.n_features_in_ == 40
    welch.fit(windows[..., :30])
    assert not hasattr(welch, "n_features_in_")
    assert welch.transform(windows[:, 0, :30]).shape == (12, 9, 4)


def test_the_number_of_threads_is_left_alone(windows):
    before = torch.get_num_threads()
    work(TRANSFORMERS[0], windows)
    assert torch.get_num_threads() == before


def test_the_recommended_chain_gives_3_channels_of_84_bands_and_25_segments():
    rng = np.random.default_rng(0)
    X = RunSequences.from_runs(rng.standard_normal((5, 2, 2560)), np.zeros(5), n_steps=4)
    chain = make_pipeline(AccelRotation45(), WelchSpectrogram(f_max=8400), FrequencyMaxPool(4))
    features = chain.fit_transform(X)
    assert features.shape == (5, 4, 3, 84, 25)
    assert features.dtype == np.float16


@pytest.mark.real_data
def test_spectrograms_of_real_windows_equal_scipy(real_data):
    from skprog.datasets import load_femto

    windows = load_femto(real_data / "femto", bearings=["2_7"]).windows[::20]
    welch = WelchSpectrogram(output="density", dtype="float32", f_max=8400)
    expected = scipy_density(windows, fs=25_600, nperseg=1024, hop=64)[2][..., :336, :]
    np.testing.assert_allclose(welch.fit_transform(windows), expected, 1e-5, 1e-7 * expected.max())
    pooled = make_pipeline(welch, FrequencyMaxPool(4)).fit_transform(windows)
    largest = expected.reshape(*expected.shape[:-2], 84, 4, 25).max(axis=-2)
    np.testing.assert_allclose(pooled, largest, rtol=1e-5)


@pytest.mark.parametrize(
    ("transformer", "params"),
    [
        (WelchSpectrogram(**SMALL), {"nperseg": 99}),
        (FrequencyMaxPool(2), {"pool_size": 99}),
        (AccelRotation45(), {}),
        (RULIndex(), {}),
    ],
)
def test_a_failed_fit_leaves_the_earlier_one_as_it_was(transformer, params, windows):
    X = windows[:, 0] ** 2 if isinstance(transformer, RULIndex) else windows
    bad = np.zeros((3, 3)) if X.ndim == 2 or not params else np.zeros((3, 3, 3))
    fitted = clone(transformer).fit(X)
    expected = fitted.transform(X)
    before = vars(fitted).copy()
    fitted.set_params(**params)
    for rows in (bad, np.zeros((3, 3))):
        with pytest.raises(ValueError, match=r"exceeds|takes|RUL is 0"):
            fitted.fit(rows)
    assert vars(fitted) == before | params
    fitted.set_params(**transformer.get_params())
    np.testing.assert_array_equal(fitted.transform(X), expected)


@pytest.mark.parametrize(
    ("transformer", "params"),
    [
        (WelchSpectrogram(**SMALL), {"hop": 3}),
        (WelchSpectrogram(**SMALL), {"nperseg": 8}),
        (WelchSpectrogram(**SMALL), {"fs": 100}),
        (WelchSpectrogram(**SMALL), {"window": np.ones(16)}),
        (WelchSpectrogram(**SMALL, f_max=50), {"f_max": None}),
        (WelchSpectrogram(**SMALL), {"pool_size": 2}),
        (FrequencyMaxPool(2), {"pool_size": 1}),
    ],
)
def test_parameters_set_after_fit_need_another_fit(transformer, params, windows):
    fitted = clone(transformer).fit(windows).set_params(**params)
    name = next(iter(params))
    with pytest.raises(ValueError, match=rf"was fitted with {name}=.*; fit again\."):
        fitted.transform(windows)
    assert len(fitted.fit(windows).transform(windows)) == 12


def test_small_integer_types_are_integers(windows):
    params = {"nperseg": np.uint8(16), "hop": np.uint8(4)}
    np.testing.assert_array_equal(
        work(WelchSpectrogram(fs=256, **params), windows),
        work(WelchSpectrogram(**SMALL), windows),
    )
    S = np.random.default_rng(0).random((2, 600, 3))
    pool = FrequencyMaxPool(np.uint8(200))
    np.testing.assert_array_equal(work(pool, S), work(FrequencyMaxPool(200), S))
    assert type(pool.pool_size) is np.uint8


def test_a_taper_without_leak_into_the_bins_kept_gives_densities(windows):
    params = {**SMALL, "window": np.tile([1.0, -1.0], 8), "output": "density", "dtype": "float32"}
    kept = work(WelchSpectrogram(**params, f_max=1e-3), windows)
    np.testing.assert_allclose(kept, work(WelchSpectrogram(**params), windows)[..., :1, :], 1e-5)


# RULIndex


def test_index_refuses_parameters_set_after_fit():
    rul_index = RULIndex().fit([3.0]).set_params(w=1)
    for method in (rul_index.transform, rul_index.inverse_transform):
        with pytest.raises(ValueError, match=r"w=1 but .* was fitted with w=0\.25; fit again"):
            method([1.0])


def test_index_is_1_at_failure_5_7ths_at_a_tenth_of_life_and_a_fifth_at_all_of_it():
    index = RULIndex().fit_transform([0.0, 2771.0, 27_710.0])
    np.testing.assert_allclose(index, [1, 5 / 7, 0.2])


@given(
    rul=st.lists(st.floats(0, 1e6), min_size=1, max_size=20),
    w=st.floats(0.01, 100),
    max_life=st.floats(1, 1e6),
)
def test_inverse_of_the_index_is_the_rul_up_to_the_maximum_expected_life(rul, w, max_life):
    rul_index = RULIndex(w, max_life=max_life).fit(rul)
    index = rul_index.transform(rul)
    np.testing.assert_allclose(index, w * max_life / (np.array(rul) + w * max_life))
    np.testing.assert_allclose(
        rul_index.inverse_transform(index),
        np.minimum(rul, max_life),
        rtol=1e-9,
        atol=1e-9 * max_life,
    )


@given(index=st.floats(-1e300, 1e300), w=st.floats(0.01, 100), max_life=st.floats(1e-3, 1e6))
def test_any_index_becomes_a_rul_between_0_and_the_maximum_expected_life(index, w, max_life):
    rul = RULIndex(w, max_life=max_life).fit([1.0]).inverse_transform(np.float64(index))
    assert 0 <= rul <= max_life


def test_index_falls_with_rul():
    rul = np.linspace(0, 100, 50)
    assert (np.diff(RULIndex().fit_transform(rul)) < 0).all()


def test_maximum_expected_life_is_the_largest_rul_of_all_columns_unless_given():
    rul = np.array([[1.0, 40.0], [30.0, 2.0]])
    assert RULIndex().fit(rul).max_life_ == 40
    assert RULIndex(max_life=7).fit(rul).max_life_ == 7
    assert RULIndex().fit(rul[:, 0]).max_life_ == 30
    np.testing.assert_allclose(RULIndex().fit_transform(rul)[:, 0], 10 / (rul[:, 0] + 10))


def test_index_keeps_the_shape_and_is_float64():
    rul_index = RULIndex().fit(np.float32([3, 0]))
    for rul in ([1, 2, 3], [[1], [2]], np.float16([[1, 2]])):
        index = rul_index.transform(rul)
        assert index.shape == np.shape(rul)
        assert index.dtype == np.float64
        np.testing.assert_allclose(rul_index.inverse_transform(index), rul)


def test_regressor_on_the_index_predicts_within_the_life():
    X = np.linspace(0, 1, 30)[:, np.newaxis]
    y = 1000 * (1 - X.ravel())
    model = TransformedTargetRegressor(LinearRegression(), transformer=RULIndex()).fit(X, y)
    predicted = model.predict(np.vstack([X, [[-5.0], [5.0]]]))
    assert predicted.min() >= 0
    assert predicted.max() <= 1000


@pytest.mark.parametrize(
    ("rul", "error", "message"),
    [
        ([3.0, -2.0], ValueError, r"Negative values in data passed as RUL: -2\.0 s"),
        ([[3.0], [-2.0]], ValueError, "Negative values in data"),
        ([3.0, np.nan], ValueError, "Input RUL contains NaN"),
        ([3.0, np.inf], ValueError, "Input RUL contains inf"),
        (np.ma.array([3.0, 9.0], mask=[0, 1]), ValueError, "RUL has masked values; fill"),
        (np.array([3, 2], dtype="timedelta64[s]"), ValueError, "RUL must be real numbers"),
        (np.array([[3]], dtype="datetime64[s]"), ValueError, "RUL must be real numbers"),
        ([], ValueError, "0 sample"),
        (np.array([3.0, 1j]), ValueError, "Complex data not supported"),
        (sparse.csr_array([[3.0]]), TypeError, "[Ss]parse"),
        (np.ones((2, 2, 2)), ValueError, "dim 3"),
    ],
)
def test_bad_rul_is_refused(rul, error, message):
    with pytest.raises(error, match=message):
        RULIndex().fit(rul)
    with pytest.raises(error, match=message):
        RULIndex().fit([5.0]).transform(rul)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"w": 0}, ValueError, "w=0 must be finite and above 0"),
        ({"w": "a"}, TypeError, "w='a' must be a number"),
        ({"max_life": -1.0}, ValueError, r"max_life=-1\.0 must be finite and above 0"),
        ({"max_life": np.nan}, ValueError, "max_life=nan must be finite"),
        ({"w": 1e20}, ValueError, r"w=1e\+20 must be at most 1e\+06; beyond, the index is about 1"),
        ({"w": 1e-10, "max_life": 1e-320}, ValueError, "beyond what float64 holds precisely"),
        ({"w": 100, "max_life": 1e308}, ValueError, "is inf, beyond what float64"),
    ],
)
def test_wrong_parameter_of_the_index_is_refused(params, error, message):
    with pytest.raises(error, match=message):
        RULIndex(**params).fit([3.0])


def test_rul_of_0_throughout_needs_a_given_life():
    with pytest.raises(ValueError, match=r"RUL is 0 throughout, .*; give max_life"):
        RULIndex().fit([0.0, 0.0])
    np.testing.assert_array_equal(RULIndex(max_life=5).fit_transform([0.0, 0.0]), 1)


def test_index_that_is_not_finite_is_refused():
    rul_index = RULIndex().fit([3.0])
    for index in (np.nan, np.inf):
        with pytest.raises(ValueError, match="Input RUL index contains"):
            rul_index.inverse_transform([0.5, index])


def test_one_column_for_columns_and_no_target_beside_1d_rul():
    with pytest.raises(ValueError, match="Reshape your data"):
        RULIndex().fit([[1.0, 2.0]]).transform([1.0, 2.0])
    with pytest.raises(ValueError, match="fit on RUL alone"):
        RULIndex().fit([1.0, 2.0], [0, 1])


def test_more_channels_than_timepoints_warn():
    X = np.ones((2, 300, 100))
    with pytest.warns(UserWarning, match=r"more channels \(300\) than timepoints \(100\)"):
        WelchSpectrogram(nperseg=64).fit(X)


@pytest.mark.parametrize("output", ["log", "density"])
def test_overflow_of_the_transform_itself_is_refused(output):
    X = np.full((1, 2560), 3e38, dtype=np.float32)
    X[:, ::2] *= -1
    with pytest.raises(ValueError, match="exceeds"):
        WelchSpectrogram(output=output, dtype="float32").fit(X).transform(X)


# The means of a pressure, and of counts of a converter of 24 bits.
OFFSETS = [(101_325.0, 0.05), (1e7, 0.5), (-1e12, 1e3)]


@pytest.mark.parametrize(("offset", "spread"), OFFSETS)
@pytest.mark.parametrize("kind", ["array", "sequences", "list"])
def test_means_are_taken_off_before_float32_would_round(offset, spread, kind):
    noise = spread * np.random.default_rng(0).standard_normal((3, 2, 512))
    noise -= noise.mean(axis=-1, keepdims=True)
    params = {"nperseg": 64, "hop": 32, "fs": 100.0, "dtype": "float32"}
    expected = WelchSpectrogram(**params).fit_transform(noise)
    X = offset + noise
    if kind == "sequences":
        X = RunSequences.from_runs(X, np.zeros(3), n_steps=1)
    elif kind == "list":
        X = X.tolist()
    found = WelchSpectrogram(**params).fit_transform(X)
    found = found.windows if kind == "sequences" else found
    # All bins but those that the offset itself rounds, in float64.
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-7 * expected.max())


def test_counts_of_32_bits_are_not_rounded():
    counts = np.random.default_rng(0).integers(-500, 500, (2, 512)).astype(np.int32)
    params = {"nperseg": 64, "hop": 32, "dtype": "float32"}
    expected = WelchSpectrogram(**params).fit_transform(counts)
    found = WelchSpectrogram(**params).fit_transform(counts + np.int32(2**30))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_rotated_channels_keep_their_digits():
    X = 1e7 + np.array([[[0.25, 0.5, 0.25], [0.5, 0.25, 0.25]]])
    rotated = AccelRotation45().fit_transform(X)
    assert rotated.dtype == np.float64
    np.testing.assert_array_equal(rotated[:, :2], X)
    np.testing.assert_allclose(rotated[0, 2], np.sqrt(0.5) * X[0].sum(axis=0), rtol=1e-15)
    whole = make_pipeline(AccelRotation45(), WelchSpectrogram(nperseg=3, hop=1, dtype="float32"))
    np.testing.assert_allclose(whole.fit_transform(X), whole.fit_transform(X - 1e7), rtol=1e-6)
