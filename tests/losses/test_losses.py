"""Losses for imbalanced classes: values worked out by hand, counts against their definition."""

import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom
from sklearn.metrics import mean_pinball_loss

from skprog.losses import (
    ClassBalancedLoss,
    ClassCostLoss,
    ClassificationLoss,
    FocalLoss,
    GradientHarmonizedLoss,
    PinballLoss,
    class_thresholds,
    gradient_density,
    gradient_directions,
    mean_gradient_angles,
)

BASES = ["cross_entropy", "mse", "rmse"]
SET_1 = [3200] + 11 * [64]
SET_2 = [3200] + 11 * [16]
seeds = st.integers(0, 2**32 - 1)

LOSSES = {
    "plain": ClassificationLoss,
    "class_cost": ClassCostLoss,
    "class_balanced": ClassBalancedLoss,
    "focal": FocalLoss,
    "focal_0.5": partial(FocalLoss, gamma=0.5),
    "ghl": GradientHarmonizedLoss,
    "ghl_2d": partial(GradientHarmonizedLoss, projection="2d"),
    "ghl_epoch": partial(GradientHarmonizedLoss, scope="epoch"),
    "ghl_drop": partial(GradientHarmonizedLoss, drop=True),
}
REPEATABLE = [name for name in LOSSES if name != "ghl_drop"]
each_base = pytest.mark.parametrize("base", BASES)
each_loss = pytest.mark.parametrize("loss", list(LOSSES.values()), ids=list(LOSSES))


# Six samples of which four are of class 0, so that C = 3, N = 6 and, at alpha = 1,
#     T_0 = sigmoid((4/6 - 1/3) 15) - 1/2 = sigmoid(5) - 1/2 = 0.4933
#     T_1 = T_2 = sigmoid((1/6 - 1/3) 15) - 1/2 = sigmoid(-2.5) - 1/2 < 0, hence 0.
# The logits are the logarithms of
#
#     sample  class  exp(logits)  softmax             direction          its square
#     0       0      2   1   1    1/2   1/4   1/4     -1   1/2    1/2    1.5
#     1       0      4   3   1    1/2   3/8   1/8     -1   3/4    1/4    1.625
#     2       0      1   1   3    1/5   1/5   3/5     -1   1/4    3/4    1.625
#     3       0      100 1   99   1/2   1/200 99/200  -1   1/100  99/100 1.9802
#     4       1      1   1   2    1/4   1/4   1/2     1/3  -1     2/3
#     5       2      1   1   8    1/10  1/10  4/5     1/2  1/2    -1
#
# so that the angles within class 0 are
#
#     0 1  arccos(1.5 / sqrt(1.5 1.625))      0.2810  similar
#     0 2  arccos(1.5 / sqrt(1.5 1.625))      0.2810  similar
#     0 3  arccos(1.5 / sqrt(1.5 1.9802))     0.5149
#     1 2  arccos(1.375 / 1.625)              0.5621
#     1 3  arccos(1.255 / sqrt(1.625 1.9802)) 0.7959
#     2 3  arccos(1.745 / sqrt(1.625 1.9802)) 0.2339  similar
COUNTS = [4, 1, 1]
THRESHOLDS = [0.4933071490757153, 0.0, 0.0]
LOGITS = torch.tensor(
    [[2, 1, 1], [4, 3, 1], [1, 1, 3], [100, 1, 99], [1, 1, 2], [1, 1, 8]], dtype=torch.float64
).log()
Y = torch.tensor([0, 0, 0, 0, 1, 2])
DENSITIES = [3, 2, 3, 2, 1, 1]
WEIGHTS = [1 / 3, 1 / 2, 1 / 3, 1 / 2, 1, 1]
ANGLES_OF_CLASS_0 = [0.28103490, 0.28103490, 0.51489522, 0.56206980, 0.79593012, 0.23386032]
SAMPLE_LOSSES = {
    "cross_entropy": np.log([2, 2, 5, 2, 4, 1.25]),
    # Sums of squares of softmax less one-hot, over 3.
    "mse": np.array([3 / 8, 26 / 64, 26 / 25, 19802 / 40000, 14 / 16, 6 / 100]) / 3,
}
SAMPLE_LOSSES["rmse"] = np.sqrt(SAMPLE_LOSSES["mse"])
HARMONIZED = {
    # (log 2 (1/3 + 1/2 + 1/2) + 1/3 log 5 + log 4 + log 5/4) / 6 = 4/3 (log 2 + log 5) / 6
    "cross_entropy": 2 / 9 * math.log(10),
    # (1/24 + 13/192 + 26/225 + 9901/120000 + 7/24 + 1/50) / 6
    "mse": 0.10318425925925927,
    "rmse": 0.23045029990284646,
}


