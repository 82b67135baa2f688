"""Spectrograms at the door of a transformer of their frequencies."""

from sklearn.utils.validation import check_is_fitted

from .._refit import fit_aside
from ._fitted_params import check_same_params
from ._windows import check_same_size, check_windows, map_windows

SPECTROGRAM_AXES = ("n_freqs", "n_segments")


def fit_frequencies(estimator, X, name):
    """Check spectrograms and the parameter ``name``, a number of bins or bands, and keep both."""
    estimator.check_params()
    with fit_aside(estimator) as aside:
        aside.n_freqs_in_ = check_windows(aside, X, SPECTROGRAM_AXES, reset=True).shape[-2]
        check_at_most(name, getattr(estimator, name), aside.n_freqs_in_)
        aside._fitted_params = estimator.get_params()


def check_at_most(name, number, n_freqs):
    """Refuse more bands, or bins of a group, than there are bins."""
    if number > n_freqs:
        raise ValueError(f"{name}={number} exceeds n_freqs={n_freqs}; use a smaller {name}.")


def transform_spectrograms(estimator, X, f):
    """Apply ``f`` to spectrograms like those of :func:`fit_frequencies`."""
    check_is_fitted(estimator)
    check_same_params(estimator)
    X = check_windows(estimator, X, SPECTROGRAM_AXES, reset=False)
    check_same_size(estimator, "n_freqs", X.shape[-2], estimator.n_freqs_in_)
    return map_windows(f, X)
