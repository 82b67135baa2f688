import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.exceptions import DataConversionWarning

from skprog import _checks
from skprog._checks import (
    as_numbers,
    check_finite,
    check_integer,
    check_number,
    check_option,
    check_plain,
    check_rows,
    check_rul,
    finite_rows,
    is_sequences,
)
from skprog.sequences import RunSequences


@pytest.fixture
def small_blocks(monkeypatch):
    """Check 64 bytes at a time, so that small arrays have many blocks."""
    monkeypatch.setattr(_checks, "BLOCK_BYTES", 64)


@pytest.fixture
def estimator():
    return BaseEstimator()


def sequences(windows, **kwargs):
    windows = np.asarray(windows)
    return RunSequences.from_runs(windows, np.zeros(len(windows)), **{"n_steps": 3, **kwargs})


# Integers, numbers, options


@pytest.mark.parametrize("value", [1, 7, np.int8(1), np.uint64(3), 10**400])
def test_integers_of_any_kind_pass(value):
    checked = check_integer("hop", value)
    assert type(checked) is int
    assert checked == value


@pytest.mark.parametrize("value", [1.0, "1", None, True, np.True_, np.float64(1), [1], np.array(1)])
def test_what_is_no_integer_is_a_type_error(value):
    with pytest.raises(TypeError, match=r"hop=.* must be an integer\."):
        check_integer("hop", value)


@pytest.mark.parametrize(
    ("value", "minimum"), [(0, 1), (-2, 1), (np.int64(0), 1), (-1, 0), (np.int64(3), 4)]
)
def test_an_integer_below_its_minimum_is_refused(value, minimum):
    with pytest.raises(ValueError, match=rf"^hop={int(value)} must be at least {minimum}\.$"):
        check_integer("hop", value, minimum=minimum)


@pytest.mark.parametrize(
    "value", [1, 0.5, np.float16(0.5), np.float64(0.5), np.int32(1), np.longdouble(1)]
)
def test_numbers_of_any_kind_pass(value):
    check_number("lr", value, above=0, maximum=1)


@pytest.mark.parametrize(
    "value", ["1", None, True, 1j, Fraction(1, 3), [1.0], np.array(1.0), np.True_]
)
def test_what_is_no_number_is_a_type_error(value):
    with pytest.raises(TypeError, match=r"lr=.* must be a number\."):
        check_number("lr", value)


@given(st.floats(-3, 3), st.sampled_from([-1, 0, 1.5]), st.sampled_from([-1, 2, 1.5]))
def test_bounds_are_closed_or_open_as_said(value, low, high):
    cases = [
        ({"minimum": low}, value >= low),
        ({"above": low}, value > low),
        ({"maximum": high}, value <= high),
        ({"below": high}, value < high),
        ({"minimum": low, "below": high}, low <= value < high),
        ({"above": low, "maximum": high}, low < value <= high),
    ]
    for bounds, holds in cases:
        if holds:
            check_number("lr", value, **bounds)
        else:
            with pytest.raises(ValueError, match="must be finite and"):
                check_number("lr", value, **bounds)


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (0, {"above": 0}, r"^lr=0 must be finite and above 0\.$"),
        (np.float64(-0.5), {"minimum": 0}, r"^lr=-0\.5 must be finite and at least 0\.$"),
        (1, {"minimum": 0, "below": 1}, r"^lr=1 must be finite and at least 0 and below 1\.$"),
        (2.5, {"above": 0, "maximum": 2}, r"^lr=2\.5 must be finite and above 0 and at most 2\.$"),
        (np.nan, {}, r"^lr=nan must be finite\.$"),
        (np.inf, {"minimum": 0}, r"^lr=inf must be finite and at least 0\.$"),
        (10**309, {}, r"^lr=10{309} must be finite\.$"),
        (-np.inf, {"maximum": 0}, r"^lr=-inf must be finite and at most 0\.$"),
    ],
)
def test_a_refused_number_is_named_with_its_bounds(value, bounds, message):
    with pytest.raises(ValueError, match=message):
        check_number("lr", value, **bounds)


def test_an_option_is_one_of_those_listed():
    check_option("output", "log", ("log", "density"))
    check_option("amp", None, (None, "bf16"))
    with pytest.raises(ValueError, match=r"^output='Log' is not one of 'log', 'density'\.$"):
        check_option("output", "Log", ("log", "density"))
    with pytest.raises(ValueError, match=r"^output='Log' is"):
        check_option("output", np.str_("Log"), ("log", "density"))
    with pytest.raises(ValueError, match=r"^amp=\[\] is not one of None, 'bf16'\.$"):
        check_option("amp", [], (None, "bf16"))


