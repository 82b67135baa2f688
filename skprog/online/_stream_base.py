"""A fitted estimator taken apart, so that a new window costs no more than itself.

Each part has ``take(memories, windows, n_steps)``, which returns what is to be kept after a new
window, one array or tensor per memory, from what was kept before it, None at first, and
``decode(memories, moment)``, which returns RUL and interval from what is kept.
"""

from typing import NamedTuple

import numpy as np
import torch
from sklearn.ensemble import VotingRegressor
from sklearn.pipeline import Pipeline

from .._checks import FLOATS, check_finite
from .._training import as_tensor, evaluating
from ..estimators import CnnLstmRUL, ConformalRUL
from ..preprocessing import AccelRotation45, BandEnergies, FrequencyMaxPool, WelchSpectrogram
from ..sequences import RunSequences

# These work on each window by itself, by this method once the window has been checked.
PER_WINDOW = {
    AccelRotation45: "_rotate",
    BandEnergies: "_energies",
    FrequencyMaxPool: "_pool",
    WelchSpectrogram: "_spectrograms",
}
DTYPES = {str(dtype): dtype for dtype in (torch.float32, torch.float16, torch.bfloat16)}


class Moment(NamedTuple):
    """Which of the windows kept make up the sequence, and what else is known of it."""

    steps: np.ndarray
    time: float | None
    age: float | None
    context: dict | None


class _FeaturesPart:
    """Transformers that see the new window only, before another part."""

    def __init__(self, transformers, part):
        self.transformers = transformers
        self.checked = None
        self.parts = [part]
        self.n_memories = part.n_memories

    def take(self, memories, windows, n_steps):
        windows = _as_floats(windows)
        # What was checked for the first window holds for all alike; that takes a fifth of the time.
        kind = windows.shape, windows.dtype
        is_checked = kind == self.checked
        for transformer in self.transformers:
            method = PER_WINDOW[type(transformer)] if is_checked else "transform"
            windows = getattr(transformer, method)(windows)
        memories = self.parts[0].take(memories, windows, n_steps)
        self.checked = kind
        return memories

    def decode(self, memories, moment):
        return self.parts[0].decode(memories, moment)


class _MembersPart:
    """Several estimators over the same windows: those that vote, or those of the folds."""

    def __init__(self, model, parts):
        self.model = model
        self.parts = parts
        self.n_memories = sum(part.n_memories for part in parts)

    def take(self, memories, windows, n_steps):
        parts = self._each(memories)
        return [memory for part, own in parts for memory in part.take(own, windows, n_steps)]

    def _members(self, memories, moment):
        return np.array([part.decode(own, moment)[0] for part, own in self._each(memories)])

    def _each(self, memories):
        memories = iter(memories)
        return [(part, [next(memories) for _ in range(part.n_memories)]) for part in self.parts]


class _VotingPart(_MembersPart):
    """The weighted mean of several estimators."""

    def decode(self, memories, moment):
        weights = self.model.weights
        if weights is not None:
            pairs = zip(self.model.estimators, weights, strict=True)
            weights = [weight for (_, estimator), weight in pairs if estimator != "drop"]
        return float(np.average(self._members(memories, moment), weights=weights)), None


class _ConformalPart(_MembersPart):
    """The mean of the folds' estimators with its interval."""

    def decode(self, memories, moment):
        predictions = self._members(memories, moment)[:, np.newaxis]
        interval = self.model._intervals(predictions)[0]
        return float(predictions.mean(axis=0)[0]), tuple(interval.tolist())


class _NetworkPart:
    """A network that each window enters once, for all the sequences that it is part of.

    Kept are the states after the last window, the last two windows and so on up to ``n_steps``, of
    shape (n_steps, n_channels, 2, lstm_units): one step of many rows takes half the time of
    many steps of one.
    """

    parts = ()
    n_memories = 1

    def __init__(self, model):
        self.model = model
        self.n_steps = model.shape_in_[0]

    def take(self, memories, windows, n_steps):
        shape_in = self.model.shape_in_[1:]
        if windows.shape[1:] != shape_in:
            raise ValueError(
                f"a window has shape {windows.shape[1:]} where the network was fitted on "
                f"{shape_in}; prepare both alike."
            )
        windows = _as_floats(windows)
        check_finite(windows)
        (channels,) = self.model._by_channel(windows)
        (states,) = memories
        net = self.model.net_
        with torch.inference_mode(), net.autocast():
            module = evaluating(net)
            # Not padded, as a batch is: that costs twice the time and moves results by rounding.
            features = module.encode(as_tensor(channels).to(net.device, torch.float32))
            empty = features.new_zeros(1, len(features), 2, module.lstm.hidden_size)
            if states is not None:
                return [module.step(torch.cat([empty, states[:-1]]), features)]
            # What came before is taken to have been like the first, as in RunSequences.
            states = [empty]
            for _ in range(n_steps):
                states.append(module.step(states[-1], features))
            return [torch.cat(states[1:])]

    def decode(self, memories, moment):
        (states,) = memories
        net = self.model.net_
        with torch.inference_mode(), net.autocast():
            outputs = evaluating(net).read(states[-1, :, 0]).cpu().double().numpy()
        return float(self.model._seconds(outputs[:, np.newaxis]).mean()), None

    def restored(self, memory):
        return memory.to(self.model.net_.device)


