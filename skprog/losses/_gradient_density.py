"""Density and angles of gradients, which the gradient harmonized loss weighs by."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from .._checks import as_numbers, check_integer, check_number
from ._classes import check_batch, check_counts

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Pairs compared at a time, 2 MB of cosines.
CHUNK = 1 << 18


def class_thresholds(
    class_counts: ArrayLike, alpha: float, annealing: float | ArrayLike = 1.0
) -> np.ndarray:
    """Compute the largest angle between gradients that count as similar, for each class [1]_.

    Parameters
    ----------
    class_counts : array-like of int of shape (n_classes,)
        Training samples of each class.
    alpha : float
        Scale in rad, at least 0.
    annealing : float or array-like of shape (n_classes,), default=1.0
        Factor of the threshold, in [0, 1].

    Returns
    -------
    ndarray of shape (n_classes,)
        Thresholds in rad: alpha times annealing times sigmoid(5 C (n_c / n - 1 / C)) - 1/2 for
        class c of C, and 0 where that is negative.

    Raises
    ------
    ValueError
        If a count is negative, there are fewer than 2, ``alpha`` is negative or ``annealing`` lies
        outside [0, 1] or has another shape.
    TypeError
        If ``alpha`` is not a number.

    References
    ----------
    .. [1] Z. Ren et al., "Gradient harmonized loss", ICPHM 2022, equations 12 and 13.

    Examples
    --------
    >>> from skprog.losses import class_thresholds
    >>> class_thresholds([3200] + 11 * [16], alpha=1.0)[:2].round(3)
    array([0.5, 0. ])
    """
    counts = check_counts(class_counts)
    check_number("alpha", alpha, minimum=0)
    annealing = np.asarray(annealing, dtype=np.float64)
    if annealing.shape not in ((), counts.shape):
        raise ValueError(
            f"annealing has shape {annealing.shape}; give a number or one per class, "
            f"{counts.shape}."
        )
    if not ((annealing >= 0) & (annealing <= 1)).all():
        raise ValueError(f"annealing={annealing} must lie in [0, 1].")
    n_classes = len(counts)
    # sigmoid(x) - 1/2 without the rounding that leaves a balanced class a threshold of 1e-17.
    excess = np.tanh(5 * (n_classes * counts - counts.sum()) / counts.sum() / 2) / 2
    return alpha * annealing * np.maximum(excess, 0)


def gradient_density(
    gradients: ArrayLike | torch.Tensor, threshold: float
) -> np.ndarray | torch.Tensor:
    """Count the gradients that make an angle of at most a threshold with each.

    Each gradient counts itself; one of length 0 counts itself only and is counted by no other.
    Two-dimensional gradients are sorted by angle, in O(N log N) time and O(N) memory; others are
    compared in pairs, a chunk at a time, by their cosines, which tell angles apart to 1e-7 rad.

    Parameters
    ----------
    gradients : array-like or Tensor of shape (n_samples, n_dimensions)
        Gradients.
    threshold : float
        Largest angle in rad that counts, at least 0; π and more count all.

    Returns
    -------
    ndarray or Tensor of int64 of shape (n_samples,)
        Counts, a Tensor if ``gradients`` is one, on a CPU where its device has no float64.

    Raises
    ------
    ValueError
        If ``gradients`` is not 2-d or not finite, or ``threshold`` is negative.
    TypeError
        If ``threshold`` is not a number.

    Examples
    --------
    >>> from skprog.losses import gradient_density
    >>> gradient_density([[1, 0], [1, 0.1], [0, 1]], threshold=0.2)
    array([2, 2, 1])
    """
    check_number("threshold", threshold, minimum=0)
    is_tensor = isinstance(gradients, torch.Tensor)
    if not isinstance(gradients, torch.Tensor):
        gradients = torch.from_numpy(as_numbers("gradients", gradients))
    g = _double(gradients.detach())
    if g.ndim != 2 or g.shape[1] == 0:
        raise ValueError(f"gradients has shape {tuple(g.shape)}; give (n_samples, n_dimensions).")
    # Scaled before the norm, which could overflow or vanish.
    largest = g.abs().amax(dim=1)
    if not torch.isfinite(largest).all():
        raise ValueError("gradients holds NaN or infinity; use a smaller learning rate.")
    counts = torch.ones(len(g), dtype=torch.int64, device=g.device)
    nonzero = largest > 0
    g = g[nonzero] / largest[nonzero, None]
    count = _count_by_angle if g.shape[1] == 2 else _count_by_cosine
    counts[nonzero] = count(g, min(float(threshold), math.pi))
    return counts if is_tensor else counts.numpy()


def gradient_directions(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Compute the direction of each sample's gradient with respect to its logits.

    It is the gradient of cross-entropy, softmax less one-hot, up to its length: the softmax over
    the other classes, and -1 at the sample's own. Thus it does not vanish when a sample is told
    perfectly.

    Parameters
    ----------
    logits : Tensor of shape (n_samples, n_classes)
        Outputs of the network.
    y : Tensor of shape (n_samples,)
        Class of each sample.

    Returns
    -------
    Tensor of shape (n_samples, n_classes)
        Directions of length sqrt(1 + 1 / (n_classes - 1)) to sqrt(2), detached.

    Raises
    ------
    ValueError
        If ``logits`` and ``y`` have other shapes.
    TypeError
        If ``y`` is not of type int64.

    Examples
    --------
    >>> import torch
    >>> from skprog.losses import gradient_directions
    >>> gradient_directions(torch.zeros(1, 3), torch.tensor([0]))
    tensor([[-1.0000,  0.5000,  0.5000]])
    """
    check_batch(logits, y)
    own = F.one_hot(y, logits.shape[1]).bool()
    others = logits.detach().masked_fill(own, -math.inf).softmax(dim=1)
    return others.masked_fill(own, -1.0)


