import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import VotingRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingRandomSearchCV,
    LeaveOneGroupOut,
    cross_val_predict,
    cross_validate,
    learning_curve,
    train_test_split,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skprog.estimators import DummyRUL
from skprog.sequences import RunSequences

ROWS = ("runs", "ends", "time", "age", "context")
LENGTHS = {"c": 9, "a": 7, "b": 8}
KEYS = {
    "slice": slice(3, 11),
    "step": slice(1, None, 4),
    "reversed": slice(None, None, -1),
    "negative slice": slice(-5, -1),
    "empty slice": slice(5, 5),
    "slice past the end": slice(20, 99),
    "mask": np.arange(24) % 5 == 2,
    "list of bool": [i % 2 == 0 for i in range(24)],
    "empty mask": np.zeros(24, dtype=bool),
    "array": np.array([7, 3, 3, 20]),
    "negative array": np.array([-1, -24, 0]),
    "list": [20, 0, 4],
    "empty list": [],
    "range": range(2, 9),
    "nullable mask": pd.Series(np.arange(24) % 5 == 2, dtype="boolean"),
    "nullable integers": pd.array([7, 3, 20], dtype="Int64"),
    "ellipsis": ...,
    "array, ellipsis": (np.array([4, 4, 9]), ...),
    "slice, ellipsis": (slice(2, 6), ...),
    "mask, ellipsis": (np.arange(24) > 20, ...),
}


def data(lengths=None, *, window_shape=(3,), dtype=np.float64):
    """Return windows, run ids and seconds of whole runs, 10 s apart."""
    lengths = lengths or LENGTHS
    n_windows = sum(lengths.values())
    size = int(np.prod(window_shape))
    windows = np.arange(n_windows * size, dtype=dtype).reshape(n_windows, *window_shape)
    runs = np.repeat(list(lengths), list(lengths.values()))
    # Runs begin at different times, so that time and age differ.
    time = np.concatenate([100.0 * i + 10 * np.arange(n) for i, n in enumerate(lengths.values())])
    return windows, runs, time


def sequences(lengths=None, *, window_shape=(3,), dtype=np.float64, **kwargs):
    windows, runs, time = data(lengths, window_shape=window_shape, dtype=dtype)
    context = {"load": np.arange(len(runs)) % 3, "speed": np.arange(len(runs)) + 0.5}
    return RunSequences.from_runs(
        windows, runs, time=time, context=context, **{"n_steps": 4, **kwargs}
    )


def remaining(X):
    """Return the RUL in s, 10 s per window left, known from the run's length and the age."""
    return np.array([10.0 * (LENGTHS[run] - 1) for run in X.runs.tolist()]) - X.age


@pytest.fixture
def X():
    return sequences()


@pytest.fixture
def y(X):
    return remaining(X)


class FlatRidge(RegressorMixin, BaseEstimator):
    """Ridge regression on flattened sequences, which insists on RunSequences."""

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def fit(self, X, y):
        self.model_ = Ridge(alpha=self.alpha).fit(self._flat(X), y)
        self.runs_ = set(X.runs)
        return self

    def predict(self, X):
        return self.model_.predict(self._flat(X))

    def _flat(self, X):
        assert isinstance(X, RunSequences)
        return np.asarray(X).reshape(len(X), -1)


class Shift(TransformerMixin, BaseEstimator):
    """Add a number to the windows; counts how often any of its kind has fitted."""

    n_fits = 0

    def __init__(self, by=1.0):
        self.by = by

    def fit(self, X, y=None):
        type(self).n_fits += 1
        return self

    def transform(self, X):
        return X.map(lambda windows: windows + self.by)


class Calls:
    """Keep the windows that each call was given."""

    def __init__(self):
        self.windows = []

    def __call__(self, windows):
        self.windows.append(windows)
        return windows * 2.0 + 1


def assert_same(X, other):
    """Compare everything two RunSequences know of their rows."""
    np.testing.assert_array_equal(np.asarray(X), np.asarray(other), strict=True)
    for name in ROWS:
        np.testing.assert_array_equal(getattr(X, name), getattr(other, name), strict=True)
    assert X.context_names == other.context_names


# Forming sequences


