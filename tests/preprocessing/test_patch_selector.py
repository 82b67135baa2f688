"""Patches of grey images: which, where, and of which type."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skprog.preprocessing import PatchSelector

SINGLE = ("representative", "max_variance", "center", "random")


@pytest.fixture
def images():
    """5 images of 20 x 27 pixels."""
    return np.random.default_rng(0).integers(0, 256, (5, 20, 27), dtype=np.uint8)


@pytest.fixture
def unequal():
    """3 images of 9 x 12, 8 x 8 and 13 x 4 pixels."""
    rng = np.random.default_rng(0)
    return [rng.random(shape, dtype=np.float32) for shape in ((9, 12), (8, 8), (13, 4))]


def distinct(shape, seed):
    """Return an image whose pixels all differ."""
    pixels = np.random.default_rng(seed).permutation(shape[0] * shape[1])
    return pixels.reshape(shape).astype(np.uint16)


sizes = st.tuples(st.integers(2, 20), st.integers(2, 20))
seeds = st.integers(0, 99)


# Where


def test_a_paper_sized_image_is_cut_into_64_tiles_row_by_row():
    X = distinct((1024, 1024), 0).astype(np.float32)[np.newaxis]
    tiles, positions = PatchSelector(strategy="all").transform(X, return_positions=True)
    assert tiles.shape == (1, 64, 128, 128)
    np.testing.assert_array_equal(positions[0] // 128, [*np.ndindex(8, 8)])
    np.testing.assert_array_equal(tiles[0, 9], X[0, 128:256, 128:256])


def test_what_fills_no_tile_is_shared_by_both_sides():
    X = distinct((7, 10), 0)[np.newaxis]
    _, positions = PatchSelector(4, strategy="all").transform(X, return_positions=True)
    np.testing.assert_array_equal(positions, [[[1, 1], [1, 5]]])


def test_center_is_the_middle_of_the_image_and_not_a_tile():
    X = distinct((8, 9), 0)[np.newaxis]
    patches, positions = PatchSelector(4, "center").transform(X, return_positions=True)
    np.testing.assert_array_equal(positions, [[2, 2]])
    np.testing.assert_array_equal(patches[0], X[0, 2:6, 2:6])


@given(shape=sizes, size=st.integers(1, 20), seed=seeds)
def test_all_tiles_put_together_are_the_cropped_image(shape, size, seed):
    size = min(size, *shape)
    image = distinct(shape, seed)
    tiles, positions = PatchSelector(size, "all").transform(image[np.newaxis], True)
    n_rows, n_columns = shape[0] // size, shape[1] // size
    top, left = (shape[0] - n_rows * size) // 2, (shape[1] - n_columns * size) // 2
    whole = np.block([[*tiles[0, i * n_columns : (i + 1) * n_columns]] for i in range(n_rows)])
    np.testing.assert_array_equal(
        whole, image[top : top + n_rows * size, left : left + n_columns * size]
    )
    np.testing.assert_array_equal(positions[0, 0], [top, left])


@given(
    shapes=st.lists(sizes, min_size=1, max_size=4),
    size=st.integers(1, 20),
    strategy=st.sampled_from((*SINGLE, "all")),
    seed=seeds,
)
def test_positions_say_where_the_patches_lie(shapes, size, strategy, seed):
    size = min(size, *map(min, shapes))
    X = [distinct(shape, seed + i) for i, shape in enumerate(shapes)]
    selector = PatchSelector(size, strategy, random_state=seed)
    patches, positions = selector.transform(X, return_positions=True)
    assert len(patches) == len(positions) == len(X)
    for image, cut, corners in zip(X, patches, positions, strict=True):
        cut, corners = cut.reshape(-1, size, size), corners.reshape(-1, 2)
        assert len(cut) == len(corners)
        for patch, (row, column) in zip(cut, corners, strict=True):
            np.testing.assert_array_equal(patch, image[row : row + size, column : column + size])


@given(shape=sizes, size=st.integers(1, 20), seed=seeds)
def test_each_choice_but_the_center_is_one_of_all_tiles(shape, size, seed):
    X = distinct(shape, seed)[np.newaxis]
    size = min(size, *shape)
    _, corners = PatchSelector(size, "all").transform(X, return_positions=True)
    for strategy in ("representative", "max_variance", "random"):
        selector = PatchSelector(size, strategy, random_state=seed)
        _, positions = selector.transform(X, return_positions=True)
        assert positions[0].tolist() in corners[0].tolist()


# Which


def test_the_tile_with_the_greys_of_the_image_is_representative():
    dark, bright = np.zeros((4, 4)), np.full((4, 4), 9.0)
    mixed = np.where(np.indices((4, 4)).sum(axis=0) % 2, 0.0, 9.0)
    # Half of all pixels are bright, as in the last tile alone.
    X = np.block([[dark, bright, dark], [bright, mixed, dark], [dark, bright, bright]])
    patches, positions = PatchSelector(4).transform(X[np.newaxis], return_positions=True)
    np.testing.assert_array_equal(positions, [[4, 4]])
    np.testing.assert_array_equal(patches[0], mixed)


def test_a_grey_slightly_off_is_nearer_than_a_grey_far_off():
    # Each tile shares a fifth of the image's pixels; from 40 the others are nearest.
    X = np.repeat([[0.0, 63.0, 5.0, 40.0, 41.0]], 2, axis=0).repeat(2, axis=1)
    _, positions = PatchSelector(2).transform(X[np.newaxis], return_positions=True)
    np.testing.assert_array_equal(positions, [[0, 6]])


@given(shape=sizes, size=st.integers(1, 20), seed=seeds)
def test_no_tile_is_nearer_than_the_representative_by_scipy(shape, size, seed):
    image = np.random.default_rng(seed).integers(0, 64, shape, dtype=np.uint8)
    image[0, :2] = 0, 63
    size = min(size, *shape)
    kept = PatchSelector(size).transform(image[np.newaxis])
    tiles = PatchSelector(size, "all").transform(image[np.newaxis])[0]
    bins, *rows = (np.minimum(part * (64 / 63), 63).astype(int) for part in (image, *kept, *tiles))
    distances = [wasserstein_distance(bins.ravel(), row.ravel()) for row in rows]
    assert distances[0] <= min(distances) + 1e-9


@given(shape=sizes, size=st.integers(1, 20), seed=seeds)
def test_no_tile_varies_more_than_that_of_the_largest_variance(shape, size, seed):
    X = np.random.default_rng(seed).random((1, *shape), dtype=np.float32)
    size = min(size, *shape)
    tiles = PatchSelector(size, "all").transform(X)[0]
    kept = PatchSelector(size, "max_variance").transform(X)[0]
    variances = tiles.astype(np.float64).var(axis=(1, 2))
    assert kept.astype(np.float64).var() >= variances.max() * (1 - 1e-12)


def test_variance_tells_tiles_apart_on_a_high_ground():
    X = np.full((1, 4, 8), 60_000, dtype=np.uint16)
    X[0, 0, :4] += 1
    X[0, 0, 4:] += 2
    _, positions = PatchSelector(4, "max_variance").transform(X, return_positions=True)
    np.testing.assert_array_equal(positions, [[0, 4]])


@pytest.mark.parametrize("strategy", ["representative", "max_variance"])
def test_of_equal_tiles_the_first_is_kept(strategy):
    X = np.tile(np.random.default_rng(0).random((5, 5)), (1, 4, 3))
    _, positions = PatchSelector(5, strategy).transform(X, return_positions=True)
    np.testing.assert_array_equal(positions, [[0, 0]])


@pytest.mark.parametrize("strategy", ["representative", "max_variance"])
def test_twice_the_contrast_on_another_ground_keeps_the_choice(strategy, images):
    _, expected = PatchSelector(5, strategy).transform(images, return_positions=True)
    _, positions = PatchSelector(5, strategy).transform(2.0 * images + 100, return_positions=True)
    np.testing.assert_array_equal(positions, expected)


@pytest.mark.parametrize("strategy", ["representative", "max_variance"])
def test_the_largest_range_of_float32_overflows_nothing(strategy):
    X = np.full((1, 4, 8), 1e38, dtype=np.float32)
    X[0, 0] = -3e38
    X[0, 1, 4:] = 3e38
    patches = PatchSelector(4, strategy).transform(X)
    assert np.isfinite(patches).all()


# At random


def test_a_seed_draws_the_same_tiles_in_every_call(images):
    selector = PatchSelector(5, "random", random_state=3).fit(images)
    first, again = (selector.transform(images) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = PatchSelector(5, "random", random_state=4).transform(images)
    assert not np.array_equal(first, other)


def test_images_are_drawn_in_order(images):
    selector = PatchSelector(5, "random", random_state=3)
    np.testing.assert_array_equal(selector.transform(images[:2]), selector.transform(images)[:2])


def test_every_tile_is_drawn():
    X = np.tile(distinct((4, 6), 0), (200, 1, 1))
    _, positions = PatchSelector(2, "random", random_state=0).transform(X, return_positions=True)
    corners, counts = np.unique(positions, axis=0, return_counts=True)
    assert len(corners) == 6
    assert counts.min() > 15


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_a_generator_goes_on_drawing_and_fit_draws_nothing(make, images):
    once = PatchSelector(2, "random", random_state=make(0))
    fitted = PatchSelector(2, "random", random_state=make(0)).fit(images)
    first = once.transform(images)
    np.testing.assert_array_equal(fitted.transform(images), first)
    assert not np.array_equal(once.transform(images), first)


def test_the_global_generator_is_left_alone(images):
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    PatchSelector(5, "random").fit_transform(images)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


# Shapes and types


@pytest.mark.parametrize("strategy", SINGLE)
def test_images_of_unequal_size_give_one_array_of_patches(strategy, unequal):
    patches, positions = PatchSelector(4, strategy).transform(unequal, return_positions=True)
    assert patches.shape == (3, 4, 4)
    assert positions.shape == (3, 2)
    assert positions.dtype == np.int64


def test_all_tiles_of_unequal_images_are_lists(unequal):
    tiles, positions = PatchSelector(4, "all").transform(unequal, return_positions=True)
    assert [rows.shape for rows in tiles] == [(6, 4, 4), (4, 4, 4), (3, 4, 4)]
    assert [rows.shape for rows in positions] == [(6, 2), (4, 2), (3, 2)]


@pytest.mark.parametrize("strategy", [*SINGLE, "all"])
def test_a_list_of_equal_images_is_the_same_as_their_array(strategy, images):
    selector = PatchSelector(6, strategy, random_state=0)
    np.testing.assert_array_equal(
        selector.transform([*images]), selector.transform(images), strict=True
    )


@pytest.mark.parametrize("strategy", [*SINGLE, "all"])
@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        ("uint8", "uint8"),
        ("uint16", "uint16"),
        ("float16", "float16"),
        ("float32", "float32"),
        ("float64", "float32"),
        ("int32", "float32"),
    ],
)
def test_types_of_images_are_kept_and_others_become_float32(strategy, dtype, kept, images):
    selector = PatchSelector(6, strategy, random_state=0)
    patches, positions = selector.transform(images.astype(dtype), return_positions=True)
    assert patches.dtype == kept
    expected, same_positions = selector.transform(images, return_positions=True)
    np.testing.assert_array_equal(patches, expected)
    np.testing.assert_array_equal(positions, same_positions)


def test_images_of_unlike_types_take_the_type_that_holds_them_all(images):
    X = [images[0], images[1].astype(np.float32) / 255]
    patches = PatchSelector(6, "center").transform(X)
    assert patches.dtype == np.float32
    np.testing.assert_array_equal(patches[1], X[1][7:13, 10:16])


@pytest.mark.parametrize("strategy", [*SINGLE, "all"])
def test_memory_order_and_read_only_input_change_nothing(strategy, images):
    selector = PatchSelector(6, strategy, random_state=0)
    expected = selector.transform(images)
    frozen = images.copy()
    frozen.flags.writeable = False
    for X in (np.asfortranarray(images), images[:, ::-1].copy()[:, ::-1], frozen):
        patches = selector.transform(X)
        np.testing.assert_array_equal(patches, expected)
        assert patches.flags.c_contiguous


@pytest.mark.parametrize("strategy", [*SINGLE, "all"])
@pytest.mark.parametrize("shape", [(6, 6), (18, 6), (6, 27)])
def test_patches_are_copies(strategy, shape):
    X = [distinct(shape, 0), distinct(shape[::-1], 1)]
    before = [image.copy() for image in X]
    for patch in PatchSelector(6, strategy).fit_transform(X):
        patch[:] = 0
    for image, expected in zip(X, before, strict=True):
        np.testing.assert_array_equal(image, expected)


# As an estimator


def test_transform_needs_no_fit_and_takes_images_of_another_size(images, unequal):
    selector = PatchSelector(4)
    expected = selector.transform(unequal)
    np.testing.assert_array_equal(selector.fit(images).transform(unequal), expected)


def test_fit_learns_nothing(images):
    selector = PatchSelector(4)
    assert selector.fit(images, y=[0, 1, 0, 1, 0]) is selector
    assert vars(selector) == selector.get_params()


@pytest.mark.parametrize("strategy", [*SINGLE, "all"])
def test_clone_and_pickle_cut_the_same_patches(strategy, images):
    selector = PatchSelector(6, strategy, random_state=0).fit(images)
    expected = selector.transform(images)
    for twin in (clone(selector), pickle.loads(pickle.dumps(selector))):
        assert twin.get_params() == selector.get_params()
        np.testing.assert_array_equal(twin.transform(images), expected)


def test_a_pipeline_searches_the_strategy():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(24, 9, 12)).astype(np.float32)
    y = np.repeat(["plain", "spotted"], 12)
    # Spots lie where the middle does not see them.
    X[12:, :4, :4] *= 9
    pipeline = make_pipeline(
        PatchSelector(4),
        FunctionTransformer(lambda patches: patches.var(axis=(1, 2))[:, np.newaxis]),
        LogisticRegression(),
    )
    search = GridSearchCV(pipeline, {"patchselector__strategy": ["center", "max_variance"]}, cv=3)
    search.fit(X, y)
    assert search.best_params_ == {"patchselector__strategy": "max_variance"}
    assert search.score([*X], y) == 1


# Errors


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"patch_size": 0}, ValueError, "patch_size=0 must be at least 1"),
        ({"patch_size": 4.0}, TypeError, r"patch_size=4\.0 must be an integer"),
        ({"patch_size": (4, 4)}, TypeError, "must be an integer"),
        ({"patch_size": True}, TypeError, "patch_size=True must be an integer"),
        (
            {"patch_size": 21},
            ValueError,
            r"X\[0\] has shape \(20, 27\) but patch_size=21; use a smaller patch_size or leave",
        ),
        ({"strategy": "best"}, ValueError, "strategy='best' is not one of 'representative', 'max"),
        ({"strategy": None}, ValueError, "strategy=None is not one of"),
        ({"random_state": -1}, ValueError, "random_state=-1 must be None, an integer of at least"),
        ({"random_state": "a"}, TypeError, "random_state='a' must be None"),
        ({"random_state": 1.5}, TypeError, r"random_state=1\.5 must be None"),
        ({"random_state": True}, TypeError, "random_state=True must be None"),
    ],
)
def test_wrong_parameter_is_refused(params, error, message, images):
    selector = PatchSelector(**{"patch_size": 4, **params})
    for method in (selector.fit, selector.transform):
        with pytest.raises(error, match=message):
            method(images)


def test_the_image_that_is_smaller_than_a_patch_is_named(unequal):
    selector = PatchSelector(5)
    for method in (selector.fit, selector.transform):
        with pytest.raises(ValueError, match=r"X\[2\] has shape \(13, 4\) but patch_size=5"):
            method(unequal)


def spoilt(value):
    """Return 3 images with one pixel of the second replaced."""
    X = np.random.default_rng(0).random((3, 6, 6))
    X[1, 2, 3] = value
    return X


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (spoilt(np.nan), ValueError, r"X\[1\] contains NaN or infinity"),
        (spoilt(-np.inf), ValueError, r"X\[1\] contains NaN or infinity"),
        ([spoilt(0)[0], np.full((6, 6), 7)], ValueError, r"X\[1\] has the value 7.* throughout"),
        (spoilt(0)[0], ValueError, r"X has shape \(6, 6\); give images"),
        (
            np.stack([spoilt(0)] * 3, axis=-1),
            ValueError,
            r"X\[0\] has shape \(6, 6, 3\); give grey",
        ),
        (spoilt(0)[:0], ValueError, "X has 0 images"),
        (spoilt(0).astype(str), ValueError, "dtype"),
        (3, TypeError, "of type int must be an array or a list"),
        ("image.png", TypeError, "of type str must be an array or a list"),
        (iter(spoilt(0)), TypeError, "must be an array or a list"),
    ],
)
def test_what_are_no_grey_images_is_refused(X, error, message):
    selector = PatchSelector(2)
    for method in (selector.fit, selector.transform):
        with pytest.raises(error, match=message):
            method(X)


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_return_positions_is_true_or_false(value, images):
    with pytest.raises(TypeError, match=r"return_positions=.* must be True or False"):
        PatchSelector(4).transform(images, return_positions=value)
