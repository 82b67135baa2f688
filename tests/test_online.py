import copy
import gc
import json
import logging
import pickle
import tracemalloc
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import ExtraTreesRegressor, VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skprog.decision import MaintenanceRule
from skprog.deploy import load, save
from skprog.estimators import CnnLstmRUL, ConformalRUL, DummyRUL
from skprog.online import OnlineRUL, _streaming
from skprog.online._parts import EncodingsPart, StatesPart
from skprog.online._streaming import leaves, take_apart
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
    model = bearing_rul_pipeline(fs=256, n_estimators=5, random_state=0)
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


@pytest.fixture(scope="module")
def fitted():
    """Fit each model once, when it is first asked for."""
    models = {}

    def get(name):
        if name not in models:
            models[name] = MODELS[name]().fit(X, Y)
        return models[name]

    return get


def run(online, windows=WINDOWS, time=TIME):
    return [online.update(window, t) for window, t in zip(windows, time, strict=True)]


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
    assert run(OnlineRUL(fitted("network")), counts.astype(np.float64).tolist()) == expected


# State.


@pytest.mark.parametrize(
    "name", ["network", "votes", "mixed precision", "conformal first", "dummy", "recipe"]
)
@pytest.mark.parametrize("n_before", [0, 2, N_STEPS - 1, N_STEPS, N_STEPS + 1, 9])
@pytest.mark.parametrize("pad", [True, False])
def test_a_saved_state_goes_on_as_if_nothing_had_happened(fitted, name, pad, n_before, tmp_path):
    make = lambda: OnlineRUL(fitted(name), RULE, pad=pad, context={"condition": 1})  # noqa: E731
    expected = run(make())
    online = make()
    before = run(online, WINDOWS[:n_before], TIME[:n_before])
    np.savez(tmp_path / "state.npz", **online.state_dict())
    with np.load(tmp_path / "state.npz", allow_pickle=False) as state:
        restored = make().load_state_dict(state)
    updates = before + run(restored, WINDOWS[n_before:], TIME[n_before:])
    np.testing.assert_equal(updates, expected)
    assert restored.n_windows == len(WINDOWS)


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda online: pickle.loads(pickle.dumps(online))]
)
def test_a_copy_in_mid_run_goes_its_own_way(fitted, copied):
    online = OnlineRUL(fitted("votes"), RULE)
    run(online, WINDOWS[:7], TIME[:7])
    twin = copied(online)
    rest = run(online, WINDOWS[7:], TIME[7:])
    assert run(twin, WINDOWS[7:], TIME[7:]) == rest


def test_a_state_passes_through_json(fitted):
    online = OnlineRUL(fitted("network"), RULE)
    run(online, WINDOWS[:7], TIME[:7])
    text = json.dumps({name: value.tolist() for name, value in online.state_dict().items()})
    restored = OnlineRUL(fitted("network"), RULE).load_state_dict(json.loads(text))
    assert run(restored, WINDOWS[7:], TIME[7:]) == run(online, WINDOWS[7:], TIME[7:])


@pytest.mark.parametrize(
    "times", [(), (None, None), (5.0,), (0.0, 10.0), (0.0, 10.0, 90.0, 20.0, 30.0)]
)
@pytest.mark.parametrize("n_unheard", [0, 1])
def test_a_state_passes_through_json_at_any_time(times, n_unheard):
    online = OnlineRUL(CONSTANT, RULE)
    for _ in range(n_unheard):
        online.update(None, 0.0 if times and times[0] else None)
    for window, time in zip(WINDOWS, times, strict=False):
        online.update(window, time)
    text = json.dumps({name: value.tolist() for name, value in online.state_dict().items()})
    restored = OnlineRUL(CONSTANT, RULE).load_state_dict(json.loads(text))
    assert restored.last == online.last or not online.n_windows
    assert restored.counts == online.counts
    assert restored.state_dict()["gaps"].tolist() == online.state_dict()["gaps"].tolist()


def test_a_state_knows_problems_times_and_context(fitted):
    online = OnlineRUL(fitted("dummy"), RULE, context={"condition": 1})
    run(online, WINDOWS[:3], TIME[:3])
    online.update(np.full((2, 64), np.nan), 30.0)
    restored = OnlineRUL(fitted("dummy"), RULE, context={"condition": 0})
    restored.load_state_dict(online.state_dict())
    assert restored.counts == online.counts
    assert restored.problem == online.problem
    assert restored.context == {"condition": 1.0}
    assert restored.last == online.last
    assert restored.update(WINDOWS[0], 10.0) == online.last
    assert restored.counts["late"] == 1


