"""A digest of a fitted model, by which a state of another one is refused."""

import hashlib
import pickle
from collections.abc import Mapping

import joblib
import numpy as np
import torch
from sklearn.base import BaseEstimator

from ..estimators import NetEstimator

# How work is done and how a fit went: predictions do not depend on these.
WITHOUT_EFFECT = ("n_jobs", "verbose", "random_state", "memory", "history_", "lr_range_")


def fingerprint(model):
    """Return a digest of a fitted model: its classes, its parameters and what was learnt.

    It is the same in another process, and that of a copy by pickle or by :mod:`skprog.deploy`.
    Values that cannot be pickled, such as a lambda, count by their name only.

    Parameters
    ----------
    model : estimator
        Fitted model, of whatever nesting.
    """
    digest = hashlib.blake2b(digest_size=16)
    for fact in _facts(model):
        digest.update(fact.encode() + b"\0")
    return digest.hexdigest()


def _facts(value):
    """Yield in words what a value is made of."""
    value = getattr(value, "best_estimator_", value)
    if isinstance(value, BaseEstimator):
        yield type(value).__name__
        value = _attributes(value)
    elif isinstance(value, torch.nn.Module):
        value = value.state_dict()
    elif isinstance(value, np.generic | np.ndarray) and (
        value.ndim == 0 or value.dtype.kind == "O"
    ):
        value = value.tolist()
    if isinstance(value, Mapping):
        yield f"{len(value)} names"
        for name in sorted(value, key=str):
            yield str(name)
            yield from _facts(value[name])
    elif isinstance(value, list | tuple):
        yield f"{len(value)} values"
        for each in value:
            yield from _facts(each)
    elif value is None or isinstance(value, str | int | float):
        yield repr(value)
    else:
        yield _hash(value.cpu().numpy() if torch.is_tensor(value) else value)


def _attributes(estimator):
    """Return what an estimator predicts by, by name."""
    values = {name: each for name, each in vars(estimator).items() if name not in WITHOUT_EFFECT}
    if isinstance(estimator, NetEstimator):
        # Parameters wait for the next fit; those of the last are in ``_fitted_with``.
        params = estimator.get_params(deep=False)
        values = {name: each for name, each in values.items() if name not in params}
        values["nets_"] = [net.module_ for net in values.get("nets_", ())]
    return values


def _hash(value):
    try:
        # Memory layout and objects that are shared differ between a fit and its copy by pickle,
        # but not between that copy and further ones.
        return joblib.hash(pickle.loads(pickle.dumps(value)), coerce_mmap=True)
    except (AttributeError, TypeError, pickle.PicklingError):
        return getattr(value, "__qualname__", type(value).__qualname__)
