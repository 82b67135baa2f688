"""Simulated micrographs of electrospun nanofibres, with beads and without."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.utils import Bunch

from .._checks import as_generator, check_integer, check_number, check_option

if TYPE_CHECKING:
    from typing import Literal

TARGET_NAMES = ("homogeneous", "nonhomogeneous")
MIN_SIZE = 64
MAX_DENSITY = 100.0
DENSITY_AREA = 512 * 512  # px

# Share of the image that fibres cover, thickness of a bead over that of its fibre, and the part of
# the range of densities that is drawn from.
COVER = {"standard": (0.70, 0.85), "easy": (0.35, 0.50)}
SWELLING = {"standard": (1.5, 4.0), "easy": (3.0, 4.0)}
DENSITY_PART = {"standard": (0.0, 1.0), "easy": (0.75, 1.0)}
EASY_LIFT = (2.5, 3.0)  # standard deviations of the fibres' greys above their mean

DIAMETERS, DIAMETER_SPREAD = (6.0, 14.0), 0.2  # px, share of the image's own
WAVELENGTHS, WAVE_SLOPE = (400.0, 2000.0), 0.15  # px, 1
BEAD_STRETCH = (1.0, 1.8)
UPPER = 0.5  # share of the fibres that may carry beads

DEEPEST, TOP, GREY_SPREAD = 35.0, 130.0, 0.08  # greys of 255 above the background, share
EDGE = 0.25  # how much brighter an edge is than the middle
SHADOW, SHADOW_WIDTH = 0.25, 3.0  # share of the grey, px

BACKGROUND = 25.0
GRADIENT, BLUR = 0.15, 0.8  # share of the grey, px
NOISE, CONTRAST, BRIGHTNESS = (3.0, 8.0), (0.85, 1.15), (-12.0, 12.0)

DESCR = """Simulated micrographs of electrospun nanofibres