def test_a_state_is_small_and_has_no_objects(fitted):
    online = OnlineRUL(fitted("network"), RULE)
    run(online)
    state = online.state_dict()
    one_window = state["memory_0"][:1].nbytes
    assert sum(value.nbytes for value in state.values()) < N_STEPS * one_window + 4096
    assert all(value.dtype.kind in "fiubU" for value in state.values())


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda state: state.pop("clock"), r"state is damaged \(KeyError: 'clock'\)"),
        (lambda state: state.pop("memory_0"), "state is damaged"),
        (
            lambda state: state.update(memory_0=state["memory_0"][:-1]),
            "length 4 after 7 windows",
        ),
        (lambda state: state.update(memory_type_0=np.array("")), "state is damaged"),
        (lambda state: state.update(version=np.array(2)), "version 2 .* reads up to 1; upgrade"),
        (lambda state: state.update(fingerprint=np.array("0")), "state is of another model"),
        (lambda state: state.update(settings=np.zeros(5)), "construct both alike"),
        (lambda state: state.update(late=np.array([20.0, 10.0])), r"ValueError: late is \[20"),
        (lambda state: state.update(late=np.array([1e6])), "late is"),
        (lambda state: state.update(late=np.arange(5.0)), "late is"),
        (lambda state: state.update(late=np.array([-np.inf, 10.0])), "late is"),
        (lambda state: state.update(gaps=np.array([20.0, 10.0])), "gaps is"),
        (lambda state: state.update(gaps=np.array([20.0])), "gaps"),
        (lambda state: state.update(clock=np.array([0, 60, 50, 0.0])), "clock is"),
        (lambda state: state.update(clock=np.array([0, 60, 60, 0.5])), "clock is"),
        (lambda state: state.update(version=np.array(0)), "state is damaged"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(fitted, change, match):
    online = OnlineRUL(fitted("network"), RULE)
    run(online, WINDOWS[:7], TIME[:7])
    state = online.state_dict()
    change(state)
    with pytest.raises(ValueError, match=match):
        online.load_state_dict(state)
    assert run(online, WINDOWS[7:], TIME[7:]) == run(OnlineRUL(fitted("network"), RULE))[7:]


def test_a_state_of_another_network_or_other_settings_is_refused(fitted):
    state = OnlineRUL(fitted("network"), RULE).state_dict()
    with pytest.raises(ValueError, match="another model"):
        OnlineRUL(fitted("linear target"), RULE).load_state_dict(state)
    other = make_pipeline(*features(), fitted("network")[-1])
    other.set_params(welchspectrogram__window="hamming")
    other[:-1].fit(X)
    with pytest.raises(ValueError, match="another model"):
        OnlineRUL(other, RULE).load_state_dict(state)
    with pytest.raises(ValueError, match=r"state has \(n_steps, ema, pad"):
        OnlineRUL(fitted("network"), RULE, ema=5).load_state_dict(state)


def trees_on(X, y):
    model = make_pipeline(FunctionTransformer(flat), ExtraTreesRegressor(3, random_state=0))
    return model.fit(X, y)


def votes(weights):
    members = [("a", DummyRUL()), ("b", DummyRUL("constant", constant=5))]
    return VotingRegressor(members, weights=weights).fit(X, Y)


def conformal(**params):
    return ConformalRUL(DummyRUL(), **{"cv": 2, "coverage": 0.5, "random_state": 0, **params})


OTHERS = {
    "longer lives": (lambda: network().fit(X, Y), lambda: network().fit(X, 10 * Y)),
    "other runs": (lambda: DummyRUL().fit(X, Y), lambda: DummyRUL().fit(X[~IN_RUN], Y[~IN_RUN])),
    "behind a foreign step": (lambda: trees_on(X, Y), lambda: trees_on(X, Y**2)),
    "other votes": (lambda: votes([1, 3]), lambda: votes([3, 1])),
    "other coverage": (lambda: conformal().fit(X, Y), lambda: conformal(coverage=0.7).fit(X, Y)),
    "other scores": (lambda: conformal().fit(X, Y), lambda: conformal().fit(X, Y + X.age)),
    "other trees": (lambda: recipe().fit(X, Y), lambda: recipe().fit(X, Y[::-1].copy())),
    "other statistic": (
        lambda: recipe().fit(X, Y),
        lambda: recipe().fit(X, Y).set_params(distributionalrul__statistic="mean"),
    ),
    "other features": (
        lambda: make_pipeline(WelchSpectrogram(fs=256, nperseg=16, hop=8), DummyRUL()).fit(X, Y),
        lambda: make_pipeline(WelchSpectrogram(fs=128, nperseg=16, hop=8), DummyRUL()).fit(X, Y),
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_state_of_another_model_is_refused(name):
    one, other = (make() for make in OTHERS[name])
    rule = MaintenanceRule(max_life=Y.max())
    online = OnlineRUL(one, rule, n_steps=N_STEPS, context={"condition": 1})
    online.update(WINDOWS[0], 0.0)
    with pytest.raises(ValueError, match="another model"):
        OnlineRUL(other, rule, n_steps=N_STEPS, context={"condition": 1}).load_state_dict(
            online.state_dict()
        )


@pytest.mark.parametrize("name", MODELS)
def test_a_copy_of_the_model_takes_its_state(fitted, name):
    # The one with a lambda is the exception to what can be pickled.
    model = fitted(name)
    if name != "regressor on features":
        model = pickle.loads(pickle.dumps(model))
    params = {"n_steps": N_STEPS, "context": {"condition": 1}}
    online = OnlineRUL(fitted(name), RULE, **params)
    run(online, WINDOWS[:3], TIME[:3])
    restored = OnlineRUL(model, RULE, **params).load_state_dict(online.state_dict())
    assert restored.update(WINDOWS[3], TIME[3]) == online.update(WINDOWS[3], TIME[3])


@pytest.mark.parametrize("name", ["network", "votes", "conformal last", "dummy", "recipe"])
def test_a_model_saved_to_a_file_takes_the_state(fitted, name, tmp_path):
    save(fitted(name), tmp_path / "model.safetensors")
    context = {"condition": 1}
    state = OnlineRUL(fitted(name), RULE, context=context).state_dict()
    model = load(tmp_path / "model.safetensors")
    OnlineRUL(model, RULE, context=context).load_state_dict(state)


def test_how_a_model_is_run_is_of_no_account(fitted):
    state = OnlineRUL(fitted("recipe"), RULE).state_dict()
    model = pickle.loads(pickle.dumps(fitted("recipe")))
    model.set_params(distributionalrul__classifier__n_jobs=2, verbose=True)
    OnlineRUL(model, RULE).load_state_dict(state)


def test_a_model_with_values_of_any_layout_takes_its_state(fitted):
    model = make_pipeline(FunctionTransformer(flat), LinearRegression()).fit(X, Y)
    model[-1].coef_ = np.repeat(model[-1].coef_, 2)[::2]
    model[-1].parts_ = np.array([model[-1].coef_, None], dtype=object)
    state = OnlineRUL(model, RULE, n_steps=N_STEPS).state_dict()
    model = pickle.loads(pickle.dumps(model))
    OnlineRUL(model, RULE, n_steps=N_STEPS).load_state_dict(state)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_windows", -1),
        ("n_windows", "x"),
        ("counts", [1, 2]),
        ("counts", [0, 0, 0, -1]),
        ("problem", 3),
        ("rul", "x"),
        ("rul", np.nan),
        ("interval", [1.0]),
        ("decision", "yes"),
        ("shape", "x"),
        ("shape", [2, 32]),
        ("is_timed", -1),
        ("clock", "x"),
        ("clock", [0.0, 60.0]),
        ("clock", [0.0, np.nan, 60.0, 0.0]),
        ("steps", [10.0, -1.0]),
        ("steps", "x"),
        ("digest", 1),
        ("smoother", "x"),
        ("smoother", []),
        ("smoother", [np.nan, 0.0]),
        ("context_names", [1.0]),
        ("context", []),
        ("context", None),
        ("context", ["x"]),
        ("memory_0", "x"),
        ("memory_0", np.zeros((5, 1, 4))),
        ("memory_0", [[1.0], [1.0, 2.0]]),
        ("memory_0", np.full((5, 1, 2, 8), 1 + 1j)),
        ("memory_0", np.full((5, 1, 2, 8), 1e300)),
        ("memory_0", np.full((5, 1, 2, 8), 1.1)),
        ("memory_0", np.full((5, 1, 2, 8), [[0], [1.1]])),
        ("memory_0", np.full((5, 1, 2, 8), [[0], [-5.1]])),
        ("memory_type_0", "torch.int8"),
        ("memory_type_0", "torch.float16"),
        ("memory_type_0", "torch.bfloat16"),
        ("version", "x"),
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(fitted, name, value):
    online = OnlineRUL(fitted("network"), RULE, context={"condition": 1})
    run(online, WINDOWS[:7], TIME[:7])
    before = online.state_dict()
    with pytest.raises(ValueError, match="state is damaged"):
        online.load_state_dict({**before, name: value})
    np.testing.assert_equal(online.state_dict(), before)


@pytest.mark.parametrize("value", [np.inf, 1e300])
@pytest.mark.parametrize("name", ["mixed precision", "recipe"])
def test_a_damaged_memory_of_any_kind_is_refused(fitted, name, value):
    online = OnlineRUL(fitted(name), RULE, context={"condition": 1})
    run(online, WINDOWS[:7], TIME[:7])
    before = online.state_dict()
    damaged = np.full(before["memory_0"].shape, value)
    if name == "recipe" and value < np.inf:
        damaged = damaged.astype("U8")
    with pytest.raises(ValueError, match=r"state is damaged .* a memory"):
        online.load_state_dict({**before, "memory_0": damaged})
    np.testing.assert_equal(online.state_dict(), before)


def test_a_state_file_with_a_damaged_byte_is_refused(fitted, tmp_path):
    online = OnlineRUL(fitted("network"), RULE)
    run(online, WINDOWS[:7], TIME[:7])
    path = tmp_path / "state.npz"
    np.savez(path, **online.state_dict())
    data = bytearray(path.read_bytes())
    at = data.index(online.state_dict()["memory_0"].tobytes())
    data[at] ^= 255
    path.write_bytes(data)
    with np.load(path) as state, pytest.raises(ValueError, match="state is damaged"):
        online.load_state_dict(state)


# Windows that are not as they should be.


@pytest.fixture
def online(fitted):
    """Three windows into a run, at 0, 10 and 20 s."""
    online = OnlineRUL(fitted("network"), RULE)
    run(online, WINDOWS[:3], TIME[:3])
    return online


@pytest.mark.parametrize(
    ("window", "time", "kind", "problem"),
    [
        (None, 30.0, "missing", "the window at 30.0 s has not come"),
        (None, None, "missing", "window 4 has not come"),
        (WINDOWS[3], 15.0, "late", "the window at 15.0 s comes after that of 20.0 s"),
        (WINDOWS[3], 20.0, "repeated", "the window at 20.0 s has come before"),
        (np.full((2, 64), np.nan), 30.0, "invalid", "the window at 30.0 s holds NaN or infinity"),
        (np.full((2, 64), np.inf), 30.0, "invalid", "holds NaN or infinity"),
        (
            np.full((2, 64), 1e30) * [[1], [-1]] * np.sin(np.arange(64)),
            30.0,
            "invalid",
            "of no use",
        ),
    ],
)
def test_a_bad_window_is_reported_and_survived(online, caplog, window, time, kind, problem):
    last = online.last
    with caplog.at_level(logging.WARNING, "skprog.online"):
        assert online.update(window, time) == last
    assert problem in online.problem
    assert online.problem.startswith(f"{kind}: ")
    assert caplog.messages == [online.problem]
    assert online.counts == {**dict.fromkeys(online.counts, 0), kind: 1}
    assert online.n_windows == 3
    rest = [online.update(*pair) for pair in zip(WINDOWS[3:], TIME[3:] + 10, strict=True)]
    expected = OnlineRUL(online.pipeline, RULE)
    assert rest == run(expected)[3:]
    assert online.problem is None


def test_without_times_equal_values_are_a_repetition(fitted):
    online = OnlineRUL(fitted("network"), RULE)
    for window in WINDOWS[:3]:
        first = online.update(window)
        assert online.update(window.copy()) is first
    assert online.counts["repeated"] == 3
    assert online.problem == "repeated: window 4 has the values of the one before"
    assert online.n_windows == 3


def test_a_gap_in_time_is_reported_and_the_window_after_it_taken(online, caplog):
    with caplog.at_level(logging.WARNING, "skprog.online"):
        online.update(WINDOWS[6], 60.0)
    assert online.problem == "missing: 3 of the windows before 60.0 s"
    assert caplog.messages == [online.problem]
    assert online.counts["missing"] == 3
    assert online.n_windows == 4
    windows, time = WINDOWS[[0, 1, 2, 6]], TIME[[0, 1, 2, 6]]
    batch = RunSequences.from_runs(windows, np.zeros(4), n_steps=N_STEPS, time=time)
    np.testing.assert_allclose(
        online.last.rul, online.pipeline.predict(batch)[-1], rtol=0, atol=1e-6 * Y.max()
    )


def test_what_was_heard_of_once_is_not_missing_again(online):
    online.update(None, 30.0)
    online.update(np.full((2, 64), np.nan), 40.0)
    online.update(WINDOWS[5], 50.0)
    assert online.counts == {"missing": 1, "late": 0, "repeated": 0, "invalid": 1}


def test_a_clock_that_jumped_ahead_by_mistake_leaves_no_trace(online):
    online.update(None, 1000.0)
    online.update(WINDOWS[3], 30.0)
    online.update(WINDOWS[4], 40.0)
    online.update(WINDOWS[6], 60.0)
    assert online.counts == {"missing": 2, "late": 0, "repeated": 0, "invalid": 0}


def test_a_time_far_ahead_by_mistake_is_set_back(online, caplog):
    online.update(WINDOWS[3], 1e6)
    last = online.last
    for i in range(4, 8):
        assert online.update(WINDOWS[i], TIME[i]) == last
    with caplog.at_level(logging.WARNING, "skprog.online"):
        rest = [online.update(WINDOWS[8], TIME[8])]
    assert online.problem == (
        "late: 4 windows before the window at 80.0 s came after that of 1000000.0 s, whose time "
        "seems a mistake; the clock is set back"
    )
    assert caplog.messages[-1] == online.problem
    rest += run(online, WINDOWS[9:], TIME[9:])
    assert online.problem is None
    assert online.counts["late"] == 4
    taken = [0, 1, 2, 3, *range(8, len(WINDOWS))]
    expected = OnlineRUL(online.pipeline, RULE)
    assert rest == run(expected, WINDOWS[taken], TIME[taken])[4:]


def test_the_age_counts_from_where_a_clock_that_was_set_back_went_on():
    online = OnlineRUL(DummyRUL().fit(X, Y), RULE)
    online.update(WINDOWS[0], 1e6)
    run(online, WINDOWS[1:7], TIME[1:7])
    expected = OnlineRUL(online.pipeline, RULE)
    assert online.last.rul == run(expected, WINDOWS[1:7], TIME[1:7])[-1].rul


def test_a_gap_while_the_clock_was_wrong_is_counted(online):
    online.update(WINDOWS[3], 1e6)
    n_missing = online.counts["missing"]
    for time in (40.0, 50.0, 60.0, 70.0, 110.0, 120.0, 150.0):
        online.update(WINDOWS[4], time)
        if time == 110.0:
            assert "set back; missing: 3 of" in online.problem
    assert online.counts["missing"] == n_missing + 3 + 2
    assert online.counts["late"] == 4


@pytest.mark.parametrize(
    "times",
    [
        (30, 40, 50, 60, 1010),
        (30, 40, 50, 60, 60, 50, 40, 30),
        (90, 80, 70, 60, 50, 40, 30),
        (30, 40, 1010, 50, 60, 70, 1020, 80, 90),
        (50, 60, 70, 80, 30, 40, 50, 60),
    ],
)
def test_windows_that_are_late_alone_do_not_set_the_clock_back(online, times):
    online.update(WINDOWS[3], 1000.0)
    for time in times:
        online.update(WINDOWS[4], float(time))
    n_taken = sum(time > 1000 for time in times)
    assert online.n_windows == 4 + n_taken
    assert online.counts["late"] == len(times) - n_taken


STEPS = st.lists(st.floats(1, 1000), min_size=2, max_size=30)


@given(st.lists(st.floats(10, 20), min_size=2, max_size=30), st.data())
def test_one_time_far_ahead_costs_four_windows(steps, data):
    times = np.cumsum(steps)
    place = data.draw(st.integers(0, len(times) - 1))
    sent = times.copy()
    sent[place] = data.draw(st.floats(times[-1] + 1, 1e9))
    online = OnlineRUL(CONSTANT, RULE)
    for time in sent:
        online.update(WINDOWS[0], time)
    assert online.n_windows == place + 1 + max(0, len(times) - place - 5)
    assert online.counts["late"] == min(4, len(times) - place - 1)


@given(STEPS, st.data())
def test_windows_sent_again_are_not_taken_again(steps, data):
    times = np.cumsum(steps)
    start = data.draw(st.integers(0, len(times)))
    online = OnlineRUL(CONSTANT, RULE)
    for time in [*times, *times[start:]]:
        online.update(WINDOWS[0], time)
    assert online.n_windows == len(times)


def test_a_jump_among_the_first_windows_is_set_back_too(online):
    for place in range(1, 5):
        online.reset()
        times = 10.0 * np.arange(20)
        times[place] = 2000
        for time in times:
            online.update(WINDOWS[0], time)
        assert online.n_windows == 16


@pytest.mark.parametrize(
    ("times", "n_taken"),
    [
        # Each sent twice.
        ((1e6, 30, 30, 40, 40, 50, 50, 60, 60, 70, 70), 2),
        # Sent again after the clock was set back.
        ((1e6, 30, 40, 50, 60, 70, 80, 30, 40, 50, 60, 70, 80), 3),
        # Some that came before, then new ones.
        ((1e6, 10, 30, 40, 50, 60, 70), 2),
    ],
)
def test_late_windows_sent_again_hinder_nothing(online, times, n_taken):
    for time in times:
        online.update(WINDOWS[3], float(time))
    assert online.n_windows == 3 + n_taken


def test_a_jump_is_known_after_many_gaps(online):
    times = [*(3600.0 + 10 * i for i in range(40) if i % 4), *(30.0 + 10 * i for i in range(10))]
    for time in times:
        online.update(WINDOWS[0], time)
    assert online.n_windows == 3 + 30 + 6


@pytest.mark.parametrize(("times", "n_missing"), [((60,), 3), ((30, 60), 2), ((30, 40, 60), 1)])
def test_what_is_missing_before_a_notice_is_counted_too(online, times, n_missing):
    online.update(None, 50.0)
    for time in times:
        online.update(WINDOWS[3], float(time))
    assert online.counts["missing"] == n_missing


def test_what_was_heard_of_ahead_of_its_turn_is_not_missing_again(online):
    online.update(None, 40.0)
    online.update(WINDOWS[3], 30.0)
    online.update(None, 40.0)
    online.update(WINDOWS[5], 50.0)
    assert online.counts == {"missing": 1, "late": 0, "repeated": 1, "invalid": 0}


def test_the_age_goes_on_when_a_clock_that_was_always_ahead_is_set_right():
    online = OnlineRUL(DummyRUL().fit(X, Y), RULE)
    for i in range(10):
        online.update(WINDOWS[0], 3600.0 + 10 * i)
    rul = online.last.rul
    for i in range(10, 15):
        online.update(WINDOWS[0], 10.0 * i)
    # Of the five, the first stands where the last on the other clock did.
    assert online.last.rul == rul - 40


def test_what_is_heard_in_time_ends_what_came_late(online):
    online.update(WINDOWS[3], 1000.0)
    run(online, WINDOWS[4:7], TIME[4:7])
    online.update(None, 1010.0)
    run(online, WINDOWS[7:9], TIME[7:9])
    assert online.n_windows == 4


def test_a_notice_far_ahead_by_mistake_does_not_outlive_the_next_window(online):
    online.update(None, 1e6)
    online.update(WINDOWS[3], 30.0)
    online.update(None, 40.0)
    online.update(WINDOWS[5], 50.0)
    assert online.counts == {"missing": 2, "late": 0, "repeated": 0, "invalid": 0}


def test_a_state_remembers_what_came_late(online):
    online.update(WINDOWS[3], 1e6)
    run(online, WINDOWS[4:7], TIME[4:7])
    restored = OnlineRUL(online.pipeline, RULE).load_state_dict(online.state_dict())
    assert run(restored, WINDOWS[7:], TIME[7:]) == run(online, WINDOWS[7:], TIME[7:])
    assert restored.n_windows == online.n_windows == len(WINDOWS) - 4


def test_a_window_sent_again_after_it_came_damaged_is_taken(online):
    online.update(np.full((2, 64), np.nan), 30.0)
    online.update(WINDOWS[3], 30.0)
    assert online.n_windows == 4
    assert online.problem is None


@pytest.mark.parametrize("pad", [True, False])
def test_a_prediction_that_is_nan_leaves_the_alarm_at_work(caplog, pad):
    model = Quietness().fit(X, Y)
    online = OnlineRUL(model, MaintenanceRule(0.4, span=2), pad=pad)
    before = run(online, WINDOWS[:2], TIME[:2])[-1]
    loud = np.full_like(WINDOWS[0], 200)
    with caplog.at_level(logging.WARNING, "skprog.online"):
        assert online.update(loud, 20.0) == before
    assert online.problem == "invalid: the window at 20.0 s makes the RUL nan"
    assert online.counts["invalid"] == 1
    others = np.concatenate([WINDOWS[3:9], np.full_like(WINDOWS[:4], 99)])
    updates = run(online, others, 10.0 * np.arange(3, 13))
    expected = OnlineRUL(model, MaintenanceRule(0.4, span=2), pad=pad)
    run(expected, WINDOWS[:2], TIME[:2])
    np.testing.assert_equal(updates, run(expected, others, 10.0 * np.arange(3, 13)))
    assert updates[-1].decision


def test_a_first_prediction_that_is_nan_is_no_error():
    online = OnlineRUL(Quietness().fit(X, Y))
    assert np.isnan(online.update(np.full_like(WINDOWS[0], 200), 0.0).rul)
    assert online.counts["invalid"] == 1
    assert online.update(WINDOWS[0], 10.0).rul > 0


SINE = (np.sin(np.arange(64)) * [[1], [-1]]).astype(np.float32)


@pytest.mark.parametrize("scale", [1e30, 1e300])
@pytest.mark.parametrize("position", [0, 1, 7])
@pytest.mark.parametrize("name", ["network", "recipe", "regressor on features", "dummy"])
def test_values_that_overflow_are_invalid_at_any_position(fitted, name, position, scale):
    if name == "dummy" and scale < 1e38:
        pytest.skip("it takes any float32")
    params = {"n_steps": N_STEPS, "context": {"condition": 1}}
    online = OnlineRUL(fitted(name), RULE, **params)
    run(online, WINDOWS[:position], TIME[:position])
    last = online.last
    np.testing.assert_equal(online.update(scale * SINE.astype(float), TIME[position]), last)
    assert online.counts == {"missing": 0, "late": 0, "repeated": 0, "invalid": 1}
    assert online.n_windows == position
    rest = run(online, WINDOWS[position:], TIME[position:] + 10)
    expected = OnlineRUL(fitted(name), RULE, **params)
    run(expected, WINDOWS[:position], TIME[:position])
    assert rest == run(expected, WINDOWS[position:], TIME[position:] + 10)


@pytest.mark.parametrize("position", [0, 1, 7])
@pytest.mark.parametrize("pad", [True, False])
def test_a_foreign_step_that_overflows_makes_the_window_invalid(pad, position):
    def cubes(X):
        with np.errstate(over="ignore"):
            return flat(np.abs(np.asarray(X)[:, -1]) ** 3)

    model = make_pipeline(FunctionTransformer(cubes), LinearRegression()).fit(X, Y)
    online = OnlineRUL(model, RULE, n_steps=N_STEPS, pad=pad)
    run(online, WINDOWS[:position], TIME[:position])
    online.update(1e30 * SINE, TIME[position])
    assert "has values of no use: Input X contains infinity" in online.problem
    assert online.counts["invalid"] == 1
    run(online, WINDOWS[position:], TIME[position:] + 10)
    assert online.counts["invalid"] == 1
    assert np.isfinite(online.last.rul)


def test_a_context_that_is_lacking_is_an_error_at_the_first_window(fitted):
    online = OnlineRUL(fitted("dummy"), RULE)
    with pytest.raises(ValueError, match=r"needs X\.context"):
        online.update(WINDOWS[0], 0.0)


@pytest.mark.parametrize(
    ("times", "n_missing"),
    [
        # None stands for a window reported missing without a time.
        ([0, 10, None, 30], 1),
        ([0, 10, None, None, 40, 50], 2),
        ([0, 10, None, 50], 3),
        ([0, None, 20, 30, 50], 2),
        ([None, 10, 20, 30], 1),
        ([0, 10, None, 30, None, 50], 2),
        ([0.3, 0.1 + 0.2, 10.3, 20.3, 40.3], 1),
        ([0, 10, 20, 20 + 1e-9, 30, 40, 60], 1),
        ([0, 1e-310, 10, 20, 30], 0),
        ([0, 5e-324, 1e-323, 10, 20, 30], 0),
        ([0, None, 5e-324, 1e-323, 10], 1),
        ([0, 10, 10.001, 20, 20.001, 30, 40, 60], 1),
        ([0, 10, 20, 30, 100_030, 100_040], 9_999),
        ([-1e308, 1e308, 1.1e308], 0),
        ([0, 10, 20, 1_000_020], 99_999),
    ],
)
def test_what_is_missing_is_counted_once(times, n_missing):
    online = OnlineRUL(DummyRUL("constant", constant=5).fit(X, Y), RULE)
    for i, time in enumerate(times):
        online.update(None if time is None else WINDOWS[i], time)
    assert online.counts == {"missing": n_missing, "late": 0, "repeated": 0, "invalid": 0}


def test_a_window_reported_missing_without_a_time_is_remembered_by_the_state(fitted):
    online = OnlineRUL(fitted("network"), RULE)
    run(online, WINDOWS[:2], TIME[:2])
    online.update(None)
    restored = OnlineRUL(fitted("network"), RULE).load_state_dict(online.state_dict())
    restored.update(WINDOWS[3], 30.0)
    assert restored.counts["missing"] == 1


def test_a_tiny_period_is_no_error(fitted):
    online = OnlineRUL(fitted("network"), RULE, period=1e-310)
    run(online, WINDOWS[:2], TIME[:2])
    assert online.counts["missing"] == 10**9 - 1


def test_a_period_given_finds_the_first_gap_too(fitted):
    online = OnlineRUL(fitted("network"), RULE, period=10)
    run(online, WINDOWS[:2], [0.0, 20.0])
    assert online.counts["missing"] == 1


def test_jitter_is_no_gap(fitted):
    online = OnlineRUL(fitted("network"), RULE)
    run(online, WINDOWS[:5], [0.0, 9.0, 20.0, 33.0, 42.5])
    assert online.counts["missing"] == 0


@pytest.mark.parametrize(
    ("window", "time", "error", "match"),
    [
        (WINDOWS[3][:1], 30.0, ValueError, r"shape \(1, 64\) but those before have \(2, 64\)"),
        (WINDOWS[3:5], 30.0, ValueError, "give one window at a time"),
        (WINDOWS[3].T, 30.0, ValueError, r"shape \(64, 2\)"),
        ([[1.0, 2.0], [1.0]], 30.0, ValueError, "channels of unequal length"),
        ([["a"] * 64] * 2, 30.0, ValueError, "dtype <U1"),
        (WINDOWS[3] * 1j, 30.0, ValueError, "dtype complex64"),
        (WINDOWS[3], None, ValueError, "time=None but earlier windows of this run came with one"),
        (WINDOWS[3], np.nan, ValueError, "time=nan must be finite"),
        (WINDOWS[3], "now", TypeError, "time='now' must be a number"),
    ],
)
def test_wrong_arguments_are_errors_that_change_nothing(online, window, time, error, match):
    with pytest.raises(error, match=match):
        online.update(window, time)
    assert online.counts == dict.fromkeys(online.counts, 0)
    assert run(online, WINDOWS[3:], TIME[3:]) == run(OnlineRUL(online.pipeline, RULE))[3:]


def test_time_after_windows_without_is_an_error(fitted):
    online = OnlineRUL(fitted("network"), RULE)
    online.update(WINDOWS[0])
    with pytest.raises(ValueError, match="came without one; give a time in s for all"):
        online.update(WINDOWS[1], 10.0)


def test_a_first_window_of_a_wrong_shape_is_an_error(fitted):
    for window, match in ((WINDOWS[0][:1], "n_channels=1"), (WINDOWS[0][:, :32], "n_timepoints")):
        online = OnlineRUL(fitted("network"), RULE)
        with pytest.raises(ValueError, match=match):
            online.update(window)
        assert online.n_windows == 0
    bare = OnlineRUL(network(n_conv_layers=0).fit(np.zeros((9, 4, 3)), np.arange(9.0)))
    with pytest.raises(ValueError, match=r"shape \(2,\) where the network was fitted on \(3,\)"):
        bare.update([1.0, 2.0])


def test_a_transformer_that_is_derived_is_given_every_window(fitted):
    class Louder(FrequencyMaxPool):
        def transform(self, X):
            return super().transform(X).map(lambda S: S + 1)

    model = make_pipeline(*features()[:2], Louder(2), network()).fit(X, Y)
    rul = [update.rul for update in run(OnlineRUL(model, RULE, n_steps=N_STEPS))]
    np.testing.assert_allclose(rul, model.predict(X[IN_RUN]), rtol=0, atol=1e-6 * Y.max())


@pytest.mark.parametrize("window_shape", [(), (3,)])
@pytest.mark.parametrize("n_steps", [1, 4])
@pytest.mark.parametrize("amp", [None, "bf16"])
def test_vectors_and_single_numbers_are_windows_too(amp, n_steps, window_shape):
    rng = np.random.default_rng(0)
    values = rng.standard_normal((30, n_steps, *window_shape))
    model = network(amp=amp).fit(values, np.arange(30.0))
    run_of_values = rng.standard_normal((10, *window_shape)).astype(np.float32)
    X = RunSequences.from_runs(run_of_values, np.zeros(10), n_steps=n_steps)
    online = OnlineRUL(model)
    rul = [online.update(window).rul for window in run_of_values]
    np.testing.assert_allclose(rul, model.predict(X), rtol=0, atol=1e-6 * 29)


def test_a_loud_window_is_forgotten_after_the_sequences_that_hold_it(fitted):
    windows = WINDOWS.copy()
    windows[6] *= 1e12
    expected = fitted("network").predict(
        RunSequences.from_runs(windows, np.zeros(len(windows)), n_steps=N_STEPS)
    )
    rul = [update.rul for update in run(OnlineRUL(fitted("network"), RULE), windows)]
    np.testing.assert_allclose(rul, expected, rtol=0, atol=1e-6 * Y.max())
    quiet = [update.rul for update in run(OnlineRUL(fitted("network"), RULE))]
    assert rul[6] != quiet[6]
    assert rul[6 + N_STEPS :] == quiet[6 + N_STEPS :]


@pytest.mark.parametrize("shape", [(20,), (1, 84, 25), (3, 84, 25)])
def test_loud_windows_are_rounded_as_in_a_batch(shape):
    rng = np.random.default_rng(0)
    age = np.linspace(0, 1, 50).reshape(-1, *[1] * len(shape))
    windows = (0.3 * rng.standard_normal((50, *shape)) + 3 * age).astype(np.float32)
    X = RunSequences.from_runs(windows, np.zeros(50))
    model = CnnLstmRUL(max_epochs=4, lr=3e-3, random_state=0).fit(X, np.arange(50.0)[::-1])
    for loudness in (1, 100, 300, 1000):
        loud = np.float32(loudness) * windows
        online = OnlineRUL(model)
        rul = [online.update(window).rul for window in loud]
        expected = model.predict(RunSequences.from_runs(loud, np.zeros(50)))
        np.testing.assert_allclose(rul, expected, rtol=0, atol=1e-6 * 49)


@pytest.mark.parametrize(("amp", "kept"), [(None, StatesPart), ("bf16", EncodingsPart)])
def test_states_are_kept_where_they_are_exact(amp, kept):
    parts = take_apart(make_pipeline(*features(), network(amp=amp)).fit(X, Y))
    assert [type(leaf) for leaf in leaves(parts)] == [kept]


@pytest.mark.parametrize("name", ["network", "warm start", "votes", "conformal first", "search"])
def test_a_model_fitted_again_in_mid_run_changes_nothing(fitted, name):
    if name == "warm start":
        model = make_pipeline(*features(), network(warm_start=True)).fit(X, Y)
    else:
        model = copy.deepcopy(fitted(name))
    expected = run(OnlineRUL(model, RULE))
    online = OnlineRUL(model, RULE)
    run(online, WINDOWS[:7], TIME[:7])
    model.fit(X, Y / 3)
    again = OnlineRUL(model, RULE)
    with pytest.raises(ValueError, match="another model"):
        again.load_state_dict(online.state_dict())
    assert run(online, WINDOWS[7:], TIME[7:]) == expected[7:]
    assert run(again)[-1] != expected[-1]
    assert run(online.reset()) == expected


def test_preprocessing_fitted_again_in_mid_run_changes_nothing(fitted):
    model = copy.deepcopy(fitted("network"))
    expected = run(OnlineRUL(model, RULE))
    online = OnlineRUL(model, RULE)
    run(online, WINDOWS[:7], TIME[:7])
    model[1].set_params(fs=128).fit(X)
    assert run(online, WINDOWS[7:], TIME[7:]) == expected[7:]


@pytest.mark.parametrize("n_windows", [3, 7])
@pytest.mark.parametrize("to_gpu", [True, False])
def test_a_state_from_a_gpu_is_not_for_a_cpu(fitted, monkeypatch, n_windows, to_gpu):
    on_cpu = OnlineRUL(fitted("network"), RULE)
    # As take_apart has it for a network on a GPU.
    monkeypatch.setattr(_streaming, "StatesPart", EncodingsPart)
    on_gpu = OnlineRUL(fitted("network"), RULE)
    source, target = (on_cpu, on_gpu) if to_gpu else (on_gpu, on_cpu)
    run(source, WINDOWS[:n_windows], TIME[:n_windows])
    with pytest.raises(ValueError, match="a network on a GPU keeps others than one on a CPU"):
        target.load_state_dict(source.state_dict())


# Construction.


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


# Memory.


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
