"""The times of a run, and what is missing between them."""

import sys
from itertools import pairwise
from typing import NamedTuple

import numpy as np

NAN = float("nan")
# Steps that the period is found from. One below these shares of their median and of the longest
# is no period but a window sent twice, or a rounding error.
N_STEPS = 31
# So many windows too late in a row, each later than the one before, are not what is wrong: the
# clock is.
N_LATE = 3
SHARE_OF_MEDIAN, SHARE_OF_LONGEST = 1e-2, 1e-9


class Clock(NamedTuple):
    """Times of a run in s, NaN where there is none yet.

    Attributes
    ----------
    first, last : float
        Times of the first and the last window taken in.
    last_notice : float
        Last time that there was notice of a window, taken in or not.
    n_not_taken : int
        Windows reported since the last one taken in, which were not taken in.
    steps : tuple of float
        Last times between two of them, at most ``N_STEPS``.
    late : tuple of float
        Times of the windows that came too late since, in order, fewer than ``N_LATE``.
    """

    first: float = NAN
    last: float = NAN
    last_notice: float = NAN
    n_not_taken: int = 0
    steps: tuple = ()
    late: tuple = ()

    def age(self, time):
        """Return the time since the first window, which may be that of now."""
        return 0.0 if np.isnan(self.first) else time - self.first

    def verdict(self, time, *, is_notice=False):
        """Return "late", "repeated" or None of a time before, at or after the last window taken in.

        Parameters
        ----------
        time : float or None
            Time of a window.
        is_notice : bool, default=False
            There is but notice of the window, which is compared with the last notice.
        """
        last = self.last_notice if is_notice else self.last
        if time is None or np.isnan(last) or time > last:
            return None
        return "repeated" if time == last else "late"

    def after(self, time):
        """Return the clock after a notice of a window, at no time if that is None."""
        if time is None:
            return self._replace(n_not_taken=self.n_not_taken + 1)
        clock = self._replace(late=()) if time > self.last else self
        if time <= self.last_notice:
            return clock
        return clock._replace(last_notice=time, n_not_taken=self.n_not_taken + 1)

    def after_late(self, time):
        """Return the clock after a window came too late, set back if it is the clock that errs."""
        if self.late[-1:] == (time,):
            return self
        late = (*self.late, time) if self.late[-1:] < (time,) else (time,)
        if len(late) < N_LATE:
            return self._replace(late=late)
        first = self.first
        if late[0] < first:
            # Times are of another clock, and the age goes on.
            first = 2 * late[0] - late[1] - (self.last - first)
        steps = tuple(after - before for before, after in pairwise(late[:-1]))
        return Clock(first, late[-2], late[-2], 0, steps)

    def taken(self, time, period):
        """Return the clock after a window was taken in, and how many are missing before it."""
        if time is None:
            return self, 0
        first = time if np.isnan(self.first) else self.first
        clock = Clock(first, time, time, 0, self.steps)
        # Before the first window there are but notices.
        is_first = np.isnan(self.last)
        step = time - (self.last_notice if is_first and self.last_notice < time else self.last)
        if np.isnan(step):
            return clock, 0
        n_between = 0 if is_first else self.n_not_taken - (self.last_notice >= time)
        each = min(max(step / (1 + n_between), sys.float_info.min), sys.float_info.max)
        clock = clock._replace(steps=(*self.steps, each)[-N_STEPS:])
        period = _find_period(clock.steps) if period is None else float(period)
        # Noticed ahead of its turn; if further than that, at a time that was a mistake.
        if time < self.last_notice <= time + N_LATE * period:
            clock = clock._replace(last_notice=self.last_notice, n_not_taken=1)
        if step <= 1.5 * period:
            return clock, 0
        n_periods = round(min(step / period, 1 / SHARE_OF_LONGEST))
        return clock, max(0, n_periods - 1 - n_between)


def _find_period(steps):
    """Return the shortest of the steps that is no rounding error beside the others."""
    steps = sorted(steps)
    shortest = max(SHARE_OF_MEDIAN * steps[len(steps) // 2], SHARE_OF_LONGEST * steps[-1])
    return next(step for step in steps if step >= shortest)
