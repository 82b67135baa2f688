"""Simulated bearings in twelve states."""

from __future__ import annotations

import math
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import oaconvolve
from sklearn.utils import Bunch

from .._checks import as_generator, check_integer, check_number
from ._cwru_states import STATES
from ._impulses import impulse_train, ring

if TYPE_CHECKING:
    from collections.abc import Sequence

N_BALLS, BALL_DIAMETER, PITCH_DIAMETER = 9, 7.94, 39.04  # mm, SKF 6205
RPM = 1750
SHAFT = RPM / 60  # Hz
RATIO = BALL_DIAMETER / PITCH_DIAMETER
CAGE = (1 - RATIO) / 2  # turns per turn of the shaft
# Impulses per turn of the shaft. A fault of a ball strikes both races in one spin.
ORDERS = {
    "inner race": N_BALLS * (1 - CAGE),
    "ball": (1 - RATIO**2) / RATIO,
    "outer race": N_BALLS * CAGE,
}
# How much an impulse varies as the fault passes the load zone, and how often it does.
LOAD_ZONES = {"inner race": (0.9, 1.0), "ball": (0.7, CAGE), "outer race": (0.0, 0.0)}
RESONANCES = {"inner race": 3300.0, "ball": 2700.0, "outer race": 3000.0}  # Hz
GAINS = {"inner race": 1.0, "ball": 0.6, "outer race": 1.0}
DAMPING, SLIP = 0.04, 0.01
# Balls run over any fault at this speed; the impulse as they leave it is the weaker one.
ROLLING_SPEED = np.pi * PITCH_DIAMETER * (1 - RATIO**2) / 2 * SHAFT  # mm/s
LEAVING = 0.8
REFERENCE_SIZE = 0.3556  # mm
FAULT_SPREAD, BACKGROUND_SPREAD = 0.3, 0.1
BACKGROUND, IMBALANCE = 0.07, 0.02  # g
STRUCTURE, STRUCTURE_DAMPING, STRUCTURE_SHARE = 1000.0, 0.1, 0.36  # Hz, 1, share of power
SETTLING = 0.02  # s, until every ring has died down
MIN_FS = 10_000.0
MAX_FS = 1_000_000.0  # above, single precision shifts the resonances
MAX_SNR = 100.0

DESCR = """Simulated bearings in twelve states

An SKF 6205 bearing at {rpm} rpm is normal or has one fault of its inner race, a ball (0.18, 0.36,
0.53, 0.71 mm) or its outer race (0.18, 0.36, 0.53 mm). Acceleration in g, windows of {duration:g} s
at {fs:g} Hz; the fault of 0.36 mm of a race rings {snr:g} dB above the background. Not measured:
use it to try things out, not to compare methods.

Simulated
{states}
"""


