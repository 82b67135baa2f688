"""One unit, window by window: equal to a batch, and what it takes."""

import gc
import logging
import tracemalloc
from itertools import islice

import numpy as np
import pytest
from _online_runs import (
    IN_RUN,
    MODELS,
    N_STEPS,
    RULE,
    TIME,
    WINDOWS,
    X,
    Y,
    features,
    network,
    recipe,
    run,
)
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skprog.decision import MaintenanceRule
from skprog.estimators import ConformalRUL, DummyRUL
from skprog.online import OnlineRUL
from skprog.sequences import RunSequences


@pytest.mark.parametrize("pad", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_online_equals_batch(fitted, name, pad):
    model = fitted(name)
    n_steps = N_STEPS if name == "regressor on features" else None
    online = OnlineRUL(model, RULE, pad=pad, n_steps=n_steps, context={"condition": 1})
    updates = run(online)
    first = 0 if pad else N_STEPS - 1
    rul = np.array([update.rul for update in updates])
    batch = model.predict(X[IN_RUN][first:])
    np.testing.assert_allclose(rul[first:], batch, rtol=0, atol=1e-6 * Y.max())
    decisions = [update.decision for update in updates]
    assert decisions[first:] == RULE.decide(batch).tolist()
    assert np.isnan(rul[:first]).all()
    assert not any(decisions[:first])
    if "conformal" in name:
        batch = (model if name == "conformal first" else model[-1]).predict_interval(
            X[IN_RUN][first:]
            if name == "conformal first"
            else model[:-1].transform(X[IN_RUN])[first:]
        )
        intervals = [update.interval for update in updates[first:]]
        np.testing.assert_allclose(intervals, batch, rtol=0, atol=1e-6 * Y.max())
        assert all(update.interval is None for update in updates[:first])
    else:
        assert all(update.interval is None for update in updates)


def test_the_rule_decides_at_some_window_and_keeps_to_it():
    decisions = [update.decision for update in run(OnlineRUL(DummyRUL().fit(X, Y), RULE))]
    assert not decisions[0]
    assert decisions[-1]
    assert decisions == sorted(decisions)


@pytest.mark.parametrize("span", [1, 3.5, 30])
def test_ema_replaces_the_span_of_the_rule(fitted, span):
    model = fitted("dummy")
    updates = run(OnlineRUL(model, RULE, ema=span, context={"condition": 1}))
    rule = MaintenanceRule(0.4, span=span, max_life=Y.max())
    assert [u.decision for u in updates] == rule.decide(model.predict(X[IN_RUN])).tolist()


def test_max_life_comes_from_the_pipeline(fitted):
    model = fitted("network")
    updates = run(OnlineRUL(model, MaintenanceRule(0.4, span=4)))
    assert [u.decision for u in updates] == [u.decision for u in run(OnlineRUL(model, RULE))]


def test_reset_begins_a_new_run(fitted):
    online = OnlineRUL(fitted("votes"), RULE)
    first = run(online)
    assert run(online.reset()) == first
    dummy = OnlineRUL(fitted("dummy"), RULE, context={"condition": 1})
    first = run(dummy)
    assert run(dummy.reset()) == first
    assert run(dummy.reset(context={"condition": 0})) != first


def test_without_time_the_result_is_the_same(fitted):
    online = OnlineRUL(fitted("network"), RULE)
    assert run(online, time=[None] * len(WINDOWS)) == run(OnlineRUL(fitted("network"), RULE))


def test_integers_and_float64_are_taken(fitted):
    counts = (100 * WINDOWS).round()
    expected = run(OnlineRUL(fitted("network")), counts.astype(np.float32))
    assert run(OnlineRUL(fitted("network")), counts.astype(np.int16)) == expected
    # Differences are taken in float64 then, as in a batch.
    found = run(OnlineRUL(fitted("network")), counts.astype(np.float64).tolist())
    assert run(OnlineRUL(fitted("network")), counts.astype(np.int64)) == found
    batch = RunSequences.from_runs(
        counts.astype(np.float64), np.zeros(len(counts)), n_steps=N_STEPS, time=TIME
    )
    for rul in (fitted("network").predict(batch), [each.rul for each in expected]):
        np.testing.assert_allclose([each.rul for each in found], rul, rtol=1e-4)


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"rule": 0.1}, TypeError, "rule=0.1 must be a MaintenanceRule"),
        ({"rule": MaintenanceRule(span=0)}, ValueError, "rule.span=0 must be"),
        ({"rule": MaintenanceRule(2)}, ValueError, "rule.threshold=2 must be"),
        ({"rule": MaintenanceRule(max_life=-1)}, ValueError, "max_life=-1 must be"),
        ({"ema": 0.5}, ValueError, "ema=0.5 must be finite and at least 1"),
        ({"ema": "30"}, TypeError, "ema='30' must be a number"),
        ({"pad": "no"}, ValueError, "pad='no' is not one of"),
        ({"n_steps": 0}, ValueError, "n_steps=0 must be at least 1"),
        ({"n_steps": 2.0}, TypeError, "n_steps=2.0 must be an integer"),
        ({"n_steps": 7}, ValueError, r"n_steps=7 but the estimators inside and it name \[5, 7\]"),
        ({"period": 0}, ValueError, "period=0 must be finite and above 0"),
        ({"context": [1]}, TypeError, r"context=\[1\] must be a dict"),
        ({"context": {"load": "high"}}, TypeError, "context load='high' must be a number"),
    ],
)
def test_bad_settings_are_refused(fitted, params, error, match):
    with pytest.raises(error, match=match):
        OnlineRUL(fitted("network"), **params)


