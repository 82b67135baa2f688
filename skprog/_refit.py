"""What a fit that fails leaves, and what others see while one runs."""

import functools
from contextlib import contextmanager


@contextmanager
def fit_aside(estimator):
    """Yield a copy to fit, which the estimator becomes once the block ends without an error.

    Until then it is as it was, for whoever predicts in another thread, and after an error, too.
    """
    aside = _copied(estimator)
    yield aside
    estimator.__dict__ = vars(aside)


def of_one_fit(method):
    """Let a method see one fit from begin to end, though another thread may end one meanwhile."""

    @functools.wraps(method)
    def see_one_fit(self, *args, **kwargs):
        return method(_copied(self), *args, **kwargs)

    return see_one_fit


def _copied(estimator):
    copied = object.__new__(type(estimator))
    vars(copied).update(vars(estimator))
    return copied