def test_padding_repeats_the_first_window_of_the_run():
    X = RunSequences.from_runs(np.arange(5.0), ["b", "b", "b", "a", "a"], n_steps=3)
    assert X.index.tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 2], [3, 3, 3], [3, 3, 4]]
    assert X.ends.tolist() == [0, 1, 2, 3, 4]
    assert X.runs.tolist() == ["b", "b", "b", "a", "a"]


def test_without_padding_each_row_has_a_full_past():
    X = RunSequences.from_runs(np.arange(7.0), [1, 1, 1, 1, 0, 0, 0], n_steps=3, pad=False)
    assert X.index.tolist() == [[0, 1, 2], [1, 2, 3], [4, 5, 6]]
    assert X.ends.tolist() == [2, 3, 6]
    assert X.runs.tolist() == [1, 1, 0]


def test_a_run_of_exactly_n_steps_has_one_row_without_padding():
    X = RunSequences.from_runs(np.arange(3.0), ["a"] * 3, n_steps=3, pad=False)
    assert X.index.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("pad", [True, False])
def test_one_step_is_one_row_per_window(pad):
    X = RunSequences.from_runs(np.arange(4.0), [0, 0, 1, 2], n_steps=1, pad=pad)
    assert X.index.tolist() == [[0], [1], [2], [3]]


def test_a_run_of_2803_windows_gives_the_papers_rows_and_longest_life():
    rul = 10.0 * np.arange(2803)[::-1]
    windows, runs = np.zeros((2803, 2), dtype=np.float16), np.full(2803, "1_1")
    unpadded = RunSequences.from_runs(windows, runs, pad=False)
    padded = RunSequences.from_runs(windows, runs)
    assert unpadded.shape == (2803 - 31, 32, 2)
    assert rul[unpadded.ends].max() == 27_710
    assert padded.shape == (2803, 32, 2)
    assert rul[padded.ends].max() == 28_020
    assert rul[unpadded.ends].min() == rul[padded.ends].min() == 0


def test_rows_know_run_end_time_age_and_context():
    windows, runs, _ = data({"a": 3, "b": 2}, window_shape=())
    X = RunSequences.from_runs(
        windows, runs, n_steps=2, time=[5, 15, 30, 7, 8], context={"load": [1, 2, 3, 4, 5]}
    )
    assert X.time.tolist() == [5, 15, 30, 7, 8]
    assert X.age.tolist() == [0, 10, 25, 0, 1]
    assert X.context.tolist() == [[1], [2], [3], [4], [5]]
    assert X.context_names == ("load",)
    rul = np.array([25, 15, 0, 1, 0])
    assert rul[X.ends].tolist() == rul.tolist()


def test_age_counts_from_the_start_of_the_run_not_from_the_first_row():
    X = sequences(pad=False)
    assert X.age[X.runs == "a"].tolist() == [30, 40, 50, 60]
    assert X.time[X.runs == "a"].tolist() == [130, 140, 150, 160]
    assert X.ends[X.runs == "a"].tolist() == [12, 13, 14, 15]


def test_rows_without_time_or_context_say_none():
    X = RunSequences.from_runs(np.zeros((3, 2)), [0, 0, 0], n_steps=2)
    for rows in (X, X[1:], X.map(np.negative)):
        assert (rows.time, rows.age, rows.context, rows.context_names) == (None,) * 4


def test_times_may_stand_still_within_a_run_and_restart_between_runs():
    X = RunSequences.from_runs(np.zeros((4, 1)), [0, 0, 1, 1], n_steps=1, time=[9, 9, 0, 2])
    assert X.age.tolist() == [0, 0, 0, 2]


@pytest.mark.parametrize(
    ("context", "names"),
    [
        (np.arange(10).reshape(5, 2), None),
        ([[2 * i, 2 * i + 1] for i in range(5)], None),
        ({"load": range(0, 10, 2), "speed": np.arange(1, 10, 2)}, ("load", "speed")),
        (pd.DataFrame({"load": np.arange(0, 10, 2), "speed": np.arange(1.0, 10, 2)}), ...),
        (pd.DataFrame({"load": np.arange(0, 10, 2), "speed": range(1, 10, 2)}, dtype=object), ...),
    ],
)
def test_context_comes_as_array_mapping_or_table(context, names):
    X = RunSequences.from_runs(np.zeros((5, 1)), [0] * 5, n_steps=2, context=context)
    np.testing.assert_array_equal(X.context, np.arange(10.0).reshape(5, 2), strict=True)
    assert X.context_names == (("load", "speed") if names is ... else names)


