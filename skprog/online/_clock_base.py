"""The times of a run, and what is missing between them."""

from typing import NamedTuple

import numpy as np

NAN = float("nan")


class Clock(NamedTuple):
    """Times of a run in s, NaN where there is none yet.

    Attributes
    ----------
    first, last : float
        Times of the first and the last window taken in.
    heard : float
        Last time that anything was heard of, a window that could not be taken in included.
    step : float
        Shortest time between two of them.
    """

    first: float = NAN
    last: float = NAN
    heard: float = NAN
    step: float = NAN

    def after(self, time):
        """Return the clock after something was heard of, at no time if that is None."""
        return self if time is None else self._replace(heard=float(np.fmax(self.heard, time)))

    def taken(self, time, period):
        """Return the clock after a window was taken in, and how many are missing before it."""
        if time is None:
            return self, 0
        step = time - (self.heard if self.heard < time else self.last)
        period = self.step if period is None else period
        n_missing = max(1, round(step / period) - 1) if step > 1.5 * period else 0
        first = time if np.isnan(self.first) else self.first
        clock = Clock(first, time, self.heard, float(np.fmin(self.step, step)))
        return clock.after(time), n_missing