def make_bearing_faults(
    n_per_class: int | Sequence[int] = 50,
    *,
    n_timepoints: int = 1024,
    fs: float = 12_000.0,
    snr: float = 3.0,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> Bunch:
    """Simulate vibration windows of twelve bearing states, normal and faulty.

    The states are those of :func:`load_cwru`. Balls that pass a fault strike it at the
    characteristic frequency of its place, with a little slip, and ring a resonance [1]_. They
    strike twice, as they reach the fault and as they leave it, so that its size shows in the time
    between, and so in the spectrum [2]_, as well as in the loudness. Faults of the inner race are
    modulated by the turns of the shaft, those of a ball by the turns of the cage. Noise, a broad
    resonance of the structure and imbalance of the shaft lie beneath.

    Parameters
    ----------
    n_per_class : int or sequence of 12 int, default=50
        Windows of each state; ``[800] + [8] * 11`` has a hundred normal windows to one of each
        fault.
    n_timepoints : int, default=1024
        Points per window.
    fs : float, default=12_000.0
        Sampling frequency in Hz, from 10_000 to 1_000_000.
    snr : float, default=3.0
        Power of the ring of a 0.36 mm fault of a race over that of the background, in dB, from -100
        to 100. The power grows in proportion to the size, and is 4.4 dB less for a ball. From
        window to window it varies by 2.6 dB (standard deviation).
    random_state : int, RandomState instance, Generator or None, default=None
        Seed of all that is drawn. NumPy's global generator is never used. Seeds differ by chance
        alone: two of them serve as training and test data.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Windows grouped by state, with these fields:

        X : ndarray of shape (n_windows, n_timepoints), float32
            Acceleration in g.
        y : ndarray of shape (n_windows,), int64
            Index of the state, 0 (normal) to 11.
        target_names : list of str
            The twelve states, such as "IR007": inner race (IR), ball (B) or outer race (OR), and
            the diameter of the fault in thousandths of an inch.
        fs : float
            Sampling frequency in Hz.
        DESCR : str
            What was simulated.

    Raises
    ------
    ValueError
        If a size is below 1, ``n_per_class`` is a sequence of another length than 12, ``fs`` is
        outside 10_000 to 1_000_000 Hz or ``snr`` is beyond 100 dB.
    TypeError
        If a parameter has the wrong type.

    See Also
    --------
    load_cwru : Real bearings in these states.
    cwru_imbalanced : Windows of real bearings.

    References
    ----------
    .. [1] P. D. McFadden and J. D. Smith, "Model for the vibration produced by a single point
       defect in a rolling element bearing", Journal of Sound and Vibration, 1984.
    .. [2] N. Sawalhi and R. B. Randall, "Vibration response of spalled rolling element bearings:
       Observations, simulations and signal processing techniques to track the spall size",
       Mechanical Systems and Signal Processing, 2011.

    Examples
    --------
    The envelope of an outer-race fault beats 3.585 times per turn of the shaft, at 104.6 Hz.

    >>> import numpy as np
    >>> from skprog.datasets import make_bearing_faults
    >>> data = make_bearing_faults(4, n_timepoints=12_000, random_state=0)
    >>> fault = data.X[data.y == data.target_names.index("OR021@6")]
    >>> power = (np.abs(np.fft.rfft(fault**2)) ** 2).mean(axis=0)
    >>> int(power[60:200].argmax()) + 60
    105
    """
    counts = _check_counts(n_per_class)
    n_timepoints = check_integer("n_timepoints", n_timepoints)
    check_number("fs", fs, minimum=MIN_FS, maximum=MAX_FS)
    check_number("snr", snr, minimum=-MAX_SNR, maximum=MAX_SNR)

    y = np.repeat(np.arange(len(STATES)), counts)
    X = np.empty((len(y), n_timepoints), dtype=np.float32)
    rngs = as_generator(random_state).spawn(len(STATES))
    for label, (rng, (part, size)) in enumerate(zip(rngs, STATES.values(), strict=True)):
        X[y == label] = _simulate(rng, part, size, snr, fs, (counts[label], n_timepoints))
    states = "\n".join(f"    {name}: {n} windows" for name, n in zip(STATES, counts, strict=True))
    return Bunch(
        X=X,
        y=y,
        target_names=list(STATES),
        fs=float(fs),
        DESCR=DESCR.format(rpm=RPM, duration=n_timepoints / fs, fs=fs, snr=snr, states=states),
    )


def _check_counts(n_per_class):
    if isinstance(n_per_class, Integral):
        return [check_integer("n_per_class", n_per_class)] * len(STATES)
    if not np.iterable(n_per_class) or isinstance(n_per_class, str):
        raise TypeError(f"n_per_class={n_per_class!r} must be an integer or {len(STATES)} of them.")
    counts = list(n_per_class)
    if len(counts) != len(STATES):
        raise ValueError(
            f"n_per_class has {len(counts)} counts; give one for each of the {len(STATES)} states, "
            "or one integer for all."
        )
    return [check_integer(f"n_per_class[{i}]", n) for i, n in enumerate(counts)]


def _simulate(rng, part, size, snr, fs, shape):
    """Return windows of one state, (n_windows, n_timepoints), in g."""
    n_windows, n_timepoints = shape
    # Rings that began before the window are heard in it.
    n_before = math.ceil(SETTLING * fs)
    angle = 2 * np.pi * SHAFT / fs * np.arange(n_before + n_timepoints)
    x = BACKGROUND * _loudness(rng, n_windows, BACKGROUND_SPREAD) * _background(rng, fs, shape)
    for harmonic in (1, 2):
        x += IMBALANCE * _wave(rng, harmonic * angle[n_before:], n_windows)
    if part is not None:
        level = BACKGROUND * 10 ** (snr / 20) * GAINS[part] * math.sqrt(size / REFERENCE_SIZE)
        rung = _fault(rng, part, size, fs, angle, n_windows)
        x += level * _loudness(rng, n_windows, FAULT_SPREAD) * rung
    return x


def _loudness(rng, n_windows, spread):
    return np.exp(spread * rng.standard_normal((n_windows, 1), dtype=np.float32))


def _wave(rng, angle, n_windows):
    """Return a cosine of random phase in each window, (n_windows, n_points)."""
    phase = rng.uniform(0, 2 * np.pi, (n_windows, 1))
    return np.cos(angle.astype(np.float32) + phase.astype(np.float32))


def _background(rng, fs, shape):
    """Return noise of power 1, part of it coloured by the structure."""
    n_windows, n_timepoints = shape
    kernel = _kernel(0.0, STRUCTURE, STRUCTURE_DAMPING, fs)
    n_points = n_timepoints + len(kernel) - 1
    rolling = rng.standard_normal((n_windows, n_points), dtype=np.float32)
    rung = math.sqrt(STRUCTURE_SHARE) * oaconvolve(rolling, kernel[None], mode="valid", axes=-1)
    noise = rng.standard_normal(shape, dtype=np.float32)
    return rung + math.sqrt(1 - STRUCTURE_SHARE) * noise


def _fault(rng, part, size, fs, angle, n_windows):
    """Return the ring of a fault, of power about 1."""
    rate = ORDERS[part] * SHAFT / fs
    depth, turns = LOAD_ZONES[part]
    train = impulse_train(rng, rate, (n_windows, len(angle)), slip=SLIP)
    train *= 1 + depth * _wave(rng, turns * angle, n_windows)
    train /= math.sqrt(rate * (1 + depth**2 / 2))
    kernel = _kernel(size / ROLLING_SPEED * fs, RESONANCES[part], DAMPING, fs)
    return oaconvolve(train, kernel[None], mode="valid", axes=-1)


def _kernel(gap, resonance, damping, fs):
    """Return the response, of energy 1, to two impulses ``gap`` points apart."""
    strikes = np.zeros(math.ceil(SETTLING * fs) + 1)
    strikes[0] = 1
    whole, fraction = divmod(gap, 1)
    strikes[int(whole) : int(whole) + 2] += LEAVING * np.array([1 - fraction, fraction])
    kernel = ring(strikes, resonance, fs, damping=damping)
    return kernel / np.linalg.norm(kernel)
