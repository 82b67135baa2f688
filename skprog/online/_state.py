"""A run that is written down and goes on after a restart or elsewhere."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ._clock import N_LATE, N_STEPS, Clock
from ._fingerprint import fingerprint
from ._parts import packed
from ._streaming import example_window, leaves

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

PROBLEMS = ("missing", "late", "repeated", "invalid")
STATE_VERSION = 1
# Kinds of values that may stand for integers and for numbers in a text such as JSON.
INTEGERS, NUMBERS = "iu", "iuf"
# Kinds and number of axes of what a state holds beside the memories.
FIELDS = {
    "n_windows": (INTEGERS, 0),
    "counts": (INTEGERS, 1),
    "problem": ("U", 0),
    "rul": (NUMBERS, 0),
    "interval": (NUMBERS, 1),
    "decision": ("b", 0),
    "shape": (INTEGERS, 1),
    "is_timed": (INTEGERS, 0),
    "clock": (NUMBERS, 1),
    "steps": (NUMBERS, 1),
    "late": (NUMBERS, 1),
    "digest": ("U", 0),
    "smoother": (NUMBERS, 1),
    "context_names": ("U", 1),
    "context": (NUMBERS, 1),
}


class RunState:
    """What is known of a run as arrays, and back; a subclass takes in the windows."""

    _memories: list

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return what is known of the run, to go on after a restart or on a like machine.

        Returns
        -------
        dict of str to ndarray
            Numbers and text. ``numpy.savez(path, **state)`` writes it and ``numpy.load(path)``
            reads it, without pickle.
        """
        *times, steps, late = self._clock
        state = {
            "version": STATE_VERSION,
            "fingerprint": self._fingerprint,
            "settings": self._settings(),
            "n_windows": self.n_windows,
            "counts": [self.counts[kind] for kind in PROBLEMS],
            "problem": self.problem or "",
            "rul": self.last.rul,
            "interval": self.last.interval or (),
            "decision": self.last.decision,
            "shape": () if self._shape is None else self._shape,
            "is_timed": -1 if self._is_timed is None else int(self._is_timed),
            "clock": times,
            "steps": steps,
            "late": late,
            "digest": self._digest,
            "smoother": self._smoother or (),
            "context_names": [] if self.context is None else list(self.context),
            "context": [] if self.context is None else list(self.context.values()),
        }
        if self.n_windows:
            for i, memory in enumerate(self._memories):
                state[f"memory_{i}"], state[f"memory_type_{i}"] = packed(memory)
        return {name: np.array(value) for name, value in state.items()}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> Self:
        """Go on from what was known of a run.

        Parameters
        ----------
        state : mapping of str to ndarray
            From :meth:`state_dict`, or what ``numpy.load`` makes of its file.

        Returns
        -------
        OnlineRUL
            Itself.

        Raises
        ------
        ValueError
            If the state is one that no run has, of a newer version, of another model, of a network
            on a GPU where this one is on a CPU or the reverse, or of other settings. What was
            there stays.
        """
        before = dict(vars(self))
        try:
            state = {name: np.asarray(state[name]) for name in state}
            refusal = self._refusal(state)
            if refusal is None:
                self._restore(state)
        # What is damaged can be wrong in any way.
        except Exception as error:
            vars(self).update(before)
            raise ValueError(
                f"state is damaged ({type(error).__name__}: {error}); pass what state_dict() "
                "returned."
            ) from None
        if refusal is not None:
            raise ValueError(refusal)
        return self

    @cached_property
    def _fingerprint(self):
        # Found when a state is first asked for: of a large forest it takes a second.
        return fingerprint(self.pipeline)

    def _settings(self):
        """Return what a state depends on beside the model: numbers, NaN for no period."""
        period = np.nan if self.period is None else float(self.period)
        return [float(self.n_steps), float(self.ema), float(self.pad), period, float(self._limit)]

    def _refusal(self, state):
        """Return why a state is not for this run, None if it is."""
        version = state["version"].item()
        if version < 1:
            raise ValueError(f"version is {version}")
        if version > STATE_VERSION:
            return (
                f"state has version {version} but this skprog reads up to {STATE_VERSION}; "
                "upgrade skprog or start a new run."
            )
        if state["fingerprint"].item() != self._fingerprint:
            return "state is of another model; load it with the one that wrote it."
        settings = state["settings"]
        if not np.array_equal(settings, self._settings(), equal_nan=True):
            return (
                f"state has (n_steps, ema, pad, period, limit in s) = {settings.tolist()} but "
                f"here they are {self._settings()}; construct both alike."
            )
        return None

    def _restore(self, state):
        _check_fields(state, self._n_first)
        self.reset()
        self.n_windows = state["n_windows"].item()
        self.counts = dict(zip(PROBLEMS, state["counts"].tolist(), strict=True))
        self.problem = state["problem"].item() or None
        self.last = self.last._replace(
            rul=float(state["rul"]),
            interval=tuple(state["interval"].tolist()) or None,
            decision=state["decision"].item(),
        )
        *times, n_not_taken = state["clock"].tolist()
        steps, late = (tuple(state[name].tolist()) for name in ("steps", "late"))
        self._clock = Clock(*times, int(n_not_taken), steps, late[1 - N_LATE :])
        self._digest = state["digest"].item()
        self._smoother = tuple(state["smoother"].tolist()) or None
        names, values = state["context_names"].tolist(), state["context"].tolist()
        self.context = dict(zip(names, values, strict=True)) or None
        if not self.n_windows:
            return
        self._is_timed = bool(state["is_timed"])
        self._shape = tuple(state["shape"].astype(int).tolist())
        news = self._parts.take(self._memories, example_window(self._shape), self.n_steps)
        for i, (part, new) in enumerate(zip(leaves(self._parts), news, strict=True)):
            memory, dtype = state[f"memory_{i}"], state[f"memory_type_{i}"].item()
            self._memories[i] = part.restored(memory, dtype, new)
            if len(memory) != part.n_kept(self.n_windows, self.n_steps):
                raise ValueError(
                    f"memory_{i} of length {len(memory)} after {self.n_windows} windows"
                )


