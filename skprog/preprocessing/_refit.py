"""What a fit that fails leaves, and parameters that changed since a fit."""

from contextlib import contextmanager

import numpy as np


@contextmanager
def keep_earlier_fit(estimator):
    """Give an estimator back all it knew if the block ends in an error."""
    known = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(known)
        raise


def check_same_params(estimator):
    """Refuse parameters set since fit, which kept them as ``_fitted_params``."""
    for name, fitted in estimator._fitted_params.items():
        value = getattr(estimator, name)
        if value is not fitted and not np.array_equal(value, fitted):
            raise ValueError(
                f"{name}={value!r} but {type(estimator).__name__} was fitted with "
                f"{name}={fitted!r}; fit again."
            )
