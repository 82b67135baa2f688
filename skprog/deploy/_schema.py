"""What estimators learn: of which kind it has to be, so that a file cannot say anything else."""

import numpy as np
from sklearn.ensemble._forest import BaseForest
from sklearn.model_selection import check_cv
from sklearn.tree import BaseDecisionTree
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from ..estimators import (
    CnnLstmRUL,
    ConformalRUL,
    DistributionalRUL,
    DummyRUL,
    NetClassifier,
    NetEstimator,
    TileClassifier,
)
from ..preprocessing import (
    AccelRotation45,
    BandEnergies,
    FrequencyMaxPool,
    PatchSelector,
    RULIndex,
    WelchSpectrogram,
)

# What input was like, and how output is to be wrapped: does not follow from parameters.
OF_INPUT = ("n_features_in_", "feature_names_in_", "_sklearn_output_config")
# Values along an axis: more would be no size but an attempt to fill the memory.
MAX_AXIS_LENGTH = 1 << 27


def _is_count(value):
    return type(value) is int and 0 <= value < MAX_AXIS_LENGTH


def _is_size(value):
    return _is_count(value) and value > 0


def _is_seconds(value):
    return type(value) is float and 0 <= value < np.inf


def _is_seed(value):
    return type(value) is int and value >= 0


def _is_shape(value):
    return type(value) is tuple and len(value) > 0 and all(map(_is_size, value))


def _is_labels(value):
    return isinstance(value, np.ndarray) and value.ndim == 1 and len(value) > 1


def _is_weights(value):
    return value is None or (isinstance(value, np.ndarray) and value.dtype.kind == "f")


def _are_texts(value):
    return type(value) is dict and all(type(text) is str for text in [*value, *value.values()])


def _is_edges(value):
    return _is_labels(value) and value.dtype == np.float64 and (np.diff(value) > 0).all()


def _are_lives(value):
    return type(value) is dict and all(map(_is_seconds, value.values()))


def _are_predictors(value):
    return type(value) is list and all(hasattr(each, "predict") for each in value)


def _are_runs(value):
    return isinstance(value, np.ndarray) and value.ndim == 1 and len(value) > 0


def _are_scores(value):
    is_floats = _are_runs(value) and value.dtype == np.float64
    return is_floats and ((value >= 0) & (value < np.inf)).all()


def _are_places(value):
    return _are_runs(value) and value.dtype.kind == "i" and (value >= 0).all()


# By class, those of its parents hold too; the attributes have to be there.
NEEDED = {
    NetEstimator: {
        "n_features_in_": _is_size,
        "shape_in_": _is_shape,
        "n_iter_": _is_count,
        "best_epoch_": _is_count,
        "_seed": _is_seed,
        "_fitted_with": _are_texts,
    },
    NetClassifier: {"classes_": _is_labels, "_class_weight": _is_weights},
    TileClassifier: {"_positive": _is_count, "_voted_with": lambda value: type(value) is dict},
    CnnLstmRUL: {
        "max_life_": _is_seconds,
        "_index": lambda value: type(value) is RULIndex,
        "_target": lambda value: value in ("rul_index", "linear"),
    },
    ConformalRUL: {
        "estimators_": _are_predictors,
        "runs_": _are_runs,
        "scores_": _are_scores,
        "folds_": _are_places,
        "rank_": _is_size,
        "guarantee_": lambda value: type(value) is float and 0 <= value < 1,
    },
    DistributionalRUL: {
        "n_features_in_": _is_size,
        "shape_in_": _is_shape,
        "max_life_": _is_seconds,
        "bin_edges_": _is_edges,
        "classifier_": lambda value: hasattr(value, "predict_proba"),
        "_n_steps": lambda value: value is None or _is_size(value),
        "_n_context": _is_count,
    },
    DummyRUL: {"n_features_in_": _is_size, "shape_in_": _is_shape, "max_life_": _is_seconds},
    AccelRotation45: {"n_timepoints_in_": _is_size},
    BandEnergies: {"n_freqs_in_": _is_size},
    FrequencyMaxPool: {"n_freqs_in_": _is_size},
    RULIndex: {"max_life_": _is_seconds},
    WelchSpectrogram: {"n_timepoints_in_": _is_size},
}
# The same, where the attributes are there.
POSSIBLE = {
    "constant_": _is_seconds,
    "feature_names_in_": lambda value: isinstance(value, np.ndarray) and value.ndim == 1,
    "mean_life_": _is_seconds,
    "mean_lives_": _are_lives,
    "n_features_in_": _is_size,
    "threshold_": lambda value: type(value) is float and 0 < value < 1,
    "_by": lambda value: type(value) in (str, int, type(None)),
}
# Input of the size seen, from which the transformer learns all it has learnt.
SIZES = {
    AccelRotation45: lambda learnt: np.zeros((1, 2, learnt["n_timepoints_in_"]), np.float16),
    BandEnergies: lambda learnt: np.zeros((1, learnt["n_freqs_in_"], 1), np.float16),
    FrequencyMaxPool: lambda learnt: np.zeros((1, learnt["n_freqs_in_"], 1), np.float16),
    RULIndex: lambda learnt: [learnt["max_life_"]],
    WelchSpectrogram: lambda learnt: np.zeros((1, 1, learnt["n_timepoints_in_"]), np.float16),
}


