"""Simulated bearings that run to failure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter

from .._checks import as_generator, check_integer, check_number
from ._bearing_runs import CONDITIONS, condition_of, run_to_failure_bunch
from ._impulses import impulse_train, ring

if TYPE_CHECKING:
    from sklearn.utils import Bunch

N_BALLS, BALL_DIAMETER, PITCH_DIAMETER = 13, 3.5, 25.6  # mm
# Impulses per turn of the shaft: each ball passes a fault of the outer race.
BPFO = N_BALLS / 2 * (1 - BALL_DIAMETER / PITCH_DIAMETER)
RESONANCES = (2800.0, 4300.0)  # Hz, horizontal and vertical
GAINS = (1.0, 0.7)
DAMPING = 0.03
SLIP = 0.01
FAILURE = 20.0  # g, impulse at the end of life
BACKGROUND, ROLLING, IMBALANCE = 0.4, 0.08, 0.15  # g
MIN_FS = 10_000.0

DESCR = """Simulated bearings that run to failure

Each bearing runs under one of three conditions (1 = 1800 rpm, 4000 N; 2 = 1650 rpm, 4200 N;
3 = 1500 rpm, 5000 N) until a fault of its outer race rings two resonances with impulses of about
20 g. Horizontal and vertical acceleration in g, a window of {duration:g} s at {fs:g} Hz every
{period:g} s. Not measured: use it to try things out, not to compare methods.