def test_context_of_one_number_per_window_is_one_column():
    X = RunSequences.from_runs(np.zeros((3, 1)), [0, 0, 0], n_steps=2, context=[True, False, True])
    assert X.context.tolist() == [[1], [0], [1]]


@pytest.mark.parametrize("runs", [["a", "a", "b"], [7, 7, 2], [1.5, 1.5, 0], [True, True, False]])
@pytest.mark.parametrize("kind", [list, np.array, pd.Series, pd.Categorical])
def test_run_ids_of_any_sortable_type_are_kept(runs, kind):
    X = RunSequences.from_runs(np.zeros((3, 1)), kind(runs), n_steps=2)
    assert X.runs.tolist() == runs


@pytest.mark.parametrize("kind", [list, tuple, pd.DataFrame, torch.from_numpy, np.asfortranarray])
def test_windows_of_any_kind_of_array_are_taken(kind):
    windows, runs, _ = data()
    X = RunSequences.from_runs(kind(windows), runs, n_steps=2)
    np.testing.assert_array_equal(X.windows, windows)


@pytest.mark.parametrize("window_shape", [(), (5,), (2, 16), (1, 8, 3)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16])
def test_behaves_as_an_array_of_sequences(window_shape, dtype):
    X = sequences(window_shape=window_shape, dtype=dtype)
    stacked = np.asarray(X)
    assert X.shape == stacked.shape == (24, 4, *window_shape)
    assert X.ndim == stacked.ndim
    assert len(X) == len(stacked)
    assert X.dtype == stacked.dtype == dtype


# Memory


def test_windows_are_held_and_never_copied():
    windows, runs, _ = data()
    X = RunSequences.from_runs(windows, runs)
    assert X.windows is windows
    for rows in (X[2:5], X[::-1], X[X.runs == "a"], X[[3, 1]], X[np.array([0]), ...]):
        assert rows.windows is windows


def test_windows_on_disk_stay_on_disk(tmp_path):
    windows, runs, _ = data(window_shape=(2, 5))
    np.save(tmp_path / "windows.npy", windows)
    on_disk = np.load(tmp_path / "windows.npy", mmap_mode="r")
    X = RunSequences.from_runs(on_disk, runs, n_steps=3)
    assert X.windows is on_disk
    stacked = np.asarray(X)
    assert not isinstance(stacked, np.memmap)
    assert_same(X, RunSequences.from_runs(windows, runs, n_steps=3))


def test_the_callers_other_arrays_are_not_held():
    windows, runs, time = data()
    context = np.zeros((len(runs), 1))
    X = RunSequences.from_runs(windows, runs, n_steps=2, time=time, context=context)
    for given_, held in ((runs, X.runs), (time, X.time), (context, X.context)):
        assert not np.shares_memory(given_, held)


def test_nbytes_counts_windows_and_index():
    X = sequences(window_shape=(64,), dtype=np.float32, n_steps=8)
    assert X.nbytes == 24 * 64 * 4 + 24 * 8 * 8
    assert X.nbytes < np.asarray(X).nbytes == 24 * 8 * 64 * 4


def test_repr_tells_runs_rows_shape_and_sizes():
    X = RunSequences.from_runs(np.zeros((20_000, 100), np.float16), np.repeat([0, 1], 10_000))
    assert repr(X) == (
        "RunSequences(2 runs, 20000 rows, shape=(20000, 32, 100), dtype=float16, "
        "9.12 MB held, 128 MB stacked)"
    )
    assert repr(X[:0]).startswith("RunSequences(0 runs, 0 rows, shape=(0, 32, 100)")


# Selecting rows


@pytest.mark.parametrize("pad", [True, False])
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_any_index_of_rows_selects_what_the_stacked_array_does(key, pad):
    X = sequences({"c": 9 + 3 * (not pad), "a": 7 + 3 * (not pad), "b": 8 + 3 * (not pad)}, pad=pad)
    assert len(X) == 24
    rows = X[key]
    assert isinstance(rows, RunSequences)
    assert rows.shape == np.asarray(X)[key].shape
    np.testing.assert_array_equal(np.asarray(rows), np.asarray(X)[key])
    for name in ROWS:
        np.testing.assert_array_equal(getattr(rows, name), getattr(X, name)[key])
    assert rows.context_names == ("load", "speed")