# Finiteness


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (9, 4), (30, 2, 3), (5, 0, 2), (0, 3)])
def test_finite_arrays_pass(small_blocks, shape, dtype):
    check_finite(np.ones(shape, dtype=dtype))


def test_every_float16_is_finite_or_not_as_numpy_says():
    X = np.arange(2**16, dtype=np.uint16).view(np.float16)
    np.testing.assert_array_equal(finite_rows(X), np.isfinite(X))
    # Bytes in the other order.
    np.testing.assert_array_equal(finite_rows(X.astype(">f2")), np.isfinite(X))


@pytest.mark.parametrize("X", [[1, 2], [True], ["a"], np.array([None]), np.int8([[1]]), 3, 1 + 2j])
def test_values_that_cannot_be_infinite_pass(X):
    check_finite(X)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64])
@pytest.mark.parametrize("shape", [(40,), (40, 3), (40, 2, 5), (40, 100)])
@pytest.mark.parametrize("row", [0, 1, 15, 16, 17, 39])
def test_the_first_bad_row_is_named_whatever_its_block(small_blocks, shape, dtype, row):
    X = np.zeros(shape, dtype=dtype)
    X[row:, ...] = np.inf
    X.reshape(40, -1)[row, -1] = np.nan
    with pytest.raises(ValueError, match=rf"^Input X contains NaN \(first in row {row}"):
        check_finite(X)


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_first_bad_row_of_a_large_array_is_named(order):
    X = np.zeros((3000, 2000), dtype=np.float32, order=order)
    assert X.nbytes > _checks.BLOCK_BYTES
    X[2901, 7] = -np.inf
    X[2902, 0] = np.nan
    message = (
        r"^Input X contains infinity or a value too large for float32 "
        r"\(above 3\.4e\+38; first in row 2901\); drop or repair such rows first\.$"
    )
    with pytest.raises(ValueError, match=message):
        check_finite(X)
    with pytest.raises(ValueError, match="first in row 97"):
        check_finite(X[::-1])
    check_finite(X[:2901])


@pytest.mark.parametrize("value", [np.nan, np.float32(np.nan), np.array(np.nan), [np.nan]])
def test_a_single_bad_value_is_row_zero(value):
    with pytest.raises(ValueError, match=r"Input y contains NaN .*first in row 0"):
        check_finite(value, "y")


# Numbers in arrays


@pytest.mark.parametrize("values", [[1, 2.5], (True, False), np.float16([1]), pd.Series([1, 2])])
def test_real_numbers_become_float64(values):
    expected = [float(value) for value in values]
    np.testing.assert_array_equal(as_numbers("time", values), expected, strict=True)


@pytest.mark.parametrize(
    "values", [["1"], [b"1"], [1j], [{}], [[1], [2, 3]], pd.to_datetime(["2020-01-01"]), ["1 s"]]
)
def test_text_dates_and_complex_are_no_real_numbers(values):
    with pytest.raises(ValueError, match=r"^time must be real numbers; convert it first"):
        as_numbers("time", values)


@pytest.mark.parametrize("kind", [lambda m: m, lambda m: [m, m], lambda m: [1.0, np.ma.masked]])
def test_masked_values_are_refused(estimator, kind):
    values = kind(np.ma.array([1.0, 2.0], mask=[False, True]))
    message = r"has masked values; fill them or drop their rows first\.$"
    for check in (as_numbers, check_plain):
        with pytest.raises(ValueError, match="^time " + message):
            check("time", values)
    with pytest.raises(ValueError, match="^X " + message):
        check_rows(estimator, values, reset=True)
    with pytest.raises(ValueError, match="^y " + message):
        check_rul(values, 2)
    check_plain("time", np.ma.array([1.0, 2.0]))


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(3, dtype="datetime64[s]"),
        [[np.timedelta64(1, "s")]],
        pd.Series(pd.timedelta_range(0, periods=3, freq="10s")),
        torch.zeros(3, requires_grad=True),
        [torch.zeros(3, dtype=torch.bfloat16)],
    ],
)
def test_dates_and_tensors_that_are_no_arrays_are_no_real_numbers(values):
    with pytest.raises(ValueError, match=r"^X must be real numbers; convert it first \("):
        check_plain("X", values)