def mean_gradient_angles(
    logits: torch.Tensor, y: torch.Tensor, *, max_samples: int | None = None
) -> np.ndarray:
    """Compute the mean angle between the gradients of each class.

    Parameters
    ----------
    logits : Tensor of shape (n_samples, n_classes)
        Outputs of the network.
    y : Tensor of shape (n_samples,)
        Class of each sample.
    max_samples : int, default=None
        Samples of a class compared at most, evenly spaced ones; None compares all.

    Returns
    -------
    ndarray of shape (n_classes,)
        Mean over all pairs of two samples of a class, in rad; NaN for a class of fewer than 2.

    Raises
    ------
    ValueError
        If ``logits`` and ``y`` have other shapes or ``max_samples`` is below 2.
    TypeError
        If ``y`` is not of type int64 or ``max_samples`` is not an integer.

    Examples
    --------
    >>> import torch
    >>> from skprog.losses import mean_gradient_angles
    >>> logits = torch.tensor([[0.0, 9.0, 0.0], [0.0, 0.0, 9.0], [0.0, 0.0, 0.0]])
    >>> mean_gradient_angles(logits, torch.tensor([0, 0, 1])).round(2)
    array([1.05,  nan,  nan])
    """
    if max_samples is not None:
        check_integer("max_samples", max_samples, minimum=2)
    units = F.normalize(_double(gradient_directions(logits, y)), dim=1)
    y = y.to(units.device)
    angles = np.full(logits.shape[1], np.nan)
    for c in range(len(angles)):
        members = units[y == c]
        if max_samples is not None and len(members) > max_samples:
            members = members[np.linspace(0, len(members) - 1, max_samples).astype(int)]
        n = len(members)
        if n < 2:
            continue
        total = 0.0
        for block in members.split(max(1, CHUNK // n)):
            total += (block @ members.T).clamp_(-1, 1).arccos_().sum().item()
        # Rounding leaves a gradient an angle of up to 2e-8 with itself: too little to matter.
        angles[c] = total / (n * (n - 1))
    return angles


def _double(values):
    """Return values as float64, which Apple's devices do not have."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def project(directions):
    """Project onto the orthonormal basis of e0 - e1 and e0 - e2."""
    first, second, third = directions[:, :3].T
    across = (first - second) / math.sqrt(2)
    along = (first + second - 2 * third) / math.sqrt(6)
    return torch.stack([across, along], dim=1)


def _count_by_angle(g, threshold):
    """Count two-dimensional gradients within an angle."""
    # Sums of angles round by as much; nearer to π an opposite gradient would count on both sides.
    rounding = 4 * math.pi * torch.finfo(g.dtype).eps
    if threshold >= math.pi - 2 * rounding:
        return torch.full((len(g),), len(g), dtype=torch.int64, device=g.device)
    angles, order = torch.atan2(g[:, 1], g[:, 0]).sort()
    around = torch.cat([angles - 2 * math.pi, angles, angles + 2 * math.pi])
    threshold += rounding
    stops = torch.searchsorted(around, angles + threshold, right=True)
    starts = torch.searchsorted(around, angles - threshold)
    counts = torch.empty_like(stops)
    counts[order] = stops - starts
    return counts


def _count_by_cosine(g, threshold):
    """Count gradients of any dimension within an angle."""
    n = len(g)
    units = F.normalize(g, dim=1)
    least = math.cos(threshold) - 4 * torch.finfo(g.dtype).eps
    counts = torch.zeros(n, dtype=g.dtype, device=g.device)
    n_rows = max(1, CHUNK // max(n, 1))
    for start in range(0, n, n_rows):
        stop = start + n_rows
        # A pair is compared once and counts for both; in place, ones and zeros take less time
        # than Booleans.
        similar = (units[start:stop] @ units[start:].T).ge_(least)
        similar.diagonal().fill_(1)
        counts[start:stop] += similar.sum(dim=1)
        counts[stop:] += similar[:, n_rows:].sum(dim=0)
    return counts.long()