def check_learnt(estimator, learnt):
    """Refuse what this estimator cannot have learnt, by attribute."""
    name = type(estimator).__name__
    params = estimator.get_params(deep=False)
    for key in learnt:
        is_taken = key in params or hasattr(type(estimator), key)
        if not key.isidentifier() or key.startswith("__") or is_taken:
            raise ValueError(f"{name} learns no {key!r}")
    _check_trees(estimator, learnt)
    needed = {}
    for cls, checks in NEEDED.items():
        if isinstance(estimator, cls):
            needed |= checks
    if not type(estimator).__module__.startswith("skprog.") or not learnt:
        return
    if isinstance(estimator, DummyRUL):
        is_constant = "constant_" in learnt
        needed |= {"constant_": _is_seconds} if is_constant else {"mean_life_": _is_seconds}
        needed |= {} if is_constant else {"mean_lives_": _are_lives, "_by": POSSIBLE["_by"]}
    votes = getattr(estimator, "tiles", None) == "all" and estimator.vote == "top_k"
    for key, check in {**POSSIBLE, **needed}.items():
        if key not in learnt and (key in needed or (key == "threshold_" and votes)):
            raise ValueError(f"{key} of {name} is missing")
        if key in learnt and not check(learnt[key]):
            raise ValueError(f"{key}={learnt[key]!r} is not what {name} learns")
    if isinstance(estimator, ConformalRUL):
        _check_calibration(learnt)
    if type(estimator) in SIZES:
        _check_following(type(estimator)(**params), learnt)


def _check_trees(estimator, learnt):
    """Refuse trees that would read beyond the rows that are checked for them."""
    n_features = learnt.get("n_features_in_")
    if isinstance(estimator, BaseDecisionTree) and "tree_" in learnt:
        tree = learnt["tree_"]
        if getattr(tree, "n_features", None) != n_features:
            raise ValueError(f"tree_={tree!r} is none of {n_features} features")
    if isinstance(estimator, BaseForest) and "estimators_" in learnt:
        for tree in learnt["estimators_"]:
            if not isinstance(tree, BaseDecisionTree) or tree.n_features_in_ != n_features:
                raise ValueError(f"estimators_ holds {tree!r}, no tree of {n_features} features")


def _check_calibration(learnt):
    """Refuse scores, runs and folds that do not belong together."""
    n_runs, estimators = len(learnt["scores_"]), learnt["estimators_"]
    for key in ("runs_", "folds_"):
        if len(learnt[key]) != n_runs:
            raise ValueError(f"{key} has {len(learnt[key])} values for {n_runs} scores")
    if learnt["folds_"].max() >= len(estimators):
        raise ValueError(f"folds_ leads beyond the {len(estimators)} estimators")
    if learnt["rank_"] > n_runs:
        raise ValueError(f"rank_={learnt['rank_']} exceeds the {n_runs} scores")
    for each in estimators:
        check_is_fitted(each)


def _check_following(fresh, learnt):
    """Refuse what a transformer does not learn from input of the size it has seen."""
    before = set(vars(fresh))
    fresh.fit(SIZES[type(fresh)](learnt))
    followed = {key: value for key, value in vars(fresh).items() if key not in before}
    for key in {**followed, **learnt}:
        if key not in OF_INPUT and not _same(followed.get(key), learnt.get(key)):
            raise ValueError(f"{key} of {type(fresh).__name__} does not follow from its parameters")


def check_params(estimator):
    """Refuse hyperparameters that are out of range or of the wrong type."""
    params = estimator.get_params(deep=False)
    if isinstance(estimator, NetEstimator):
        if type(params["device"]) is not str:
            raise TypeError(f"device={params['device']!r} must be a str.")
        # The device is that of the machine that fits, which need not be this one.
        amp = None if params["amp"] == "fp16" else params["amp"]
        type(estimator)(**{**params, "device": "cpu", "amp": amp})._check_params()
    elif isinstance(estimator, ConformalRUL):
        estimator._check_params()
        check_cv(estimator.cv)
    elif hasattr(estimator, "_parameter_constraints"):
        estimator._validate_params()
    elif type(estimator) is PatchSelector:
        size = estimator.patch_size if _is_size(estimator.patch_size) else 1
        image = np.zeros((1, size, size + 1), np.uint8)
        image[0, 0, 0] = 1
        estimator.fit(image)


def _same(value, other):
    if isinstance(value, dict | Bunch) and isinstance(other, dict):
        return value.keys() == other.keys() and all(_same(value[k], other[k]) for k in value)
    if isinstance(value, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(value, other)
    return type(value) is type(other) and value == other
