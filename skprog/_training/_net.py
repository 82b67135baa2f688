"""The skorch net inside the estimators."""

import contextlib
import signal
import threading
from itertools import islice

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from skorch import NeuralNet

from ._batches import n_batches

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
