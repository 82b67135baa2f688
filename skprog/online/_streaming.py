"""A fitted estimator taken apart, so that a new window costs no more than itself.

The parts take and decode as those of :mod:`._parts`, with as many memories as leaves.
"""

import copy

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.ensemble import VotingRegressor
from sklearn.pipeline import Pipeline

from .._checks import FLOATS
from ..estimators import CnnLstmRUL, ConformalRUL
from ._parts import EncodingsPart, SequencePart, StatesPart, as_floats


class _FeaturesPart:
    """Transformers that see the new window only, before another part."""

    def __init__(self, transformers, part):
        self.transformers = transformers
        self.checked = None
        # As the first would in a batch.
        self.kept_dtypes = getattr([*transformers, None][0], "kept_dtypes", FLOATS)
        self.parts = [part]
        self.n_memories = part.n_memories

    def take(self, memories, windows, n_steps):
        windows = as_floats(windows, self.kept_dtypes)
        # What was checked for the first window holds for all alike; that takes a fifth of the time.
        kind = windows.shape, windows.dtype
        is_checked = kind == self.checked
        for transformer in self.transformers:
            work = transformer.per_window if is_checked else transformer.transform
            windows = work(windows)
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
        interval = self.model.intervals(predictions)[0]
        return float(predictions.mean(axis=0)[0]), tuple(interval.tolist())


def snapshot(estimator):
    """Return a model with what this one holds, which a later fit of this one leaves alone."""
    if not isinstance(estimator, BaseEstimator):
        return estimator
    # Not copy.copy, which fetches networks from the GPU.
    twin = object.__new__(type(estimator))
    vars(twin).update(vars(estimator))
    if isinstance(estimator, Pipeline):
        twin.steps = [(name, snapshot(step)) for name, step in estimator.steps]
    if hasattr(estimator, "best_estimator_"):
        twin.best_estimator_ = snapshot(estimator.best_estimator_)
    if isinstance(getattr(estimator, "estimators_", None), list):
        twin.estimators_ = [*map(snapshot, estimator.estimators_)]
    # A warm start goes on with the same networks.
    if isinstance(estimator, CnnLstmRUL) and estimator.warm_start:
        twin.nets_ = copy.deepcopy(estimator.nets_)
    return twin


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
    if not isinstance(estimator, CnnLstmRUL):
        return SequencePart(estimator)
    net = estimator.net_
    is_exact = net.amp is None and torch.device(net.device).type == "cpu"
    return StatesPart(estimator) if is_exact else EncodingsPart(estimator)


def _take_pipeline_apart(pipeline):
    steps = [step for _, step in pipeline.steps[:-1] if step not in (None, "passthrough")]
    n_streamed = 0
    while n_streamed < len(steps) and _works_per_window(steps[n_streamed]):
        n_streamed += 1
    if n_streamed < len(steps):
        # The steps after it may look at whole sequences.
        rest = Pipeline([*((str(i), step) for i, step in enumerate(steps[n_streamed:]))])
        rest.steps.append(pipeline.steps[-1])
        return _FeaturesPart(steps[:n_streamed], SequencePart(rest))
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


def _works_per_window(transformer):
    """Tell a transformer that sees each window by itself; what inherits from one need not."""
    return "per_window" in vars(type(transformer))
