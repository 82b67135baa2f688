"""A wrapper that runs scikit-learn's 2-d checks through an estimator of a higher rank."""

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data


def _has(name):
    return lambda self: hasattr(self.estimator, name)


class Reshaped(MetaEstimatorMixin, BaseEstimator):
    """Tile each row of a 2-d X into a given shape and pass it on.

    Parameters
    ----------
    estimator : estimator
        Estimator of rows of that shape.
    shape : tuple of int
        Shape of a row.
    ramp : bool, default=False
        Set the second half of each row to a ramp from -3 to 3, for estimators that refuse constant
        rows or take away their mean.
    """

    def __init__(self, estimator, shape, ramp=False):
        self.estimator = estimator
        self.shape = shape
        self.ramp = ramp

    def _rows(self, X, *, reset):
        X = validate_data(self, X, reset=reset, dtype=[np.float32, np.float16])
        rows = np.stack([np.resize(row, self.shape) for row in X])
        if self.ramp:
            flat = rows.reshape(len(rows), -1)
            half = flat.shape[1] // 2
            flat[:, half:] = np.linspace(-3, 3, flat.shape[1] - half)
        return rows

    def fit(self, X, y=None, **params):
        X = self._rows(X, reset=True)
        self.estimator_ = clone(self.estimator).fit(X, y, **params)
        for name in ("classes_", "n_iter_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self

    @available_if(_has("predict"))
    def predict(self, X):
        check_is_fitted(self)
        return self.estimator_.predict(self._rows(X, reset=False))

    @available_if(_has("score"))
    def score(self, X, y):
        check_is_fitted(self)
        return self.estimator_.score(self._rows(X, reset=False), y)

    @available_if(_has("transform"))
    def transform(self, X):
        check_is_fitted(self)
        return self.estimator_.transform(self._rows(X, reset=False))

    @available_if(_has("transform"))
    def fit_transform(self, X, y=None):
        return self.fit(X, y).transform(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = self.estimator.__sklearn_tags__()
        tags.estimator_type = inner.estimator_type
        tags.target_tags = inner.target_tags
        tags.regressor_tags = inner.regressor_tags
        tags.classifier_tags = inner.classifier_tags
        tags.transformer_tags = inner.transformer_tags
        tags.non_deterministic = inner.non_deterministic
        return tags