def random_batch(seed, counts, n_samples=40, dtype=torch.float32):
    """Return logits of a random scale and classes, most of them of class 0."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=10 ** rng.uniform(-2, 1), size=(n_samples, len(counts)))
    y = np.where(rng.random(n_samples) < 0.6, 0, rng.integers(len(counts), size=n_samples))
    return torch.tensor(logits, dtype=dtype), torch.tensor(y)


def angle_matrix(gradients):
    """Return the angles between gradients, none of them 0, (n_samples, n_samples)."""
    units = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    differences = np.linalg.norm(units[:, None] - units, axis=2)
    sums = np.linalg.norm(units[:, None] + units, axis=2)
    return 2 * np.arctan2(differences, sums)


def test_thresholds_of_six_samples():
    np.testing.assert_allclose(class_thresholds(COUNTS, 1.0), THRESHOLDS, rtol=1e-14)
    np.testing.assert_allclose(
        class_thresholds(COUNTS, 0.5, annealing=0.25), np.multiply(THRESHOLDS, 0.125), rtol=1e-14
    )
    np.testing.assert_allclose(
        class_thresholds(COUNTS, 2.0, annealing=[0.5, 1, 0]), THRESHOLDS, rtol=1e-14
    )


def test_directions_of_six_samples():
    expected = [
        [-1, 1 / 2, 1 / 2],
        [-1, 3 / 4, 1 / 4],
        [-1, 1 / 4, 3 / 4],
        [-1, 1 / 100, 99 / 100],
        [1 / 3, -1, 2 / 3],
        [1 / 2, 1 / 2, -1],
    ]
    np.testing.assert_allclose(gradient_directions(LOGITS, Y), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("projection", [None, "2d"])
def test_densities_and_weights_of_six_samples(dtype, projection):
    loss = GradientHarmonizedLoss(COUNTS, projection=projection)
    logits = LOGITS.to(dtype)
    assert loss.density(logits, Y).tolist() == DENSITIES
    np.testing.assert_allclose(loss.sample_weights(logits, Y), WEIGHTS, rtol=1e-7)
    directions = gradient_directions(logits, Y)[:4]
    assert gradient_density(directions, THRESHOLDS[0]).tolist() == DENSITIES[:4]


@each_base
def test_losses_of_six_samples(base):
    plain = ClassificationLoss(COUNTS, base=base)(LOGITS, Y)
    harmonized = GradientHarmonizedLoss(COUNTS, base=base)(LOGITS, Y)
    assert plain.item() == pytest.approx(SAMPLE_LOSSES[base].mean(), rel=1e-12)
    assert harmonized.item() == pytest.approx(np.mean(WEIGHTS * SAMPLE_LOSSES[base]), rel=1e-12)
    assert harmonized.item() == pytest.approx(HARMONIZED[base], rel=1e-9)


def test_mean_angles_of_six_samples():
    angles = mean_gradient_angles(LOGITS, Y)
    assert angles[0] == pytest.approx(np.mean(ANGLES_OF_CLASS_0), abs=3e-8)
    assert np.isnan(angles[1:]).all()
    loss = GradientHarmonizedLoss(COUNTS)
    three_of_four = loss.mean_gradient_angles(LOGITS, Y, max_samples=3)
    expected = np.mean([ANGLES_OF_CLASS_0[pair] for pair in (0, 2, 4)])
    assert three_of_four[0] == pytest.approx(expected, abs=3e-8)


def test_annealing_divides_the_density_of_six_samples():
    loss = GradientHarmonizedLoss(COUNTS)
    loss.anneal([0.5, 0.5, 0.5])  # T_0 = 0.2467: of the pairs, only 2 and 3 stay similar.
    assert loss.density(LOGITS, Y).tolist() == [1, 1, 2, 2, 1, 1]
    loss.anneal([1.0, 1.0, 1.0])
    assert loss.density(LOGITS, Y).tolist() == [1, 1, 1, 1, 1, 1]


def test_thresholds_of_the_papers_sets():
    # sigmoid((64/3904 - 1/12) 60) - 1/2 = -0.482 is what the paper's equation gives a fault.
    assert 1 / (1 + math.exp(-(64 / 3904 - 1 / 12) * 60)) - 0.5 == pytest.approx(-0.482, abs=5e-4)
    for counts in (SET_1, SET_2):
        thresholds = class_thresholds(counts, 1.0)
        assert thresholds[0] == pytest.approx(0.5, abs=1e-12)
        assert (thresholds[1:] == 0).all()


@given(st.integers(1, 10**6), st.integers(2, 40))
def test_balanced_classes_have_threshold_exactly_0(n_samples, n_classes):
    assert (class_thresholds(n_classes * [n_samples], 5.0) == 0).all()


@given(st.data(), st.sampled_from([2, 3, 5, 12]), st.sampled_from([np.int64, "f4", "f8"]))
def test_counts_equal_the_definition_in_exact_arithmetic(data, n_dimensions, dtype):
    integers = st.integers(-3, 3)
    n_samples = data.draw(st.integers(0, 15))
    g = data.draw(arrays(np.int64, (n_samples, n_dimensions), elements=integers))
    ends = data.draw(
        arrays(np.int64, (2, n_dimensions), elements=integers).filter(lambda e: e.any(axis=1).all())
    )
    # The threshold is the angle between two of the gradients, so that there is a tie.
    threshold = angle_matrix(ends.astype(float))[0, 1]
    g = np.concatenate([ends, g])
    dots, squares = g @ g.T, (g * g).sum(axis=1)
    signed = np.sign(dots) * dots**2 * squares[0] * squares[1]
    similar = signed >= np.sign(dots[0, 1]) * dots[0, 1] ** 2 * np.outer(squares, squares)
    nonzero = squares > 0
    similar = (similar & nonzero & nonzero[:, None]) | np.eye(len(g), dtype=bool)
    np.testing.assert_array_equal(gradient_density(g.astype(dtype), threshold), similar.sum(axis=1))


@given(seeds, st.sampled_from([2, 3, 5, 12]), st.integers(1, 60), st.floats(1e-3, 3.5))
def test_counts_equal_the_arccos_matrix(seed, n_dimensions, n_samples, threshold):
    g = np.random.default_rng(seed).normal(size=(n_samples, n_dimensions))
    norms = np.linalg.norm(g, axis=1)
    angles = np.arccos(np.clip(g @ g.T / np.outer(norms, norms), -1, 1))
    np.fill_diagonal(angles, 0)
    np.testing.assert_array_equal(gradient_density(g, threshold), (angles <= threshold).sum(axis=1))


@given(seeds, st.integers(1, 60), st.floats(0, 3.5))
def test_counts_of_two_dimensions_equal_the_differences_of_arctan2(seed, n_samples, threshold):
    rng = np.random.default_rng(seed)
    g = rng.normal(size=(n_samples, 2))
    g = np.concatenate([g, 3 * g, -g[:2]])
    angles = np.arctan2(g[:, 1], g[:, 0])
    differences = np.abs(angles[:, None] - angles)
    differences = np.minimum(differences, 2 * np.pi - differences)
    np.testing.assert_array_equal(
        gradient_density(g, threshold), (differences <= threshold + 1e-14).sum(axis=1)
    )


def test_counts_over_several_chunks_equal_the_definition():
    g = np.random.default_rng(0).normal(size=(1500, 5))
    similar = angle_matrix(g) <= 0.8
    np.testing.assert_array_equal(gradient_density(g, 0.8), similar.sum(axis=1))


@given(seeds, st.sampled_from([2, 3, 12]), st.floats(0, 3.2))
def test_counts_depend_neither_on_the_order_nor_on_lengths(seed, n_dimensions, threshold):
    rng = np.random.default_rng(seed)
    g = rng.normal(size=(30, n_dimensions))
    counts = gradient_density(g, threshold)
    order = rng.permutation(30)
    np.testing.assert_array_equal(gradient_density(g[order], threshold), counts[order])
    lengths = 10 ** rng.uniform(-300, 300, size=(30, 1))
    lengths[:2, 0] = 1e-300, 1e300
    np.testing.assert_array_equal(gradient_density(lengths * g, threshold), counts)


@pytest.mark.parametrize("n_dimensions", [2, 3])
def test_smallest_and_largest_numbers_have_a_direction(n_dimensions):
    g = np.zeros((4, n_dimensions))
    g[:, 0] = 5e-324, 1.0, 1.7e308, 0.0
    assert gradient_density(g, 0.0).tolist() == [3, 3, 3, 1]
    g[2, 1] = 1.7e308
    assert gradient_density(g, 0.5).tolist() == [2, 2, 1, 1]


@pytest.mark.parametrize("threshold", [0.0, 1.0, math.pi, 10.0])
@pytest.mark.parametrize("n_dimensions", [1, 2, 3])
def test_gradients_of_length_0_count_themselves_only(n_dimensions, threshold):
    g = np.ones((5, n_dimensions))
    g[1::2] = 0.0
    assert gradient_density(g, threshold).tolist() == [3, 1, 3, 1, 3]
    assert gradient_density(0 * g, threshold).tolist() == [1, 1, 1, 1, 1]


@pytest.mark.parametrize("n_dimensions", [2, 3])
def test_threshold_0_counts_the_same_direction_and_pi_counts_all(n_dimensions):
    g = np.zeros((4, n_dimensions))
    g[:, :2] = [1, 1], [3, 3], [-1, -1], [1, 0]
    assert gradient_density(g, 0).tolist() == [2, 2, 1, 1]
    for threshold in (math.pi, 3.2, 1e300):
        assert gradient_density(g, threshold).tolist() == [4, 4, 4, 4]


@pytest.mark.parametrize("threshold", [math.pi - 10.0**-k for k in range(12, 17)])
def test_opposite_gradients_count_once_just_below_pi(threshold):
    g = np.array([[1.0, 0.0], [-1.0, 0.0], [1.0, 1e-3], [-1.0, 1e-20]])
    counts = gradient_density(g, threshold)
    assert counts.max() <= 4
    assert counts[2] == 4


def test_angles_are_counted_across_pi():
    g = [[-1, 0.1], [-1, -0.1], [-1, 0.0], [-1, -0.0], [1, 0]]
    assert gradient_density(g, 0.1).tolist() == [3, 3, 4, 4, 1]
    assert gradient_density(g, 0.2).tolist() == [4, 4, 4, 4, 1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("one", "other", "angle"),
    [
        ([1, 0], [1, 1], math.pi / 4),
        ([1, 0], [0, 7], math.pi / 2),
        ([3, 4], [4, 3], math.acos(24 / 25)),
        ([-1, 1, 0], [-1, 0, 1], math.pi / 3),
        ([1, 1, 0], [0, 3, 0], math.pi / 4),
        ([-1, 1, 0], [1, 0, -1], 2 * math.pi / 3),
    ],
)
def test_angle_equal_to_the_threshold_counts(one, other, angle, dtype):
    g = torch.tensor([one, other], dtype=dtype)
    assert gradient_density(g, angle).tolist() == [2, 2]
    assert gradient_density(g, angle - 1e-6).tolist() == [1, 1]


def test_float32_gradients_count_themselves_at_threshold_0():
    g = np.random.default_rng(0).normal(size=(1000, 12)).astype(np.float32)
    assert (gradient_density(g, 0.0) == 1).all()
    assert (gradient_density(np.repeat(g, 2, axis=0), 0.0) == 2).all()


@pytest.mark.parametrize("n_dimensions", [1, 2, 3])
def test_no_gradient_and_one_gradient_are_counted(n_dimensions):
    assert gradient_density(np.zeros((0, n_dimensions)), 1.0).shape == (0,)
    assert gradient_density(np.ones((1, n_dimensions)), 0.0).tolist() == [1]


def test_counts_come_as_the_gradients_did():
    g = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    g.flags.writeable = False
    for given_as in (g, g.tolist(), list(g), g[::-1], np.asfortranarray(g)):
        counts = gradient_density(given_as, 1.0)
        assert isinstance(counts, np.ndarray)
        assert counts.dtype == np.int64
        assert counts.tolist() == [2, 3, 2]
    tensor = torch.tensor(g.copy(), requires_grad=True)
    counts = gradient_density(tensor, 1.0)
    assert counts.dtype == torch.int64
    assert not counts.requires_grad
    assert counts.tolist() == [2, 3, 2]


@each_base
def test_alpha_0_is_the_plain_loss_bit_for_bit(base):
    logits, y = random_batch(0, SET_1, 128)
    logits.requires_grad_()
    plain = ClassificationLoss(SET_1, base=base)(logits, y)
    harmonized = GradientHarmonizedLoss(SET_1, alpha=0, base=base)(logits, y)
    assert torch.equal(harmonized, plain)
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in (harmonized, plain)]
    assert torch.equal(*gradients)


@each_base
@pytest.mark.parametrize("scope", ["batch", "epoch"])
@pytest.mark.parametrize("drop", [True, False])
def test_a_balanced_set_has_the_plain_loss_bit_for_bit(base, scope, drop):
    counts = 7 * [49]
    logits, y = random_batch(0, counts, 128)
    plain = ClassificationLoss(counts, base=base)(logits, y)
    loss = GradientHarmonizedLoss(counts, alpha=9.0, base=base, scope=scope, drop=drop)
    assert torch.equal(loss(logits, y), plain)


@given(seeds, st.lists(st.integers(0, 5000), min_size=3, max_size=12), st.floats(0, 3))
def test_minority_classes_weigh_exactly_1(seed, counts, alpha):
    counts[0] += 1
    logits, y = random_batch(seed, counts)
    minority = np.array(counts) * len(counts) <= sum(counts)
    for projection in (None, "2d"):
        loss = GradientHarmonizedLoss(counts, alpha=alpha, projection=projection)
        weights = loss.sample_weights(logits, y)
        assert (weights[minority[y]] == 1).all()
        assert (weights > 0).all()
        assert (weights <= 1).all()


@given(seeds, st.floats(1e-3, 2))
def test_two_classes_count_the_whole_class(seed, alpha):
    logits, y = random_batch(seed, [9, 1])
    density = GradientHarmonizedLoss([9, 1], alpha=alpha).density(logits, y)
    n_majority = int((y == 0).sum())
    assert density.tolist() == torch.where(y == 0, n_majority, 1).tolist()


@given(seeds, st.sampled_from([SET_1, SET_2]))
def test_thresholds_of_a_third_of_pi_count_the_whole_class(seed, counts):
    logits, y = random_batch(seed, counts)
    density = GradientHarmonizedLoss(counts, alpha=2.1).density(logits, y)
    n_majority = int((y == 0).sum())
    assert density.tolist() == torch.where(y == 0, n_majority, 1).tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_third_of_pi_counts_classes_confused_for_certain(dtype):
    logits = 1e4 * torch.eye(12, dtype=dtype)[1:]
    directions = gradient_directions(logits, torch.zeros(11, dtype=torch.int64))
    assert gradient_density(directions, math.pi / 3).tolist() == 11 * [11]
    assert gradient_density(directions, math.pi / 3 - 1e-6).tolist() == 11 * [1]


@given(seeds, st.sampled_from([2, 3, 5, 12]), st.sampled_from([1e-3, 1.0, 30.0, 1e4]))
def test_angles_within_a_class_are_at_most_a_third_of_pi(seed, n_classes, scale):
    logits, y = random_batch(seed, n_classes * [1])
    directions = gradient_directions(scale * logits, y).double()
    norms = directions.norm(dim=1)
    assert norms.min() >= math.sqrt(1 + 1 / (n_classes - 1)) - 1e-6
    assert norms.max() <= math.sqrt(2) + 1e-6
    angles = angle_matrix(directions.numpy())
    assert angles[np.equal.outer(y.numpy(), y.numpy())].max() <= math.pi / 3 + 1e-6


@given(seeds, st.floats(0.1, 2))
def test_of_three_classes_the_projection_changes_nothing(seed, alpha):
    logits, y = random_batch(seed, [9, 2, 1])
    exact = GradientHarmonizedLoss([9, 2, 1], alpha=alpha)
    projected = GradientHarmonizedLoss([9, 2, 1], alpha=alpha, projection="2d")
    assert torch.equal(exact.density(logits, y), projected.density(logits, y))


def test_of_four_classes_the_projection_joins_gradients_that_are_not_similar():
    # Directions -1 1/2 1/2 0 and -1 0 0 1, 0.955 rad apart, are parallel on e0 - e1 and e0 - e2.
    logits = torch.tensor([[0.0, 0.0, 0.0, -1e4], [0.0, 0.0, 0.0, 1e4]])
    y = torch.tensor([0, 0])
    counts = [50, 1, 1, 1]
    assert GradientHarmonizedLoss(counts).density(logits, y).tolist() == [1, 1]
    projected = GradientHarmonizedLoss(counts, projection="2d")
    assert projected.density(logits, y).tolist() == [2, 2]


@given(seeds, st.sampled_from([2, 3, 12]))
def test_directions_are_those_of_the_gradient_of_cross_entropy(seed, n_classes):
    logits, y = random_batch(seed, n_classes * [1], dtype=torch.float64)
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), logits)
    directions = gradient_directions(logits, y)
    assert not directions.requires_grad
    lengths = -gradient.gather(1, y[:, None])
    np.testing.assert_allclose(lengths * directions, gradient, rtol=1e-9, atol=1e-15)


@each_loss
@each_base
def test_logits_of_1e4_give_finite_values(loss, base):
    logits = 1e4 * torch.tensor(np.random.default_rng(0).choice([-1.0, 0.0, 1.0], (64, 3)))
    y = torch.arange(64) % 3
    logits = logits.float().requires_grad_()
    loss = loss([60, 2, 2], base=base)
    value = loss(logits, y)
    value.backward()
    weights = torch.as_tensor(loss.sample_weights(logits, y))
    for values in (value, weights, logits.grad):
        assert torch.isfinite(values).all()


@pytest.mark.parametrize("drop", [True, False])
@pytest.mark.parametrize("scope", ["batch", "epoch"])
def test_weights_carry_no_gradient(drop, scope):
    logits = LOGITS.clone().requires_grad_()
    loss = GradientHarmonizedLoss(COUNTS, drop=drop, scope=scope)
    assert not loss.sample_weights(logits, Y).requires_grad
    assert not loss.density(logits, Y).requires_grad


def test_the_gradient_is_that_of_the_weighted_loss():
    logits = LOGITS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(GradientHarmonizedLoss(COUNTS)(logits, Y), logits)
    softmax_less_one_hot = LOGITS.softmax(dim=1) - F.one_hot(Y, 3)
    expected = torch.tensor(WEIGHTS)[:, None] * softmax_less_one_hot / 6
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)


@pytest.mark.parametrize("name", REPEATABLE)
@each_base
def test_gradients_are_right(name, base):
    logits, y = random_batch(1, [9, 3, 1], 12, dtype=torch.float64)
    loss = LOSSES[name]([9, 3, 1], base=base)
    assert torch.autograd.gradcheck(lambda z: loss(z, y), logits.requires_grad_())


@each_loss
@each_base
def test_loss_is_0_at_the_target_with_a_finite_gradient(loss, base):
    y = torch.tensor([0, 0, 0, 1, 2])
    logits = (1e4 * F.one_hot(y, 3)).float().requires_grad_()
    value = loss([9, 3, 1], base=base)(logits, y)
    value.backward()
    assert value.item() == 0
    assert torch.equal(logits.grad, torch.zeros(5, 3))


@each_loss
@each_base
def test_loss_is_above_0_off_the_target(loss, base):
    y = torch.tensor([0, 1, 2])
    logits = -F.one_hot(y, 3).float()
    assert loss([9, 3, 1], base=base)(logits, y) > 0.01


@each_loss
def test_batches_of_few_classes_and_samples_have_a_loss(loss):
    loss = loss([50, 3, 1, 0])
    for y in ([0], [2], [0, 0], [1, 1], [0, 0, 2]):
        logits = torch.zeros(len(y), 4)
        assert torch.isfinite(loss(logits, torch.tensor(y)))


def test_one_sample_of_a_class_weighs_1():
    weights = GradientHarmonizedLoss([50, 3, 1]).sample_weights(torch.zeros(1, 3), Y[:1])
    assert weights.tolist() == [1.0]


def test_classes_do_not_count_each_other():
    loss = GradientHarmonizedLoss([50, 50, 1, 1, 1, 1])
    y = torch.tensor([0, 0, 0, 1, 1])
    assert loss.density(torch.zeros(5, 6), y).tolist() == [3, 3, 3, 2, 2]


@pytest.mark.parametrize(
    ("annealing", "factor"),
    [
        ("complement", [0.4, 0.4, 0.4]),
        ("per_class", [0.1, 0.4, 0.7]),
        ("f1", [0.6, 0.6, 0.6]),
        (None, [1.0, 1.0, 1.0]),
    ],
)
def test_annealing_factor_follows_from_f1(annealing, factor):
    loss = GradientHarmonizedLoss(COUNTS, annealing=annealing)
    assert loss.annealing_factor.tolist() == [1, 1, 1]
    np.testing.assert_allclose(loss.anneal([0.9, 0.6, 0.3]), factor)
    np.testing.assert_allclose(loss.annealing_factor, factor)


def test_macro_f1_leaves_out_classes_without_samples():
    loss = GradientHarmonizedLoss([4, 2, 0])
    np.testing.assert_allclose(loss.anneal([0.9, 0.5, 0.0]), 0.3)


# Class 0 has six samples of three directions, in clusters of 1, 2 and 3, which are π/6 and π/3
# apart while T_0 = 0.4933; the batch has six of its 12 samples, so that a count of n scales to
# 1 + (n - 1) 11/5 and the cap is 12 over the median of 12, n and n.
@pytest.mark.parametrize(
    ("counts", "densities"),
    [([12, 3, 3], [1, 3.2, 3.2, 4, 4, 4, 1]), ([12, 2, 4], [1, 3, 3, 3, 3, 3, 1])],
)
def test_density_of_an_epoch_is_scaled_and_capped(counts, densities):
    logits = torch.tensor([[0.0, 0, 0], *2 * [[0.0, 1e4, 0]], *3 * [[0.0, 0, 1e4]], [0.0, 0, 0]])
    y = torch.tensor([0, 0, 0, 0, 0, 0, 1])
    assert GradientHarmonizedLoss(counts).density(logits, y).tolist() == [1, 2, 2, 3, 3, 3, 1]
    density = GradientHarmonizedLoss(counts, scope="epoch").density(logits, y)
    np.testing.assert_allclose(density, densities, rtol=1e-6)


def test_density_of_an_epoch_is_that_of_the_batch_where_the_batch_is_all():
    logits, y = LOGITS, Y
    loss = GradientHarmonizedLoss([4, 1, 1], scope="epoch")
    assert loss.density(logits, y).tolist() == DENSITIES


def test_drop_keeps_a_sample_once_in_its_density():
    logits = torch.tensor([*4 * [[0.0, 1e4, 0]], *4 * [[0.0, 0, 1e4]], [0.0, 0, 0], [0.0, 0, 0]])
    y = torch.tensor([0] * 8 + [1, 2])
    loss = GradientHarmonizedLoss([40, 1, 1], drop=True)
    assert loss.density(logits, y).tolist() == [4] * 8 + [1, 1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        kept = torch.stack([loss.sample_weights(logits, y) for _ in range(500)])
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    assert (kept[:, 8:] == 1).all()
    least, most = binom.interval(1 - 1e-6, 4000, 1 / 4)
    assert least <= kept[:, :8].sum() <= most


def test_class_weight_multiplies_the_weights_of_samples():
    class_weight = [0.25, 2.0, 8.0]
    losses = SAMPLE_LOSSES["mse"] * np.array(class_weight)[Y]
    plain = ClassificationLoss(COUNTS, base="mse", class_weight=class_weight)
    assert plain(LOGITS, Y).item() == pytest.approx(losses.mean(), rel=1e-12)
    harmonized = GradientHarmonizedLoss(COUNTS, base="mse", class_weight=class_weight)
    assert harmonized(LOGITS, Y).item() == pytest.approx((WEIGHTS * losses).mean(), rel=1e-12)
    cost = ClassCostLoss(COUNTS, base="mse", class_weight=class_weight)
    assert cost.class_weight.tolist() == [0.125, 4.0, 16.0]


@pytest.mark.parametrize("name", REPEATABLE)
@each_base
def test_class_weight_multiplies_every_loss(name, base):
    loss = partial(LOSSES[name], COUNTS, base=base)
    logits, y = random_batch(0, COUNTS, dtype=torch.float64)
    parts = [loss(class_weight=row)(logits, y).item() for row in np.eye(3)]
    weighted = loss(class_weight=[0.25, 2.0, 8.0])(logits, y).item()
    assert weighted == pytest.approx(np.dot(parts, [0.25, 2.0, 8.0]), rel=1e-6)
    assert loss(class_weight=[1, 1, 1])(logits, y).item() == loss()(logits, y).item()


def test_class_weight_0_leaves_a_class_out():
    loss = ClassificationLoss(COUNTS, class_weight=[1, 0, 0])(LOGITS, Y)
    assert loss.item() == pytest.approx(np.log([2, 2, 5, 2]).sum() / 6)


def test_class_cost_weighs_by_inverse_frequency():
    # n / (C n_c): 6 / (3 4), 6 / (3 1)
    assert ClassCostLoss(COUNTS).class_weight.tolist() == [0.5, 2.0, 2.0]
    assert ClassCostLoss([6, 2, 0]).class_weight.tolist() == pytest.approx([8 / 12, 2, 0])
    expected = np.dot(SAMPLE_LOSSES["cross_entropy"], [0.5, 0.5, 0.5, 0.5, 2, 2]) / 6
    assert ClassCostLoss(COUNTS)(LOGITS, Y).item() == pytest.approx(expected)


def test_class_balanced_weighs_by_the_inverse_effective_number():
    # (1 - β) / (1 - β^n), with β = 1/2: 8/15, 1, 1, scaled to add up to 3.
    weights = ClassBalancedLoss(COUNTS, beta=0.5).class_weight
    np.testing.assert_allclose(weights, np.array([8, 15, 15]) * 3 / 38, rtol=1e-6)
    # Effective numbers (1 - β^n) / (1 - β) for β = 0.999: 959.32, 62.02.
    weights = ClassBalancedLoss(SET_1).class_weight
    assert weights.sum().item() == pytest.approx(12, rel=1e-6)
    assert (weights[1] / weights[0]).item() == pytest.approx(959.3184 / 62.0204, rel=1e-4)


def test_class_balanced_lies_between_plain_and_class_cost():
    assert ClassBalancedLoss([30, 5, 1], beta=0).class_weight.tolist() == [1, 1, 1]
    nearly = ClassBalancedLoss([30, 5, 1], beta=1 - 1e-9).class_weight
    cost = ClassCostLoss([30, 5, 1]).class_weight
    np.testing.assert_allclose(nearly, cost * 3 / cost.sum(), rtol=1e-5)
    assert ClassBalancedLoss([2, 1, 0], beta=0.5).class_weight.tolist() == pytest.approx(
        [0.8, 1.2, 0]
    )


@each_base
def test_focal_loss_without_gamma_is_the_plain_loss(base):
    logits, y = random_batch(0, COUNTS)
    plain = ClassificationLoss(COUNTS, base=base)(logits, y)
    assert torch.equal(FocalLoss(COUNTS, gamma=0, base=base)(logits, y), plain)


def test_focal_loss_is_the_papers():
    # (1 - p)^γ (-log p) with p = 1/4
    logits = torch.tensor([[1.0, 1.0, 2.0]]).log()
    for gamma, weight in [(2, 9 / 16), (1, 3 / 4), (0.5, math.sqrt(3) / 2)]:
        value = FocalLoss(COUNTS, gamma=gamma)(logits, torch.tensor([0]))
        assert value.item() == pytest.approx(weight * math.log(4))


def test_mean_angle_is_that_of_the_arccos_matrix():
    rng = np.random.default_rng(0)
    logits, y = torch.tensor(rng.normal(size=(1003, 4))), torch.zeros(1003, dtype=torch.int64)
    y[:2], y[2] = 1, 2
    angles = mean_gradient_angles(logits, y)
    others = logits[3:, 1:].softmax(dim=1).numpy()
    directions = np.concatenate([-np.ones((1000, 1)), others], axis=1)
    expected = angle_matrix(directions).sum() / (1000 * 999)
    assert angles[0] == pytest.approx(expected, rel=1e-6)
    assert np.isnan(angles[2:]).all()
    few = mean_gradient_angles(logits, y, max_samples=10)
    expected = angle_matrix(directions[::111]).sum() / 90
    assert few[0] == pytest.approx(expected, rel=1e-6)
    assert few[1] == angles[1]


def test_mean_angle_of_equal_gradients_is_0():
    angles = mean_gradient_angles(torch.zeros(50, 12), torch.zeros(50, dtype=torch.int64))
    assert angles[0] < 1e-7


@each_loss
def test_targets_of_another_shape_are_refused(loss):
    loss = loss(COUNTS)
    with pytest.raises(ValueError, match=r"y \(6, 1\); give \(n_samples, 3\) and \(n_samples,\)"):
        loss(LOGITS, Y[:, None])
    with pytest.raises(ValueError, match=r"logits have shape \(6, 3\) and y \(5,\)"):
        loss(LOGITS, Y[:5])
    with pytest.raises(ValueError, match=r"logits have shape \(6, 2\) .* give \(n_samples, 3\)"):
        loss(LOGITS[:, :2], Y)
    with pytest.raises(ValueError, match=r"logits have shape \(6,\)"):
        loss(LOGITS[:, 0], Y)
    with pytest.raises(TypeError, match=r"y has dtype torch.float64; give the classes as int64"):
        loss(LOGITS, Y.double())


@pytest.mark.parametrize("function", [gradient_directions, mean_gradient_angles])
def test_functions_of_logits_refuse_other_shapes(function):
    with pytest.raises(ValueError, match=r"y \(6, 1\); give \(n_samples, n_classes\)"):
        function(LOGITS, Y[:, None])
    with pytest.raises(ValueError, match=r"logits have shape \(6, 1\)"):
        function(LOGITS[:, :1], Y)
    with pytest.raises(TypeError, match=r"y has dtype torch.int32"):
        function(LOGITS, Y.int())


def test_densities_of_targets_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"y \(6, 1\); give \(n_samples, 3\)"):
        GradientHarmonizedLoss(COUNTS).density(LOGITS, Y[:, None])


def test_max_samples_that_leave_no_pair_are_refused():
    with pytest.raises(ValueError, match="max_samples=1 must be at least 2"):
        mean_gradient_angles(LOGITS, Y, max_samples=1)
    with pytest.raises(TypeError, match=r"max_samples=2.5 must be an integer"):
        mean_gradient_angles(LOGITS, Y, max_samples=2.5)


@pytest.mark.parametrize(
    ("gradients", "threshold", "error", "message"),
    [
        ([1.0, 2.0], 1, ValueError, r"gradients has shape \(2,\); give \(n_samples, n_dim"),
        (np.ones((2, 2, 2)), 1, ValueError, r"gradients has shape \(2, 2, 2\)"),
        (np.ones((2, 0)), 1, ValueError, r"gradients has shape \(2, 0\)"),
        ([[1.0, np.nan]], 1, ValueError, "NaN or infinity; use a smaller learning rate"),
        ([[np.inf, 1.0, 1.0]], 1, ValueError, "NaN or infinity"),
        ([["a", "b"]], 1, ValueError, "gradients must be real numbers; convert it first"),
        ([[1j, 1]], 1, ValueError, "gradients must be real numbers"),
        ([[1.0, 1.0]], -0.1, ValueError, r"threshold=-0.1 must be finite and at least 0"),
        ([[1.0, 1.0]], np.inf, ValueError, "threshold=inf must be finite"),
        ([[1.0, 1.0]], "1", TypeError, "threshold='1' must be a number"),
    ],
)
def test_bad_gradients_and_thresholds_are_refused(gradients, threshold, error, message):
    with pytest.raises(error, match=message):
        gradient_density(gradients, threshold)


def test_logits_that_are_no_numbers_are_refused_with_a_way_out():
    with pytest.raises(ValueError, match="use a smaller learning rate"):
        GradientHarmonizedLoss(COUNTS)(LOGITS * math.nan, Y)


BAD_COUNTS = [
    ([5], r"class_counts has shape \(1,\); give the samples of 2 classes or more"),
    ([[5, 1]], r"class_counts has shape \(1, 2\)"),
    (5, r"class_counts has shape \(\)"),
    ([5.0, 1.0], "must hold integers of at least 0"),
    ([5, -1], r"class_counts=\[5, -1\] must hold integers of at least 0"),
    ([0, 0], "not all of them 0"),
]


@each_loss
@pytest.mark.parametrize(("counts", "message"), BAD_COUNTS)
def test_bad_counts_are_refused(loss, counts, message):
    with pytest.raises(ValueError, match=message):
        loss(counts)


@pytest.mark.parametrize(
    ("counts", "params", "error", "message"),
    [
        *((counts, {"alpha": 1.0}, ValueError, message) for counts, message in BAD_COUNTS),
        ([5, 1], {"alpha": -1}, ValueError, "alpha=-1 must be finite and at least 0"),
        ([5, 1], {"alpha": None}, TypeError, "alpha=None must be a number"),
        ([5, 1], {"alpha": 1, "annealing": 1.1}, ValueError, r"annealing=1.1 must lie in \[0, 1\]"),
        ([5, 1], {"alpha": 1, "annealing": [0, -1]}, ValueError, r"must lie in \[0, 1\]"),
        ([5, 1], {"alpha": 1, "annealing": np.nan}, ValueError, r"must lie in \[0, 1\]"),
        ([5, 1], {"alpha": 1, "annealing": [1]}, ValueError, r"one per class, \(2,\)"),
    ],
)
def test_bad_arguments_of_thresholds_are_refused(counts, params, error, message):
    with pytest.raises(error, match=message):
        class_thresholds(counts, **params)


@pytest.mark.parametrize(
    ("loss", "params", "error", "message"),
    [
        *(
            (loss, params, ValueError, message)
            for loss in (ClassificationLoss, ClassCostLoss, ClassBalancedLoss, FocalLoss)
            for params, message in [
                ({"base": "hinge"}, "base='hinge' is not one of 'cross_entropy', 'mse', 'rmse'"),
                ({"class_weight": [1, 1]}, r"shape \(2,\) but there are 3 classes; give one"),
                ({"class_weight": [1, -1, 1]}, "must be finite and at least 0"),
                ({"class_weight": [1, np.nan, 1]}, "must be finite and at least 0"),
            ]
        ),
        (ClassBalancedLoss, {"beta": 1}, ValueError, "beta=1 must be .* below 1"),
        (ClassBalancedLoss, {"beta": -0.1}, ValueError, "beta=-0.1 must be .* at least 0"),
        (ClassBalancedLoss, {"beta": "0.9"}, TypeError, "beta='0.9' must be a number"),
        (FocalLoss, {"gamma": -1}, ValueError, "gamma=-1 must be finite and at least 0"),
        (FocalLoss, {"gamma": None}, TypeError, "gamma=None must be a number"),
        (GradientHarmonizedLoss, {"base": "hinge"}, ValueError, "base='hinge' is not one of"),
        (GradientHarmonizedLoss, {"class_weight": [1]}, ValueError, "give one weight per class"),
        (GradientHarmonizedLoss, {"alpha": -1}, ValueError, "alpha=-1 must be .* at least 0"),
        (GradientHarmonizedLoss, {"alpha": np.nan}, ValueError, "alpha=nan must be finite"),
        (GradientHarmonizedLoss, {"alpha": np.inf}, ValueError, "alpha=inf must be finite"),
        (GradientHarmonizedLoss, {"alpha": "1"}, TypeError, "alpha='1' must be a number"),
        (GradientHarmonizedLoss, {"alpha": True}, TypeError, "alpha=True must be a number"),
        (GradientHarmonizedLoss, {"projection": "3d"}, ValueError, "is not one of None, '2d'"),
        (GradientHarmonizedLoss, {"scope": "set"}, ValueError, "not one of 'batch', 'epoch'"),
        (
            GradientHarmonizedLoss,
            {"annealing": "cosine"},
            ValueError,
            "annealing='cosine' is not one of 'complement', 'per_class', 'f1', None",
        ),
        (GradientHarmonizedLoss, {"drop": "no"}, ValueError, "drop='no' is not one of True, False"),
    ],
)
def test_bad_argument_is_refused(loss, params, error, message):
    with pytest.raises(error, match=message):
        loss(COUNTS, **params)


def test_projection_of_two_classes_is_refused():
    with pytest.raises(ValueError, match="needs at least 3 classes; use projection=None"):
        GradientHarmonizedLoss([5, 1], projection="2d")


@pytest.mark.parametrize(
    ("f1_scores", "message"),
    [
        ([0.5, 0.5], r"f1_scores has shape \(2,\); give one per class, \(3,\)"),
        (0.5, r"f1_scores has shape \(\)"),
        ([0.5, 0.5, 1.5], r"must lie in \[0, 1\]"),
        ([0.5, np.nan, 0.5], r"must lie in \[0, 1\]"),
    ],
)
def test_bad_f1_scores_are_refused_and_change_nothing(f1_scores, message):
    loss = GradientHarmonizedLoss(COUNTS)
    with pytest.raises(ValueError, match=message):
        loss.anneal(f1_scores)
    assert loss.annealing_factor.tolist() == [1, 1, 1]


pairs = arrays(np.float64, (2, 7), elements=st.floats(-1e3, 1e3))


@given(pairs, st.floats(0.01, 0.99))
def test_pinball_loss_is_that_of_scikit_learn(values, quantile):
    y_pred, y = values
    loss = PinballLoss(quantile)(torch.from_numpy(y_pred), torch.from_numpy(y))
    assert float(loss) == pytest.approx(mean_pinball_loss(y, y_pred, alpha=quantile), abs=1e-9)


@pytest.mark.parametrize("quantile", [0, 1, -0.1, float("nan")])
def test_pinball_loss_refuses_quantiles_out_of_range(quantile):
    with pytest.raises(ValueError, match="quantile="):
        PinballLoss(quantile)
