"""The skorch net inside the estimators, its predictions and its random state.

Knows torch, skorch and scikit-learn only.
"""

import contextlib
import signal
import threading
from itertools import islice
from numbers import Integral

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from skorch import NeuralNet

from ._batches import n_batches

__all__ = ["ClassifierNet", "TrainingNet", "forked_generator", "resolve_device"]

_one_at_a_time = threading.RLock()
AMP_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class TrainingNet(NeuralNet):
    """A skorch net over data that make their own batches.

    Parameters
    ----------
    *args, **kwargs
        Passed to :class:`skorch.NeuralNet`.
    shuffle : bool, default=True
        Shuffle the training data in each epoch.
    amp : {"bf16", "fp16"} or None, default=None
        Type of the mixed-precision forward pass. "fp16" scales the loss, and unscales the
        gradients before ``on_grad_computed``.
    augment : callable, default=None
        Changes the inputs of each training batch, on the device.
    """

    def __init__(self, *args, shuffle=True, amp=None, augment=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.shuffle = shuffle
        self.amp = amp
        self.augment = augment

    @property
    def _default_callbacks(self):
        return [(name, cb) for name, cb in super()._default_callbacks if name != "print_log"]

    def initialize(self):
        super().initialize()
        device_type = torch.device(self.device).type
        self.scaler_ = torch.amp.GradScaler(device_type, enabled=self.amp == "fp16")
        return self

    def train(self, data_train, data_valid, epochs, *, max_steps=None, checkpoint=None):
        """Train for some epochs or steps, fewer where a callback stops or a checkpoint has some.

        ``max_steps``, given in place of ``epochs``, ends the last epoch early.
        """
        n_steps = n_batches(len(data_train), self.batch_size)
        self.last_step_ = None if max_steps is None else self._n_steps() + max_steps
        self.max_epochs = len(self.history) + (epochs or n_batches(max_steps, n_steps))
        try:
            with contextlib.suppress(_TrainingStopped), _note_interrupt(self):
                self.notify("on_train_begin", X=data_train, y=None)
                if checkpoint is not None:
                    checkpoint.restore(self)
                if max_steps is not None:
                    n_steps_left = self.last_step_ - self._n_steps()
                    self.max_epochs = len(self.history) + n_batches(n_steps_left, n_steps)
                n_left = self.max_epochs - len(self.history)
                self.fit_loop((data_train, data_valid), epochs=n_left)
        finally:
            self.notify("on_train_end", X=data_train, y=None)

    def notify(self, method_name, **kwargs):
        # skorch's callbacks stop the training by KeyboardInterrupt; one by the user passes on.
        try:
            super().notify(method_name, **kwargs)
        except KeyboardInterrupt as stop:
            if getattr(self, "interrupted_", False):
                raise
            raise _TrainingStopped from stop

    def autocast(self):
        """Return the context of the mixed-precision forward pass."""
        return torch.autocast(
            torch.device(self.device).type,
            AMP_DTYPES.get(self.amp, torch.bfloat16),
            enabled=self.amp is not None,
        )

    def infer(self, x, **fit_params):
        with self.autocast():
            output = super().infer(x, **fit_params)
        if not isinstance(output, torch.Tensor):
            raise TypeError(
                f"the network returns a {type(output).__name__}; its forward must return one "
                "tensor, without a softmax."
            )
        return output.float()

    def get_split_datasets(self, X, y=None, **fit_params):
        return X

    def get_iterator(self, dataset, training=False):
        return _Epochs(dataset, self.batch_size, shuffle=training and self.shuffle)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        if iterator is None:
            return
        n_steps = len(iterator)
        if training and self.last_step_ is not None:
            n_steps = min(n_steps, self.last_step_ - self._n_steps())
        for batch in islice(iterator, n_steps):
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            self.history.record_batch(f"{prefix}_loss", step["loss"].item())
            self.history.record_batch(f"{prefix}_batch_size", len(batch[1]))
            self.notify("on_batch_end", batch=batch, training=training, **step)
        self.history.record(f"{prefix}_batch_count", n_steps)

    def _n_steps(self):
        """Return the steps trained so far, in epochs that have ended."""
        return sum(epoch.get("train_batch_count", 0) for epoch in self.history)

    def train_step(self, batch, **fit_params):
        if self.augment is not None:
            batch = self.augment(batch[0].to(self.device)), batch[1]
        if not self.scaler_.is_enabled():
            return super().train_step(batch, **fit_params)
        self._zero_grad_optimizer()
        self._set_training(True)
        y_pred = self.infer(batch[0], **fit_params)
        loss = self.get_loss(y_pred, batch[1], X=batch[0], training=True)
        self.scaler_.scale(loss).backward()
        self.scaler_.unscale_(self.optimizer_)
        self.notify(
            "on_grad_computed",
            named_parameters=list(self.get_all_learnable_params()),
            batch=batch,
            training=True,
        )
        self.scaler_.step(self.optimizer_)
        self.scaler_.update()
        return {"loss": loss, "y_pred": y_pred}


class ClassifierNet(ClassifierMixin, TrainingNet):
    """A net whose outputs are logits, so that skorch's callbacks score it as a classifier.

    Parameters
    ----------
    *args, **kwargs
        Passed to :class:`TrainingNet`.
    n_classes : int
        Classes, which are the numbers from 0.
    """

    def __init__(self, *args, n_classes, **kwargs):
        super().__init__(*args, **kwargs)
        self.n_classes = n_classes

    @property
    def classes_(self):
        return np.arange(self.n_classes)

    def predict_proba(self, X):
        return softmax(super().predict_proba(X), axis=1)

    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)


