"""What OnlineRUL takes of one core per window of the paper's size with its model A."""

from time import process_time

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline

from skprog.decision import MaintenanceRule
from skprog.estimators import CnnLstmRUL
from skprog.online import OnlineRUL
from skprog.preprocessing import AccelRotation45, FrequencyMaxPool, WelchSpectrogram
from skprog.sequences import RunSequences

FEATURES = {
    "three steps": (AccelRotation45(), WelchSpectrogram(f_max=8400), FrequencyMaxPool(4)),
    "pooled at once": (AccelRotation45(), WelchSpectrogram(f_max=8400, pool_size=4)),
}


@pytest.fixture(autouse=True)
def one_thread():
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def one_run(n_windows):
    """Return windows of 2560 points and two channels, with the sequences and RUL of their run."""
    rng = np.random.default_rng(0)
    windows = rng.standard_normal((n_windows, 2, 2560), dtype=np.float32)
    X = RunSequences.from_runs(windows, np.zeros(n_windows), time=10.0 * np.arange(n_windows))
    return windows, X, 10.0 * np.arange(n_windows)[::-1]


@pytest.mark.parametrize("features", FEATURES)
def test_a_window_takes_at_most_5_ms(benchmark, features):
    windows, X, y = one_run(400)
    model = make_pipeline(*FEATURES[features], CnnLstmRUL(max_epochs=1, random_state=0))
    model.fit(X[:64], y[:64])
    online = OnlineRUL(model, MaintenanceRule())
    milliseconds, rul = [], []
    for window, time in zip(windows, X.time, strict=True):
        start = process_time()
        rul.append(online.update(window, time).rul)
        milliseconds.append(1000 * (process_time() - start))
    max_life = model[-1].max_life_
    np.testing.assert_allclose(rul, model.predict(X), rtol=0, atol=1e-6 * max_life)
    times = iter(X.time[-1] + 10 * np.arange(1, 10_000))
    benchmark.extra_info.update(
        median=np.median(milliseconds), interval=tuple(np.percentile(milliseconds, (5, 95)))
    )
    benchmark.pedantic(
        lambda window: online.update(window, next(times)), args=(windows[0],), rounds=20
    )
    assert np.median(milliseconds) <= 5
