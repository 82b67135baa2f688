"""What the torch classifiers share: fit on labels, probabilities, cases held out."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from .._checks import check_rows, is_sequences, is_vector
from .._refit import of_one_fit
from .._training import ArrayData, ClassifierNet, by_class, predict_rows
from ..callbacks import F1Annealing
from ._criteria import check_loss, criterion_and_params, loss_class
from ._labels import check_class_weight, check_labels, class_weights
from ._modules import ProbabilityModule
from ._net_estimator import NetEstimator

if TYPE_CHECKING:
    from typing import Any, Self

    from numpy.typing import ArrayLike
    from torch import nn

    from .._training import TrainingNet


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

    def fit(self, X: ArrayLike, y: ArrayLike, **fit_params: Any) -> Self:
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
        return self._fit(X, y)

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None, **fit_params: Any
    ) -> Self:
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

    @of_one_fit
    def predict(self, X: ArrayLike) -> np.ndarray:
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

    @of_one_fit
    def predict_proba(self, X: ArrayLike) -> np.ndarray:
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

    @of_one_fit
    def to_module(self) -> nn.Module:
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

    def check_params(self) -> None:
        """Refuse parameters that are out of range or of the wrong type."""
        super().check_params()
        check_loss(self.loss, self.loss_params)
        check_class_weight(self.class_weight)

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
        y = np.searchsorted(self.classes_, y)
        if reset:
            self._class_weight = class_weights(self.class_weight, self.classes_, self._labels(X, y))
        return X, y, None

    def _check_cases(self, X, *, reset):
        X = check_rows(self, X, reset=reset)
        if reset:
            self._check_shape(X)
        return X

    def _hold_out(self, X, y, groups):
        return by_class(y, self.classes_, self.validation_fraction)

    def _data(self, X, y):
        return ArrayData(self._cases(X), self._labels(X, y))

    def _labels(self, X, y):
        """Return the class of each of ``_cases(X)``."""
        return y

    def net_and_params(self) -> tuple[type[TrainingNet], dict[str, Any]]:
        """Return the class of the net and its own parameters."""
        return ClassifierNet, {"n_classes": len(self.classes_)}

    def _criterion(self, train):
        return criterion_and_params(
            self.loss,
            self.loss_params,
            classes=self.classes_,
            counts=np.bincount(train.y, minlength=len(self.classes_)),
            class_weight=self.class_weight,
            weights=self._class_weight,
        )

    def _own_callbacks(self):
        is_annealed = hasattr(loss_class(self.loss), "anneal")
        return [("f1_annealing", F1Annealing())] if is_annealed else []