def test_an_empty_array_selects_no_rows_although_it_holds_floats(X):
    for key in (np.array([]), np.array([], dtype=object), (np.array([]), ...)):
        assert X[key].shape == X[[]].shape
        assert len(X[key].time) == 0


@pytest.mark.parametrize("key", [0, 5, -1, -24, np.int64(7), np.array(7), (3, ...)])
def test_an_integer_gives_one_stacked_sequence(X, key):
    row = X[key]
    assert isinstance(row, np.ndarray)
    np.testing.assert_array_equal(row, np.asarray(X)[key], strict=True)


def test_selections_of_selections_are_selections(X):
    rows = X[X.runs != "c"][::2][[4, 0, -1]]
    assert rows.ends.tolist() == [17, 9, 23]
    assert_same(rows, X[[17, 9, 23]])


def test_rows_are_iterated_over_as_stacked_sequences(X):
    np.testing.assert_array_equal(list(X), np.asarray(X))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (24, "out of bounds"),
        (-25, "out of bounds"),
        ([0, 24], "out of bounds"),
        ([-25], "out of bounds"),
        (np.ones(23, dtype=bool), "boolean index did not match"),
        (np.ones((24, 4), dtype=bool), "one index, of rows"),
        (np.zeros((2, 2), dtype=int), "one index, of rows"),
        (None, "adds no axes"),
        (True, "adds no axes"),
        ((), "one index, of rows; use np.asarray"),
        ((0, 1), "one index, of rows; use np.asarray"),
        ((slice(None), 0), "one index, of rows; use np.asarray"),
        ((slice(None), slice(None)), "one index, of rows; use np.asarray"),
        ((..., 0), "one index, of rows; use np.asarray"),
        ((0, ..., 0), "one index, of rows; use np.asarray"),
        (1.0, "only integers"),
        ("a", "only integers"),
        (pd.array([True, pd.NA] * 12, dtype="boolean"), "must be of integer"),
        (np.array([1.0]), "must be of integer"),
    ],
)
def test_other_indices_are_refused(X, key, message):
    with pytest.raises(IndexError, match=message):
        X[key]


# Stacking


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_stacking_keeps_the_type_or_takes_the_one_asked_for(dtype):
    X = sequences(dtype=dtype)
    assert np.asarray(X).dtype == dtype
    assert np.asarray(X, dtype=np.float32).dtype == np.float32
    np.testing.assert_array_equal(np.asarray(X, dtype=np.float64), np.asarray(X))


def test_stacking_always_copies(X):
    assert not np.shares_memory(np.array(X, copy=True), X.windows)
    with pytest.raises(ValueError, match="copy=False cannot hold"):
        np.array(X, copy=False)


def test_a_stacked_selection_of_no_rows_keeps_its_shape(X):
    assert np.asarray(X[:0]).shape == (0, 4, 3)


# Mapping windows


def test_map_calls_once_with_all_windows_and_keeps_the_rest(X):
    f = Calls()
    mapped = X.map(f)
    assert [len(windows) for windows in f.windows] == [24]
    np.testing.assert_array_equal(np.asarray(mapped), f(np.asarray(X)))
    for name in ROWS:
        assert getattr(mapped, name) is getattr(X, name)
    assert mapped.context_names == X.context_names


def test_map_sees_the_windows_in_use_once_each(X):
    f = Calls()
    mapped = X[[11, 3, 3, 12]].map(f)
    in_use = [0, 1, 2, 3, 9, 10, 11, 12]
    assert len(f.windows) == 1
    np.testing.assert_array_equal(f.windows[0], X.windows[in_use])
    assert len(mapped.windows) == len(in_use)
    np.testing.assert_array_equal(np.asarray(mapped), f(np.asarray(X)[[11, 3, 3, 12]]))
    assert mapped.ends.tolist() == [11, 3, 3, 12]
    assert mapped.age.tolist() == [20, 30, 30, 30]


@pytest.mark.parametrize("key", [slice(None), slice(4, 9), slice(None, None, -1), slice(0, 9, 4)])
def test_map_hands_neighbouring_windows_over_without_a_copy(X, key):
    f = Calls()
    X[key].map(f)
    assert np.shares_memory(f.windows[0], X.windows)


def test_map_may_change_shape_and_type(X):
    mapped = X.map(lambda windows: windows[:, :2].astype(np.float16)[..., None])
    assert mapped.shape == (24, 4, 2, 1)
    assert mapped.dtype == np.float16
    assert X.map(lambda windows: windows.mean(axis=1)).shape == (24, 4)


