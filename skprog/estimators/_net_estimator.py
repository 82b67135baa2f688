"""What all torch estimators share: a skorch net built inside ``fit`` and kept as ``net_``."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from sklearn.base import BaseEstimator, clone
from skorch.callbacks import Callback

from .._checks import is_count, is_params, is_shape, is_size, warn
from .._refit import fit_aside
from .._training import (
    FREE_TO_CHANGE,
    Settings,
    Task,
    TrainingNet,
    build_net,
    checkpoint_of,
    continue_nets,
    draw_seed,
    fit_nets,
    forked_generator,
    named_callbacks,
)

if TYPE_CHECKING:
    from typing import Any, Self

    from numpy.typing import ArrayLike

    from ..sequences import RunSequences

# Prefixes of nested parameters, and the dict that holds them.
NESTED = {"net_params": "net_params", "loss_params": "loss_params", "network": "network_params"}
# What may change between a fit and one that goes on from it.
FREE_WHEN_CONTINUED = (*FREE_TO_CHANGE, "random_state", "warm_start")


class NetEstimator(BaseEstimator):
    """Train skorch nets in ``fit``; a subclass says which network, loss and data.

    A subclass has, in the order of a fit, ``_check_fit(X, y, reset)``, which returns rows, targets
    and groups and keeps what they tell, ``_hold_out(X, y, groups)``, ``_data(X, y)``,
    ``module_and_params()`` and ``_criterion(train)``, and may complete the ``_task(train, valid)``.
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
    def net_(self) -> TrainingNet:
        """Net that was trained first."""
        return self.nets_[0]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
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

    def set_params(self, **params: Any) -> Self:
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

    def partial_fit(self, X: ArrayLike, y: ArrayLike) -> Self:
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
        return self._fit(X, y, one_epoch=True, **declared)

    def _fit(self, X, y, *, one_epoch=False, **declared):
        self.check_params()
        settings = Settings.of(self)
        if one_epoch:
            settings = replace(settings, max_epochs=1, max_steps=None)
        goes_on = hasattr(self, "nets_") and (one_epoch or self.warm_start)
        if goes_on:
            self._refuse_changes()
        with fit_aside(self) as aside:
            rows, y, groups = aside._check_fit(X, y, reset=not goes_on, **declared)
            aside._train(rows, y, groups, settings, goes_on=goes_on)
        return self

    def _train(self, X, y, groups, settings, *, goes_on):
        checkpoint = None
        if not goes_on:
            if self.checkpoint is not None:
                data = (X, y) if groups is None else (X, y, groups)
                checkpoint = checkpoint_of(self.checkpoint, self.get_params(deep=False), data)
            self._seed = checkpoint.seed if checkpoint else draw_seed(self.random_state)
            self._fitted_with = self._lasting_params()
        train, valid = self._split(X, y, groups)
        data = self._data(*train), None if valid is None else self._data(*valid)
        if goes_on:
            self.nets_ = continue_nets(self.nets_, *data, settings, self._seed)
        else:
            self.nets_ = fit_nets(self._task(*data), settings, self._seed, checkpoint)
        self.history_ = self.net_.history
        self.n_iter_ = len(self.history_)
        vars(self).pop("lr_range_", None)
        if self.lr == "auto":
            self.lr_range_ = self.net_.lr_range_
        best = dict(self.net_.callbacks_).get("best_weights")
        self.best_epoch_ = best.best_epoch_ if best else self.n_iter_
        self._finish(*(train if valid is None else valid))

    def _split(self, X, y, groups):
        """Return pairs (rows, targets) to train on and, or None, to validate on."""
        if self.validation_fraction is None:
            return (X, y), None
        # A generator of its own, so that rows held out stay so when training goes on.
        with forked_generator(self._seed, 0, 1):
            train, valid, note = self._hold_out(X, y, groups)
        if note is not None:
            warn(note)
        return (X[train], y[train]), (X[valid], y[valid])

    def untrained_net(self, X: RunSequences | ArrayLike, y: ArrayLike) -> tuple[TrainingNet, Any]:
        """Return the net that ``fit`` would train first, and its training data."""
        self.check_params()
        X, y, groups = self._check_fit(X, y, reset=True)
        self._seed = draw_seed(self.random_state)
        train, _ = self._split(X, y, groups)
        task = self._task(self._data(*train), None)
        with forked_generator(self._seed, 0, 0, 0):
            return build_net(task, Settings.of(self)), task.train

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

    def check_params(self) -> None:
        """Refuse parameters that are out of range or of the wrong type."""
        Settings.of(self).check(own=self.get_params(deep=False))

    def net_and_params(self) -> tuple[type[TrainingNet], dict[str, Any]]:
        """Return the class of the net and its own parameters."""
        return TrainingNet, {}

    def _task(self, train, valid):
        """Return what there is to learn from data to train and to validate on."""
        module, module_params = self.module_and_params()
        net, net_params = self.net_and_params()
        criterion, criterion_params = self._criterion(train)
        return Task(
            name=type(self).__name__,
            module=module,
            module_params=module_params,
            criterion=criterion,
            criterion_params=criterion_params,
            train=train,
            valid=valid,
            net=net,
            net_params=net_params,
            callbacks=(*self._own_callbacks(), *named_callbacks(self.callbacks)),
        )

    def _own_callbacks(self):
        return []

    def _finish(self, X, y):
        """Learn from the rows held out, or of all where none were, what the nets leave open."""

    def __getstate__(self):
        state = super().__getstate__()
        nets = state.get("nets_")
        if nets is not None and nets[0].device != "cpu":
            state = {**state, "nets_": [_on_cpu(net) for net in nets]}
        return state


_PREFIXES = tuple(f"{prefix}__" for prefix in ("callbacks", *NESTED))


def _on_cpu(net):
    net = copy.deepcopy(net)
    net.module_.to("cpu")
    net.criterion_.to("cpu")
    net.optimizer_.load_state_dict(net.optimizer_.state_dict())
    net.device = "cpu"
    return net


def _as_dict(params):
    return params if isinstance(params, dict) else {}
