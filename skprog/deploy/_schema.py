"""What a file may say of an estimator: what its class says it learns, and parameters in range."""

import numpy as np
from sklearn.base import is_classifier
from sklearn.ensemble._forest import BaseForest
from sklearn.model_selection import check_cv
from sklearn.tree import BaseDecisionTree
from sklearn.utils import Bunch

from .._checks import is_params, is_size, is_vector
from ..estimators import ConformalRUL, NetEstimator
from ._sklearn_trees import Tree

# What any estimator may have seen of its input, and how its output is to be wrapped.
OF_ANY = {
    "n_features_in_": is_size,
    "feature_names_in_": is_vector,
    "_sklearn_output_config": is_params,
}


def learnt_by(cls):
    """Return the attributes that a class says it learns, with a predicate of each."""
    own = [vars(parent)["_learnt"] for parent in reversed(cls.__mro__) if "_learnt" in vars(parent)]
    if not own:
        raise ValueError(f"{cls.__name__} does not say by _learnt what it learns")
    return {name: holds for learnt in own for name, holds in learnt.items()}


def check_learnt(estimator, learnt):
    """Refuse what this estimator cannot have learnt, by attribute."""
    name = type(estimator).__name__
    params = estimator.get_params(deep=False)
    for key in learnt:
        is_taken = key in params or hasattr(type(estimator), key)
        if not key.isidentifier() or key.startswith("__") or is_taken:
            raise ValueError(f"{name} learns no {key!r}")
    _check_trees(estimator, learnt)
    if type(estimator).__module__.startswith("sklearn."):
        return
    known = learnt_by(type(estimator))
    if not learnt:
        return
    for key in learnt.keys() - known.keys() - OF_ANY.keys():
        raise ValueError(f"{name} learns no {key!r}")
    for key, holds in {**OF_ANY, **known}.items():
        is_needed = key in known and not getattr(holds, "is_optional", False)
        if is_needed and key not in learnt:
            raise ValueError(f"{key} of {name} is missing")
        if key in learnt and not holds(learnt[key]):
            raise ValueError(f"{key}={learnt[key]!r} is not what {name} learns")
    if "_fitted_params" in learnt and not _same(learnt["_fitted_params"], params):
        raise ValueError(f"_fitted_params of {name} does not follow from its parameters")
    if hasattr(estimator, "check_learnt"):
        estimator.check_learnt(learnt)


def _check_trees(estimator, learnt):
    """Refuse trees that would read beyond their rows, or answer otherwise than their estimator."""
    n_features = learnt.get("n_features_in_")
    if isinstance(estimator, BaseDecisionTree) and "tree_" in learnt:
        tree = learnt["tree_"]
        if type(tree) is not Tree or tree.n_features != n_features:
            raise ValueError(f"tree_={tree!r} is none of {n_features} features")
        trees = [tree]
    elif isinstance(estimator, BaseForest) and "estimators_" in learnt:
        trees = []
        for each in learnt["estimators_"]:
            if not isinstance(each, BaseDecisionTree) or each.n_features_in_ != n_features:
                raise ValueError(f"estimators_ holds {each!r}, no tree of {n_features} features")
            trees.append(each.tree_)
    else:
        return
    n_classes = np.ones(learnt["n_outputs_"])
    if is_classifier(estimator):
        n_classes = np.atleast_1d(learnt["n_classes_"])
        classes = (
            learnt["classes_"] if isinstance(learnt["classes_"], list) else [learnt["classes_"]]
        )
        if not np.array_equal([len(each) for each in classes], n_classes):
            raise ValueError(f"classes_={classes!r} are not the {n_classes} that trees tell")
    is_alike = all(np.array_equal(tree.n_classes, n_classes) for tree in trees)
    if not is_alike or len(n_classes) != learnt["n_outputs_"]:
        raise ValueError(f"the trees of {type(estimator).__name__} answer otherwise than it says")


def check_params(estimator):
    """Refuse hyperparameters that are out of range or of the wrong type."""
    params = estimator.get_params(deep=False)
    if isinstance(estimator, NetEstimator):
        if type(params["device"]) is not str:
            raise TypeError(f"device={params['device']!r} must be a str.")
        # The device is that of the machine that fits, which need not be this one.
        amp = None if params["amp"] == "fp16" else params["amp"]
        type(estimator)(**{**params, "device": "cpu", "amp": amp}).check_params()
    elif hasattr(estimator, "check_params"):
        estimator.check_params()
        if isinstance(estimator, ConformalRUL):
            check_cv(estimator.cv)
    elif hasattr(estimator, "_parameter_constraints"):
        estimator._validate_params()


def _same(value, other):
    if isinstance(value, dict | Bunch) and isinstance(other, dict):
        return value.keys() == other.keys() and all(_same(value[k], other[k]) for k in value)
    if isinstance(value, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(value, other)
    return type(value) is type(other) and value == other