def test_float16_stays_float16_through_indexing_mapping_and_stacking():
    X = sequences(dtype=np.float16)[3:9].map(np.negative)
    assert X.dtype == X[0].dtype == np.asarray(X).dtype == X.windows.dtype == np.float16


def test_maps_chain_and_agree_with_selecting_first_or_last(X):
    key = [20, 2, 9]
    last = X.map(np.square).map(np.negative)[key]
    first = X[key].map(np.square).map(np.negative)
    middle = X.map(np.square)[key].map(np.negative)
    np.testing.assert_array_equal(np.asarray(last), -np.square(np.asarray(X)[key]))
    assert_same(first, last)
    assert_same(middle, last)


def test_map_takes_what_an_array_can_be_made_of(X):
    for kind in (list, pd.DataFrame, torch.from_numpy):
        assert_same(X.map(kind), X)


def test_mapping_no_rows_gives_no_rows(X):
    mapped = X[:0].map(lambda windows: windows.mean(axis=1))
    assert mapped.shape == (0, 4)
    assert len(mapped.runs) == 0


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda windows: windows[:-1], r"returned shape \(23, 3\) for 24 windows"),
        (lambda windows: np.repeat(windows, 2, axis=0), r"returned shape \(48, 3\) for 24"),
        (lambda windows: windows.sum(), r"returned shape \(\) for 24 windows"),
        (lambda windows: None, r"returned shape \(\) for 24 windows"),
    ],
)
def test_map_refuses_another_number_of_windows(X, f, message):
    with pytest.raises(ValueError, match=message + ".* one row per window"):
        X.map(f)


# Properties


@st.composite
def run_lengths(draw):
    return dict(enumerate(draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))))


@st.composite
def sequences_and_key(draw):
    X = sequences(draw(run_lengths()), n_steps=draw(st.integers(1, 6)))
    n = len(X)
    key = draw(
        st.one_of(
            st.slices(n),
            st.lists(st.integers(-n, n - 1), max_size=8),
            st.lists(st.booleans(), min_size=n, max_size=n).map(np.array),
            st.integers(-n, n - 1),
        )
    )
    return X, key


@given(sequences_and_key())
def test_indexing_and_stacking_commute(case):
    X, key = case
    np.testing.assert_array_equal(np.asarray(X[key]), np.asarray(X)[key], strict=True)


@given(sequences_and_key(), st.sampled_from([np.square, lambda w: w[:, ::2], lambda w: w[:, 0]]))
def test_mapping_and_stacking_commute(case, f):
    X, key = case
    rows = X[key] if isinstance(X[key], RunSequences) else X
    expected = np.stack([f(row) for row in np.asarray(rows)]) if len(rows) else np.empty(0)
    mapped = rows.map(f)
    np.testing.assert_array_equal(np.asarray(mapped).ravel(), expected.ravel())
    assert len(mapped.windows) == len(np.unique(rows.index))


@given(run_lengths(), st.integers(1, 6), st.booleans())
def test_sequences_stay_in_their_run_in_order_and_end_at_their_own_window(lengths, n_steps, pad):
    lengths = {run: n if pad else n + n_steps - 1 for run, n in lengths.items()}
    X = sequences(lengths, n_steps=n_steps, pad=pad)
    _, runs, time = data(lengths)
    assert (runs[X.index] == X.runs[:, None]).all()
    assert (X.index[:, -1] == X.ends).all()
    steps = np.diff(X.index, axis=1)
    assert np.isin(steps, [0, 1]).all()
    # A step of 0 repeats the run's first window and stands before all steps of 1.
    assert (np.diff(steps, axis=1) >= 0).all()
    if not pad:
        assert (steps == 1).all()
    assert len(X) == sum(n if pad else n - n_steps + 1 for n in lengths.values())
    np.testing.assert_array_equal(X.time, time[X.ends])
    np.testing.assert_array_equal(X.context[:, 1], X.ends + 0.5)


# Copies and processes


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda X: pickle.loads(pickle.dumps(X))]
)
def test_copies_know_all(X, copied):
    assert_same(copied(X), X)
    assert_same(copied(X[5:2:-1]), X[5:2:-1])


def test_equal_content_has_an_equal_hash(X):
    assert joblib.hash(X) == joblib.hash(sequences())
    assert joblib.hash(X[:5]) != joblib.hash(X[:6])


