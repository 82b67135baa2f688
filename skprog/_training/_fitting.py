"""A fit: values in, trained nets out."""

import copy
import inspect
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import joblib
import numpy as np
import torch
from sklearn.base import clone

from ..callbacks import BestWeights, FitCheckpoint, ProgressBar
from ._device import resolve_device
from ._lr_range import lr_range
from ._net import TrainingNet
from ._randomness import draw_seed, forked_generator
from ._settings import OPTIMIZERS

# What may differ between the fit that wrote a checkpoint and the one that resumes from it.
FREE_TO_CHANGE = ("max_epochs", "max_steps", "checkpoint", "device", "verbose")


@dataclass(frozen=True)
class Task:
    """What there is to learn.

    Parameters
    ----------
    name : str
        Who trains, for messages.
    module, module_params : type and dict
        Network, and what it is built with.
    criterion, criterion_params : type and dict
        Loss, and what it is built with.
    train, valid : object with ``batches``, or None for ``valid``
        Data to train and to validate on.
    net, net_params : type and dict
        Class of the skorch net, and its own arguments.
    callbacks : sequence of (str, skorch.callbacks.Callback)
        Callbacks, cloned for each net.
    buffers : dict of str to ndarray
        Values of the network's buffers that were learnt from the data.
    augment : callable or None
        Changes the inputs of each training batch.
    """

    name: str
    module: type
    module_params: dict
    criterion: type
    criterion_params: dict
    train: Any
    valid: Any = None
    net: type = TrainingNet
    net_params: dict = field(default_factory=dict)
    callbacks: tuple = ()
    buffers: dict = field(default_factory=dict)
    augment: Callable | None = None


def fit_nets(task, settings, seed, checkpoint=None):
    """Train ``settings.n_networks`` nets, each with its own random numbers.

    Parameters
    ----------
    task : Task
        What there is to learn.
    settings : Settings
        How to.
    seed : int
        Seeds weights, batches and dropout.
    checkpoint : FitCheckpoint or None
        Where the first net is kept after each epoch, and resumed from.

    Returns
    -------
    list of TrainingNet
        The nets.

    Raises
    ------
    ValueError
        If the loss diverges.
    """
    nets = []
    for i in range(settings.n_networks):
        own_checkpoint = checkpoint and checkpoint.of_network(i)
        with forked_generator(seed, 0, 0, i):
            net = build_net(task, settings, own_checkpoint)
            _train(net, task.train, task.valid, settings, own_checkpoint)
        nets.append(net)
    return nets


def continue_nets(nets, train, valid, settings, seed):
    """Return copies of nets, trained further on data; see :func:`fit_nets`."""
    nets = copy.deepcopy(nets)
    for i, net in enumerate(nets):
        with forked_generator(seed, len(net.history), 0, i):
            _train(net, train, valid, settings)
    return nets


def build_net(task, settings, checkpoint=None):
    """Return the net that is to learn a task, as it is before its first epoch."""
    optimizer = OPTIMIZERS.get(settings.optimizer, settings.optimizer)
    accepted = inspect.signature(optimizer).parameters
    params = {f"module__{name}": value for name, value in task.module_params.items()}
    params |= {f"criterion__{name}": value for name, value in task.criterion_params.items()}
    for name in ("weight_decay", "momentum"):
        if name in accepted:
            params[f"optimizer__{name}"] = getattr(settings, name)
    net = task.net(
        **{
            "module": task.module,
            "criterion": task.criterion,
            "optimizer": optimizer,
            "lr": 1e-3 if settings.lr == "auto" else settings.lr,
            "batch_size": settings.batch_size,
            "shuffle": settings.shuffle,
            "amp": settings.amp,
            "device": resolve_device(settings.device),
            "callbacks": _callbacks(task, settings, checkpoint),
            "verbose": 0,
            **params,
            **task.net_params,
            **(settings.net_params or {}),
        }
    )
    net.initialize()
    for name, value in task.buffers.items():
        buffer = getattr(net.module_, name)
        buffer.copy_(torch.tensor(value).reshape(buffer.shape))
    net.augment = task.augment
    if settings.lr == "auto":
        net.lr_range_ = lr_range(net, task.train)
        for group in net.optimizer_.param_groups:
            group["lr"] = net.lr_range_.lr_max_
    if settings.verbose:
        print(f"{task.name} trains on {net.device}")
    return net


def checkpoint_of(path, params, data):
    """Return the callback that writes the checkpoint, with the seed of the fit.

    Parameters
    ----------
    path : str or path-like
        The file.
    params : dict
        Parameters of the estimator, by which, and by the data, a file of another fit is told.
    data : tuple
        What is fitted.
    """
    try:
        origin = {
            name: joblib.hash(value, coerce_mmap=True)
            for name, value in {**params, "data": data}.items()
            if name not in FREE_TO_CHANGE
        }
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"checkpoint needs hyperparameters that pickle ({error}); replace lambdas by "
            "functions of a module."
        ) from error
    checkpoint = FitCheckpoint(path, origin=origin).initialize()
    saved = checkpoint.load()
    is_new = saved is None or params["random_state"] is not None
    checkpoint.seed = draw_seed(params["random_state"]) if is_new else saved["seed"]
    return checkpoint


def _callbacks(task, settings, checkpoint):
    """Return the callbacks of a net; best weights and checkpoint see what the others did."""
    callbacks = clone(list(task.callbacks), safe=False)
    if settings.validation_fraction is not None:
        patience = settings.n_iter_no_change if settings.early_stopping else None
        callbacks.append(("best_weights", BestWeights(patience=patience)))
    if settings.verbose:
        callbacks.append(("progress_bar", ProgressBar(task.name)))
    if checkpoint is not None:
        callbacks.append(("fit_checkpoint", checkpoint))
    return callbacks


def _train(net, train, valid, settings, checkpoint=None):
    steps = settings.max_steps
    epochs = settings.max_epochs if steps is None else None
    net.train(train, valid, epochs, max_steps=steps, checkpoint=checkpoint)
    n_epochs = len(net.history)
    # A callback that stops within the first epoch leaves it without a loss.
    loss = net.history[-1].get("train_loss", 0.0) if n_epochs else 0.0
    best = dict(net.callbacks_).get("best_weights")
    is_last = best is None or best.best_epoch_ in (0, n_epochs)
    is_finite = all(torch.isfinite(parameter).all() for parameter in net.module_.parameters())
    if not is_finite or (is_last and not np.isfinite(loss)):
        raise ValueError(
            f"training diverged: the loss is {loss} after {n_epochs} epochs; "
            f"use a smaller lr than {settings.lr}."
        )
