"""Parameters that changed since a fit."""

import numpy as np


def check_same_params(estimator):
    """Refuse parameters set since fit, which kept them as ``_fitted_params``."""
    for name, fitted in estimator._fitted_params.items():
        value = getattr(estimator, name)
        if value is not fitted and not np.array_equal(value, fitted):
            raise ValueError(
                f"{name}={value!r} but {type(estimator).__name__} was fitted with "
                f"{name}={fitted!r}; fit again."
            )