def test_two_workers_read_the_same_windows_from_shared_memory():
    # joblib maps arrays of more than 1 MB.
    X = sequences(window_shape=(6000,))

    def look(X):
        return type(X.windows).__name__, X.windows.flags.writeable, X.map(np.square)

    seen = joblib.Parallel(n_jobs=2)(joblib.delayed(look)(rows) for rows in (X[::2], X[1::2]))
    for (kind, writeable, mapped), rows in zip(seen, (X[::2], X[1::2]), strict=True):
        assert (kind, writeable) == ("memmap", False)
        assert_same(mapped, rows.map(np.square))


# Journeys through scikit-learn


def test_group_k_fold_keeps_runs_whole(X, y):
    for train, test in GroupKFold(3).split(X, y, X.runs):
        assert not {*X[train].runs} & {*X[test].runs}
        assert len(X[train]) + len(X[test]) == len(X)


def test_cross_validation_hands_runs_on(X, y):
    scores = cross_validate(
        FlatRidge(),
        X,
        y,
        groups=X.runs,
        cv=LeaveOneGroupOut(),
        scoring=lambda estimator, X, y: float(bool(estimator.runs_ & {*X.runs})),
        return_estimator=True,
    )
    assert scores["test_score"].tolist() == [0, 0, 0]
    assert [sorted(each.runs_) for each in scores["estimator"]] == [
        ["b", "c"],
        ["a", "c"],
        ["a", "b"],
    ]


@pytest.mark.parametrize("model", [FlatRidge(), DummyRUL()])
def test_cross_val_predict_equals_a_loop_by_hand(X, y, model):
    predicted = cross_val_predict(model, X, y, groups=X.runs, cv=GroupKFold(3))
    for run in LENGTHS:
        test = X.runs == run
        by_hand = model.fit(X[~test], y[~test]).predict(X[test])
        np.testing.assert_allclose(predicted[test], by_hand)


def test_grid_search_over_a_pipeline_takes_sequences(X, y):
    search = GridSearchCV(
        make_pipeline(Shift(), FlatRidge()),
        {"shift__by": [0.0, 5.0], "flatridge__alpha": [1e-6, 1e9]},
        cv=GroupKFold(3),
        scoring="neg_mean_absolute_error",
    ).fit(X, y, groups=X.runs)
    assert search.best_params_["flatridge__alpha"] == 1e-6
    np.testing.assert_allclose(search.predict(X[3:7]), search.predict(X)[3:7])


def test_halving_search_in_two_processes_takes_sequences(X, y):
    # A lambda travels by value, which spares the workers the import of this file.
    flat = FunctionTransformer(lambda X: np.asarray(X).reshape(len(X), -1))
    search = HalvingRandomSearchCV(
        make_pipeline(flat, Ridge()),
        {"ridge__alpha": loguniform(1e-6, 1e3)},
        n_candidates=4,
        min_resources=8,
        cv=GroupKFold(2),
        random_state=0,
        n_jobs=2,
    ).fit(X, y, groups=X.runs)
    assert search.n_resources_ == [8, 24]
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_voting_averages_models_of_sequences(X, y):
    models = [("flat", FlatRidge()), ("dummy", DummyRUL())]
    predicted = VotingRegressor(models).fit(X, y).predict(X)
    parts = [model.fit(X, y).predict(X) for _, model in models]
    np.testing.assert_allclose(predicted, np.mean(parts, axis=0))


def test_a_transformed_target_goes_with_sequences(X, y):
    model = TransformedTargetRegressor(FlatRidge(), func=np.log1p, inverse_func=np.expm1)
    by_hand = np.expm1(FlatRidge().fit(X, np.log1p(y)).predict(X))
    np.testing.assert_allclose(model.fit(X, y).predict(X), by_hand)


def test_train_test_split_keeps_rows_and_targets_together(X, y):
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
    assert (len(X_train), len(X_test)) == (18, 6)
    assert sorted([*X_train.ends, *X_test.ends]) == list(range(24))
    np.testing.assert_array_equal(y_train, remaining(X_train))
    np.testing.assert_array_equal(y_test, remaining(X_test))


def test_learning_curve_takes_sequences(X, y):
    sizes, *scores = learning_curve(
        DummyRUL(), X, y, groups=X.runs, cv=GroupKFold(3), train_sizes=[0.5, 1.0]
    )
    assert sizes.tolist() == [7, 15]
    assert np.isfinite(scores).all()


