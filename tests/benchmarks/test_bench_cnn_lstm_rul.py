"""What distinct windows encoded once bring to CnnLstmRUL, in time and memory."""

import subprocess
import sys

import numpy as np
import pytest
from _interleaved import paired_ratio

from skprog.estimators import CnnLstmRUL
from skprog.sequences import RunSequences


def one_run(n_windows):
    """Return the sequences of one run of random spectrograms, and their RUL in s."""
    rng = np.random.default_rng(0)
    windows = rng.standard_normal((n_windows, 3, 84, 25), dtype=np.float32).astype(np.float16)
    return RunSequences.from_runs(windows, np.zeros(n_windows)), 10.0 * np.arange(n_windows)[::-1]


def test_predict_is_12_times_as_fast_as_on_the_stacked_array(benchmark):
    X, y = one_run(2800)
    model = CnnLstmRUL(max_epochs=1, random_state=0).fit(X[:64], y[:64])
    stacked = np.asarray(X)
    expected = model.predict(stacked)
    np.testing.assert_allclose(model.predict(X), expected, rtol=0, atol=1e-6 * model.max_life_)
    ratio, interval = paired_ratio(lambda: model.predict(stacked), lambda: model.predict(X))
    benchmark.extra_info.update(ratio=ratio, interval=interval)
    benchmark.pedantic(model.predict, args=(X,), rounds=3)
    assert ratio >= 12


def test_training_epoch_is_6_times_as_fast_as_on_the_stacked_array(benchmark):
    X, y = one_run(400)
    stacked = np.asarray(X)
    fast = CnnLstmRUL(max_epochs=1, random_state=0).fit(X, y)
    slow = CnnLstmRUL(max_epochs=1, random_state=0).fit(stacked, y)
    ratio, interval = paired_ratio(
        lambda: slow.partial_fit(stacked, y), lambda: fast.partial_fit(X, y)
    )
    benchmark.extra_info.update(ratio=ratio, interval=interval)
    benchmark.pedantic(fast.partial_fit, args=(X, y), rounds=3)
    assert ratio >= 6


PEAK_MEMORY = """
import numpy as np
from skprog.estimators import CnnLstmRUL
from skprog.sequences import RunSequences

def peak():
    # Not ru_maxrss, which a child process inherits from its parent on Linux.
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])

windows = np.empty((20_000, 3, 84, 25), np.float16)
rng = np.random.default_rng(0)
for block in np.array_split(windows, 200):
    block[:] = rng.standard_normal(block.shape, dtype=np.float32)
X = RunSequences.from_runs(windows, np.repeat(np.arange(10), 2000))
y = np.tile(10.0 * np.arange(2000)[::-1], 10)
before = peak()
model = CnnLstmRUL(max_epochs=1, random_state=0).fit(X, y)
fitted = peak()
model.predict(X)
print((fitted - before) / windows.nbytes, (peak() - before) / windows.nbytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_fit_on_20_000_windows_needs_little_memory(benchmark):
    def measure():
        done = subprocess.run(
            [sys.executable, "-c", PEAK_MEMORY], capture_output=True, text=True, check=True
        )
        return [float(value) for value in done.stdout.split()]

    fit, predict = benchmark.pedantic(measure, rounds=1)
    benchmark.extra_info.update(fit=fit, predict=predict)
    assert fit < 2.5
    assert predict < 2.5