def _check_fields(state, n_first):
    """Refuse values that no run has whose RUL is known from its window ``n_first`` on."""
    for name, (kinds, n_axes) in FIELDS.items():
        values = state[name]
        if values.ndim != n_axes or (values.size and values.dtype.kind not in kinds):
            raise TypeError(f"{name} is {values!r}")
    n_windows, is_timed = state["n_windows"].item(), state["is_timed"].item()
    is_known = n_windows >= n_first
    clock, steps, late = (state[name] for name in ("clock", "steps", "late"))
    holds = {
        "n_windows": n_windows >= 0,
        "counts": len(state["counts"]) == len(PROBLEMS) and (state["counts"] >= 0).all(),
        "rul": np.isfinite(state["rul"]) == is_known,
        "interval": len(state["interval"]) in (0, 2 * is_known),
        "is_timed": is_timed in ((0, 1) if n_windows else (-1,)),
        "clock": _is_clock(clock, is_timed),
        "steps": len(steps) <= N_STEPS and ((steps > 0) & (steps < np.inf)).all(),
        # In order and before the time that they are late after; versions before kept up to four.
        "late": len(late) < 5 and _rises([*late, *clock[1:2]]),
        "smoother": len(state["smoother"]) == 2 * is_known and np.isfinite(state["smoother"]).all(),
        "context": len(state["context"]) == len(state["context_names"])
        and np.isfinite(state["context"]).all(),
    }
    for name, is_held in holds.items():
        if not is_held:
            raise ValueError(f"{name} is {state[name].tolist()}")


def _is_clock(times, is_timed):
    if len(times) != 4 or not (0 <= times[3] < np.inf and times[3] == int(times[3])):
        return False
    if is_timed == 1:
        return times[0] <= times[1] <= times[2] and np.isfinite(times).all()
    return np.isnan(times[:2]).all() and not np.isinf(times[2])


def _rises(times):
    """Tell whether times are finite, each above the one before; of none or NaN alone it is True."""
    return len(times) < 2 or bool(np.isfinite(times).all() and (np.diff(times) > 0).all())