Simulated
{runs}
"""


def make_run_to_failure(
    n_runs: int = 6,
    *,
    n_windows: int = 150,
    life_spread: float = 0.3,
    n_timepoints: int = 2560,
    fs: float = 25_600.0,
    period: float = 10.0,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> Bunch:
    """Simulate the vibration of bearings from new to failed.

    Balls that pass a fault of the outer race strike it at the characteristic frequency BPFO,
    with a little slip, and ring a resonance on each axis [1]_. The impulses grow slowly first and
    steeply late in life, to about 20 g; noise, rolling and imbalance lie beneath them. Runs take
    the conditions 1, 2, 3 in turn and differ in life, growth, loudness and resonance. Lives
    follow the rating life of ball bearings: inverse to speed and to the cube of load.

    Parameters
    ----------
    n_runs : int, default=6
        Bearings. The first runs do not depend on how many follow.
    n_windows : int, default=150
        Mean life over the three conditions, in windows.
    life_spread : float, default=0.3
        Standard deviation of the logarithm of life within a condition.
    n_timepoints : int, default=2560
        Points per window.
    fs : float, default=25_600.0
        Sampling frequency in Hz, at least 10_000.
    period : float, default=10.0
        Time from one window to the next in s.
    random_state : int, RandomState instance, Generator or None, default=None
        Seed of all that is drawn. NumPy's global generator is never used.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        The fields of :func:`load_femto`: ``windows`` (n_windows, 2, n_timepoints) float32 in g,
        ``runs`` such as "Simulated1_1" (condition 1, first of it), ``rul`` and ``time`` in s,
        ``condition``, ``bearings``, ``channels``, ``fs``, ``period``, ``truncated_at`` (empty)
        and ``DESCR``.

    Raises
    ------
    ValueError
        If a size is below 1, ``life_spread`` is negative, ``fs`` is below 10_000 Hz or ``period``
        is not positive.
    TypeError
        If a parameter has the wrong type.

    See Also
    --------
    load_femto : Real bearings.

    References
    ----------
    .. [1] P. D. McFadden and J. D. Smith, "Model for the vibration produced by a single point
       defect in a rolling element bearing", Journal of Sound and Vibration, 1984.

    Examples
    --------
    A failed bearing shakes at least four times as hard as a new one.

    >>> from skprog.datasets import make_run_to_failure
    >>> data = make_run_to_failure(n_runs=3, n_windows=30, random_state=0)
    >>> rms = data.windows.std(axis=(1, 2))
    >>> bool(rms[data.rul == 0].min() > 4 * rms[data.time == 0].max())
    True
    """
    n_runs = check_integer("n_runs", n_runs)
    n_windows = check_integer("n_windows", n_windows)
    n_timepoints = check_integer("n_timepoints", n_timepoints)
    check_number("life_spread", life_spread, minimum=0)
    check_number("fs", fs, minimum=MIN_FS)
    check_number("period", period, above=0)

    rngs = as_generator(random_state).spawn(n_runs)
    names = [f"Simulated{run % 3 + 1}_{run // 3 + 1}" for run in range(n_runs)]
    lengths = {
        name: _draw_life(rng, condition_of(name), n_windows, life_spread)
        for name, rng in zip(names, rngs, strict=True)
    }
    windows = np.empty((sum(lengths.values()), 2, n_timepoints), dtype=np.float32)
    start = 0
    for name, rng in zip(names, rngs, strict=True):
        rows = windows[start : start + lengths[name]]
        _simulate(rng, condition_of(name), fs, rows)
        start += len(rows)
    runs = "\n".join(f"    {name}: {n} windows" for name, n in lengths.items())
    return run_to_failure_bunch(
        windows,
        lengths,
        [float(period) * np.arange(n) for n in lengths.values()],
        fs=float(fs),
        period=float(period),
        truncated_at={},
        DESCR=DESCR.format(duration=n_timepoints / fs, fs=fs, period=period, runs=runs),
    )


def _draw_life(rng, condition, n_windows, life_spread):
    ratings = {c: 1 / (speed * load**3) for c, (speed, load) in CONDITIONS.items()}
    rating = ratings[condition] / np.mean(list(ratings.values()))
    spread = math.exp(life_spread * rng.standard_normal() - life_spread**2 / 2)
    return max(1, round(n_windows * rating * spread))


def _simulate(rng, condition, fs, windows):
    """Fill the windows (n_windows, 2, n_timepoints) of one run with acceleration in g."""
    n_windows, _, n_timepoints = windows.shape
    shaft = CONDITIONS[condition][0] / 60
    severity = _severity(rng, n_windows)
    loudness = np.exp(0.1 * rng.standard_normal(2))
    resonances = RESONANCES * np.exp(0.02 * rng.standard_normal(2))

    # Rings that began before the window are heard in it.
    n_before = math.ceil(fs / (BPFO * shaft))
    n_points = n_before + n_timepoints
    train = impulse_train(rng, BPFO * shaft / fs, (n_windows, n_points), slip=SLIP)
    impulses = FAILURE * severity[:, None] * train
    angle = 2 * np.pi * shaft / fs * np.arange(n_timepoints, dtype=np.float32)
    phase = rng.uniform(0, 2 * np.pi, (n_windows, 1)).astype(np.float32)
    for channel, (resonance, gain) in enumerate(zip(resonances, GAINS, strict=True)):
        x = windows[:, channel]
        rolling = rng.standard_normal((n_windows, n_points), dtype=np.float32)
        struck = gain * impulses + ROLLING * loudness[0] * rolling
        rung = ring(struck, resonance, fs, damping=DAMPING)
        noise = rng.standard_normal(x.shape, dtype=np.float32)
        x[...] = rung[:, n_before:]
        x += (BACKGROUND * loudness[1] * (1 + severity[:, None])).astype(np.float32) * noise
        x += IMBALANCE * np.sin(angle + phase + channel * np.pi / 2)


def _severity(rng, n_windows):
    """Return the size of the fault at each window, (n_windows,), about 1 at the end of life."""
    age = np.arange(1, n_windows + 1) / n_windows
    slow = rng.uniform(0.08, 0.2)
    rate = rng.uniform(6, 12)
    growth = slow * age + (1 - slow) * np.expm1(rate * age) / np.expm1(rate)
    shocks = rng.standard_normal(n_windows)
    fluctuation = lfilter([math.sqrt(1 - 0.8**2)], [1, -0.8], shocks)
    return growth * np.exp(0.2 * rng.standard_normal() + 0.1 * fluctuation)
