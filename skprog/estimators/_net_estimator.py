"""What all torch estimators share: a skorch net built inside ``fit`` and kept as ``net_``."""

import copy
import inspect
import os
import pickle
from typing import ClassVar

import joblib
import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from skorch.callbacks import Callback

from .._checks import (
    check_integer,
    check_number,
    check_option,
    is_count,
    is_params,
    is_shape,
    is_size,
)
from .._training import TrainingNet, draw_seed, forked_generator, lr_range, resolve_device
from ..callbacks import BestWeights, FitCheckpoint, ProgressBar

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
# Prefixes of nested parameters, and the dict that holds them.
NESTED = {"net_params": "net_params", "loss_params": "loss_params", "network": "network_params"}
# What may differ between the fit that wrote a checkpoint and the one that resumes from it.
FREE_TO_CHANGE = ("max_epochs", "max_steps", "checkpoint", "device", "verbose")
FREE_WHEN_CONTINUED = (*FREE_TO_CHANGE, "random_state", "warm_start")
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


class NetEstimator(BaseEstimator):
    """Train a skorch net in ``fit``; a subclass says which network, loss and data.

    A subclass has ``_check_fit(X, y, reset)``, ``_split(X, y)``, ``_learn(X, y)``,
    ``_data(X, y)``, ``module_and_params()`` and ``_criterion(data_train)``. One with a parameter
    ``n_networks`` trains as many nets, each with its own random numbers.
    """

    _learnt: ClassVar = {
        "n_features_in_": is_size,
        "shape_in_": is_shape,
        "n_iter_": is_count,
        "best_epoch_": is_count,
        "_seed": lambda value: type(value) is int and value >= 0,
        "_fitted_with": lambda value: (
            is_params(value) and all(type(text) is str for text in value.values())
        ),
    }

    @property
    def net_(self):
        """Net that was trained first."""
        return self.nets_[0]

    def get_params(self, deep=True):
        """Return the hyperparameters, those of callbacks, net and loss included.

        Parameters
        ----------
        deep : bool, default=True
            Include ``callbacks__name__parameter``, ``net_params__key``, ``loss_params__key`` and,
            of ``network_params``, ``network__key``.

        Returns
        -------
        dict
            Names to values.
        """
        params = super().get_params(deep=deep)
        if deep:
            for name, callback in named_callbacks(self.callbacks):
                params[f"callbacks__{name}"] = callback
                given = callback.get_params() if isinstance(callback, Callback) else {}
                for key, value in given.items():
                    params[f"callbacks__{name}__{key}"] = value
            for prefix, group in NESTED.items():
                for key, value in _as_dict(getattr(self, group, None)).items():
                    params[f"{prefix}__{key}"] = value
        return params

    def set_params(self, **params):
        """Set hyperparameters, those of callbacks, net and loss included.

        Parameters
        ----------
        **params
            As :meth:`get_params` names them.

        Returns
        -------
        self
            The estimator.

        Raises
        ------
        ValueError
            If a name is unknown.
        """
        nested = {name: params.pop(name) for name in list(params) if name.startswith(_PREFIXES)}
        super().set_params(**params)
        for name, value in nested.items():
            prefix, _, key = name.partition("__")
            if prefix == "callbacks":
                self._set_callback_param(key, value)
                continue
            group = NESTED[prefix]
            if not hasattr(self, group):
                raise ValueError(f"{type(self).__name__} has no parameter {prefix!r}.")
            setattr(self, group, {**_as_dict(getattr(self, group)), key: value})
        return self

    def _set_callback_param(self, key, value):
        name, _, param = key.partition("__")
        callbacks = dict(named_callbacks(self.callbacks))
        if name not in callbacks:
            raise ValueError(
                f"{type(self).__name__} has no callback {name!r}; it has {sorted(callbacks)}."
            )
        if param:
            callbacks[name] = clone(callbacks[name])
            callbacks[name].set_params(**{param: value})
        else:
            callbacks[name] = value
        self.callbacks = list(callbacks.items())

    def partial_fit(self, X, y):
        """Train one more epoch, on a network made anew if there is none.

        Parameters
        ----------
        X : array-like
            As for ``fit``.
        y : array-like of shape (n_rows,)
            As for ``fit``.

        Returns
        -------
        self
            The estimator, trained.
        """
        return self._fit_one_epoch(X, y)

    def _fit_one_epoch(self, X, y, **declared):
        if self.checkpoint is not None:
            raise ValueError("checkpoint resumes fit; set checkpoint=None for partial_fit.")
        return self._fit(X, y, epochs=1, fresh=not hasattr(self, "nets_"), **declared)

    def _fit(self, X, y, *, epochs, fresh, max_steps=None, **declared):
        before = dict(vars(self))
        if not fresh:
            before["nets_"] = copy.deepcopy(self.nets_)
            before["history_"] = before["nets_"][0].history
        try:
            self._train(X, y, epochs=epochs, fresh=fresh, max_steps=max_steps, **declared)
        except BaseException:
            # A fit that fails or is interrupted leaves what was fitted as it was.
            vars(self).clear()
            vars(self).update(before)
            raise
        return self

    def _train(self, X, y, *, epochs, fresh, max_steps, **declared):
        self.check_params()
        if not fresh:
            self._refuse_changes()
        X, y = self._check_fit(X, y, reset=fresh, **declared)
        checkpoint = None if self.checkpoint is None else self._fit_checkpoint(X, y)
        if fresh:
            self._seed = checkpoint.seed if checkpoint else draw_seed(self.random_state)
            self._fitted_with = self._lasting_params()
            self._learn(X, y)
            self.nets_ = []
            vars(self).pop("lr_range_", None)
        data_train, data_valid = self._split_data(X, y)
        for i in range(getattr(self, "n_networks", 1)):
            n_done = 0 if fresh else len(self.nets_[i].history)
            own_checkpoint = checkpoint and checkpoint.of_network(i)
            with forked_generator(self._seed, n_done, 0, i):
                if fresh:
                    self.nets_.append(self._build_net(data_train, own_checkpoint))
                net = self.nets_[i]
                net.train(
                    data_train,
                    data_valid,
                    epochs,
                    max_steps=max_steps,
                    checkpoint=own_checkpoint,
                )
        self._set_fitted()

    def _split_data(self, X, y):
        # A generator of its own, so that rows held out stay so when training goes on.
        with forked_generator(self._seed, 0, 1):
            train, valid = self._split(X, y)
        return self._data(*train), None if valid is None else self._data(*valid)

    def untrained_net(self, X, y):
        """Return the net that ``fit`` would train first, and its training data."""
        self.check_params()
        X, y = self._check_fit(X, y, reset=True)
        self._seed = draw_seed(self.random_state)
        self._learn(X, y)
        data_train, _ = self._split_data(X, y)
        with forked_generator(self._seed, 0, 0, 0):
            return self._build_net(data_train, None), data_train

    def _lasting_params(self):
        """Return what training that goes on has to keep, in words."""
        params = {
            name: repr(value)
            for name, value in self.get_params().items()
            if name.partition("__")[0] not in FREE_WHEN_CONTINUED
            and not isinstance(value, Callback)
        }
        # Not by repr, in which a callback shows its place in memory.
        kinds = [
            (name, type(callback).__name__) for name, callback in named_callbacks(self.callbacks)
        ]
        return {**params, "callbacks": repr(kinds)}

    def _refuse_changes(self):
        if not hasattr(self.net_, "optimizer_"):
            raise ValueError(
                f"{type(self).__name__} comes from a file without the state of its optimizer, so "
                "that training cannot go on; set warm_start=False and fit anew."
            )
        now = self._lasting_params()
        before = self._fitted_with
        changed = [name for name in {**before, **now} if now.get(name) != before.get(name)]
        if changed:
            raise ValueError(
                f"{', '.join(changed)} changed since the first fit, which training that goes on "
                "cannot take up; set warm_start=False and fit anew."
            )

    def check_params(self):
        """Refuse parameters that are out of range or of the wrong type."""
        for name in ("early_stopping", "shuffle", "warm_start"):
            check_option(name, getattr(self, name), (True, False))
        check_integer("max_epochs", self.max_epochs)
        check_integer("batch_size", self.batch_size)
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
        self._check_net_params()
        check_integer("n_iter_no_change", self.n_iter_no_change)
        check_integer("verbose", int(self.verbose is True) or self.verbose, minimum=0)
        self._check_callbacks()
        if self.validation_fraction is not None:
            check_number("validation_fraction", self.validation_fraction, above=0, below=1)
        elif self.early_stopping:
            raise ValueError(
                "early_stopping=True needs validation data; set validation_fraction=0.2."
            )

    def _check_net_params(self):
        if not isinstance(self.net_params, dict | None):
            raise TypeError(f"net_params={self.net_params!r} must be a dict or None.")
        own = self.get_params(deep=False)
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

    def _build_net(self, data_train, checkpoint):
        optimizer = OPTIMIZERS.get(self.optimizer, self.optimizer)
        module, module_params = self.module_and_params()
        criterion, criterion_params = self._criterion(data_train)
        params = {f"module__{name}": value for name, value in module_params.items()}
        params |= {f"criterion__{name}": value for name, value in criterion_params.items()}
        if "weight_decay" in inspect.signature(optimizer).parameters:
            params["optimizer__weight_decay"] = self.weight_decay
        if "momentum" in inspect.signature(optimizer).parameters:
            params["optimizer__momentum"] = self.momentum
        net_class, net_params = self.net_and_params()
        net = net_class(
            **{
                "module": module,
                "criterion": criterion,
                "optimizer": optimizer,
                "lr": 1e-3 if self.lr == "auto" else self.lr,
                "batch_size": self.batch_size,
                "shuffle": self.shuffle,
                "amp": self.amp,
                "device": resolve_device(self.device),
                "callbacks": self._callbacks(checkpoint),
                "verbose": 0,
                **params,
                **net_params,
                **(self.net_params or {}),
            }
        )
        net.initialize()
        self._prepare_module(net.module_, data_train)
        net.augment = self._augment(net.module_)
        if self.lr == "auto":
            net.lr_range_ = lr_range(net, data_train)
            for group in net.optimizer_.param_groups:
                group["lr"] = net.lr_range_.lr_max_
        if self.verbose:
            print(f"{type(self).__name__} trains on {net.device}")
        return net

    def _callbacks(self, checkpoint):
        """Return the callbacks of a fit; best weights and checkpoint see what the others did."""
        callbacks = [*self._own_callbacks(), *clone(named_callbacks(self.callbacks), safe=False)]
        if self.validation_fraction is not None:
            patience = self.n_iter_no_change if self.early_stopping else None
            callbacks.append(("best_weights", BestWeights(patience=patience)))
        if self.verbose:
            callbacks.append(("progress_bar", ProgressBar(type(self).__name__)))
        if checkpoint is not None:
            callbacks.append(("fit_checkpoint", checkpoint))
        return callbacks

    def _fit_checkpoint(self, X, y):
        """Return the callback that writes the checkpoint, with the seed of the file if any."""
        values = {**self.get_params(deep=False), "data": (X, y)}
        try:
            origin = {
                name: joblib.hash(value, coerce_mmap=True)
                for name, value in values.items()
                if name not in FREE_TO_CHANGE
            }
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ValueError(
                f"checkpoint needs hyperparameters that pickle ({error}); replace lambdas by "
                "functions of a module."
            ) from error
        checkpoint = FitCheckpoint(self.checkpoint, origin=origin).initialize()
        saved = checkpoint.load()
        is_new = saved is None or self.random_state is not None
        checkpoint.seed = draw_seed(self.random_state) if is_new else saved["seed"]
        return checkpoint

    def _own_callbacks(self):
        return []

    def net_and_params(self):
        """Return the class of the net and its own parameters."""
        return TrainingNet, {}

    def _augment(self, module):
        """Return what changes the inputs of training batches, if anything.

        ``module`` has the buffers learnt from the data.
        """

    def _prepare_module(self, module, data_train):
        """Set buffers learnt from the data."""

    def _set_fitted(self):
        self.history_ = self.net_.history
        self.n_iter_ = len(self.history_)
        if self.lr == "auto":
            self.lr_range_ = self.net_.lr_range_
        best = dict(self.net_.callbacks_).get("best_weights")
        self.best_epoch_ = best.best_epoch_ if best else self.n_iter_
        for net in self.nets_:
            _refuse_diverged(net, self.lr)

    def __getstate__(self):
        state = super().__getstate__()
        nets = state.get("nets_")
        if nets is not None and nets[0].device != "cpu":
            state = {**state, "nets_": [_on_cpu(net) for net in nets]}
        return state


_PREFIXES = tuple(f"{prefix}__" for prefix in ("callbacks", *NESTED))


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


def _refuse_diverged(net, lr):
    n_epochs = len(net.history)
    # A callback that stops within the first epoch leaves it without a loss.
    loss = net.history[-1].get("train_loss", 0.0) if n_epochs else 0.0
    best = dict(net.callbacks_).get("best_weights")
    is_last = best is None or best.best_epoch_ in (0, n_epochs)
    is_finite = all(torch.isfinite(parameter).all() for parameter in net.module_.parameters())
    if not is_finite or (is_last and not np.isfinite(loss)):
        raise ValueError(
            f"training diverged: the loss is {loss} after {n_epochs} epochs; "
            f"use a smaller lr than {lr}."
        )


def _on_cpu(net):
    net = copy.deepcopy(net)
    net.module_.to("cpu")
    net.criterion_.to("cpu")
    net.optimizer_.load_state_dict(net.optimizer_.state_dict())
    net.device = "cpu"
    return net


def _as_dict(params):
    return params if isinstance(params, dict) else {}
