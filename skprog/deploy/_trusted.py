"""What a file may name, and under which name. Nothing is ever imported by a name from a file."""

import skorch.callbacks
import torch
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, LeaveOneGroupOut
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    LabelEncoder,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)
from skorch.utils import noop, to_numpy

from .. import callbacks, estimators, losses, networks, preprocessing


def _named(package, values):
    return {f"{package}.{value.__name__}": value for value in values}


def _public(module):
    return [getattr(module, name) for name in module.__all__]


ESTIMATORS = {
    **_named("skprog.estimators", _public(estimators)),
    **_named("skprog.preprocessing", _public(preprocessing)),
    **_named("sklearn.compose", (ColumnTransformer, TransformedTargetRegressor)),
    **_named("sklearn.decomposition", (PCA,)),
    **_named(
        "sklearn.ensemble",
        (
            ExtraTreesClassifier,
            ExtraTreesRegressor,
            RandomForestClassifier,
            RandomForestRegressor,
            VotingClassifier,
            VotingRegressor,
        ),
    ),
    **_named("sklearn.feature_selection", (VarianceThreshold,)),
    **_named("sklearn.impute", (SimpleImputer,)),
    **_named("sklearn.pipeline", (FeatureUnion, Pipeline)),
    **_named(
        "sklearn.tree",
        (
            DecisionTreeClassifier,
            DecisionTreeRegressor,
            ExtraTreeClassifier,
            ExtraTreeRegressor,
        ),
    ),
    **_named(
        "sklearn.preprocessing",
        (
            FunctionTransformer,
            LabelEncoder,
            MaxAbsScaler,
            MinMaxScaler,
            Normalizer,
            PolynomialFeatures,
            PowerTransformer,
            QuantileTransformer,
            RobustScaler,
            StandardScaler,
        ),
    ),
}
# Without those that read or write other files.
CALLBACKS = {
    # All but the one that opens a file of pickles.
    **_named(
        "skprog.callbacks",
        [
            value
            for value in _public(callbacks)
            if isinstance(value, type) and value is not callbacks.FitCheckpoint
        ],
    ),
    **_named(
        "skorch.callbacks",
        (
            skorch.callbacks.EarlyStopping,
            skorch.callbacks.EpochScoring,
            skorch.callbacks.GradientNormClipping,
            skorch.callbacks.LRScheduler,
        ),
    ),
}
# What deals runs to folds, ``cv`` of a ConformalRUL.
SPLITTERS = _named("sklearn.model_selection", (GroupKFold, GroupShuffleSplit, LeaveOneGroupOut))
# Classes and functions that are values of parameters.
OBJECTS = {
    **_named("skprog.networks", _public(networks)),
    **_named("skprog.losses", [value for value in _public(losses) if isinstance(value, type)]),
    **_named("torch.nn", (torch.nn.CrossEntropyLoss, torch.nn.MultiMarginLoss)),
    **_named(
        "torch.optim",
        (
            torch.optim.Adadelta,
            torch.optim.Adagrad,
            torch.optim.Adam,
            torch.optim.Adamax,
            torch.optim.AdamW,
            torch.optim.ASGD,
            torch.optim.NAdam,
            torch.optim.RAdam,
            torch.optim.RMSprop,
            torch.optim.Rprop,
            torch.optim.SGD,
        ),
    ),
    **_named(
        "torch.optim.lr_scheduler",
        (
            torch.optim.lr_scheduler.CosineAnnealingLR,
            torch.optim.lr_scheduler.CyclicLR,
            torch.optim.lr_scheduler.ExponentialLR,
            torch.optim.lr_scheduler.MultiStepLR,
            torch.optim.lr_scheduler.OneCycleLR,
            torch.optim.lr_scheduler.ReduceLROnPlateau,
            torch.optim.lr_scheduler.StepLR,
        ),
    ),
    # What skorch's callbacks have for defaults.
    **_named("skorch.utils", (noop, to_numpy)),
    "print": print,
}
NAMES = {value: name for name, value in {**ESTIMATORS, **CALLBACKS, **SPLITTERS, **OBJECTS}.items()}