class _SequencePart:
    """Any other estimator, which is given the last windows as they are."""

    parts = ()
    n_memories = 1

    def __init__(self, model):
        if not hasattr(model, "predict"):
            last = model.steps[-1][1] if isinstance(model, Pipeline) else model
            raise ValueError(
                f"{type(last).__name__} has no model that predicts; fit a search with refit=True, "
                "or pass a regressor."
            )
        self.model = model
        self.n_steps = model.shape_in_[0] if hasattr(model, "shape_in_") else None

    def take(self, memories, windows, n_steps):
        (memory,) = memories
        if memory is None:
            return [windows]
        return [np.concatenate([memory[max(0, len(memory) + 1 - n_steps) :], windows])]

    def decode(self, memories, moment):
        (windows,) = memories
        context, names = None, None
        if moment.context is not None:
            context, names = np.array([[*moment.context.values()]]), tuple(moment.context)
        X = RunSequences(
            windows,
            moment.steps[np.newaxis],
            np.zeros(1, dtype=int),
            np.array([len(windows) - 1]),
            time=None if moment.time is None else np.array([moment.time]),
            age=None if moment.age is None else np.array([moment.age]),
            context=context,
            context_names=names,
        )
        return float(np.ravel(self.model.predict(X))[0]), None


def _as_floats(windows):
    if windows.dtype in FLOATS:
        return windows
    # What overflows is infinite then, and refused for it.
    with np.errstate(over="ignore"):
        return windows.astype(FLOATS[0])


def take_apart(estimator):
    """Return the parts of a fitted estimator."""
    if hasattr(estimator, "best_estimator_"):
        return take_apart(estimator.best_estimator_)
    if isinstance(estimator, Pipeline):
        return _take_pipeline_apart(estimator)
    if isinstance(estimator, VotingRegressor):
        return _VotingPart(estimator, [take_apart(each) for each in estimator.estimators_])
    if isinstance(estimator, ConformalRUL):
        return _ConformalPart(estimator, [take_apart(each) for each in estimator.estimators_])
    # Its states in mixed precision would be rounded otherwise than those of a batch.
    if isinstance(estimator, CnnLstmRUL) and estimator.net_.amp is None:
        return _NetworkPart(estimator)
    return _SequencePart(estimator)


def _take_pipeline_apart(pipeline):
    steps = [step for _, step in pipeline.steps[:-1] if step not in (None, "passthrough")]
    n_streamed = 0
    while n_streamed < len(steps) and type(steps[n_streamed]) in PER_WINDOW:
        n_streamed += 1
    if n_streamed < len(steps):
        # The steps after it may look at whole sequences.
        rest = Pipeline([*((str(i), step) for i, step in enumerate(steps[n_streamed:]))])
        rest.steps.append(pipeline.steps[-1])
        return _FeaturesPart(steps[:n_streamed], _SequencePart(rest))
    return _FeaturesPart(steps, take_apart(pipeline.steps[-1][1]))


def leaves(part):
    """Yield the parts that hold a memory, in the order of the memories."""
    if not part.parts:
        yield part
    for inner in part.parts:
        yield from leaves(inner)


def find_n_steps(part, n_steps):
    """Return the length of the sequences, by the estimators inside or as given."""
    known = {leaf.n_steps for leaf in leaves(part)} - {None}
    if n_steps is not None:
        known |= {n_steps}
    if len(known) != 1:
        raise ValueError(
            "n_steps is None and no estimator inside says how long its sequences are; give the "
            "n_steps of RunSequences.from_runs."
            if not known
            else f"n_steps={n_steps} but the estimators inside and it name {sorted(known)}; "
            "leave n_steps out, and fit all of them on the same sequences."
        )
    return known.pop()


def example_window(shape):
    """Return a window (1, *shape) of plain values: noise of the same numbers each time."""
    return np.random.default_rng(0).standard_normal((1, *shape), dtype=np.float32)


def packed(memory):
    """Return a memory as an array and the name of its type in torch, "" for an array."""
    if torch.is_tensor(memory):
        return memory.cpu().float().numpy(), str(memory.dtype)
    return memory, ""


def unpacked(part, memory, dtype):
    """Return the memory of a part from what :func:`packed` returned."""
    if isinstance(part, _NetworkPart) != (dtype in DTYPES):
        raise TypeError(f"a memory of type {dtype!r}")
    if not dtype:
        return memory
    return part.restored(torch.from_numpy(memory.astype(np.float32)).to(DTYPES[dtype]))