# Rows


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("shape", [(4, 2), (4, 2, 3), (4, 2, 3, 5, 6)])
def test_float16_and_float32_rows_are_kept_without_a_copy(estimator, shape, dtype):
    X = np.ones(shape, dtype=dtype)
    assert np.shares_memory(check_rows(estimator, X, reset=True), X)
    assert estimator.n_features_in_ == 2
    assert estimator.shape_in_ == shape[1:]
    held = sequences(X)
    assert check_rows(estimator, held, reset=True) is held
    assert estimator.n_features_in_ == 3
    assert estimator.shape_in_ == (3, *shape[1:])


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint8, bool, ">f4", object])
def test_other_numbers_become_float32(estimator, dtype):
    X = np.array([[1, 0], [1, 1], [0, 1]], dtype=dtype)
    checked = check_rows(estimator, X, reset=True)
    np.testing.assert_array_equal(checked, X.astype(np.float32), strict=True)
    if dtype is not object:
        checked = check_rows(estimator, sequences(X), reset=True)
        assert checked.dtype == np.float32
        np.testing.assert_array_equal(checked.windows, X)


def test_lists_of_any_depth_are_rows(estimator):
    assert check_rows(estimator, [[1, 2], [3, 4]], reset=True).dtype == np.float32
    assert check_rows(estimator, [[[1, 2]], [[3, 4]]], reset=True).shape == (2, 1, 2)


def test_a_table_is_rows_although_it_has_map_and_index(estimator):
    table = pd.DataFrame({"rms": [1.0, 2.0], "peak": [3, 4]})
    assert hasattr(table, "map")
    assert hasattr(table, "index")
    assert not is_sequences(table)
    X = check_rows(estimator, table, reset=True)
    np.testing.assert_array_equal(X, np.float32([[1, 3], [2, 4]]), strict=True)
    assert estimator.feature_names_in_.tolist() == ["rms", "peak"]
    with pytest.raises(ValueError, match="feature names should match"):
        check_rows(estimator, table[["peak", "rms"]], reset=False)


def test_a_refit_on_sequences_forgets_the_names_of_columns(estimator):
    check_rows(estimator, pd.DataFrame({"rms": [1.0, 2.0]}), reset=True)
    check_rows(estimator, sequences(np.zeros((4, 2))), reset=True)
    assert not hasattr(estimator, "feature_names_in_")
    check_rows(estimator, np.zeros((4, 3, 2)), reset=False)


def test_sequences_and_their_stacked_array_are_alike(estimator):
    X = sequences(np.ones((5, 2, 4)))
    check_rows(estimator, X, reset=True)
    stacked = check_rows(estimator, np.asarray(X), reset=False)
    np.testing.assert_array_equal(np.asarray(check_rows(estimator, X, reset=False)), stacked)
    other = BaseEstimator()
    check_rows(other, np.asarray(X), reset=True)
    check_rows(other, X[1:3], reset=False)
    assert vars(other) == vars(estimator)


def test_read_only_windows_on_disk_are_neither_copied_nor_written(estimator, tmp_path):
    np.save(tmp_path / "X.npy", np.ones((6, 2, 3), dtype=np.float32))
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert np.shares_memory(check_rows(estimator, X, reset=True), X)
    held = sequences(X)
    assert np.shares_memory(check_rows(estimator, held, reset=True).windows, X)


