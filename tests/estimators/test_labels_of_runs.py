"""Labels that are no RUL, and rows of a run on both sides of a split."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold, KFold, cross_val_score

from skprog.estimators import CnnLstmRUL, ConformalRUL, DistributionalRUL, DummyRUL
from skprog.sequences import RunSequences

LIVES = {"a": 30, "b": 24, "c": 40, "d": 30}
RUNS = np.repeat(list(LIVES), list(LIVES.values()))
TIME = np.concatenate([60.0 * np.arange(n) for n in LIVES.values()])
RUL = np.concatenate([60.0 * np.arange(n)[::-1] for n in LIVES.values()])
WINDOWS = np.random.default_rng(0).standard_normal((len(RUNS), 4))
SHORT = {"max_epochs": 1, "device": "cpu", "random_state": 0}
MODELS = {
    "network": CnnLstmRUL(lstm_units=3, dense_units=(3,), **SHORT),
    "trees": DistributionalRUL(RandomForestClassifier(2, random_state=0), n_bins=3),
    "dummy": DummyRUL(),
    "conformal": ConformalRUL(DummyRUL(), coverage=0.5),
}
EACH = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def sequences(**params):
    """Return the sequences of four runs of one window a minute."""
    return RunSequences.from_runs(WINDOWS, RUNS, **{"n_steps": 3, "time": TIME, **params})


@EACH
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (RUL / 60, "y falls by 29 within run a while time rises by 1740 s"),
        (TIME, "y rises within run a, from 0 to 60 s"),
        (np.log1p(RUL), "falls by 7.46"),
    ],
    ids=["minutes", "age", "transformed"],
)
def test_labels_that_are_no_rul_are_refused(model, labels, message):
    with pytest.raises(ValueError, match=message):
        clone(model).fit(sequences(), labels)


@EACH
def test_three_lives_under_one_tag_are_refused(model):
    X = RunSequences.from_runs(WINDOWS, np.zeros(len(RUNS)), n_steps=3)
    message = r"rises within run 0.0, from 0 to 1380 s, .* id of its own"
    with pytest.raises(ValueError, match=message):
        clone(model).fit(X, RUL)


@EACH
@pytest.mark.parametrize("rows", [slice(None), slice(None, None, 7), slice(None, None, -1)])
def test_labels_that_are_rul_pass(model, rows):
    X = sequences()
    for labels in (RUL, np.minimum(RUL, 600.0), RUL + 60, RUL + 9999):
        clone(model).fit(X[rows], labels[rows])


def test_labels_go_by_running_time():
    time = TIME + 1e6 * (TIME > 600)
    X = sequences(time=time, max_gap=600)
    # A step that holds a stop is no running time.
    rul = np.concatenate([age[-1] - age for age in np.split(X.age, np.cumsum([30, 24, 40]))])
    assert DummyRUL().fit(X, rul).mean_life_ == 60 * np.mean([28, 22, 38, 28])
    calendar = np.concatenate([t[-1] - t for t in np.split(time, np.cumsum([30, 24, 40]))])
    with pytest.raises(ValueError, match="max_gap= to from_runs where the machine stood still"):
        DummyRUL().fit(X, calendar)


HOLES = "rows of run . are missing in between; .* GroupKFold"


@EACH
def test_rows_of_a_run_on_both_sides_of_a_split_are_warned_of(model):
    X = sequences()
    for cv in (KFold(4, shuffle=True, random_state=0), KFold(7)):
        with pytest.warns(UserWarning, match=HOLES):
            cross_val_score(clone(model), X, RUL, cv=cv)


@EACH
def test_whole_runs_thinned_or_cut_are_none_of_that(model):
    X = sequences()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folds = GroupKFold(2).split(X, RUL, X.runs)
        cross_val_score(clone(model), X, RUL, cv=folds, error_score="raise")
        for rows in (slice(None, None, 5), X.runs == "c", X.age > 300, X.age < 900):
            if len(np.unique(X.runs[rows])) > 1 or model is not MODELS["conformal"]:
                clone(model).fit(X[rows], RUL[rows])
        stopped = sequences(time=TIME + 1e6 * (TIME > 600), max_gap=600, pad=False)
        clone(model).fit(stopped, RUL[stopped.ends])
