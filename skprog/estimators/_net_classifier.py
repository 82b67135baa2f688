"""What the torch classifiers share: fit on labels, probabilities, cases held out."""

import copy
import inspect
from numbers import Real
from typing import ClassVar

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from .._checks import check_integer, check_option, check_rows, is_sequences, is_vector
from .._training import ArrayData, ClassifierNet, predict_rows
from ..callbacks import F1Annealing
from ..losses import (
    ClassBalancedLoss,
    ClassCostLoss,
)
from ._criteria import LOSSES, accepted_params, check_criterion
from ._labels import check_labels
from ._modules import ProbabilityModule
from ._net_estimator import NetEstimator


class NetClassifier(ClassifierMixin, NetEstimator):
    """Train one or several skorch nets to tell classes.

    A subclass has ``module_and_params()`` and ``_check_shape(X)``, or ``_check_cases(X, reset)`` in
    place of it, and says by ``_cases(X)`` what the network is given.
    """

    _learnt: ClassVar = {
        "classes_": lambda value: is_vector(value, least=2),
        "_class_weight": lambda value: (
            value is None or (isinstance(value, np.ndarray) and value.dtype.kind == "f")
        ),
    }

    def fit(self, X, y, **fit_params):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_cases, ...)
            Cases.
        y : array-like of shape (n_cases,)
            Class of each case, of any type of label.
        **fit_params
            None is taken; ``sample_weight`` is refused in favour of ``class_weight``.

        Returns
        -------
        self
            The estimator, fitted.

        Raises
        ------
        ValueError
            If a hyperparameter is out of range, ``X`` or ``y`` is empty, of a wrong shape or not
            finite, there is one class only, the cases are too small for the network, a class has
            too few cases to hold one out, the loss diverges, or the checkpoint is damaged or of
            another fit. What was fitted before stays.
        TypeError
            If a hyperparameter has the wrong type or ``sample_weight`` is given.

        Warns
        -----
        UserWarning
            If series have more channels than timepoints.
        """
        self._refuse_fit_params(fit_params)
        fresh = not (self.warm_start and hasattr(self, "nets_"))
        return self._fit(X, y, epochs=self.max_epochs, fresh=fresh)

    def partial_fit(self, X, y, classes=None, **fit_params):
        """Train one more epoch, on a network made anew if there is none.

        Class counts, weights and scaling stay those of the first call.

        Parameters
        ----------
        X : array-like of shape (n_cases, ...)
            Cases.
        y : array-like of shape (n_cases,)
            Class of each case.
        classes : array-like of shape (n_classes,), default=None
            All classes to come, needed at the first call when ``y`` lacks some.
        **fit_params
            None is taken.

        Returns
        -------
        self
            The estimator, trained.

        Raises
        ------
        ValueError
            As for ``fit``; also if ``y`` has a class that was not there at first, or a class has
            no case at first and is to be weighed by its number.
        TypeError
            If a hyperparameter has the wrong type or ``sample_weight`` is given.
        """
        self._refuse_fit_params(fit_params)
        return self._fit_one_epoch(X, y, classes=classes)

    def predict(self, X):
        """Predict the class.

        Parameters
        ----------
        X : array-like of shape (n_cases, ...)
            Cases of the shape fitted.

        Returns
        -------
        ndarray of shape (n_cases,)
            Most probable class of each case.

        Raises
        ------
        ValueError
            If cases have another shape than in ``fit``, are empty, or hold NaN or infinity.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_proba(self, X):
        """Predict the probability of each class, the mean over the networks.

        Parameters
        ----------
        X : array-like of shape (n_cases, ...)
            Cases of the shape fitted.

        Returns
        -------
        ndarray of shape (n_cases, n_classes)
            Softmax of the networks' logits, in the order of ``classes_``.

        Raises
        ------
        ValueError
            If cases have another shape than in ``fit``, are empty, or hold NaN or infinity.
        """
        check_is_fitted(self)
        logits = self._logits(self._check_cases(X, reset=False))
        return np.mean([softmax(each, axis=1) for each in logits], axis=0)

    def to_module(self):
        """Return a torch module from cases (n_cases, ...) to probabilities, as predict_proba."""
        networks = [copy.deepcopy(net.module_) for net in self.nets_]
        return ProbabilityModule(networks, add_channel=len(self.shape_in_) == 1)

    def _logits(self, X):
        """Return the logits of each network, (n_cases, n_classes)."""
        cases = self._cases(X)
        return [predict_rows(net, cases) for net in self.nets_]

    def _refuse_fit_params(self, fit_params):
        for name in fit_params:
            way_out = "; weigh classes by class_weight" if name == "sample_weight" else ""
            raise TypeError(f"{type(self).__name__} takes no {name} in fit{way_out}.")

    def check_params(self):
        """Refuse parameters that are out of range or of the wrong type."""
        super().check_params()
        check_integer("n_networks", self.n_networks)
        if not inspect.isclass(self.loss) or not issubclass(self.loss, torch.nn.Module):
            check_option("loss", self.loss, tuple(LOSSES))
        if not isinstance(self.loss_params, dict | None):
            raise TypeError(f"loss_params={self.loss_params!r} must be a dict or None.")
        if not isinstance(self.class_weight, dict | str | None):
            raise TypeError(
                f"class_weight={self.class_weight!r} must be a dict from class to weight, "
                "'balanced' or None."
            )
        if not isinstance(self.class_weight, dict):
            check_option("class_weight", self.class_weight, (None, "balanced"))
        elif not all(isinstance(w, Real) and 0 <= w < np.inf for w in self.class_weight.values()):
            raise ValueError(
                f"class_weight={self.class_weight} must hold finite numbers of at least 0."
            )

    def _check_fit(self, X, y, reset, classes=None):
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        if is_sequences(X):
            raise ValueError(
                f"{type(self).__name__} takes arrays of cases; pass X.windows[X.ends] of these "
                "sequences."
            )
        X = self._check_cases(X, reset=reset)
        y = check_labels("y", y)
        if len(y) != len(X):
            raise ValueError(
                f"y has {len(y)} labels but X has {len(X)} cases; give one label per case."
            )
        check_classification_targets(y)
        if reset:
            self.classes_ = np.unique(y if classes is None else check_labels("classes", classes))
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"classes={classes} differ from those of the first fit, {self.classes_}; fit anew."
            )
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y has the class {unknown.tolist()[0]!r}, which is unknown at fit, where the "
                f"classes were {self.classes_}; name all classes at the first partial_fit or fit "
                "anew."
            )
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has only one class, {self.classes_.tolist()[0]!r}; at least 2 are needed to "
                "tell apart."
            )
        return X, np.searchsorted(self.classes_, y)

    def _check_cases(self, X, *, reset):
        X = check_rows(self, X, reset=reset)
        if reset:
            self._check_shape(X)
        return X

    def _split(self, X, y):
        if self.validation_fraction is None:
            return (X, y), None
        order = torch.randperm(len(y)).numpy()
        is_valid = np.zeros(len(y), dtype=bool)
        for c, label in enumerate(self.classes_.tolist()):
            members = order[y[order] == c]
            if len(members) == 1:
                raise ValueError(
                    f"class {label!r} has 1 case, so that none can be held out; give at least 2 "
                    "of each class or set validation_fraction=None."
                )
            # At least one on each side, which StratifiedShuffleSplit does not see to.
            n_valid = np.clip(round(self.validation_fraction * len(members)), 1, len(members) - 1)
            is_valid[members[:n_valid]] = len(members) > 0
        train, valid = np.flatnonzero(~is_valid), np.flatnonzero(is_valid)
        return (X[train], y[train]), (X[valid], y[valid])

    def _learn(self, X, y):
        weight = self.class_weight
        if isinstance(weight, dict):
            unknown = [name for name in weight if name not in self.classes_]
            if unknown:
                raise ValueError(
                    f"class_weight names {unknown[0]!r}, which is none of {self.classes_}."
                )
            # By label as it is: tolist would turn a date of NumPy into one of Python.
            self._class_weight = np.array([weight.get(label, 1.0) for label in self.classes_])
        elif weight == "balanced":
            present = np.unique(y)
            self._class_weight = np.zeros(len(self.classes_))
            self._class_weight[present] = compute_class_weight("balanced", classes=present, y=y)
        else:
            self._class_weight = None

    def _data(self, X, y):
        return ArrayData(self._cases(X), y)

    def net_and_params(self):
        """Return the class of the net and its own parameters."""
        return ClassifierNet, {"n_classes": len(self.classes_)}

    def _criterion(self, data_train):
        loss, given = (self.loss, {}) if inspect.isclass(self.loss) else LOSSES[self.loss]
        accepted = accepted_params(loss)
        if self._class_weight is not None and "weight" in (self.loss_params or {}):
            raise ValueError("class_weight and loss_params['weight'] say the same; give one.")
        params = dict(given)
        counts = np.bincount(data_train.y, minlength=len(self.classes_))
        by_count = self.class_weight == "balanced" or loss in (ClassBalancedLoss, ClassCostLoss)
        if by_count and counts.min() == 0:
            raise ValueError(
                f"class {self.classes_.tolist()[counts.argmin()]!r} has no case at first, so that "
                f"loss={self.loss!r} with class_weight={self.class_weight!r} cannot weigh it by "
                "its number; give some of each class first or set class_weight to a dict."
            )
        if "class_counts" in accepted:
            params["class_counts"] = counts
        if self._class_weight is not None:
            if "class_weight" in accepted:
                params["class_weight"] = self._class_weight
            elif "weight" in accepted:
                params["weight"] = torch.from_numpy(self._class_weight.astype(np.float32))
            else:
                raise ValueError(
                    f"{loss.__name__} takes no class_weight; use one of {', '.join(LOSSES)}."
                )
        free = sorted(accepted - {"class_counts", "class_weight", *given})
        unknown = sorted(set(self.loss_params or {}) - set(free))
        if unknown:
            raise ValueError(
                f"loss_params has {unknown[0]!r}, which is not open to choice with "
                f"loss={self.loss!r}; open are {', '.join(free) or 'none'}."
            )
        params |= self.loss_params or {}
        if inspect.isclass(self.loss):
            check_criterion(loss(**params), len(self.classes_))
        return loss, params

    def _own_callbacks(self):
        loss = self.loss if inspect.isclass(self.loss) else LOSSES[self.loss][0]
        return [("f1_annealing", F1Annealing())] if hasattr(loss, "anneal") else []
