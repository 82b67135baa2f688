import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skprog.estimators import DummyRUL
from skprog.metrics import neg_maintenance_cost_scorer
from skprog.sequences import RunSequences

LENGTHS = {"a": 4, "b": 6, "c": 11}
CONDITION = {"a": 1, "b": 1, "c": 2}


def sequences(lengths=None, *, time=True, named=True, **kwargs):
    lengths = lengths or LENGTHS
    runs = np.repeat(list(lengths), list(lengths.values()))
    age = np.concatenate([10.0 * np.arange(n) for n in lengths.values()])
    condition = np.array([CONDITION.get(run, 3) for run in runs])
    X = RunSequences.from_runs(
        np.zeros((len(runs), 2)),
        runs,
        time=age if time else None,
        context={"load": 0 * condition, "condition": condition} if named else condition,
        **{"n_steps": 2, **kwargs},
    )
    rul = np.concatenate([10.0 * np.arange(n)[::-1] for n in lengths.values()])
    return X, rul[X.ends]


def test_mean_life_is_the_mean_over_runs_not_over_windows():
    X, y = sequences()
    model = DummyRUL().fit(X, y)
    assert model.mean_life_ == np.mean([30, 50, 100])
    assert model.max_life_ == 100
    np.testing.assert_allclose(model.predict(X), np.maximum(60 - X.age, 0))


def test_a_life_is_known_from_any_of_its_windows():
    X, y = sequences()
    rows = np.r_[2, 7:9, 15]
    assert DummyRUL().fit(X[rows], y[rows]).mean_life_ == 60
    unpadded, y = sequences(pad=False, n_steps=4)
    assert DummyRUL().fit(unpadded, y).mean_life_ == 60


def test_same_condition_is_a_context_column_by_name_or_position():
    X, y = sequences()
    for by in ("condition", 1):
        model = DummyRUL(by=by).fit(X, y)
        assert model.mean_lives_ == {1.0: 40.0, 2.0: 100.0}
        predicted = model.predict(X)
        np.testing.assert_allclose(predicted[X.runs == "a"], [40, 30, 20, 10])
        np.testing.assert_allclose(predicted[X.runs == "c"], y[X.runs == "c"])


def test_an_unseen_condition_falls_back_to_the_mean_of_all():
    model = DummyRUL(by="condition").fit(*sequences())
    unseen, _ = sequences({"d": 3})
    np.testing.assert_allclose(model.predict(unseen), [60, 50, 40])


def test_predictions_are_never_negative():
    model = DummyRUL().fit(*sequences())
    assert model.predict(sequences({"d": 50})[0]).min() == 0


def test_constant_is_predicted_everywhere():
    X, y = sequences(time=False)
    predicted = DummyRUL("constant", constant=5000).fit(X, y).predict(X)
    assert predicted.dtype == np.float64
    assert (predicted == 5000).all()


@pytest.mark.parametrize("ndim", [2, 3, 4, 5])
def test_rows_of_a_plain_array_are_runs_of_age_zero(ndim):
    X = np.zeros((4, *range(3, ndim + 2)), dtype=np.float16)
    predicted = DummyRUL().fit(X, [0, 10, 20, 50]).predict(X)
    assert predicted.tolist() == [20.0] * 4


def test_baseline_goes_through_cross_validation_and_search():
    X, y = sequences()
    predicted = cross_val_predict(DummyRUL(), X, y, groups=X.runs, cv=GroupKFold(3))
    np.testing.assert_allclose(predicted[X.runs == "a"], 75 - X.age[X.runs == "a"])
    search = GridSearchCV(
        make_pipeline(FunctionTransformer(), DummyRUL()),
        {"dummyrul__by": [None, "condition"]},
        cv=GroupKFold(3),
        scoring=neg_maintenance_cost_scorer,
    )
    assert search.fit(X, y, groups=X.runs).best_score_ <= 0