class _TrainingStopped(Exception):
    """A callback has ended the training."""


@contextlib.contextmanager
def _note_interrupt(net):
    """Note on the net, as ``interrupted_``, that the user has pressed Ctrl-C."""
    net.interrupted_ = False
    # Other threads cannot set a handler, and another one than Python's own has reasons.
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def interrupt(signal_number, frame):
        net.interrupted_ = True
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class _Epochs:
    """An iterable that makes new batches each time it is gone through."""

    def __init__(self, data, batch_size, *, shuffle):
        self.data = data
        self.batch_size = batch_size
        self.shuffle = shuffle

    def __len__(self):
        return n_batches(len(self.data), self.batch_size)

    def __iter__(self):
        return self.data.batches(self.batch_size, shuffle=self.shuffle)


def predict_sequences(net, data, *, batch_size=512):
    """Return the network's output for each row and channel of SequenceData.

    Each distinct window is encoded once.

    Returns
    -------
    ndarray of shape (n_channels, n_rows)
        Outputs as float64.
    """
    parts = _parts(data.windows, batch_size)
    features = torch.cat([encode_windows(net, windows) for windows in parts])
    outputs = []
    for sequences in _parts(np.arange(len(data)), batch_size):
        index = torch.from_numpy(data.sequence_index(sequences)).to(net.device)
        outputs.append(decode_sequences(net, features, index))
    return torch.cat(outputs).double().numpy().reshape(data.n_channels, -1)


def encode_windows(net, windows, *, multiple=16):
    """Return the features (n_windows, n_features) of windows, a tensor on the net's device."""
    with torch.inference_mode(), net.autocast():
        windows = as_tensor(windows).to(net.device, torch.float32)
        return evaluating(net).encode(_padded(windows, multiple))[: len(windows)]


def decode_sequences(net, features, index, *, multiple=16):
    """Return the outputs (n_sequences,) of sequences (n_sequences, n_steps) of features."""
    with torch.inference_mode(), net.autocast():
        output = evaluating(net).decode(features[_padded(index, multiple)])
        return output[: len(index)].float().cpu()


def evaluating(net):
    """Return the module of a net, in evaluation."""
    # Asked first: eval() goes through all layers, which takes a tenth of an online update.
    return net.module_.eval() if net.module_.training else net.module_


def predict_rows(net, X, *, lengths=None, batch_size=512):
    """Return the network's output for each row of an array, as float64.

    ``lengths`` (n_rows,) are those of series of unequal length, with zeros after their end.
    """
    module = net.module_.eval()
    outputs = []
    with torch.inference_mode():
        for part in _parts(np.arange(len(X)), batch_size):
            rows = X[part[0] : part[-1] + 1]
            known = {}
            if lengths is not None:
                rows = rows[:, :, : lengths[part].max()]
                # A row of padding has no series: one timepoint, lest a network sees an empty one.
                known["lengths"] = (
                    _padded(torch.from_numpy(lengths[part])).clamp(min=1).to(net.device)
                )
            # Before autocast, which cannot join float16 on a CPU.
            padded = _padded(as_tensor(rows).to(net.device))
            with net.autocast():
                outputs.append(module(padded, **known)[: len(rows)].float().cpu())
    return torch.cat(outputs).double().numpy()


def _parts(array, size):
    return np.array_split(array, n_batches(len(array), size))


def as_tensor(array):
    """Return an array as a tensor, copied only where torch could not take it."""
    # Contiguous, as torch takes no reversed axes, and of our byte order; writeable, lest it warns.
    return torch.from_numpy(np.require(array, array.dtype.newbyteorder("="), ["C", "W"]))


def _padded(rows, multiple=16):
    """Append zeros up to a multiple, so that a row's result does not depend on the batch size."""
    n_zeros = -len(rows) % multiple
    return torch.cat([rows, rows.new_zeros(n_zeros, *rows.shape[1:])]) if n_zeros else rows


def resolve_device(device):
    """Return the torch device of a name, where "auto" takes CUDA, then MPS, then the CPU."""
    if device != "auto":
        try:
            torch.empty(0, device=device)
            return str(torch.device(device))
        except (AssertionError, RuntimeError, TypeError) as error:
            raise ValueError(
                f"device={device!r} is not to be had here ({error}); use 'auto' or 'cpu'."
            ) from None
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


@contextlib.contextmanager
def forked_generator(*seeds):
    """Seed torch's generators inside a with-block and give them back as they were."""
    seed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
    # Threads share torch's generators: fits side by side in one process take turns.
    with _one_at_a_time, torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def draw_seed(random_state):
    """Return a seed from an int, None or a generator, leaving the global one untouched."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(np.iinfo(np.int32).max))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(np.iinfo(np.int32).max))
    is_bool = isinstance(random_state, bool)
    if is_bool or not isinstance(random_state, Integral) or random_state < 0:
        raise ValueError(
            f"random_state={random_state!r} is no seed; use an integer of at least 0, a "
            "RandomState, a Generator or None."
        )
    return int(random_state)