Scanning electron micrographs of {size} x {size} px as a mat of fibres would give, every second one
with beads: {n_plain} homogeneous, {n_beaded} nonhomogeneous ({n_beads} beads). Difficulty
{difficulty!r}. Not measured: use it to try things out, or where the place of every bead must be
known, not to tell how a method does on micrographs.
"""


def make_nanofibers(
    n: int,
    *,
    bead_density: tuple[float, float] = (0, 8),
    size: int = 1024,
    difficulty: Literal["standard", "easy"] = "standard",
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> Bunch:
    """Simulate micrographs of electrospun nanofibres, every second one with beads.

    Beads make a mat of fibres nonhomogeneous, and micrographs are classified by them [1]_. Each
    image shows a mat of fibres, 6 to 14 px thick and gently curved, the deeper the darker, with the
    bright edges of a scanning electron microscope. Beads are swellings of the upper fibres, drawn
    over a finished mat, so that images with and without beads differ in nothing else: coverage,
    thickness, light, contrast and noise are drawn alike, before and apart from the beads.

    Parameters
    ----------
    n : int
        Images. The first images do not depend on how many follow.
    bead_density : tuple of 2 float, default=(0, 8)
        Least and greatest density of beads, per 512 x 512 px, from 0 to 100. The density of an
        image with beads is drawn uniformly between them, and gives at least one bead.
    size : int, default=1024
        Height and width of an image in px, at least 64. Fibres are as thick in small images.
    difficulty : {"standard", "easy"}, default="standard"
        "standard": a bead is 1.5 to 4 times as thick as its fibre and of a grey that lies within
        one standard deviation of the fibres' greys, from that of its own fibre upwards; fibres
        cover about 70 to 85 % of the image. "easy": beads are 3 to 4 times as thick and 2.5 to 3
        standard deviations brighter than the mean fibre, their density comes from the upper
        quarter of ``bead_density``, and fibres cover about 35 to 50 %.
    random_state : int, RandomState instance, Generator or None, default=None
        Seed of all that is drawn. NumPy's global generator is never used.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Images without and with beads in turn, with these fields:

        images : ndarray of shape (n, size, size), uint8
            Grey images.
        target : ndarray of shape (n,), int64
            1 for an image with beads, 0 for one without.
        target_names : list of str
            "homogeneous" and "nonhomogeneous".
        masks : ndarray of shape (n, size, size), bool
            Pixels of beads. Nothing hides a bead but another bead and the edge of the image, in
            which its centre lies.
        n_beads : ndarray of shape (n,), int64
            Beads of each image.
        fibre_diameters : ndarray of shape (n,), float64
            Mean diameter of each image's fibres in px; they differ by up to 20 % from it.
        DESCR : str
            What was simulated.

    Raises
    ------
    ValueError
        If ``n`` is below 1, ``size`` is below 64, ``bead_density`` is not two densities in rising
        order from 0 to 100, or ``difficulty`` is unknown.
    TypeError
        If a parameter has the wrong type.

    See Also
    --------
    load_sem : Real micrographs.

    Notes
    -----
    The greys of the fibres are those of all pixels on fibres of an image, before beads, light and
    noise. A bead is an ellipse, up to 1.8 times as long along its fibre as it is thick; its
    thickness is the minor axis. Thickness, density and grey of the beads were fixed before any
    classifier was trained on them.

    References
    ----------
    .. [1] C. Ieracitano, F. Pantó, N. Mammone, A. Paviglianiti, P. Frontera and F. C. Morabito,
       "Toward an automatic classification of SEM images of nanomaterials via a deep learning
       approach", in: Neural Approaches to Dynamics of Signal Exchanges, Springer, 2020.

    Examples
    --------
    Beads are few and small: an image label says little of where they are.

    >>> from skprog.datasets import make_nanofibers
    >>> data = make_nanofibers(4, size=512, random_state=0)
    >>> data.target, data.n_beads
    (array([0, 1, 0, 1]), array([0, 5, 0, 1]))
    >>> (100 * data.masks.mean(axis=(1, 2))).round(1)  # per cent
    array([0. , 4.3, 0. , 0.2])
    """
    n = check_integer("n", n)
    size = check_integer("size", size, minimum=MIN_SIZE)
    bead_density = _check_density(bead_density)
    check_option("difficulty", difficulty, tuple(COVER))

    images = np.empty((n, size, size), dtype=np.uint8)
    masks = np.zeros((n, size, size), dtype=bool)
    target = np.arange(n) % 2
    n_beads = np.zeros(n, dtype=np.int64)
    diameters = np.empty(n)
    for i, rng in enumerate(as_generator(random_state).spawn(n)):
        mat_rng, bead_rng, camera_rng = rng.spawn(3)
        diameters[i], fibres = _lay_fibres(mat_rng, size, COVER[difficulty])
        scene = _draw_mat(fibres, size)
        if target[i]:
            beads = _place_beads(bead_rng, fibres, scene, bead_density, difficulty)
            n_beads[i] = len(beads)
            for bead in beads:
                _draw_bead(scene, masks[i], *bead)
        images[i] = _photograph(camera_rng, scene)
    return Bunch(
        images=images,
        target=target,
        target_names=list(TARGET_NAMES),
        masks=masks,
        n_beads=n_beads,
        fibre_diameters=diameters,
        DESCR=DESCR.format(
            size=size,
            n_plain=n - target.sum(),
            n_beaded=target.sum(),
            n_beads=n_beads.sum(),
            difficulty=difficulty,
        ),
    )


def _check_density(bead_density):
    if not np.iterable(bead_density) or isinstance(bead_density, str):
        raise TypeError(
            f"bead_density={bead_density!r} must be two numbers, the least and the greatest "
            "density."
        )
    bounds = list(bead_density)
    if len(bounds) != 2:
        raise ValueError(
            f"bead_density={bead_density!r} has {len(bounds)} values; give two, the least and the "
            "greatest density."
        )
    for i, bound in enumerate(bounds):
        check_number(f"bead_density[{i}]", bound, minimum=0, maximum=MAX_DENSITY)
    if bounds[0] > bounds[1]:
        raise ValueError(
            f"bead_density={bead_density!r} falls; give the least density first, then the greatest."
        )
    return bounds


def _lay_fibres(rng, size, cover):
    """Return the fibres' mean diameter in px and the fibres, from the deepest to the top one.

    Where one ``lies``, ``centre[t]`` is its row in column t, else its column in row t.
    """
    diameter = math.exp(rng.uniform(*np.log(DIAMETERS)))
    # Strips that fall at random leave exp(-sum of their shares) uncovered.
    needed = -math.log(1 - rng.uniform(*cover))
    n_drawn = math.ceil(3 * needed * size / diameter)
    radius = diameter / 2 * rng.uniform(1 - DIAMETER_SPREAD, 1 + DIAMETER_SPREAD, n_drawn)
    slope = np.tan(rng.uniform(-np.pi / 4, np.pi / 4, n_drawn))
    half_width = radius * np.hypot(1, slope)
    reach = size / 2 * (1 + np.abs(slope)) + half_width
    n_fibres = np.searchsorted(np.cumsum(half_width / reach), needed) + 1
    place = reach * rng.uniform(-1, 1, n_drawn)
    # The top fibre always crosses the image, so that there is a place for a bead.
    top = n_fibres - 1
    place[top] = (place[top] + size / 2) % size - size / 2

    frequency = 2 * np.pi / np.exp(rng.uniform(*np.log(WAVELENGTHS), n_drawn))
    steepness = rng.uniform(0, WAVE_SLOPE, n_drawn)
    phase = rng.uniform(0, 2 * np.pi, n_drawn)
    lies = rng.random(n_drawn) < 0.5
    shade = rng.uniform(1 - GREY_SPREAD, 1 + GREY_SPREAD, n_drawn)

    height = np.arange(1, n_fibres + 1) / n_fibres
    grey = (DEEPEST + (TOP - DEEPEST) * height) * shade[:n_fibres]
    x0, s, w, v, phi = (
        values[:n_fibres, None] for values in (place, slope, frequency, steepness, phase)
    )
    t = np.arange(size) - size / 2
    centre = size / 2 + x0 + s * t + v / w * (np.sin(w * t + phi) - np.sin(phi))
    fibres = {
        "radius": radius[:n_fibres],
        "grey": grey,
        "lies": lies[:n_fibres],
        "centre": centre.astype(np.float32),
        "slope": (s + v * np.cos(w * t + phi)).astype(np.float32),
    }
    return diameter, fibres


def _draw_mat(fibres, size):
    """Return the greys of the mat above the background, (size, size)."""
    stretch = np.hypot(1, fibres["slope"])
    halves = np.ceil((fibres["radius"] + SHADOW_WIDTH) * stretch.max(axis=1)).astype(int)
    pad = 2 * halves.max() + 2
    mat = np.zeros((size + 2 * pad, size + 2 * pad), dtype=np.float32)
    pixels = mat.reshape(-1)
    steps = {False: (1, len(mat)), True: (len(mat), 1)}
    for i, half in enumerate(halves):
        radius, grey, centre = (fibres[key][i] for key in ("radius", "grey", "centre"))
        t = np.flatnonzero((centre > -half) & (centre < size + half))
        whole = np.floor(centre[t])
        across = np.arange(-half, half + 2)[:, None]  # (n_across, 1)
        distance = np.abs(across.astype(np.float32) - (centre[t] - whole))
        distance /= stretch[i, t]
        step_across, step_along = steps[bool(fibres["lies"][i])]
        first = (whole.astype(int) + pad) * step_across + (t + pad) * step_along
        band = first + across * step_across  # (n_across, n_along)
        distance /= np.float32(radius)
        outside = (distance - 1) * np.float32(radius)
        pixels[band] = _cover(pixels[band], outside, distance, grey, 1 / 5)
    return mat[pad:-pad, pad:-pad].copy()


def _cover(beneath, outside, u, grey, middle):
    """Return the greys where a rounded body of a mean grey lies on others.

    ``outside`` is the distance from its edge in px, ``u`` that from its axis or centre over its
    radius there, and ``middle`` the mean of ``u**4`` over the body.
    """
    shadow = np.clip(1 - outside / SHADOW_WIDTH, 0, 1)
    shaded = beneath * (1 - SHADOW * shadow)
    tone = grey * (1 + EDGE * (np.square(np.square(np.minimum(u, 1))) - middle))
    alpha = np.clip(0.5 - outside, 0, 1)
    return shaded + alpha * (tone - shaded)


def _place_beads(rng, fibres, mat, bead_density, difficulty):
    """Return the row, column, direction, radius, stretch and grey of each bead."""
    size = len(mat)
    least, greatest = bead_density
    density = least + (greatest - least) * rng.uniform(*DENSITY_PART[difficulty])
    n_beads = max(1, round(density * size**2 / DENSITY_AREA))

    greys = mat[mat > DEEPEST / 3]
    mean, std = greys.mean(), greys.std()
    fibre, row, column, direction = _visible_places(fibres, mat, mean + std)
    chosen = rng.integers(len(fibre), size=n_beads)
    fibre = fibre[chosen]
    radius = fibres["radius"][fibre] * rng.uniform(*SWELLING[difficulty], n_beads)
    stretch = rng.uniform(*BEAD_STRETCH, n_beads)
    share = rng.uniform(0, 1, n_beads)
    if difficulty == "easy":
        low, high = (mean + lift * std for lift in EASY_LIFT)
    else:
        own = fibres["grey"][fibre]
        low, high = np.clip([own, own + std], mean - std, mean + std)
    grey = low + share * (high - low)
    return list(
        zip(row[chosen], column[chosen], direction[chosen], radius, stretch, grey, strict=True)
    )


def _visible_places(fibres, mat, brightest):
    """Return where beads may sit: the number of the fibre, row, column and direction, (n_places,).

    Places lie on upper fibres, where none covers them and no darker than ``brightest``, as far as
    there are such places.
    """
    size = len(mat)
    fibre, t = np.nonzero((fibres["centre"] >= 0) & (fibres["centre"] <= size - 1))
    centre, lies, grey = fibres["centre"][fibre, t], fibres["lies"][fibre], fibres["grey"][fibre]
    row, column = np.where(lies, (centre, t), (t, centre))
    seen = mat[np.rint(row).astype(int), np.rint(column).astype(int)]
    fitting = np.ones(len(fibre), dtype=bool)
    for wanted in (
        fibre >= (1 - UPPER) * len(fibres["grey"]),
        np.abs(seen / (grey * (1 - EDGE / 5)) - 1) < 0.01,
        grey <= brightest,
    ):
        if (fitting & wanted).any():
            fitting &= wanted
    angle = np.arctan(fibres["slope"][fibre, t])
    direction = np.where(lies, angle, np.pi / 2 - angle)
    return fibre[fitting], row[fitting], column[fitting], direction[fitting]


def _draw_bead(mat, mask, row, column, direction, radius, stretch, grey):
    """Draw a bead on the mat and its pixels in the mask, in place."""
    half = radius * stretch + SHADOW_WIDTH
    window = tuple(
        slice(max(0, math.floor(x - half)), min(len(mat), math.ceil(x + half) + 1))
        for x in (row, column)
    )
    dy = np.arange(window[0].start, window[0].stop)[:, None] - row
    dx = np.arange(window[1].start, window[1].stop) - column
    along = (dx * math.cos(direction) + dy * math.sin(direction)) / (radius * stretch)
    across = (dy * math.cos(direction) - dx * math.sin(direction)) / radius
    u = np.hypot(along, across)
    # First-order distance from an ellipse; at the centre any value well inside it will do.
    steepness = np.hypot(along / stretch, across)
    outside = radius * (u - 1) * u / np.maximum(steepness, 1e-9)
    outside[u < 0.1] = -radius
    mat[window] = _cover(mat[window], outside, u, grey, 1 / 3)
    mask[window] |= u < 1


def _photograph(rng, mat):
    """Return the image that the microscope takes, (size, size) uint8."""
    angle = rng.uniform(0, 2 * np.pi)
    x = np.linspace(-1, 1, len(mat), dtype=np.float32)
    gradient = rng.uniform(0, GRADIENT)
    light = 1 + gradient * (math.cos(angle) * x + math.sin(angle) * x[:, None])
    image = gaussian_filter((BACKGROUND + mat) * light, BLUR)
    image -= 127
    image *= rng.uniform(*CONTRAST)
    image += 127 + rng.uniform(*BRIGHTNESS)
    image += rng.uniform(*NOISE) * rng.standard_normal(mat.shape, dtype=np.float32)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
