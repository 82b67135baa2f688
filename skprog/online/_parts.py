"""The estimators inside a fitted one, each with what it keeps of the windows of a run.

Each has ``take(memories, windows, n_steps)``, which returns what is to be kept after a new window,
a list of one array or tensor, from what was kept before it, None at first, and
``decode(memories, moment)``, which returns RUL and interval from what is kept.
"""

from typing import NamedTuple

import numpy as np
import torch
from sklearn.pipeline import Pipeline

from .._checks import FLOATS, check_finite, float_type
from .._training import decode_sequences, encode_windows, evaluating
from ..sequences import RunSequences

# Kinds of values of a memory.
KINDS = "fiub"


class Moment(NamedTuple):
    """Which of the windows kept make up the sequence, and what else is known of it."""

    steps: np.ndarray
    time: float | None
    age: float | None
    context: dict | None


class _LeafPart:
    """A part with a memory of its own."""

    parts = ()
    n_memories = 1

    def n_kept(self, n_windows, n_steps):
        """Return the length of the memory after so many windows."""
        return min(n_windows, n_steps)

    def restored(self, memory, dtype, like):
        """Return a memory that was packed; ``like`` is one after a window."""
        return unpacked(memory, dtype, like)


class _NetworkPart(_LeafPart):
    """A network that sees the channels of the new window only."""

    def __init__(self, model):
        self.model = model
        self.net = model.net_
        self.n_steps = model.shape_in_[0]

    def _encoded(self, windows):
        """Return the features (n_channels, n_features) of a window (1, ...)."""
        shape_in = self.model.shape_in_[1:]
        if windows.shape[1:] != shape_in:
            raise ValueError(
                f"a window has shape {windows.shape[1:]} where the network was fitted on "
                f"{shape_in}; prepare both alike."
            )
        windows = as_floats(windows)
        check_finite(windows)
        (channels,) = self.model.by_channel(windows)
        # One row is rounded otherwise than in a batch; 16, as there, would take twice the time.
        return encode_windows(self.net, channels, multiple=1 if len(channels) > 1 else 2)

    def _mean(self, outputs):
        """Return the mean over the channels of the RUL in s."""
        return float(self.model.seconds(outputs.cpu().double().numpy()[:, np.newaxis]).mean())


class StatesPart(_NetworkPart):
    """A network whose LSTM takes the new window as one step of all sequences that it is part of.

    Kept are the states after the last window, the last two windows and so on up to ``n_steps``, of
    shape (n_steps, n_channels, 2, lstm_units): one step of many rows takes half the time of many
    steps of one.
    """

    def take(self, memories, windows, n_steps):
        """Return what is to be kept after a new window."""
        features = self._encoded(windows)
        (states,) = memories
        # Whatever autocast is on outside, as in a batch.
        with torch.inference_mode(), self.net.autocast():
            module = evaluating(self.net)
            empty = features.new_zeros(1, len(features), 2, module.lstm.hidden_size)
            if states is not None:
                return [module.step(torch.cat([empty, states[:-1]]), features)]
            # What came before is taken to have been like the first, as in RunSequences.
            states = [empty]
            for _ in range(n_steps):
                states.append(module.step(states[-1], features))
            return [torch.cat(states[1:])]

    def decode(self, memories, moment):
        """Return RUL in s and no interval."""
        (states,) = memories
        with torch.inference_mode(), self.net.autocast():
            outputs = evaluating(self.net).regress(states[-1, :, 0])
        return self._mean(outputs), None

    def n_kept(self, n_windows, n_steps):
        """Return the length of the memory after so many windows."""
        return n_steps

    def restored(self, memory, dtype, like):
        """Return a memory that was packed; ``like`` is one after a window."""
        states = super().restored(memory, dtype, like)
        hidden, cell = states.abs().unbind(2)
        # Each window moves the cell by 1 at most, and sequence i has seen i + 1 of them.
        if (hidden > 1).any() or (cell.amax((1, 2)) > torch.arange(1, len(states) + 1)).any():
            raise ValueError("a memory with states that no LSTM has")
        return states


class EncodingsPart(_NetworkPart):
    """A network whose encodings of the windows are kept, and run through its LSTM each time.

    In mixed precision, or on a GPU, single steps would be rounded otherwise than those of a batch.
    """

    def take(self, memories, windows, n_steps):
        """Return what is to be kept after a new window."""
        encodings = self._encoded(windows)[np.newaxis]
        (memory,) = memories
        return [encodings if memory is None else torch.cat([_last(memory, n_steps), encodings])]

    def decode(self, memories, moment):
        """Return RUL in s and no interval."""
        (memory,) = memories
        n_channels = memory.shape[1]
        index = torch.from_numpy(moment.steps) * n_channels + torch.arange(n_channels)[:, None]
        features = memory.flatten(0, 1)
        outputs = decode_sequences(self.net, features, index.to(self.net.device), multiple=1)
        return self._mean(outputs), None


class SequencePart(_LeafPart):
    """Any other estimator, which is given the last windows as they are."""

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
        """Return what is to be kept after a new window."""
        (memory,) = memories
        if memory is None:
            return [windows]
        return [np.concatenate([_last(memory, n_steps), windows])]

    def decode(self, memories, moment):
        """Return RUL in s and no interval."""
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


def as_floats(windows, kept=FLOATS):
    """Return windows of any numbers as floats, of a type that is ``kept``."""
    dtype = float_type(windows.dtype, kept)
    if windows.dtype == dtype:
        return windows
    # What overflows is infinite then, and refused for it.
    with np.errstate(over="ignore"):
        return windows.astype(dtype)


def packed(memory):
    """Return a memory as an array and the name of its type in torch, "" for an array."""
    if torch.is_tensor(memory):
        memory = memory.cpu()
        # NumPy has no bfloat16.
        wide = memory.float() if memory.dtype == torch.bfloat16 else memory
        return wide.numpy(), str(memory.dtype)
    return memory, ""


def unpacked(memory, dtype, like):
    """Return what :func:`packed` was given, a memory like another except for its values."""
    is_tensor = torch.is_tensor(like)
    if dtype != (str(like.dtype) if is_tensor else "") or memory.dtype.kind not in KINDS:
        raise TypeError(f"a memory of type {dtype!r} with values of type {memory.dtype}")
    if memory.shape[1:] != tuple(like.shape[1:]):
        raise ValueError(
            f"a memory with entries of shape {memory.shape[1:]}, not {tuple(like.shape[1:])}; a "
            "network on a GPU keeps others than one on a CPU"
        )
    if is_tensor:
        # What overflows is infinite then, and refused for it.
        with np.errstate(over="ignore"):
            memory = memory.astype(packed(like)[0].dtype)
    if not np.isfinite(memory).all():
        raise ValueError("a memory with NaN or infinity")
    return torch.from_numpy(memory).to(like) if is_tensor else memory


def _last(memory, n_steps):
    """Return what stays of a memory so that with one more entry it has ``n_steps`` at most."""
    return memory[max(0, len(memory) + 1 - n_steps) :]