def test_a_pipeline_with_memory_transforms_equal_sequences_once(X, y, tmp_path):
    pipeline = Pipeline([("shift", Shift()), ("model", FlatRidge())], memory=str(tmp_path))
    Shift.n_fits = 0
    first = pipeline.fit(X, y).predict(X)
    second = pipeline.fit(sequences(), y).predict(X)
    assert Shift.n_fits == 1
    np.testing.assert_array_equal(first, second)
    pipeline.fit(X[::2], y[::2])
    assert Shift.n_fits == 2


# Bad input


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint64])
def test_n_steps_of_any_integer_type_gives_the_same_sequences(kind):
    windows, runs, _ = data({"a": 130, "b": 150})
    X = RunSequences.from_runs(windows, runs, n_steps=kind(100))
    np.testing.assert_array_equal(X.index, RunSequences.from_runs(windows, runs, n_steps=100).index)


def test_numbers_held_as_objects_and_arrays_with_nothing_masked_are_windows():
    windows, runs, _ = data()
    for given_windows in (windows.astype(object), np.ma.array(windows)):
        X = RunSequences.from_runs(given_windows, runs)
        assert type(X.windows) is np.ndarray
        np.testing.assert_array_equal(X.windows, windows, strict=True)


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ([[1.0, 2.0], [3.0], [4.0]], r"unequal shapes \[\(1,\), \(2,\)\]; cut them to one length"),
        ([np.zeros((2, 9)), np.zeros((2, 8)), np.zeros((2, 9))], r"unequal shapes \[\(2, 8\), "),
        ([[[1, 2], [3]], [[1, 2], [3]], [[1, 2], [3]]], "channels of unequal length; cut"),
        (np.array([[1.0], [2.0, 3.0], [4.0]], dtype=object), "dtype object; give real numbers"),
        ([], r"windows of shape \(0,\) hold none; at least 1"),
        (np.empty((0, 5)), r"windows of shape \(0, 5\) hold none; at least 1"),
        (np.empty((3, 0)), r"windows of shape \(3, 0\) hold none; at least 1"),
        (np.array(1.0), r"windows of shape \(\) hold none"),
        (["x", "y", "z"], "dtype <U1; give real numbers"),
        (np.zeros(3, dtype=complex), "dtype complex128; give real numbers"),
        (np.zeros(3, dtype="datetime64[s]"), r"real numbers; convert it .*datetime64\[s\]"),
        ([None, None, None], "dtype object; give real numbers"),
        (scipy.sparse.csr_array(np.eye(3)), "dtype object; give real numbers"),
        (3, r"windows of shape \(\) hold none"),
        (None, r"windows of shape \(\) hold none"),
        (np.ma.array(np.zeros((3, 2)), mask=np.eye(3, 2)), "windows has masked values; fill"),
        ([np.ma.array([0.0, 1.0], mask=[0, 1])] * 3, "windows has masked values; fill"),
        (torch.zeros(3, 2, requires_grad=True), r"convert it first .*detach\(\)"),
        (torch.zeros(3, 2, dtype=torch.bfloat16), "convert it first .*BFloat16"),
    ],
)
def test_windows_that_make_no_array_of_numbers_are_refused(windows, message):
    with pytest.raises(ValueError, match=message):
        RunSequences.from_runs(windows, ["a", "a", "a"])


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (["a"] * 4, r"runs has shape \(4,\) but there are 5 windows; give one run id per window"),
        ([["a"]] * 5, r"runs has shape \(5, 1\) but there are 5 windows"),
        ("aaabb", r"runs has shape \(\) but"),
        (None, "runs is None; give one id per window"),
        ([1, 1, "1", "1", "1"], "missing or mixed ids"),
        (np.ma.array([0] * 5, mask=[0, 0, 0, 0, 1]), "runs has masked ids"),
        (list("aabba"), "interleaved: run a starts more than once; sort the windows by run"),
        ([0, 1, 0, 1, 1], "interleaved: run 0 starts more than once"),
        ([0.5, 1, 1, 0.5, 0.5], "interleaved: run 0.5 starts"),
        ([1.0, 1.0, np.nan, np.nan, 2.0], "missing or mixed ids; give ids of one type"),
        (["a", "a", None, None, "b"], "missing or mixed ids"),
        ([None] * 5, "missing or mixed ids"),
        (pd.Series(["a", "a", pd.NA, "b", "b"], dtype="string"), "missing or mixed ids"),
        (np.array(["a", "a", 1, 1, 1], dtype=object), "missing or mixed ids"),
    ],
)
def test_run_ids_that_name_no_whole_runs_are_refused(runs, message):
    with pytest.raises(ValueError, match=message):
        RunSequences.from_runs(np.zeros((5, 2)), runs)


