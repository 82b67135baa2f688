"""Searches and features on dask and Ray: the scores of a serial run, also when a worker dies."""

import os
import signal
from pathlib import Path

import dask
import dask.array as da
import joblib
import numpy as np
import pytest
import torch
from dask.distributed import Client, LocalCluster
from scipy.stats import loguniform
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline

from skprog.datasets import make_run_to_failure
from skprog.estimators import CnnLstmRUL
from skprog.model_selection import HyperbandSearchCV
from skprog.preprocessing import AccelRotation45, WelchSpectrogram
from skprog.sequences import RunSequences

# dask leaves the closing of sockets and loops to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
SMALL = {"lstm_units": 8, "dense_units": (8,), "lr_decay": 1.0, "random_state": 0}


class DeadlyRUL(CnnLstmRUL):
    """Kills its process, once: in the first fit of three epochs, in mid-search."""

    def __init__(self, folder, *, max_epochs=1, lr=1e-3):
        super().__init__(max_epochs=max_epochs, lr=lr, **SMALL)
        self.folder = folder

    def fit(self, X, y):
        if self.max_epochs == 3:
            try:
                Path(self.folder, "killed").touch(exist_ok=False)
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


def search_of(model):
    """Return a small search over learning rates."""
    return HyperbandSearchCV(
        model,
        {"lr": loguniform(1e-4, 1e-1)},
        max_resources=9,
        cv=GroupKFold(2),
        random_state=0,
    )


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Workers have one thread each, and sums depend on how many share them."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module")
def bearings():
    """Windows of three short simulated runs."""
    return make_run_to_failure(n_runs=3, n_windows=100, n_timepoints=512, random_state=0)


@pytest.fixture(scope="module")
def problem(bearings):
    """Rows of energies in 8 bands, enough of them that joblib spreads their indices as data."""
    S = WelchSpectrogram(nperseg=64, hop=32, pool_size=4).fit_transform(bearings.windows)
    X = RunSequences.from_runs(S.mean(axis=(1, 3)), bearings.runs, n_steps=4)
    assert len(X) > 250
    return X, bearings.rul[X.ends]


@pytest.fixture(scope="module")
def serial(problem):
    """The search without an engine."""
    X, y = problem
    return search_of(CnnLstmRUL(**SMALL)).fit(X, y, groups=X.runs)


@pytest.fixture
def client():
    """Two dask workers, processes of one thread each."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(2)
        yield client


def assert_same_search(search, other):
    """Compare candidates and scores of each split, exactly."""
    assert search.cv_results_["params"] == other.cv_results_["params"]
    for split in range(2):
        name = f"split{split}_test_score"
        np.testing.assert_array_equal(search.cv_results_[name], other.cv_results_[name])
    assert search.best_params_ == other.best_params_


@pytest.mark.slow
def test_dask_scores_as_one_process_does(client, problem, serial):
    X, y = problem
    with joblib.parallel_config(backend="dask", scatter=[X, y]):
        search = search_of(CnnLstmRUL(**SMALL)).fit(X, y, groups=X.runs)
    assert_same_search(search, serial)
    np.testing.assert_array_equal(search.predict(X), serial.predict(X))


@pytest.mark.slow
def test_killing_a_dask_worker_in_mid_search_loses_no_result(client, problem, serial, tmp_path):
    X, y = problem
    before = set(client.run(os.getpid).values())
    with joblib.parallel_config(backend="dask", scatter=[X, y]):
        search = search_of(DeadlyRUL(str(tmp_path))).fit(X, y, groups=X.runs)
    assert Path(tmp_path, "killed").exists()
    client.wait_for_workers(2)
    assert len(before & set(client.run(os.getpid).values())) == 1
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    for name in ("mean_test_score", "param_lr", "n_resources"):
        np.testing.assert_array_equal(search.cv_results_[name], serial.cv_results_[name])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_ray_scores_as_one_process_does(problem, serial, monkeypatch):
    import ray
    from ray.util.joblib import register_ray

    X, y = problem
    # Else Ray writes a token to the home folder.
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        register_ray()
        with joblib.parallel_config(backend="ray", n_jobs=2):
            search = search_of(CnnLstmRUL(**SMALL)).fit(X, y, groups=X.runs)
    finally:
        ray.shutdown()
    assert_same_search(search, serial)


def test_features_on_dask_are_those_of_one_process(client, bearings):
    features = make_pipeline(AccelRotation45(), WelchSpectrogram(nperseg=64, hop=32))
    whole = features.fit_transform(bearings.windows)
    runs = [bearings.windows[bearings.runs == name] for name in bearings.bearings]
    with joblib.parallel_config(backend="dask"):
        parts = joblib.Parallel()(joblib.delayed(features.transform)(run) for run in runs)
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_features_map_over_dask_blocks(bearings):
    features = make_pipeline(AccelRotation45(), WelchSpectrogram(nperseg=64, hop=32))
    whole = features.fit_transform(bearings.windows)
    windows = da.from_array(bearings.windows, chunks=(50, -1, -1))
    mapped = windows.map_blocks(
        features.transform,
        new_axis=3,
        chunks=(windows.chunks[0], *((n,) for n in whole.shape[1:])),
        meta=whole[:0],
    )
    with dask.config.set(scheduler="threads", num_workers=2):
        np.testing.assert_array_equal(mapped.compute(), whole)
