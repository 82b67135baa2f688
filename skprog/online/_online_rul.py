"""One unit, window by window: what comes in, what is kept, what goes out."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._checks import check_integer, check_number, check_option, check_plain
from ..decision import MaintenanceRule, find_max_life
from ._clock import N_LATE, Clock
from ._parts import Moment
from ._state import PROBLEMS, RunState
from ._streaming import example_window, find_n_steps, snapshot, take_apart

if TYPE_CHECKING:
    from typing import Any, Self

    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

logger = logging.getLogger("skprog.online")


class RULUpdate(NamedTuple):
    """What is known of a unit after a window.

    Attributes
    ----------
    rul : float
        RUL in s before smoothing; NaN while no window has been predicted.
    interval : (float, float) or None
        Bounds of the RUL in s; None unless the model is a ConformalRUL.
    decision : bool
        Whether the unit is to be replaced, True from the first alarm on.
    """

    rul: float
    interval: tuple | None
    decision: bool


class OnlineRUL(RunState):
    """Remaining useful life and maintenance decision of one unit as its windows arrive.

    An update computes the features of the new window only, which enters a network once. Results are
    those of ``pipeline.predict`` and of the rule on the windows of the run so far.

    Parameters
    ----------
    pipeline : estimator
        Fitted model of the RUL in s, from raw windows: a pipeline, :class:`ConformalRUL`,
        ``VotingRegressor``, a search over them, or any nesting of these.
    rule : MaintenanceRule or None, default=None
        Decides on the smoothed RUL; None takes ``MaintenanceRule()``. Its ``max_life`` is by
        default that of the pipeline.
    ema : float or None, default=None
        Windows that the moving average spans; None takes ``rule.span``.
    pad : bool, default=True
        Predict from the first window on, as after ``RunSequences.from_runs(pad=True)``. False
        waits for ``n_steps`` windows; until then the RUL is NaN.
    n_steps : int or None, default=None
        Windows per sequence; None takes what the estimators inside were fitted on.
    period : float or None, default=None
        Time between windows in s, by which missing ones are noticed; None takes the shortest of
        the last 31 steps, without those below a hundredth of their median or 1e-9 of the longest.
    context : dict or None, default=None
        Numbers known beforehand, such as ``{"condition": 1}``, for estimators that read them.

    Attributes
    ----------
    last : RULUpdate
        The last result.
    problem : str or None
        What was wrong with the last window, in words.
    counts : dict of str to int
        Windows of the run so far that were "missing", "late", "repeated" or "invalid".
    n_windows : int
        Windows taken in.

    See Also
    --------
    skprog.decision.MaintenanceRule : Decides on whole runs.

    Notes
    -----
    **Windows that are not as they should be** are logged as warnings by the logger
    ``skprog.online``, named in ``problem`` and counted in ``counts``. What was known is kept, and
    the last result comes back:

    - *missing*: ``update(None)``, or a step in time above 1.5 periods. In the latter case the
      window at hand is taken in, as the batch would have it, and what has not been reported of
      the gap is.
    - *late*: its time lies before that of the last window taken in. Where three in a row do, each
      later than the one before, the clock is taken to have been wrong: it is set back, and the
      third is taken in as the window after the second. The age counts from the first window as
      before; where the late ones lie before that, it goes on by their step. A stream sent again
      looks the same, and takes the age back until it has caught up. What the mistake has caused
      stays until :meth:`reset`: an alarm, its share of the average, windows counted as missing.
    - *repeated*: its time is that of the last window taken in; without times, its values are. Of
      ``update(None, time)`` both count from the last notice of a window.
    - *invalid*: it holds NaN or infinity, values for which an estimator inside raises a
      ValueError, as where a feature overflows, or values that make the RUL NaN or infinite.

    Wrong arguments are errors: a window of another shape, a time that is no finite number or is
    given for some windows only. They leave everything as it was, too. Of a first window, a
    ValueError from inside is one if noise of that shape causes one as well.

    **What an update costs.** Transformers of this package, up to the first of another kind, see
    the new window only, and so does :class:`~skprog.estimators.CnnLstmRUL`: it keeps the states of
    the LSTM in all sequences under way, or, in mixed precision or on a GPU, where single steps
    would be rounded otherwise than a batch, the encoded windows, which pass through the LSTM each
    time. Any other estimator is given the last ``n_steps`` windows, so that it gets no faster.

    **A pipeline fitted again** is another model. OnlineRUL keeps to the one that it was constructed
    with, whose values it shares.

    Examples
    --------
    >>> import numpy as np
    >>> from skprog.decision import MaintenanceRule
    >>> from skprog.estimators import DummyRUL
    >>> from skprog.online import OnlineRUL
    >>> from skprog.sequences import RunSequences
    >>> time = 10.0 * np.arange(5)
    >>> X = RunSequences.from_runs(np.zeros((5, 2)), ["a"] * 5, n_steps=1, time=time)
    >>> online = OnlineRUL(DummyRUL().fit(X, 40 - time), MaintenanceRule(0.5), ema=1)
    >>> online.update([0.0, 0.0], time=0.0)
    RULUpdate(rul=40.0, interval=None, decision=False)
    >>> online.update([0.0, 0.0], time=25.0)
    RULUpdate(rul=15.0, interval=None, decision=True)
    >>> online.update([np.nan, 0.0], time=35.0).rul, online.problem
    (15.0, 'invalid: the window at 35.0 s holds NaN or infinity')
    """

    def __init__(
        self,
        pipeline: BaseEstimator,
        rule: MaintenanceRule | None = None,
        *,
        ema: float | None = None,
        pad: bool = True,
        n_steps: int | None = None,
        period: float | None = None,
        context: dict[str, Any] | None = None,
    ) -> None:
        check_is_fitted(pipeline)
        self.pipeline = snapshot(pipeline)
        self._parts = take_apart(self.pipeline)
        rule = MaintenanceRule() if rule is None else rule
        if not isinstance(rule, MaintenanceRule):
            raise TypeError(f"rule={rule!r} must be a MaintenanceRule or None.")
        span = rule.span if ema is None else ema
        check_number("rule.span" if ema is None else "ema", span, minimum=1)
        check_number("rule.threshold", rule.threshold, minimum=0, maximum=1)
        max_life = find_max_life(pipeline, rule.max_life)
        check_number("max_life", max_life, above=0)
        check_option("pad", pad, (True, False))
        if n_steps is not None:
            check_integer("n_steps", n_steps)
        if period is not None:
            check_number("period", period, above=0)
        self.rule = rule
        self.ema = span
        self.pad = pad
        self.period = period
        self.context = _checked_context(context)
        self.n_steps = find_n_steps(self._parts, n_steps)
        # The window from which on the RUL is known.
        self._n_first = 1 if pad else self.n_steps
        self._limit = rule.threshold * max_life
        self.reset()

    def __repr__(self):
        return f"OnlineRUL({self.pipeline!r}, {self.rule!r}, ema={self.ema}, pad={self.pad})"

    def reset(self, context: dict[str, Any] | None = None) -> Self:
        """Start a new run.

        Parameters
        ----------
        context : dict or None, default=None
            Context of the new run; None keeps that of the one before.

        Returns
        -------
        OnlineRUL
            Itself.

        Raises
        ------
        TypeError
            If ``context`` is no dict of numbers.
        """
        if context is not None:
            self.context = _checked_context(context)
        self.n_windows = 0
        self.counts = dict.fromkeys(PROBLEMS, 0)
        self.problem = None
        self.last = RULUpdate(float("nan"), None, False)
        self._shape = None
        self._is_timed = None
        self._clock = Clock()
        self._digest = ""
        # Half the first RUL, and the memory of the filter that smooths what differs from it.
        self._smoother = None
        self._memories = [None] * self._parts.n_memories
        return self

    def update(self, window: ArrayLike | None, time: float | None = None) -> RULUpdate:
        """Take in a window.

        Parameters
        ----------
        window : array-like of shape (n_channels, n_timepoints) or None
            One raw window, like those fitted; None where it is missing.
        time : float or None, default=None
            Time of the window in s, for all windows of a run or for none.

        Returns
        -------
        RULUpdate
            RUL, interval and decision; the last ones if this window cannot be taken in.

        Raises
        ------
        ValueError
            If the window has another shape than those before or than the pipeline takes, is no
            array of real numbers, or ``time`` is not finite or given for some windows only; of a
            first window also if the pipeline lacks something else, such as ``context``.
        TypeError
            If ``time`` is no number.
        """
        if time is not None:
            check_number("time", time)
            time = float(time)
        at = f"window {self.n_windows + 1}" if time is None else f"the window at {time} s"
        if window is None:
            verdict = self._clock.verdict(time, is_notice=True)
            if verdict is not None:
                return self._skip(verdict, f"that {at} has not come is no news", time)
            return self._skip("missing", f"{at} has not come", time)
        window = self._checked_window(window, time)
        last, verdict = self._clock.last, self._clock.verdict(time)
        digest, noted = "", None
        if time is None:
            digest = hashlib.blake2b(window.tobytes(), digest_size=16).hexdigest()
            if digest == self._digest:
                return self._skip("repeated", f"{at} has the values of the one before", time)
        elif verdict == "repeated":
            return self._skip("repeated", f"{at} has come before", time)
        elif verdict == "late":
            self._clock = self._clock.after_late(time)
            if self._clock.last == last:
                return self._skip("late", f"{at} comes after that of {last} s", time)
            what = f"{N_LATE - 1} windows before {at} came after that of {last} s"
            self._report("late", f"{what}, whose time seems a mistake; the clock is set back", 0)
            noted = self.problem
        if not np.isfinite(window).all():
            return self._skip("invalid", f"{at} holds NaN or infinity", time)
        try:
            memories, rul, interval = self._read(window[np.newaxis], time)
        except ValueError as error:
            if not self._can_read(window.shape, time):
                raise
            return self._skip("invalid", f"{at} has values of no use: {error}", time)
        if not np.isfinite(rul):
            return self._skip("invalid", f"{at} makes the RUL {rul}", time)
        self._shape, self._digest, self._is_timed = window.shape, digest, time is not None
        return self._take(memories, rul, interval, time, noted)

    def _checked_window(self, window, time):
        check_plain("window", window)
        try:
            window = np.asarray(window)
        except ValueError:
            raise ValueError("window has channels of unequal length; cut them alike.") from None
        if window.dtype.kind not in "fiub":
            raise ValueError(f"window has dtype {window.dtype}; give real numbers.")
        if self._shape is not None and window.shape != self._shape:
            raise ValueError(
                f"window has shape {window.shape} but those before have {self._shape}; give one "
                "window at a time, and call reset() before another unit."
            )
        if self._is_timed is not None and self._is_timed != (time is not None):
            raise ValueError(
                f"time={time} but earlier windows of this run came "
                f"{'with' if self._is_timed else 'without'} one; give a time in s for all windows "
                "or for none."
            )
        return window

    def _skip(self, kind, text, time):
        self._clock = self._clock.after(time)
        self._report(kind, text, 1)
        return self.last

    def _report(self, kind, text, n_windows):
        self.counts[kind] += n_windows
        self.problem = f"{kind}: {text}"
        logger.warning("%s", self.problem)

    def _read(self, windows, time):
        """Return memories, RUL and interval with one more window, and change nothing."""
        memories = self._parts.take(self._memories, windows, self.n_steps)
        n_padded = max(0, self.n_steps - self.n_windows - 1)
        steps = np.maximum(np.arange(self.n_steps) - n_padded, 0)
        age = None if time is None else self._clock.age(time)
        return memories, *self._parts.decode(memories, Moment(steps, time, age, self.context))

    def _can_read(self, shape, time):
        """Tell whether a window of this shape could be read if only its values were others."""
        if self._shape is not None:
            return True
        try:
            self._read(example_window(shape), time)
        except ValueError:
            return False
        return True

    def _take(self, memories, rul, interval, time, noted):
        self._memories = memories
        self._clock, n_missing = self._clock.taken(time, self.period)
        self.n_windows += 1
        self.problem = noted
        if self.n_windows >= self._n_first:
            smoothed, self._smoother = self._smoothed(rul)
            decision = self.last.decision or bool(smoothed <= self._limit)
            self.last = RULUpdate(rul, interval, decision)
        if n_missing:
            self._report("missing", f"{n_missing} of the windows before {time} s", n_missing)
            self.problem = f"{noted}; {self.problem}" if noted else self.problem
        return self.last

    def _smoothed(self, rul):
        """Return the moving average in s and what it goes on from, as :func:`ema` has it."""
        alpha = 2 / (float(self.ema) + 1)
        first, memory = self._smoother or (rul / 2, 0.0)
        change = memory + alpha * (rul / 2 - first)
        return 2 * (first + change), (first, (1 - alpha) * change)


def _checked_context(context):
    if context is None:
        return None
    if not isinstance(context, Mapping):
        raise TypeError(f"context={context!r} must be a dict of names to numbers.")
    for name, value in context.items():
        check_number(f"context {name}", value)
    return {str(name): float(value) for name, value in context.items()}