def test_an_unfitted_pipeline_is_refused():
    with pytest.raises(NotFittedError):
        OnlineRUL(MODELS["network"](), RULE)


@pytest.mark.parametrize("place", ["alone", "in a pipeline", "behind a foreign step"])
def test_a_search_that_kept_no_model_is_refused(place):
    search = GridSearchCV(DummyRUL(), {"by": [None]}, cv=2, refit=False)
    steps = {
        "alone": (),
        "in a pipeline": features(),
        "behind a foreign step": (FunctionTransformer(),),
    }
    model = make_pipeline(*steps[place], search) if place != "alone" else search
    model.fit(X, Y)
    with pytest.raises(ValueError, match=r"GridSearchCV has no model .* refit=True"):
        OnlineRUL(model)


def test_sequences_of_unknown_length_are_refused(fitted):
    with pytest.raises(ValueError, match="n_steps is None and no estimator inside says"):
        OnlineRUL(fitted("regressor on features"), RULE)


def test_no_max_life_is_refused(fitted):
    with pytest.raises(ValueError, match="has no max_life_; pass max_life in s"):
        OnlineRUL(fitted("regressor on features"), n_steps=N_STEPS)


def test_repr_says_what_it_holds(fitted):
    assert repr(OnlineRUL(fitted("dummy"), RULE)).startswith("OnlineRUL(DummyRUL(by='condition'), ")


def test_a_window_missing_twice_is_counted_once(fitted):
    online = OnlineRUL(fitted("network"), RULE)
    for i, time in enumerate((0.0, 10.0)):
        online.update(WINDOWS[i], time)
    for time in (20.0, 20.0, 10.0, 0.0):
        online.update(None, time)
    assert online.counts == {"missing": 1, "repeated": 1, "late": 2, "invalid": 0}


def bare_network():
    X = np.eye(4, dtype=np.float32)[:, None].repeat(3, axis=1)
    return network().fit(X, np.arange(4.0)), (4,)


def recipe_with_intervals():
    one_split = GroupShuffleSplit(1, train_size=2, random_state=0)
    return ConformalRUL(recipe(), cv=one_split, coverage=0.5).fit(X, Y), (2, 64)


@pytest.mark.slow
@pytest.mark.parametrize("make", [bare_network, recipe_with_intervals])
def test_ten_thousand_updates_leave_memory_flat(make):
    model, shape = make()
    online = OnlineRUL(model, context={"condition": 1})
    times = iter(10.0 * np.arange(10_000))
    rng = np.random.default_rng(0)

    def go_on(n_windows):
        for time in islice(times, n_windows):
            window = rng.standard_normal(shape)
            if time % 1000 == 0:
                window[..., 0] = np.nan
            online.update(window, time)
        gc.collect()
        return len(gc.get_objects()), tracemalloc.get_traced_memory()[0]

    log = logging.getLogger("skprog.online")
    log.disabled = True
    try:
        n_objects, _ = go_on(500)
        go_on(6_500)
        # The last byte by byte, which takes four times as long, and once the tracing has settled.
        tracemalloc.start()
        _, before = go_on(1_500)
        n_objects_after, after = go_on(1_500)
        assert n_objects_after <= n_objects + 50
        # Of one number of Python per update it would be 36,000; NumPy keeps small blocks for reuse.
        assert after - before < 10_000
    finally:
        tracemalloc.stop()
        log.disabled = False
    assert online.counts["invalid"] == 100
    assert online.n_windows == 9_900
