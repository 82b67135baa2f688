"""The spectrogram of one window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._checks import as_numbers, check_finite, check_integer, check_option
from ..preprocessing import WelchSpectrogram
from ._axes import one_axes

if TYPE_CHECKING:
    from typing import Literal, Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike


class SpectrogramDisplay:
    """Spectrogram of one window over time and frequency.

    Parameters
    ----------
    spectrogram : array-like of shape (n_freqs, n_segments)
        Power spectral density of each segment of one channel, or its log10.
    f : array-like of shape (n_freqs,), default=None
        Frequencies in Hz. None draws over the number of the bin.
    t : array-like of shape (n_segments,), default=None
        Middle of each segment in s. None draws over the number of the segment.
    output : {"log", "density"}, default="log"
        What ``spectrogram`` holds: log10 of the PSD, or the PSD in g²/Hz. Both are drawn as log10.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes drawn on.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> import numpy as np
    >>> from skprog.plots import SpectrogramDisplay
    >>> f, t = np.arange(0, 8400, 25.0), 0.02 + 0.0025 * np.arange(25)
    >>> display = SpectrogramDisplay(np.zeros((336, 25)), f=f, t=t).plot()
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('Time (s)', 'Frequency (Hz)')
    """

    def __init__(
        self,
        spectrogram: ArrayLike,
        *,
        f: ArrayLike | None = None,
        t: ArrayLike | None = None,
        output: Literal["log", "density"] = "log",
    ) -> None:
        self.spectrogram = spectrogram
        self.f = f
        self.t = t
        self.output = output

    @classmethod
    def from_estimator(
        cls, estimator: WelchSpectrogram, X: ArrayLike, *, channel: int = 0, ax: Axes | None = None
    ) -> Self:
        """Transform one raw window and draw it.

        Parameters
        ----------
        estimator : WelchSpectrogram
            Fitted.
        X : array-like of shape (n_channels, n_timepoints)
            One window in g.
        channel : int, default=0
            Channel to draw.
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : SpectrogramDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If ``estimator`` is no WelchSpectrogram.
        ValueError
            If ``X`` is not one window, or has no such channel.
        """
        X = np.asarray(X)
        if X.ndim != 2:
            raise ValueError(f"X has shape {X.shape}; give one window, (n_channels, n_timepoints).")
        check_integer("channel", channel, minimum=0)
        if channel >= len(X):
            raise ValueError(f"channel={channel} but the window has {len(X)}; counted from 0.")
        if not isinstance(estimator, WelchSpectrogram):
            raise TypeError(
                f"estimator of type {type(estimator).__name__} must be a WelchSpectrogram."
            )
        spectrogram = estimator.transform(X[None])[0, channel]
        display = cls(
            spectrogram,
            f=estimator.frequencies_,
            t=estimator.segment_times_,
            output=estimator.output,
        )
        return display.plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the spectrogram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None draws a new figure.

        Returns
        -------
        display : SpectrogramDisplay
            This display, with ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If ``spectrogram`` is not 2-d, ``f`` or ``t`` has another length, numbers are not
            finite, or ``output`` is unknown.
        """
        check_option("output", self.output, ("log", "density"))
        # float16 suits storage only.
        log_psd = as_numbers("spectrogram", self.spectrogram)
        if log_psd.ndim != 2 or log_psd.size == 0:
            raise ValueError(
                f"spectrogram has shape {log_psd.shape}; give one channel of one window, "
                "(n_freqs, n_segments)."
            )
        check_finite(log_psd, "spectrogram")
        if self.output == "density":
            log_psd = np.log10(np.maximum(log_psd, 1e-12))
        f = _axis("f", self.f, log_psd.shape[0])
        t = _axis("t", self.t, log_psd.shape[1])
        ax = self.ax_ = one_axes(self, ax, figsize=(6.4, 4.0))
        self.figure_ = ax.figure
        image = ax.pcolormesh(t, f, log_psd, shading="nearest", cmap="magma", rasterized=True)
        ax.set_xlabel("Segment" if self.t is None else "Time (s)")
        ax.set_ylabel("Frequency bin" if self.f is None else "Frequency (Hz)")
        self.figure_.colorbar(image, ax=ax, label="log₁₀ PSD (g²/Hz)")
        return self


def _axis(name, values, length):
    if values is None:
        return np.arange(length)
    values = as_numbers(name, values)
    if values.shape != (length,):
        raise ValueError(f"{name} has shape {values.shape} but the spectrogram has {length} there.")
    check_finite(values, name)
    return values
