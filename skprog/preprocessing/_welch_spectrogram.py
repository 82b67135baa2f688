"""Power spectral density of windows over their segments."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._checks import (
    PRECISE_FLOATS,
    check_integer,
    check_number,
    check_option,
    is_params,
    is_size,
    is_vector,
    warn,
)
from .._refit import fit_aside, of_one_fit
from ._fitted_params import check_same_params
from ._tapers import named_constants, scaled_taper, taper_constants, taper_values
from ._windows import SQRT_HALF, blocks, check_same_size, check_windows, map_windows, store

if TYPE_CHECKING:
    from typing import Any, Literal, Self

    from numpy.typing import ArrayLike

    from ..sequences import RunSequences

FLOOR = 1e-12


class WelchSpectrogram(TransformerMixin, BaseEstimator):
    """Power spectral density of each window over its overlapping segments [1]_.

    The segments of Welch's method are kept apart instead of averaged. Each is freed of its mean,
    tapered and transformed, as by :func:`scipy.signal.spectrogram` with ``mode="psd"``.

    Parameters
    ----------
    fs : float, default=25_600
        Sampling frequency in Hz.
    nperseg : int, default=1024
        Points per segment, at least 2.
    hop : int, default=64
        Points between the starts of neighbouring segments.
    window : str, tuple, float or ndarray of shape (nperseg,), default="hann"
        Taper, as for :func:`scipy.signal.get_window`, or its values.
    f_max : float, default=None
        Keep the bins below this frequency in Hz, which is itself left out; None keeps all.
    output : {"log", "density"}, default="log"
        "density" is the power spectral density P in (unit of X)²/Hz, "log" is
        log10(max(P, 1e-12)).
    dtype : {"float16", "float32"}, default="float16"
        Type of the output. Computations are in float32.
    pool_size : int, default=1
        Keep the largest of every so many neighbouring bins, as :class:`FrequencyMaxPool` does
        afterwards, but faster and without the whole spectrogram in memory. Bins left over below
        ``f_max`` are dropped.

    Attributes
    ----------
    frequencies_ : ndarray of shape (n_freqs,)
        Centre of each bin, or of each group of pooled bins, in Hz.
    segment_times_ : ndarray of shape (n_segments,)
        Centre of each segment in s, from the start of the window.
    n_timepoints_in_ : int
        Length of the windows seen during ``fit``.
    n_features_in_ : int
        The same, when ``X`` was 2-d.
    feature_names_in_ : ndarray of shape (n_timepoints,)
        Names of the columns, when ``X`` was a DataFrame of named columns.

    See Also
    --------
    FrequencyMaxPool : Pools spectrograms that exist already.

    Notes
    -----
    Output has one axis more than input and its values lie in memory segment by segment. There is
    therefore no ``get_feature_names_out`` or ``set_output``.

    Most of a bearing's density lies below the smallest normal number of float16, 6.1e-5: store it
    as float32, or as its logarithm.

    References
    ----------
    .. [1] P. Welch, "The use of fast Fourier transform for the estimation of power spectra: a
       method based on time averaging over short, modified periodograms", IEEE Transactions on
       Audio and Electroacoustics, 1967.

    Examples
    --------
    A tone of 1 g amplitude at 1 kHz carries 0.5 g².

    >>> import numpy as np
    >>> from skprog.preprocessing import WelchSpectrogram
    >>> X = np.sin(2 * np.pi * 1000 * np.arange(2560) / 25_600)[np.newaxis]
    >>> welch = WelchSpectrogram(output="density", dtype="float32")
    >>> P = welch.fit_transform(X)
    >>> P.shape
    (1, 513, 25)
    >>> float(welch.frequencies_[P[0, :, 0].argmax()])
    1000.0
    >>> np.round(P.sum(axis=1) * 25, 3).ravel()[:2]
    array([0.5, 0.5], dtype=float32)
    """

    # float64 becomes float32 block by block, once its mean is off.
    kept_dtypes: ClassVar = PRECISE_FLOATS
    _learnt: ClassVar = {
        "n_timepoints_in_": is_size,
        "frequencies_": is_vector,
        "segment_times_": is_vector,
        "_fitted_params": is_params,
    }

    def __init__(
        self,
        fs: float = 25_600,
        nperseg: int = 1024,
        hop: int = 64,
        window: str | tuple | float | np.ndarray = "hann",
        f_max: float | None = None,
        output: Literal["log", "density"] = "log",
        dtype: Literal["float16", "float32"] = "float16",
        pool_size: int = 1,
    ) -> None:
        self.fs = fs
        self.nperseg = nperseg
        self.hop = hop
        self.window = window
        self.f_max = f_max
        self.output = output
        self.dtype = dtype
        self.pool_size = pool_size

    def fit(self, X: RunSequences | ArrayLike, y: None = None) -> Self:
        """Check the windows and lay out the axes of their spectrograms.

        Parameters
        ----------
        X : array-like of shape (n_windows, ..., n_timepoints) or RunSequences
            Windows. A 2-d array is read as univariate series.
        y : None
            Ignored.

        Returns
        -------
        WelchSpectrogram
            Itself.

        Raises
        ------
        ValueError
            If a parameter is out of range or unknown, windows are shorter than ``nperseg``, of
            unequal length, empty, complex, or hold NaN or infinity.
        TypeError
            If ``X`` is sparse or a parameter has the wrong type.

        Warns
        -----
        UserWarning
            If there are more channels than timepoints, or ``f_max`` lies above half of ``fs``.
        """
        self.check_params()
        self._taper()
        nperseg = int(self.nperseg)
        with fit_aside(self) as aside:
            X = check_windows(aside, X, ("n_timepoints",), reset=True, dtypes=self.kept_dtypes)
            n_timepoints = X.shape[-1]
            if n_timepoints < nperseg:
                raise ValueError(_too_short(nperseg, X.shape))
            # A little above half the rate keeps the last bin, too.
            highest = self.fs * (1 / 2 + 1 / nperseg)
            if self.f_max is not None and self.f_max > highest:
                warn(
                    f"f_max={self.f_max} Hz lies above half of fs={self.fs} Hz, so that all bins "
                    "are kept; check fs, or set f_max=None."
                )
            if len(X.shape) > 2 and X.shape[-2] > n_timepoints:
                warn(
                    f"X has more channels ({X.shape[-2]}) than timepoints ({n_timepoints}); if "
                    "they are swapped, pass X.swapaxes(-1, -2)."
                )
            aside.n_timepoints_in_ = n_timepoints
            aside.frequencies_ = self._frequencies()
            aside.segment_times_ = self._segment_times(n_timepoints)
            aside._fitted_params = self.get_params()
        return self

    @of_one_fit
    def transform(self, X: RunSequences | ArrayLike) -> RunSequences | np.ndarray:
        """Compute the spectrograms.

        Parameters
        ----------
        X : array-like of shape (n_windows, ..., n_timepoints) or RunSequences
            Windows of the length seen during ``fit``; other axes may differ.

        Returns
        -------
        ndarray of shape (n_windows, ..., n_freqs, n_segments) or RunSequences
            Spectrograms of type ``dtype``.

        Raises
        ------
        ValueError
            If windows have another length than in ``fit``, hold NaN or infinity, a parameter was
            set since ``fit``, or the density overflows ``dtype``.
        """
        check_is_fitted(self)
        check_same_params(self)
        X = check_windows(self, X, ("n_timepoints",), reset=False, dtypes=self.kept_dtypes)
        check_same_size(self, "n_timepoints", X.shape[-1], self.n_timepoints_in_)
        return map_windows(self.per_window, X)

    def check_params(self) -> None:
        """Refuse parameters that are out of range, of the wrong type or unknown."""
        check_number("fs", self.fs, above=0)
        check_integer("nperseg", self.nperseg, minimum=2)
        check_integer("hop", self.hop)
        if self.f_max is not None:
            check_number("f_max", self.f_max, above=0)
        check_option("output", self.output, ("density", "log"))
        check_option("dtype", self.dtype, ("float16", "float32"))
        pool_size = check_integer("pool_size", self.pool_size)
        n_bins = self._n_bins()
        if n_bins < pool_size:
            below = "" if self.f_max is None else f" below f_max={self.f_max}"
            raise ValueError(
                f"pool_size={pool_size} exceeds the {n_bins} bins{below}; use a smaller "
                f"pool_size{below and ' or raise f_max'}."
            )

    def check_learnt(self, learnt: dict[str, Any]) -> None:
        """Refuse windows too short, and frequencies and times of other parameters."""
        nperseg, n_timepoints = int(self.nperseg), learnt["n_timepoints_in_"]
        if n_timepoints < nperseg:
            raise ValueError(_too_short(nperseg, (1, 1, n_timepoints)))
        # Lengths first, so that no file asks for more than it holds.
        follow = (
            len(learnt["frequencies_"]) == self._n_bins() // int(self.pool_size)
            and len(learnt["segment_times_"]) == (n_timepoints - nperseg) // int(self.hop) + 1
            and np.array_equal(learnt["frequencies_"], self._frequencies())
            and np.array_equal(learnt["segment_times_"], self._segment_times(n_timepoints))
        )
        if not follow:
            raise ValueError("an axis of WelchSpectrogram does not follow from its parameters")
        self._taper()

    def _n_bins(self):
        """Return the number of frequencies kept, before pooling."""
        n_bins = int(self.nperseg) // 2 + 1
        if self.f_max is None:
            return n_bins
        # Without the frequencies themselves, as a file could name any number of them.
        near = int(min(n_bins, self.f_max * self.nperseg / self.fs))
        nearest = range(near, min(near + 2, n_bins))
        return near + sum(i * self.fs / self.nperseg < self.f_max for i in nearest)

    def _frequencies(self):
        """Return the centres of the pooled bins in Hz, (n_freqs,)."""
        n_freqs, pool_size = self._n_bins() // int(self.pool_size), int(self.pool_size)
        frequencies = np.arange(n_freqs * pool_size) * self.fs / int(self.nperseg)
        return frequencies.reshape(n_freqs, -1).mean(axis=-1)

    def _segment_times(self, n_timepoints):
        """Return the centres of the segments in s, (n_segments,)."""
        nperseg = int(self.nperseg)
        starts = np.arange(0, n_timepoints - nperseg + 1, int(self.hop))
        return (starts + nperseg / 2) / self.fs

    def _taper(self):
        """Return the taper, scaled so that squared spectra are one-sided densities."""
        if isinstance(self.window, np.ndarray):
            taper = self.window.astype(np.float64)
            if taper.shape != (self.nperseg,):
                raise ValueError(
                    f"window has shape {taper.shape} but nperseg={self.nperseg}; give one value "
                    "per point of a segment."
                )
        else:
            try:
                taper = taper_values(self.window, int(self.nperseg))
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"window={self.window!r} is unknown to scipy.signal.get_window ({error}); use "
                    "for example 'hann' or ('kaiser', 8.6)."
                ) from None
        return scaled_taper(taper, self.fs)

    def per_window(self, X: np.ndarray) -> np.ndarray:
        """Return the spectrograms of checked windows (..., n_timepoints), one by one."""
        import torch

        nperseg, hop = int(self.nperseg), int(self.hop)
        n_segments, n_freqs = len(self.segment_times_), len(self.frequencies_)
        n_bins = n_freqs * int(self.pool_size)
        if isinstance(self.window, np.ndarray):
            taper, leak = taper_constants(self._taper(), n_bins)
        else:
            taper, leak = named_constants(self.window, nperseg, float(self.fs), n_bins)
        # A segment's mean shows in these bins.
        n_leak = len(leak)
        out = np.empty((*X.shape[:-1], n_segments, n_freqs), dtype=self.dtype)
        rows = out.reshape(-1, n_segments, n_freqs)
        tapered = torch.empty(0, device="cpu")
        with np.errstate(over="ignore", invalid="ignore"):
            for part, block in blocks(X, 1, 4 * nperseg * n_segments, centred=True):
                segments = torch.from_numpy(block).unfold(-1, nperseg, hop)
                # Over the block before, whose memory the cache still holds.
                tapered = torch.mul(segments, taper, out=tapered.resize_(segments.shape))
                spectra = torch.fft.rfft(tapered).numpy()
                spectra[..., :n_leak] -= _segment_sums(block, nperseg, hop)[..., np.newaxis] * leak
                P = (
                    rows[part]
                    if out.dtype == np.float32
                    else np.empty(rows[part].shape, np.float32)
                )
                self._density(spectra[..., :n_bins], P)
                if out.dtype != np.float32:
                    store(P, rows[part])
        return out.swapaxes(-1, -2)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _density(self, spectra, P):
        """Fill P with the densities of the spectra, pooled."""
        pool_size = int(self.pool_size)
        amplitudes = P if pool_size == 1 else np.empty(spectra.shape, np.float32)
        np.abs(spectra, out=amplitudes)
        # These bins have no twin at a negative frequency.
        amplitudes[..., 0] *= SQRT_HALF
        if self.nperseg % 2 == 0 and amplitudes.shape[-1] > self.nperseg // 2:
            amplitudes[..., -1] *= SQRT_HALF
        largest = amplitudes[..., ::pool_size]
        for i in range(1, pool_size):
            largest = np.maximum(largest, amplitudes[..., i::pool_size], out=P)
        np.square(P, out=P)
        stored = self.dtype if self.output == "density" else "float32"
        # NaN is overflow, too: of the transform itself.
        if not P.max() <= np.finfo(stored).max:
            raise ValueError(
                f"density {P.max():.3g} exceeds {np.finfo(stored).max:.6g}, the largest {stored}; "
                'use output="log" or dtype="float32", or scale the windows down.'
            )
        if self.output == "log":
            import torch

            # As np.log10 but for the last bit, five times as fast.
            torch.from_numpy(P).clamp_(min=FLOOR).log10_()


def _segment_sums(X, nperseg, hop):
    """Sum the segments of rows, (n_rows, n_segments)."""
    # Segments overlap: sum once the steps that they are made of.
    step = gcd(nperseg, hop)
    n_steps = X.shape[-1] // step
    steps = X[:, : n_steps * step].reshape(-1, n_steps, step) @ np.ones(step, dtype=X.dtype)
    total = np.zeros((len(X), n_steps + 1), dtype=X.dtype)
    np.cumsum(steps, axis=-1, out=total[:, 1:])
    return total[:, nperseg // step :: hop // step] - total[:, : -(nperseg // step) : hop // step]


def _too_short(nperseg, shape):
    """Word the refusal of windows shorter than a segment."""
    n_timepoints = shape[-1]
    message = (
        f"nperseg={nperseg} exceeds the window length n_timepoints={n_timepoints}; "
        "use shorter segments or longer windows."
    )
    if len(shape) == 2:
        return f"{message} (2-d X holds one series per row: n_features={n_timepoints}.)"
    if shape[-2] >= nperseg:
        return f"{message} Channels and time look swapped: pass X.swapaxes(-1, -2)."
    return message
