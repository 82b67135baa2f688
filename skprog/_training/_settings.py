"""How a net is trained: the parameters that all estimators of networks share."""

import os
from dataclasses import dataclass, fields
from typing import Any

import torch
from skorch.callbacks import Callback

from .._checks import check_integer, check_number, check_option
from ._device import resolve_device

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
# Names of the callbacks that every fit has, and what skorch may not be told past the estimator.
RESERVED = (
    "epoch_timer",
    "train_loss",
    "valid_loss",
    "best_weights",
    "progress_bar",
    "fit_checkpoint",
    "lr_decay",
    "f1_annealing",
)
# What skorch may be told of them: to keep the last weights.
BEST_WEIGHTS = "callbacks__best_weights"
NOT_FOR_NET = (
    "callbacks",
    "criterion",
    "dataset",
    "iterator_train",
    "iterator_valid",
    "module",
    "n_classes",
    "train_split",
)


@dataclass(frozen=True)
class Settings:
    """What all estimators of networks take, whatever the network.

    Their docstrings begin with these texts; a test sees to it.

    Parameters
    ----------
    lr : float or "auto"
        Learning rate; "auto" takes a tenth of that of the lowest loss in a learning-rate range
        test.
    momentum : float
        Momentum, where the optimizer has one.
    max_epochs : int
        Epochs at most.
    batch_size : int
        Rows per step, at most; batches are of near-equal size.
    optimizer : {"adam", "adamw", "sgd"} or class
        Optimizer, by name or as a class of torch.
    weight_decay : float
        Weight decay of the optimizer.
    validation_fraction : float or None
        Share of the rows held out; the best weights by validation loss are restored.
    early_stopping : bool
        Stop after ``n_iter_no_change`` epochs without a better validation loss.
    n_iter_no_change : int
        Patience of early stopping, in epochs.
    shuffle : bool
        Shuffle the training data in each epoch.
    warm_start : bool
        Continue from the last fit for ``max_epochs`` more epochs with the same hyperparameters.
    amp : {"bf16", "fp16"} or None
        Mixed precision.
    callbacks : list of skorch callbacks or (name, callback)
        Callbacks, cloned before use.
    net_params : dict
        Further arguments of :class:`skorch.NeuralNet`, such as ``optimizer__nesterov``;
        ``{"callbacks__best_weights": None}`` keeps the last weights, not the best.
    checkpoint : str, path-like or None
        File written after each epoch, from which an interrupted fit on the same data resumes.
        Delete it to start anew; raise ``max_epochs`` to train on.
    device : str
        Torch device; "auto" takes CUDA, then MPS, then the CPU.
    verbose : int
        1 shows a progress bar.
    n_networks : int
        Networks trained, whose probabilities are averaged.
    max_steps : int or None
        Steps to train; None counts epochs.
    """

    lr: Any
    momentum: Any
    max_epochs: Any
    batch_size: Any
    optimizer: Any
    weight_decay: Any
    validation_fraction: Any
    early_stopping: Any
    n_iter_no_change: Any
    shuffle: Any
    warm_start: Any
    amp: Any
    callbacks: Any
    net_params: Any
    checkpoint: Any
    device: Any
    verbose: Any
    n_networks: Any = 1
    max_steps: Any = None

    @classmethod
    def of(cls, estimator):
        """Return those of an estimator, which may be one of a user's with fewer parameters."""
        names = [each.name for each in fields(cls) if hasattr(estimator, each.name)]
        return cls(**{name: getattr(estimator, name) for name in names})

    def check(self, own):
        """Refuse what is out of range or of the wrong type.

        ``own`` are all names of the estimator's parameters, which ``net_params`` may not hold.
        """
        for name in ("early_stopping", "shuffle", "warm_start"):
            check_option(name, getattr(self, name), (True, False))
        for name in ("max_epochs", "batch_size", "n_iter_no_change", "n_networks"):
            check_integer(name, getattr(self, name))
        if self.max_steps is not None:
            check_integer("max_steps", self.max_steps)
        if isinstance(self.lr, str):
            check_option("lr", self.lr, ("auto",))
        else:
            check_number("lr", self.lr, above=0)
        check_number("momentum", self.momentum, minimum=0, below=1)
        check_number("weight_decay", self.weight_decay, minimum=0)
        check_option("amp", self.amp, (None, "bf16", "fp16"))
        if self.amp == "fp16" and torch.device(resolve_device(self.device)).type == "cpu":
            raise ValueError("amp='fp16' needs a GPU; use amp='bf16' on a CPU.")
        is_class = isinstance(self.optimizer, type)
        if not is_class or not issubclass(self.optimizer, torch.optim.Optimizer):
            check_option("optimizer", self.optimizer, tuple(OPTIMIZERS))
        if not isinstance(self.checkpoint, str | os.PathLike | None):
            raise TypeError(f"checkpoint={self.checkpoint!r} must be the path of a file or None.")
        if self.checkpoint is not None and self.warm_start:
            raise ValueError("checkpoint resumes fit; set checkpoint=None for warm_start=True.")
        self._check_net_params(own)
        check_integer("verbose", int(self.verbose is True) or self.verbose, minimum=0)
        self._check_callbacks()
        if self.validation_fraction is not None:
            check_number("validation_fraction", self.validation_fraction, above=0, below=1)
        elif self.early_stopping:
            raise ValueError(
                "early_stopping=True needs validation data; set validation_fraction=0.2."
            )

    def _check_net_params(self, own):
        if not isinstance(self.net_params, dict | None):
            raise TypeError(f"net_params={self.net_params!r} must be a dict or None.")
        params = dict(self.net_params or {})
        if BEST_WEIGHTS in params:
            if params.pop(BEST_WEIGHTS) is not None:
                raise ValueError(f"net_params can set {BEST_WEIGHTS!r} to None only.")
            if self.early_stopping or self.validation_fraction is None:
                raise ValueError(
                    f"net_params sets {BEST_WEIGHTS!r} to None, to keep the last weights, which "
                    "takes a validation_fraction and early_stopping=False."
                )
        for name in map(str, params):
            # Momentum was said so before it had an argument.
            is_own = name != "optimizer__momentum" and name.removeprefix("optimizer__") in own
            if is_own or name.partition("__")[0] in NOT_FOR_NET:
                raise ValueError(
                    f"net_params sets {name!r}, which is the estimator's own; use its arguments."
                )

    def _check_callbacks(self):
        if not isinstance(self.callbacks, list | tuple | None):
            raise TypeError(f"callbacks={self.callbacks!r} must be a list of callbacks or None.")
        names = [name for name, _ in named_callbacks(self.callbacks)]
        for name in names:
            if name in RESERVED or names.count(name) > 1:
                raise ValueError(
                    f"callbacks holds the name {name!r} twice or it is one of the estimator's own, "
                    f"{', '.join(RESERVED)}; give pairs (name, callback) with other names."
                )
        for _, callback in named_callbacks(self.callbacks):
            if not isinstance(callback, Callback):
                raise TypeError(
                    f"callbacks holds {callback!r}; give instances of skorch callbacks or pairs "
                    "(name, callback)."
                )
            monitor = getattr(callback, "monitor", None)
            is_valid = isinstance(monitor, str) and monitor.startswith("valid")
            if is_valid and self.validation_fraction is None:
                raise ValueError(
                    f"{type(callback).__name__}(monitor={monitor!r}) needs validation data; "
                    f"set validation_fraction=0.2 or monitor='train_{monitor.split('_', 1)[-1]}'."
                )


def named_callbacks(callbacks):
    """Return (name, callback) pairs; a bare callback goes by the name of its class."""
    if not isinstance(callbacks, list | tuple):
        return []
    return [
        each if _is_named(each) else (getattr(each, "__name__", type(each).__name__), each)
        for each in callbacks
    ]


def _is_named(callback):
    return isinstance(callback, tuple) and len(callback) == 2 and isinstance(callback[0], str)
