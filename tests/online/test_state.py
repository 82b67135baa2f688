"""A run written down goes on after a restart."""

import copy
import json
import pickle

import numpy as np
import pytest
from _online_runs import (
    CONSTANT,
    IN_RUN,
    MODELS,
    N_STEPS,
    RULE,
    TIME,
    WINDOWS,
    X,
    Y,
    features,
    flat,
    network,
    recipe,
    run,
)
from sklearn.ensemble import ExtraTreesRegressor, VotingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skprog.decision import MaintenanceRule
from skprog.deploy import load, save
from skprog.estimators import ConformalRUL, DummyRUL
from skprog.online import OnlineRUL
from skprog.preprocessing import (
    WelchSpectrogram,
)


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
@pytest.mark.parametrize("n_not_taken", [0, 1])
def test_a_state_passes_through_json_at_any_time(times, n_not_taken):
    online = OnlineRUL(CONSTANT, RULE)
    for _ in range(n_not_taken):
        online.update(None, 0.0 if times and times[0] else None)
    for window, time in zip(WINDOWS, times, strict=False):
        online.update(window, time)
    text = json.dumps({name: value.tolist() for name, value in online.state_dict().items()})
    restored = OnlineRUL(CONSTANT, RULE).load_state_dict(json.loads(text))
    assert restored.last == online.last or not online.n_windows
    assert restored.counts == online.counts
    assert restored.state_dict()["late"].tolist() == online.state_dict()["late"].tolist()


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
    "longer lives": (lambda: network().fit(X, Y), lambda: network().fit(X, Y + 1000)),
    "other runs": (lambda: DummyRUL().fit(X, Y), lambda: DummyRUL().fit(X[~IN_RUN], Y[~IN_RUN])),
    "behind a foreign step": (lambda: trees_on(X, Y), lambda: trees_on(X, Y**2)),
    "other votes": (lambda: votes([1, 3]), lambda: votes([3, 1])),
    "other coverage": (lambda: conformal().fit(X, Y), lambda: conformal(coverage=0.7).fit(X, Y)),
    "other scores": (lambda: conformal().fit(X, Y), lambda: conformal().fit(X, Y + X.age)),
    "other trees": (lambda: recipe().fit(X, Y), lambda: recipe().fit(X, Y + 1000)),
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
