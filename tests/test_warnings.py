"""Every warning names the line of the user's that led to it, through whatever stands between."""

from functools import partial

import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from skprog.callbacks import GradientAmplification
from skprog.deploy import load, save
from skprog.estimators import (
    CnnLstmRUL,
    DummyRUL,
    SEMClassifier,
    TimeSeriesClassifier,
)
from skprog.metrics import maintenance_cost, neg_maintenance_cost_scorer
from skprog.model_selection import lr_range_test
from skprog.preprocessing import WelchSpectrogram
from skprog.sequences import RunSequences

RNG = np.random.default_rng(0)
FEATURES, RUL = RNG.normal(size=(24, 6)), np.arange(24.0)[::-1]
LABELS = np.array(["a", "b"] * 12)
SERIES = RNG.normal(size=(24, 2, 30))
RUN = RunSequences.from_runs(np.zeros(10), np.zeros(10), n_steps=2, time=np.arange(10.0))
IMAGES = RNG.integers(0, 255, size=(24, 8, 8), dtype=np.uint8)
NET = CnnLstmRUL(lstm_units=4, dense_units=(3,), max_epochs=1, random_state=0)
FCN = {"network_params": {"n_filters": (3, 3, 3)}, "max_epochs": 2, "random_state": 0}


class Kill(Callback):
    """Let the units of a dense layer die."""

    def on_train_end(self, net, **kwargs):
        with torch.no_grad():
            net.module_.dense[0].bias.fill_(-1e3)


def amplified(**params):
    callback = GradientAmplification(**params)
    return TimeSeriesClassifier("fcn", callbacks=[("amplify", callback)], **FCN)


def of_other_scikit_learn(path, monkeypatch):
    save(make_pipeline(StandardScaler(), NET).fit(FEATURES, RUL), path / "a.skprog")
    monkeypatch.setattr(sklearn, "__version__", "9.9")
    load(path / "a.skprog")


def beyond_the_first_fit(*_):
    clone(NET).partial_fit(FEATURES, RUL).partial_fit(FEATURES, 2 * RUL)


PHASES = [(1, None, False, 1), (2, None, True, 2)]
DEAD = {"n_blocks": 1, "n_filters": (3,), "hidden_units": 4, "max_steps": 2, "random_state": 0}
HELD_OUT = {"validation_fraction": 0.25}
SHORT = {"n_batches": 12, "multi_epoch": True}
WARNINGS = {
    "another scikit-learn": (of_other_scikit_learn, "version"),
    "held out at random": (
        lambda *_: CnnLstmRUL(lstm_units=4, max_epochs=1, **HELD_OUT).fit(FEATURES, RUL),
        "held out at random",
    ),
    "held out at random, in parts": (
        lambda *_: CnnLstmRUL(lstm_units=4, **HELD_OUT).partial_fit(FEATURES, RUL),
        "held out at random",
    ),
    "held out at random, in a search": (
        lambda *_: GridSearchCV(
            make_pipeline(StandardScaler(), CnnLstmRUL(lstm_units=4, max_epochs=1, **HELD_OUT)),
            {"cnnlstmrul__lr": [1e-3]},
            cv=2,
        ).fit(FEATURES, RUL),
        "held out at random",
    ),
    "steps of one channel": (
        lambda *_: CnnLstmRUL(max_epochs=1).fit(RNG.normal(size=(8, 2, 84, 25)), RUL[:8]),
        "is read as 2 steps of one channel",
    ),
    "beyond the first fit": (beyond_the_first_fit, "is cut to max_life_"),
    "channels and timepoints": (
        lambda *_: TimeSeriesClassifier("fcn", **FCN).fit(SERIES.swapaxes(1, 2), LABELS),
        "more channels",
    ),
    "channels and timepoints, in parts": (
        lambda *_: TimeSeriesClassifier("fcn", **FCN).partial_fit(SERIES.swapaxes(1, 2), LABELS),
        "more channels",
    ),
    "channels and timepoints of windows": (
        lambda *_: WelchSpectrogram(nperseg=2, hop=1).fit(SERIES.swapaxes(1, 2)),
        "more channels",
    ),
    "frequencies beyond half the rate": (
        lambda *_: WelchSpectrogram(nperseg=8, hop=4, fs=100, f_max=90).fit(np.ones((2, 16))),
        "lies above half of fs=100",
    ),
    "a stop": (
        lambda *_: RunSequences.from_runs(np.zeros(4), np.zeros(4), time=[0, 1, 2, 999]),
        "pass max_gap=10 or so",
    ),
    "rows missing within a run": (
        lambda *_: DummyRUL("constant", constant=1).fit(RUN[[0, 1, 2, 5]], [9.0, 8, 7, 4]),
        "missing in between",
    ),
    "a run that ends early": (
        lambda *_: maintenance_cost([9.0, 8.0], [9.0, 8.0], max_life=10, span=1),
        "ends at a RUL of 8 s",
    ),
    "a run that ends early, in a scorer": (
        lambda *_: cross_val_score(
            DummyRUL("constant", constant=1),
            RUN,
            19.0 - np.arange(10),
            cv=[([*range(10)], [*range(10)])],
            scoring=partial(neg_maintenance_cost_scorer, max_life=10),
        ),
        "ends at a RUL of 10 s",
    ),
    "dead units": (
        lambda *_: SEMClassifier(**DEAD, callbacks=[("kill", Kill())]).fit(IMAGES, LABELS),
        "all 4 units",
    ),
    "a short range test": (
        lambda *_: lr_range_test(TimeSeriesClassifier("fcn", **FCN), SERIES, LABELS, **SHORT),
        "fewer than 20",
    ),
    "a scale-free optimizer": (
        lambda *_: amplified(schedule=PHASES).fit(SERIES, LABELS),
        "cancels a constant factor",
    ),
    "a single epoch": (
        lambda *_: amplified(schedule=PHASES).fit(SERIES, LABELS),
        "of a single epoch",
    ),
    "no amplified epoch": (
        lambda *_: amplified(schedule=[(9, None, False, 1), (12, None, True, 2)]).fit(
            SERIES, LABELS
        ),
        "amplifies none of the epochs",
    ),
    "no amplified layer": (
        lambda *_: amplified(schedule=[(3, None, True, 2)], threshold=99.0).fit(SERIES, LABELS),
        "no layer is amplified",
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WARNINGS)
def test_a_warning_names_the_file_of_the_user(name, tmp_path, monkeypatch):
    trigger, message = WARNINGS[name]
    with pytest.warns(Warning, match=message) as caught:
        trigger(tmp_path, monkeypatch)
    named = [each.filename for each in caught if message in str(each.message)]
    assert named
    assert {*named} == {__file__}