def test_predicting_needs_rows_of_the_shape_fitted(estimator):
    check_rows(estimator, np.ones((4, 2, 3)), reset=True)
    message = r"rows of shape \(2, 5\) but BaseEstimator was fitted on rows of shape \(2, 3\); prep"
    with pytest.raises(ValueError, match=message):
        check_rows(estimator, np.ones((4, 2, 5)), reset=False)
    with pytest.raises(ValueError, match=r"rows of shape \(3, 3\) but"):
        check_rows(estimator, sequences(np.ones((4, 3))), reset=False)
    with pytest.raises(ValueError, match="X has 3 features, but BaseEstimator is expecting 2"):
        check_rows(estimator, np.ones((4, 3)), reset=False)
    check_rows(estimator, np.ones((1, 2, 3)), reset=False)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.empty((0, 2)), ValueError, "0 sample"),
        (np.empty((0, 2, 3)), ValueError, "0 sample"),
        (np.empty((3, 0)), ValueError, "0 feature"),
        (np.empty((3, 2, 0)), ValueError, r"shape \(3, 2, 0\) and so no values"),
        (sequences(np.ones((4, 2)))[:0], ValueError, "X has 0 sequences; at least 1 is required"),
        (
            sequences(np.ones((4, 2))).map(lambda windows: windows[:, :0]),
            ValueError,
            r"shape \(4, 3, 0\) and so no values",
        ),
        (np.ones(3), ValueError, "Expected 2D array, got 1D"),
        (1.0, ValueError, "Expected 2D array, got scalar"),
        ([["a", "b"]], ValueError, "could not convert string to float"),
        ([[1, 2], [3]], ValueError, "inhomogeneous"),
        (np.ones((3, 2)) * 1j, ValueError, "Complex data not supported"),
        (
            sequences(np.ones((4, 2))).map(lambda windows: windows * 1j),
            ValueError,
            "X has dtype complex128; sequences hold real numbers",
        ),
        (
            sequences(np.ones((4, 2))).map(lambda windows: windows.astype(str)),
            ValueError,
            "X has dtype <U32; sequences hold real numbers",
        ),
        (scipy.sparse.csr_array(np.eye(3)), TypeError, "Sparse data was passed"),
        (np.array([[{}]]), TypeError, "float"),
    ],
)
def test_rows_that_hold_no_real_numbers_are_refused(estimator, X, error, message):
    with pytest.raises(error, match=message):
        check_rows(estimator, X, reset=True)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("bad", "what"), [(np.nan, "NaN"), (-np.inf, "infinity")])
@pytest.mark.parametrize("key", [slice(None), slice(8, None), [11, 10, 9, 2], [2, 11, 9]])
def test_sequences_and_stacked_array_name_the_same_bad_row(
    estimator, small_blocks, key, bad, what, dtype
):
    windows = np.ones((20, 2, 3), dtype=dtype)
    windows[9:11, 1, 2] = bad
    X = sequences(windows)[key]
    row = int((X.index >= 9).any(axis=1).argmax())
    for rows in (X, np.asarray(X)):
        with pytest.raises(ValueError, match=rf"Input X contains {what}.*first in row {row}\)"):
            check_rows(estimator, rows, reset=True)


def test_bad_windows_that_no_row_uses_are_none_of_its_business(estimator):
    windows = np.ones((20, 2), dtype=np.float32)
    windows[9] = np.nan
    X = sequences(windows)
    check_rows(estimator, X[:9], reset=True)
    check_rows(estimator, X[12:], reset=True)
    check_rows(estimator, X[[0, 19]], reset=True)
    with pytest.raises(ValueError, match="NaN"):
        check_rows(estimator, X[11:], reset=True)


@pytest.mark.parametrize("as_sequences", [True, False])
def test_a_value_too_large_for_float32_is_refused_without_a_warning(estimator, as_sequences):
    X = np.ones((5, 2))
    X[3, 1] = 1e39
    rows = sequences(X, n_steps=1) if as_sequences else X
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=r"float32 \(above 3\.4e\+38; first in row 3\)"):
            check_rows(estimator, rows, reset=True)


# RUL


@pytest.mark.parametrize("y", [[30, 0], (30, 0.0), np.float16([30, 0]), pd.Series([30, 0])])
def test_rul_becomes_float64_seconds(y):
    np.testing.assert_array_equal(check_rul(y, 2), [30.0, 0.0], strict=True)


def test_a_column_of_rul_is_taken_with_a_warning():
    with pytest.warns(DataConversionWarning):
        assert check_rul([[30.0], [0.0]], 2).shape == (2,)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed, but the target y is None"),
        ([1.0, 2.0], r"y has 2 values but X has 3 rows; give one RUL .* y = rul\[X.ends\]"),
        ([3.0, np.nan, 1.0], r"Input y contains NaN \(first in row 1\)"),
        ([3.0, 2.0, np.inf], r"Input y contains infinity \(first in row 2\)"),
        (
            [3.0, -0.5, -2],
            r"^Negative values in data passed as y: RUL -2\.0 s; RUL is 0 at failure",
        ),
        ([["a"], ["b"], ["c"]], "y must be real numbers"),
        (["3", "2", "1"], "y must be real numbers; convert it first"),
        (np.array([3, 2, 1], dtype="timedelta64[s]"), "y must be real numbers"),
        ([3j, 2, 1], "Complex data not supported"),
        (np.ones((3, 2)), "1d array"),
        (3.0, "1d array"),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
def test_what_is_no_rul_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        check_rul(y, 3)
