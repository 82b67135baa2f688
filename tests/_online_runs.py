"""A run to go through window by window, and models that speak of it."""

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import VotingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skprog.decision import MaintenanceRule
from skprog.estimators import CnnLstmRUL, ConformalRUL, DummyRUL
from skprog.preprocessing import (
    AccelRotation45,
    FrequencyMaxPool,
    WelchSpectrogram,
)
from skprog.recipes import bearing_rul_pipeline
from skprog.sequences import RunSequences

N_STEPS = 5
LENGTHS = (12, 16, 20, 24)


def features():
    return AccelRotation45(), WelchSpectrogram(fs=256, nperseg=16, hop=8), FrequencyMaxPool(2)


def network(random_state=0, **params):
    settings = {
        "n_conv_layers": 1,
        "n_filters": (2,),
        "kernel_sizes": ((2, 2),),
        "strides": ((1, 1),),
        "pool_size": None,
        "lstm_units": 8,
        "dense_units": (4,),
        "lr": 1e-2,
        "max_epochs": 2,
    }
    return CnnLstmRUL(**{**settings, **params}, random_state=random_state)


def recipe(**params):
    model = bearing_rul_pipeline(fs=256, f_max=None, n_estimators=5, random_state=0)
    return model.set_params(welchspectrogram__nperseg=16, bandenergies__n_bands=2, **params)


def flat(X):
    return np.asarray(X).reshape(len(X), -1)


class Quietness(RegressorMixin, BaseEstimator):
    """RUL that falls with the largest value of the last window, NaN above 100."""

    def fit(self, X, y):
        self.max_life_ = 100.0
        self.shape_in_ = X.shape[1:]
        return self

    def predict(self, X):
        largest = flat(np.asarray(X)[:, -1]).max(axis=1)
        return np.where(largest > 100, np.nan, 100 - largest)


def make_runs(*, pad=True):
    """Return sequences of raw windows that grow louder, and their RUL in s."""
    rng = np.random.default_rng(0)
    runs = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
    age = np.concatenate([np.arange(n) / n for n in LENGTHS])
    windows = rng.standard_normal((len(runs), 2, 64)) * (0.5 + age[:, None, None])
    time = np.concatenate([10.0 * np.arange(n) for n in LENGTHS])
    rul = np.concatenate([10.0 * np.arange(n)[::-1] for n in LENGTHS])
    context = {"condition": runs % 2}
    X = RunSequences.from_runs(
        windows.astype(np.float32), runs, n_steps=N_STEPS, pad=pad, time=time, context=context
    )
    return X, rul[X.ends]


X, Y = make_runs()
IN_RUN = X.runs == 3
CONSTANT = DummyRUL("constant", constant=5).fit(X, Y)
WINDOWS, TIME = X.windows[X.ends[IN_RUN]], X.time[IN_RUN]
MODELS = {
    "network": lambda: make_pipeline(*features(), network()),
    "linear target": lambda: make_pipeline(*features(), network(target="linear")),
    "mixed precision": lambda: make_pipeline(*features(), network(amp="bf16")),
    "votes": lambda: make_pipeline(
        *features(),
        VotingRegressor(
            [("a", network(1)), ("b", network(2)), ("c", "drop"), ("d", DummyRUL())],
            weights=[1, 2, 5, 1],
        ),
    ),
    "conformal last": lambda: make_pipeline(
        *features(), ConformalRUL(network(), cv=2, coverage=0.5, random_state=0)
    ),
    "conformal first": lambda: ConformalRUL(
        make_pipeline(*features(), network()), cv=2, coverage=0.5, random_state=0
    ),
    "search": lambda: GridSearchCV(
        make_pipeline(*features(), network()), {"cnnlstmrul__lr": [1e-2]}, cv=2
    ),
    "dummy": lambda: DummyRUL(by="condition"),
    "recipe": recipe,
    "pipeline in a pipeline": lambda: make_pipeline(
        AccelRotation45(), "passthrough", make_pipeline(*features()[1:], network())
    ),
    "regressor on features": lambda: make_pipeline(
        *features()[:2],
        FunctionTransformer(lambda X: np.asarray(X).mean(axis=(1, 2, 4))),
        LinearRegression(),
    ),
}
RULE = MaintenanceRule(0.4, span=4, max_life=Y.max())


def run(online, windows=WINDOWS, time=TIME):
    return [online.update(window, t) for window, t in zip(windows, time, strict=True)]
