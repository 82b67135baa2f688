"""Smoothing of range-test losses, and the rules that suggest a learning rate."""

import bisect
import math

import numpy as np

SKIPPED_AT_END = 5


class Average:
    """Exponential average, corrected for its start at 0."""

    def __init__(self, beta=0.98):
        self.beta = beta
        self.value = 0.0
        self.n = 0

    def update(self, value):
        """Return the average with one more value."""
        self.n += 1
        self.value = self.beta * self.value + (1 - self.beta) * value
        return self.value / (1 - self.beta**self.n)


def smoothed(losses):
    """Return the bias-corrected exponential average of losses, (n_losses,)."""
    average = Average()
    return np.array([average.update(loss) for loss in losses])


def suggestions(lrs, losses, n_batches):
    """Return learning rates by each rule for a smoothed curve of at most ``n_batches`` points.

    The first tenth of ``n_batches``, too low to learn at, and the last 5 points are left out.
    """
    kept = slice(n_batches // 10, -SKIPPED_AT_END)
    lrs, losses = lrs[kept], losses[kept]
    rules = {"valley": _valley, "steep": _steep, "minimum": _minimum, "slide": _slide}
    # Beyond what rounding makes of a constant loss.
    falls = (np.diff(losses) < -1e-12 * np.abs(losses).max()).any()
    return {name: rule(lrs, losses) if falls else math.nan for name, rule in rules.items()}


def _valley(lrs, losses):
    # Length of the longest falling subsequence that ends at each point, by patience sorting.
    tops, lengths = [], []
    for loss in -losses:
        place = bisect.bisect_left(tops, loss)
        tops[place : place + 1] = [loss]
        lengths.append(place + 1)
    end = int(np.argmax(lengths))
    third = lengths[end] / 3
    return float(lrs[max(end - lengths[end] + int(third) + int(third / 2), 0)])


def _steep(lrs, losses):
    return float(lrs[np.argmin(np.diff(losses) / np.diff(np.log(lrs)))])


def _minimum(lrs, losses):
    lowest = int(np.argmin(losses))
    return float(lrs[lowest]) / 10 if lowest else math.nan


def _slide(lrs, losses, width=15, threshold=0.005):
    if len(losses) <= width:
        return math.nan
    slopes = np.gradient(losses)
    right = len(losses) - 1
    found = right - width
    while right >= width and abs(slopes[right] - slopes[right - width]) > threshold:
        found = right - width
        right -= 1
    return float(lrs[found])