def test_clone_forgets_and_pickle_remembers():
    X, y = sequences()
    model = DummyRUL(by="condition").fit(X, y)
    assert not hasattr(clone(model), "mean_life_")
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(X), model.predict(X))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (DummyRUL("mean"), "strategy='mean' is not one of 'mean_life', 'constant'"),
        (DummyRUL("constant"), "set constant=5000"),
        (DummyRUL("constant", constant=-1), "constant=-1 must be finite and at least 0"),
        (DummyRUL(by="speed"), "by='speed' is no column of X.context, .* named 'load', 'cond"),
        (DummyRUL(by=2), "by=2 is no column of X.context, which has 2 columns"),
        (DummyRUL(by=-1), "by=-1 is no column"),
    ],
)
def test_wrong_parameters_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(*sequences())


def test_a_name_for_nameless_context_is_refused():
    with pytest.raises(ValueError, match="has 1 columns without names"):
        DummyRUL(by="condition").fit(*sequences(named=False))


def test_by_needs_context():
    with pytest.raises(ValueError, match="pass context="):
        DummyRUL(by="condition").fit(np.zeros((3, 2)), [1, 2, 3])


def test_a_condition_that_varies_within_a_run_is_refused():
    X, y = sequences({"a": 3})
    X.context[1] = 7
    with pytest.raises(ValueError, match="varies within run"):
        DummyRUL(by="condition").fit(X, y)


def test_sequences_without_time_have_no_age():
    with pytest.raises(ValueError, match="pass time="):
        DummyRUL().fit(*sequences(time=False))


def test_bad_targets_are_refused():
    X, y = sequences()
    for rows in (X, np.asarray(X)):
        with pytest.raises(ValueError, match=r"Negative values in data passed as y: RUL -10\.0 s"):
            DummyRUL().fit(rows, y - 10)
        with pytest.raises(ValueError, match="NaN"):
            DummyRUL().fit(rows, np.where(y > 90, np.nan, y))
        with pytest.raises(ValueError, match="y has 20 values but X has 21 rows"):
            DummyRUL().fit(rows, y[:-1])
    with pytest.raises(ValueError, match="0 sequences"):
        DummyRUL().fit(X[:0], y[:0])


def test_rows_of_another_shape_are_refused():
    X, y = sequences()
    model = DummyRUL().fit(X, y)
    with pytest.raises(ValueError, match=r"rows of shape \(3, 2\) but DummyRUL was fitted"):
        model.predict(sequences(n_steps=3)[0])


def test_a_fit_that_fails_leaves_the_baseline_as_it_was():
    X, y = sequences()
    model = DummyRUL(by="load").fit(X, y)
    before = dict(vars(model))
    for wrong in (sequences(time=False, n_steps=3), (sequences(n_steps=3)[0], y[:-1])):
        with pytest.raises(ValueError, match=r"pass time=|y has 20 values"):
            model.fit(*wrong)
        assert vars(model) == before
    fresh = DummyRUL()
    with pytest.raises(ValueError, match="pass time="):
        fresh.fit(*sequences(time=False))
    with pytest.raises(NotFittedError):
        fresh.predict(X)


def test_parameters_set_after_fit_wait_for_the_next():
    X, y = sequences()
    model = DummyRUL().fit(X, y)
    lives = model.predict(X)
    model.set_params(strategy="constant", constant=7, by="condition")
    np.testing.assert_array_equal(model.predict(X), lives)
    assert (model.fit(X, y).predict(X) == 7).all()
    assert not hasattr(model, "mean_life_")
    assert (model.set_params(strategy="mean_life").predict(X) == 7).all()
    assert not hasattr(model.fit(X, y), "constant_")


@pytest.mark.parametrize("by", [np.array(["load"]), np.array(1), True, 1.0])
def test_by_of_another_type_is_refused(by):
    with pytest.raises(TypeError, match=r"must be the name or position of a column of X\.context"):
        DummyRUL(by=by).fit(*sequences())
