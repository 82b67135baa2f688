"""What counting gradients by sorted angles and by cosines saves, and what it costs an epoch."""

import math
import sys

import numpy as np
import pytest
import torch
from _interleaved import paired_ratio
from _peak_memory import peak_megabytes

from skprog.estimators import GHLClassifier
from skprog.losses import gradient_density

THRESHOLD = 0.5


def random_gradients(n_samples, n_dimensions, dtype=torch.float64):
    rng = np.random.default_rng(0)
    return torch.tensor(rng.standard_normal((n_samples, n_dimensions)), dtype=dtype)


def count_by_arccos(gradients):
    """Return the counts as the paper's equation 14 has them, by the matrix of all angles."""
    units = torch.nn.functional.normalize(gradients, dim=1)
    angles = (units @ units.T).clamp_(-1, 1).arccos_()
    return (angles <= THRESHOLD).sum(dim=1)


# The matrix takes less time in float32, so that the line in float64 is the easier one.
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("n_dimensions", "times"), [(2, 50), (12, 5)])
def test_density_is_many_times_as_fast_as_the_arccos_matrix(benchmark, n_dimensions, times, dtype):
    gradients = random_gradients(3200, n_dimensions, dtype)
    difference = gradient_density(gradients, THRESHOLD) - count_by_arccos(gradients)
    # In float32 an angle near the threshold may round to its other side.
    assert difference.abs().sum() <= (0 if dtype == torch.float64 else 20)
    ratio, interval = paired_ratio(
        lambda: count_by_arccos(gradients), lambda: gradient_density(gradients, THRESHOLD)
    )
    benchmark.extra_info.update(ratio=ratio, interval=interval)
    benchmark.pedantic(gradient_density, args=(gradients, THRESHOLD), rounds=5)
    assert ratio >= times


def test_time_in_two_dimensions_grows_as_n_log_n(benchmark):
    million = random_gradients(1_000_000, 2)
    ratio, interval = paired_ratio(
        lambda: gradient_density(million, THRESHOLD),
        lambda: gradient_density(million[:100_000], THRESHOLD),
    )
    benchmark.extra_info.update(ratio=ratio, interval=interval)
    benchmark.pedantic(gradient_density, args=(million, THRESHOLD), rounds=3)
    assert ratio <= 1.5 * 10 * math.log(1_000_000) / math.log(100_000)


PREPARE = """
import numpy as np
import torch
from skprog.losses import gradient_density

gradients = torch.from_numpy(np.random.default_rng(0).standard_normal((1_000_000, 2)))
gradient_density(gradients[:1000], 0.5)

def work():
    gradient_density(gradients, 0.5)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_a_million_gradients_in_two_dimensions_need_little_memory(benchmark):
    megabytes = benchmark.pedantic(peak_megabytes, args=(PREPARE,), rounds=1)
    benchmark.extra_info.update(megabytes=megabytes)
    assert megabytes < 200


def test_epoch_takes_at_most_1_15_times_one_of_cross_entropy(benchmark):
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(12), [3200] + 11 * [64])
    X = rng.standard_normal((len(y), 1024), dtype=np.float32)
    ghl = GHLClassifier(loss="ghl", random_state=0).partial_fit(X, y)
    plain = GHLClassifier(loss="cross_entropy", random_state=0).partial_fit(X, y)
    ratio, interval = paired_ratio(lambda: ghl.partial_fit(X, y), lambda: plain.partial_fit(X, y))
    benchmark.extra_info.update(ratio=ratio, interval=interval)
    benchmark.pedantic(ghl.partial_fit, args=(X, y), rounds=3)
    assert ratio <= 1.15