def test_a_run_shorter_than_n_steps_needs_padding():
    windows, runs, _ = data({"a": 5, "b": 3, "c": 4})
    with pytest.raises(ValueError, match="run b has 3 windows in a row, fewer than n_steps=5"):
        RunSequences.from_runs(windows, runs, n_steps=5, pad=False)
    assert RunSequences.from_runs(windows, runs, n_steps=5).shape == (12, 5, 3)


@pytest.mark.parametrize(
    ("n_steps", "error", "message"),
    [
        (0, ValueError, "n_steps=0 must be at least 1"),
        (-3, ValueError, "n_steps=-3 must be at least 1"),
        (np.int64(0), ValueError, "n_steps=0 must be at least 1"),
        (2.0, TypeError, "n_steps=2.0 must be an integer"),
        ("2", TypeError, "n_steps='2' must be an integer"),
        (None, TypeError, "n_steps=None must be an integer"),
        (True, TypeError, "n_steps=True must be an integer"),
    ],
)
def test_n_steps_is_an_integer_of_at_least_one(n_steps, error, message):
    with pytest.raises(error, match=message):
        RunSequences.from_runs(np.zeros((5, 2)), [0] * 5, n_steps=n_steps)


@pytest.mark.parametrize(
    ("time", "message"),
    [
        ([0, 1, 2, 1, 0], "time falls within run b; sort rows by run, then by time"),
        ([0, 2, 1, 0, 1], "time falls within run a"),
        ([0, 1, np.nan, 0, 1], r"Input time contains NaN \(first in row"),
        ([0, 1, np.inf, 0, 1], "Input time contains infinity"),
        ([0, 1, None, 0, 1], "time contains NaN"),
        ([0, 1, 2, 3], r"time has shape \(4,\) but there are 5 windows; give one time in s"),
        (5.0, r"time has shape \(\) but"),
        (np.zeros((5, 1)), r"time has shape \(5, 1\) but"),
        (list("abcde"), "time in s must be real numbers"),
        (np.arange(5) * 1j, "time in s must be real numbers"),
        ([[0], [1, 2], 3, 4, 5], "time in s must be real numbers"),
    ],
)
def test_times_are_seconds_that_do_not_fall_within_a_run(time, message):
    with pytest.raises(ValueError, match=message):
        RunSequences.from_runs(np.zeros((5, 2)), list("aaabb"), time=time)


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (np.zeros((4, 2)), r"context has shape \(4, 2\) but there are 5 windows; give one row per"),
        (np.zeros((5, 2, 1)), r"context has shape \(5, 2, 1\) but"),
        (3.0, r"context has shape \(\) but"),
        ({"a": range(5), "b": range(4)}, r"columns of shape \[\(4,\), \(5,\)\] but there are 5"),
        ({"a": 1.0}, r"columns of shape \[\(\)\] but there are 5 windows"),
        ({}, r"columns of shape \[\] but there are 5 windows"),
        (pd.DataFrame(np.zeros((5, 2)), columns=["a", "a"]), "give uniquely named columns"),
        (list("abcde"), "context must be real numbers; convert it first"),
        ({"load": range(5), "gear": list("12345")}, "context column gear must be real numbers"),
        ({"day": np.arange(5).astype("datetime64[D]")}, "context column day must be real numbers"),
        ([{}] * 5, "context must be real numbers"),
        (np.arange(5) * 1j, "context must be real numbers"),
        ([0, 1, np.nan, 3, 4], "context contains NaN or infinity; fill the gaps first"),
        ({"load": [0, 1, None, 3, 4]}, "context contains NaN or infinity"),
        ([0, 1, np.inf, 3, 4], "context contains NaN or infinity"),
    ],
)
def test_context_is_finite_numbers_for_each_window(context, message):
    with pytest.raises(ValueError, match=message):
        RunSequences.from_runs(np.zeros((5, 2)), list("aaabb"), context=context)
